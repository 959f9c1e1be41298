//! The trusted roots that a file is verified with: one, or as many as a file has, any of which is enough.

use std::fmt;
use std::path::Path;

use serde::de::IgnoredAny;
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Rejection, RootError, TrustRoot, VerifiedArtifact, verify_file,
};

use crate::exit::{Failure, Result};
use crate::local;

/// The largest file of roots, in bytes.
const MAX_FILE: usize = 4 << 20;
/// The most roots in it.
const MAX_ROOTS: usize = 16;

/// One root, and what it is called.
pub(super) struct Root {
    pub(super) name: String,
    root: TrustRoot,
}

/// Roots of which any one is enough. Nothing of one is ever joined with anything of another.
pub(super) struct Roots {
    roots: Vec<Root>,
    /// Whether they were named, and not only carried.
    named: bool,
}

impl Roots {
    /// One that this program carries.
    pub(super) fn carried(
        root: Result<TrustRoot, RootError>,
        named: bool,
    ) -> Result<Self, RootError> {
        let root = root?;
        let name = root.name().to_owned();
        let roots = vec![Root { name, root }];
        Ok(Self { roots, named })
    }

    /// Those of a file: a root, or several one after the other, as `gh attestation trusted-root` writes
    /// them.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let bytes = local::read_small(path, MAX_FILE, "trusted roots are small")?;
        let shown = path.display();
        let unusable = |name: &str, why: &dyn fmt::Display| {
            Failure::refused(format_args!("{name} cannot be used: {why}"))
        };
        let whole = |why: &dyn fmt::Display| unusable(&shown.to_string(), why);
        let text = std::str::from_utf8(&bytes).map_err(|why| whole(&why))?;
        let documents = documents(text);
        if documents.len() > MAX_ROOTS {
            return Err(whole(&format_args!(
                "it has more than {MAX_ROOTS} trusted roots"
            )));
        }
        let several = documents.len() > 1;
        let mut roots = Vec::new();
        for (number, document) in (1..).zip(documents) {
            let name = match several {
                true => format!("{shown} ({number})"),
                false => shown.to_string(),
            };
            let root = TrustRoot::from_json(document).map_err(|why| unusable(&name, &why))?;
            roots.push(Root { name, root });
        }
        Ok(Self { roots, named: true })
    }

    /// Verifies with each of them, until one is enough.
    pub(super) fn verify(
        &self,
        artifact: &Artifact<'_>,
        bundle: &[u8],
        expected: Expected<'_>,
        asked: Option<Evidence>,
    ) -> Result<(VerifiedArtifact, &Root), Vec<(&Root, Rejection)>> {
        // A root without any beside others asks for no less than they do.
        let witnessed = self.named && self.roots.iter().any(|root| root.root.has_witnesses());
        let mut refusals = Vec::new();
        for root in &self.roots {
            let evidence = asked.unwrap_or_else(|| root.usual(expected, witnessed));
            match verify_file(artifact, bundle, expected, &root.root, evidence) {
                Ok(verified) => return Ok((verified, root)),
                Err(why) => refusals.push((root, why)),
            }
        }
        Err(refusals)
    }
}

impl Root {
    /// What must prove a signature where nothing is asked for. `witnessed` says whether whoever asked named
    /// somebody who can prove a time.
    fn usual(&self, expected: Expected<'_>, witnessed: bool) -> Evidence {
        match expected {
            // An instance that has no log has nothing else to prove a time with.
            Expected::Identity(_) if self.root.has_witnesses() && !self.root.has_logs() => {
                Evidence::Timestamp
            }
            Expected::Identity(_) => Evidence::Log,
            Expected::Key(_) if witnessed => Evidence::Any,
            Expected::Key(_) => Evidence::KeyAlone,
        }
    }
}

/// The documents of a file. What is not JSON is one document: the reader of roots says best what is
/// wrong with it.
fn documents(text: &str) -> Vec<&str> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut documents = Vec::new();
    let mut start = 0;
    while let Some(document) = stream.next() {
        let end = stream.byte_offset();
        let (Ok(_), Some(part)) = (document, text.get(start..end)) else {
            return vec![text];
        };
        documents.push(part);
        start = end;
        if documents.len() > MAX_ROOTS {
            break;
        }
    }
    match documents.is_empty() {
        true => vec![text],
        false => documents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_split_into_its_roots_and_what_is_none_stays_whole() {
        let one = r#"{"tlogs":[{}],"a":"}\n{"}"#;
        assert_eq!(documents(one), [one]);
        let parts = documents("{\"tlogs\":[{}]}\n{\"tlogs\":[]}\n{}\n".trim_end())
            .into_iter()
            .map(str::trim)
            .collect::<Vec<_>>();
        assert_eq!(parts, ["{\"tlogs\":[{}]}", "{\"tlogs\":[]}", "{}"]);
        for none in ["", "no", "{} x", "{"] {
            assert_eq!(documents(none), [none]);
        }
    }

    #[test]
    fn a_root_names_logs_in_either_spelling_of_what_is_in_it() {
        let root = TrustRoot::public_good().unwrap();
        assert!(root.has_logs() && root.has_witnesses());
        let none = r#"{"media_type":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":null}"#;
        let root = TrustRoot::from_json(none).unwrap();
        assert!(!root.has_logs() && !root.has_witnesses());
    }
}
