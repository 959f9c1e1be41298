//! Lists that narrow something where they stand and narrow nothing where they are left out.
//!
//! Written and empty, such a list would allow everything while it looks like nothing, so it is
//! refused, with what to write instead.

use serde::de::{Deserialize, Deserializer, Error};

use crate::name::ActionName;
use crate::trust::{TrustedIdentity, TrustedKey};
use crate::{Digest, Method};

macro_rules! lists {
    ($($read:ident: $item:ty, $empty:literal;)*) => {
        $(pub(crate) fn $read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<$item>, D::Error> {
            let list = Vec::deserialize(from)?;
            if list.is_empty() {
                return Err(D::Error::custom($empty));
            }
            Ok(list)
        })*
    };
}

lists! {
    methods: Method,
        "`methods = []` names no method: leave `methods` out to allow every one, name those that are meant, or leave the rule out to allow none";
    actions: ActionName,
        "`actions = []` names no action: leave `actions` out to grant it to every one, name those that are meant, or leave the [[grant]] out to grant it to none";
    pinned_digests: Digest,
        "`pinned-digests = []` pins nothing: leave `pinned-digests` out to let in every digest, name those that are meant, or leave the [[trust]] block out to let in none";
    attesting_keys: TrustedKey,
        "`keys = []` of an attestation names nobody: leave `keys` out where identities may attest it, or any signer of the block, or name those that are meant";
    attesting_identities: TrustedIdentity,
        "`identities = []` of an attestation names nobody: leave `identities` out where keys may attest it, or any signer of the block, or name those that are meant";
}

#[cfg(test)]
mod tests {
    use crate::{CallRights, Capabilities, Policy};

    const DIGEST: &str =
        "'sha256:0000000000000000000000000000000000000000000000000000000000000000'";

    /// Each list with where it stands: what is before it, and what is behind.
    fn lists() -> Vec<(&'static str, String, String)> {
        let own = String::from;
        let grant = "[[grant]]\nplugins=['http']\n";
        let trust = "[[trust]]\nplugins=['*']\nkeys=['a.pub']\n";
        vec![
            (
                "methods",
                format!("{grant}http=[{{origin='https://a.test',"),
                own("'GET'"),
            ),
            (
                "methods",
                own("[[secret]]\nname='a'\nfrom='env:A'\nto=[{origin='https://a.test',"),
                own("'GET'"),
            ),
            ("actions", own(grant), own("'request'")),
            ("pinned-digests", own(trust), own(DIGEST)),
            (
                "keys",
                format!("{trust}attestations=[{{type='https://t.test',"),
                own("'b.pub'"),
            ),
            (
                "identities",
                format!("{trust}attestations=[{{type='https://t.test',"),
                own("{issuer='https://i.test',subject='me'}"),
            ),
        ]
    }

    #[test]
    fn an_empty_list_that_would_allow_everything_is_refused_with_what_to_write_instead() {
        for (name, before, item) in lists() {
            let end = if before.ends_with(',') { "}]" } else { "" };
            let with = |list: &str| Policy::from_toml(&format!("{before}{name}={list}{end}"));
            let error = with("[]").unwrap_err().to_string();
            assert!(error.contains(&format!("leave `{name}` out")), "{error}");
            with(&format!("[{item}]")).unwrap();
        }
        let rule = "http=[{origin='https://a.test',methods=[]}]";
        assert!(toml::from_str::<Capabilities>(rule).is_err());
        assert!(toml::from_str::<CallRights>(rule).is_err());
    }

    #[test]
    fn an_empty_list_that_allows_nothing_is_taken() {
        for text in [
            "[[grant]]\nplugins=[]\nhttp=[]\ntcp=[]\nnetworks=[]\nsecrets=[]",
            "[[secret]]\nname='a'\nfrom='env:A'\nto=[]\noperations=[]",
            "[[trust]]\nplugins=['*']\nkeys=[]\nidentities=[]\nattestations=[]\ndenied-digests=[]",
        ] {
            Policy::from_toml(text).unwrap();
        }
    }
}
