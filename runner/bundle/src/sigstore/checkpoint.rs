//! Checkpoints: what a log says that its tree is, as a signed note.
//!
//! ```text
//! ORIGIN
//! SIZE
//! ROOT
//! more lines, kept as they are
//!
//! — NAME BASE64(4 bytes of key id, signature)
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The largest checkpoint, in bytes.
const MAX_NOTE: usize = 64 << 10;

/// The most signatures of a checkpoint: the log's and those of witnesses.
const MAX_SIGNATURES: usize = 64;

/// A checkpoint, read and not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    tree_size: u64,
    root: [u8; 32],
    signed: String,
    signatures: Vec<NoteSignature>,
}

/// What a log is, which its entries say. It decides as whom the log signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rekor {
    /// The origin is the name, and mostly the number of the tree behind it: not every log of this kind
    /// has many trees, and the conformance suite of Sigstore has one without.
    V1,
    /// The origin is the name.
    V2,
}

/// One line below the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoteSignature {
    name: String,
    key_hint: [u8; 4],
    signature: Vec<u8>,
}

impl Checkpoint {
    /// Reads a checkpoint to the letter: exactly one blank line, numbers and base64 in their one
    /// form, every signature line well formed, a line feed at the end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_NOTE {
            return Err("it is far too large".to_owned());
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("it has a control character".to_owned());
        }
        let (body, below) = text
            .split_once("\n\n")
            .ok_or("no blank line parts the note from its signatures")?;
        if below.contains("\n\n") || below.starts_with('\n') {
            return Err("it has more than one blank line".to_owned());
        }
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or("it has no origin")?;
        let size = lines.next().ok_or("it has no tree size")?;
        let tree_size: u64 = size
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == size && i64::try_from(*number).is_ok())
            .ok_or("its tree size is not a number")?;
        let root = lines.next().ok_or("it has no root hash")?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| <[u8; 32]>::try_from(root).ok())
            .ok_or("its root hash is not 32 bytes in base64")?;
        Ok(Self {
            origin: origin.to_owned(),
            tree_size,
            root,
            signed: format!("{body}\n"),
            signatures: signatures(below)?,
        })
    }

    /// As whom the log signs.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn tree_size(&self) -> u64 {
        self.tree_size
    }

    pub(super) fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Whether the log itself signed it: some line that carries the log's key id and is in the
    /// name of the origin verifies. Others are of witnesses, or of nobody, and are not looked at.
    pub(super) fn is_signed(
        &self,
        rekor: Rekor,
        key_hint: [u8; 4],
        verifies: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<(), String> {
        let mut of_log = self
            .signatures
            .iter()
            .filter(|line| line.key_hint == key_hint && self.is_by(rekor, &line.name))
            .peekable();
        if of_log.peek().is_none() {
            return Err(format!(
                "its checkpoint of {:?} carries no signature of that log",
                self.origin
            ));
        }
        if of_log.any(|line| verifies(self.signed.as_bytes(), &line.signature)) {
            Ok(())
        } else {
            Err("the log did not sign its checkpoint".to_owned())
        }
    }

    /// Whether the origin is that of a log of this name.
    fn is_by(&self, rekor: Rekor, name: &str) -> bool {
        let is_tree = |rest: &str| {
            let number = rest.strip_prefix(" - ");
            number.is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
        };
        match (self.origin.strip_prefix(name), rekor) {
            (Some(""), _) => true,
            (Some(rest), Rekor::V1) => is_tree(rest),
            (Some(_), Rekor::V2) | (None, _) => false,
        }
    }
}

fn signatures(below: &str) -> Result<Vec<NoteSignature>, String> {
    let lines = below
        .strip_suffix('\n')
        .filter(|lines| !lines.is_empty())
        .ok_or("it has no signature, or does not end with a line feed")?;
    let signatures: Vec<_> = lines.split('\n').map(signature).collect::<Result<_, _>>()?;
    if signatures.len() > MAX_SIGNATURES {
        return Err("it has far too many signatures".to_owned());
    }
    Ok(signatures)
}

fn signature(line: &str) -> Result<NoteSignature, String> {
    let odd = || "a signature line is not `— NAME BASE64`".to_owned();
    let (name, encoded) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or_else(odd)?;
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains('+') {
        return Err(odd());
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| odd())?;
    match bytes.split_first_chunk::<4>() {
        Some((key_hint, signature)) if !signature.is_empty() => Ok(NoteSignature {
            name: name.to_owned(),
            key_hint: *key_hint,
            signature: signature.to_vec(),
        }),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "npv1T/m9N8zX0jPlbh4rB51zL6GpnV9bQaXSOdzAV+s=";

    fn note(origin: &str, lines: &str) -> String {
        format!("{origin}\n7\n{ROOT}\n\n{lines}")
    }

    #[test]
    fn a_note_is_read_and_its_signed_part_is_kept_to_the_letter() {
        let text = format!("log\n7\n{ROOT}\nTimestamp: 1\n\n— log AAAAAAE=\n— witness AQIDBAU=\n");
        let note = Checkpoint::parse(&text).unwrap();
        assert_eq!(note.tree_size(), 7);
        assert_eq!(note.signed, format!("log\n7\n{ROOT}\nTimestamp: 1\n"));
        assert!(
            note.is_signed(Rekor::V2, [0; 4], |_, signature| signature == [1])
                .is_ok()
        );
        assert!(
            note.is_signed(Rekor::V2, [1, 2, 3, 4], |_, _| true)
                .is_err(),
            "a witness is not the log"
        );
    }

    #[test]
    fn any_of_several_lines_of_the_log_may_be_the_good_one() {
        let text = note("log", "— other AAAAAAM=\n— log AAAAAAE=\n— log AAAAAAI=\n");
        let note = Checkpoint::parse(&text).unwrap();
        assert!(
            note.is_signed(Rekor::V2, [0; 4], |_, signature| signature == [2])
                .is_ok()
        );
        assert!(
            note.is_signed(Rekor::V2, [0; 4], |_, signature| signature == [3])
                .is_err()
        );
    }

    #[test]
    fn a_line_in_another_name_is_not_the_logs() {
        for (origin, name, in_v1, in_v2) in [
            ("rekor.test - 12", "rekor.test", true, false),
            ("rekor.test", "rekor.test", true, true),
            ("rekor.test - 12", "rekor", false, false),
            ("rekor.test - x", "rekor.test", false, false),
            ("rekor.test - ", "rekor.test", false, false),
            ("rekor.test", "other", false, false),
        ] {
            let text = note(origin, &format!("— {name} AAAAAAE=\n"));
            let note = Checkpoint::parse(&text).unwrap();
            for (rekor, whose) in [(Rekor::V1, in_v1), (Rekor::V2, in_v2)] {
                let signed = note.is_signed(rekor, [0; 4], |_, _| true);
                assert_eq!(signed.is_ok(), whose, "{origin} {name} {rekor:?}");
            }
        }
    }

    #[test]
    fn what_is_not_quite_a_note_is_refused() {
        let good = note("log", "— log AAAAAAE=\n");
        assert!(Checkpoint::parse(&good).is_ok());
        for bad in [
            String::new(),
            good.trim_end().to_owned(),
            good.replace("\n7\n", "\n07\n"),
            good.replace("\n7\n", "\n+7\n"),
            good.replace("\n7\n", "\n-7\n"),
            good.replace("\n7\n", "\n18446744073709551615\n"),
            good.replace("log\n", "\n"),
            good.replace("\n7\n", "\n"),
            good.replace(ROOT, "AAAA"),
            good.replace(ROOT, ROOT.trim_end_matches('=')),
            good.replace(&format!("{ROOT}\n"), ""),
            good.replace("\n\n", "\n"),
            good.replace("\n\n", "\n\n\n"),
            good.replace('—', "-"),
            good.replace("— log AAAAAAE=\n", ""),
            good.replace("AAAAAAE=", "AAAAAA=="),
            good.replace("AAAAAAE=", "AAAAAAF="),
            good.replace("AAAAAAE=\n", "AAAAAAE= \n"),
            good.replace('\n', "\r\n"),
            format!("{good}\n"),
            format!("{good}stray\n"),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
