//! `wharf sign FILE --attest`: a statement about a file, kept beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;
use wharf_bundle::{
    AttestationFile, MAX_ATTESTATION_FILE, SigningKey, add_attestation, attest, attestations_path,
    digest,
};

use super::keys;
use crate::exit::{Context, Exit, Failure, Result};
use crate::{local, terminal};

/// What is attested, where that is asked for.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    /// Attest something of the file in place of signing it: the predicate (JSON) of an in-toto
    /// statement. It is added to FILE.attestations.jsonl. By a key only, without services
    #[arg(
        long,
        value_name = "PREDICATE.json",
        requires = "key",
        requires = "predicate_type",
        conflicts_with_all = [
            "add", "identity_token", "keyless", "signing_config", "fulcio_url", "rekor_url",
            "rekor_version", "timestamp_url", "trusted_root",
        ]
    )]
    attest: Option<PathBuf>,
    /// What it attests: a predicate type, such as `https://slsa.dev/provenance/v1`
    #[arg(
        long = "type",
        id = "predicate_type",
        value_name = "URL",
        value_parser = type_of,
        requires = "attest"
    )]
    predicate_type: Option<String>,
}

/// Where it goes and how it is told.
pub(super) struct Target<'a> {
    pub(super) file: &'a Path,
    pub(super) key: &'a str,
    pub(super) bundle: Option<&'a Path>,
    pub(super) replace: bool,
    pub(super) json: bool,
}

impl Attest {
    /// What is to be attested, if anything: the predicate, and its type.
    pub(super) fn wanted(&self) -> Option<(&Path, &str)> {
        self.attest.as_deref().zip(self.predicate_type.as_deref())
    }
}

/// A predicate type as a policy can ask for it.
fn type_of(text: &str) -> std::result::Result<String, &'static str> {
    match text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => Err("a predicate type is a URL, such as https://slsa.dev/provenance/v1"),
        false => Ok(text.to_owned()),
    }
}

/// Attests, and writes the attestation beside those that are there.
pub(super) fn run(predicate: &Path, predicate_type: &str, to: &Target<'_>) -> Result<Exit> {
    let text = local::read_text(predicate)?;
    // As it is written there: who attests answers for it to the letter.
    let predicate: Box<RawValue> = serde_json::from_str(&text).or_exit(
        Exit::Usage,
        format_args!("{} is not JSON", predicate.display()),
    )?;
    let content = local::read(to.file)?;
    let target = match to.bundle {
        Some(path) => path.to_owned(),
        None => attestations_path(to.file),
    };
    let new = attested(&content, predicate_type, &predicate, &keys::open(to.key)?)?;
    let there = match to.replace {
        true => None,
        false => local::read_if_there(&target, MAX_ATTESTATION_FILE)?,
    };
    let all = match there {
        None => [&new[..], b"\n"].concat(),
        Some(there) => add_attestation(&there, &new, &content).map_err(|error| {
            Failure::usage(format!("{}: {error}", target.display())).help(
                "put the new one in the place of what is there with --replace, or write it elsewhere with --bundle",
            )
        })?,
    };
    local::write_whole(&target, &all)?;
    if to.json {
        let count = AttestationFile::parse(&all).or_exit(Exit::Usage, "the attestations")?;
        terminal::print_json(&json!({
            "ok": true,
            "file": to.file,
            "digest": digest(&content),
            "bundle": target,
            "attestation": predicate_type,
            "attestations": count.count(),
        }));
    } else {
        terminal::print(target.display());
    }
    Ok(Exit::Done)
}

/// The attestation alone, as it can be read again.
fn attested(
    content: &[u8],
    predicate_type: &str,
    predicate: &RawValue,
    key: &SigningKey,
) -> Result<Vec<u8>> {
    let new = attest(digest(content), predicate_type, predicate, key)
        .or_exit(Exit::Usage, "nothing was attested")?;
    AttestationFile::parse(&new).or_exit(Exit::Usage, "nothing was attested")?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::super::sign::Sign;
    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _sign: Sign,
    }

    const ATTEST: [&str; 5] = ["sign", "p.wasm", "--attest", "predicate.json", "--type"];

    fn refused(more: &[&str]) -> clap::Error {
        Line::try_parse_from([&ATTEST[..], more].concat()).unwrap_err()
    }

    #[test]
    fn what_means_nothing_for_an_attestation_is_refused_with_it() {
        let by_key = ["https://acme.test/built", "--key", "wharf.key"];
        Line::try_parse_from([&ATTEST[..], &by_key].concat()).unwrap();
        for option in [
            &["--add"][..],
            &["--signing-config", "c.json"],
            &["--rekor-url", "https://log.test"],
            &["--rekor-version", "2"],
            &["--timestamp-url", "https://time.test"],
            &["--trusted-root", "root.json"],
        ] {
            let error = refused(&[&by_key[..], option].concat());
            assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{error}");
            assert!(error.to_string().contains(option[0]), "{error}");
        }
        // By an identity something would be signed, and nothing attested.
        for identity in [&["--keyless"][..], &["--identity-token", "t"]] {
            let error = refused(&[&by_key[..1], identity].concat());
            assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{error}");
        }
    }

    #[test]
    fn what_is_no_predicate_type_is_refused_and_nothing_else_is_said() {
        for bad in ["", " ", "https://acme.test/a b", "a\nb"] {
            let error = refused(&[bad, "--key", "wharf.key"]).to_string();
            assert!(error.contains("--type"), "{error}");
            assert!(error.contains("https://slsa.dev/provenance/v1"), "{error}");
            assert!(!error.contains("--replace"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_not_attested_and_replacing_is_no_way_out() {
        let key = SigningKey::generate().unwrap();
        let predicate = |text: String| serde_json::from_str::<Box<RawValue>>(&text).unwrap();
        let kind = "https://acme.test/built";
        attested(b"p", kind, &predicate("{}".to_owned()), &key).unwrap();
        let large = predicate(format!("\"{}\"", "x".repeat(MAX_ATTESTATION_FILE)));
        let error = attested(b"p", kind, &large, &key).unwrap_err();
        let error = format!("{error:?}");
        assert!(error.contains("nothing was attested"), "{error}");
        assert!(!error.contains("--replace"), "{error}");
    }
}
