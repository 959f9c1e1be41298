//! Results on their way: from the journal to the controller, until it has them.

use wharf_protocol::{Acceptance, AttemptKey};

use super::Core;
use crate::attempts::Acknowledged;
use crate::audit::Oddity;
use crate::journal::{Kept, Notice};
use crate::payloads::Upload;

/// Results read back from the journal at a time.
const PAGE: usize = 64;

impl Core {
    pub(super) fn journal(&mut self, notice: Notice) {
        match notice {
            Notice::Stored(results) => {
                for kept in results {
                    self.running.remove(&kept.key);
                    self.parts.attempts.journaled(kept.key, kept.bytes);
                    self.deliver(kept);
                }
            }
            Notice::Read(results) => {
                self.reading = false;
                self.pump |= !results.is_empty();
                for kept in results {
                    self.deliver(kept);
                }
            }
            Notice::Failing(reason) => {
                self.parts.attempts.set_blocked(true);
                self.trouble = Some(format!("the journal cannot be written: {reason}"));
            }
            Notice::Working => {
                self.parts.attempts.set_blocked(false);
                self.trouble = None;
            }
        }
    }

    /// Sends a result that is on disk, if there is a way to; else it waits there.
    fn deliver(&mut self, kept: Kept) {
        let Some(live) = &self.live else { return };
        if !self.parts.attempts.is_waiting(kept.key) || !live.outbox.has_room() {
            return;
        }
        self.parts.attempts.sent(kept.key);
        match kept.upload {
            None => live.outbox.result(kept.frame),
            Some(digest) => {
                let uploads = self.parts.uploads.clone();
                let store = uploads.store(live.number, kept, digest);
                self.parts.runtime.spawn(store);
            }
        }
    }

    pub(super) fn uploaded(&mut self, number: u64, upload: Upload) {
        let Some(live) = self.live.as_ref().filter(|live| live.number == number) else {
            return;
        };
        match upload {
            Upload::Stored(kept) => live.outbox.result(kept.frame),
            Upload::Never(frame) => live.outbox.result(frame),
            Upload::Later(key) => self.parts.attempts.unsent(key),
        }
    }

    pub(super) fn acknowledged(&mut self, key: AttemptKey, acceptance: Acceptance) {
        match self.parts.attempts.acknowledged(key) {
            Acknowledged::Now => {}
            Acknowledged::Unsent => return self.oddities.note(Oddity::AcknowledgedUnsent, key),
            Acknowledged::Unknown => return self.oddities.note(Oddity::AcknowledgedUnknown, key),
        }
        self.parts.journal.remove(key);
        self.delivered += 1;
        self.pump = true;
        match acceptance {
            Acceptance::Accepted | Acceptance::Duplicate => {}
            Acceptance::Late => {
                tracing::warn!(%key, "a result came too late; the controller keeps it as a dead letter");
            }
            Acceptance::Unknown => {
                tracing::warn!(%key, "the controller knows nothing of a result");
            }
        }
    }

    /// Reads the next results back that wait to be sent, if there is room for them.
    pub(super) fn read_back(&mut self) {
        let Some(live) = &self.live else { return };
        if std::mem::take(&mut self.pump) && !self.reading && live.outbox.has_room() {
            let keys = self.parts.attempts.waiting(PAGE);
            if !keys.is_empty() {
                self.reading = true;
                self.parts.journal.read(keys);
            }
        }
    }
}
