//! Why none of the trusted signers was found to have signed, of all the reasons that there are.

use wharf_policy::Moment;

use super::signers::Not;
use crate::sigstore::Rejection;
use crate::{Refusal, SignatureFile};

/// The reasons so far, and the one that says most.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    telling: Option<Refusal>,
}

impl Reasons {
    /// That somebody else signed says nothing as long as there are others to try. That a trusted
    /// signer signed, and something with it is wrong, is the reason to tell.
    pub(crate) fn add(&mut self, why: Rejection) {
        match why {
            Rejection::BadSignature(_)
            | Rejection::WrongSigner(_)
            | Rejection::WrongIdentity { .. } => {}
            why => self.tell(Refusal::NotProven(why)),
        }
    }

    /// The same of one who was tried for a rule, at that time.
    pub(super) fn add_of(&mut self, why: Not, at: Moment) {
        match why {
            Not::Proven(why) => self.add(why),
            Not::Altered(key) => self.tell(Refusal::Altered { key: key.path }),
            Not::KeyNotTrustedNow(key) => self.tell(Refusal::KeyNotTrustedNow {
                key: key.path,
                not_before: key.not_before,
                not_after: key.not_after,
                at,
            }),
        }
    }

    /// Something that a person would want to hear before anything else.
    pub(crate) fn tell(&mut self, why: Refusal) {
        self.telling.get_or_insert(why);
    }

    /// The refusal, where nothing was proven.
    pub(crate) fn refusal(self, file: &SignatureFile) -> Refusal {
        self.telling.unwrap_or_else(|| Refusal::UnknownSigner {
            hint: file.hint(),
            line: file.trusting(),
        })
    }
}
