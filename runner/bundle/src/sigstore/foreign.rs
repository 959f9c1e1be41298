//! What people give in place of a bundle, and what they can do about it. Only for messages: none of it is
//! ever taken for one.

use serde_json::Value;

use super::Rejection;

/// Why that is no bundle, if it is one of the things that are known; or what its reader said of it.
pub(super) fn explain(json: &[u8], said: &serde_json::Error) -> Rejection {
    match serde_json::from_slice(json) {
        Ok(Value::Object(members)) if members.contains_key("base64Signature") => {
            Rejection::Unsupported(
                "it is of the format that cosign had before Sigstore bundles (base64Signature): sign again with cosign 3, or with `--new-bundle-format` of cosign 2"
                    .to_owned(),
            )
        }
        Ok(Value::Array(items)) if items.iter().all(Value::is_object) => Rejection::Malformed(
            "it is a list: bundles stand one after the other in a file, without brackets and commas"
                .to_owned(),
        ),
        _ => Rejection::Malformed(said.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bundle;

    #[test]
    fn what_is_given_in_place_of_a_bundle_is_called_by_its_name() {
        for (given, kind, says) in [
            (
                r#"{"base64Signature":"AA==","cert":"","rekorBundle":{}}"#,
                "unsupported",
                "--new-bundle-format",
            ),
            (r#"[{"mediaType":"x"}]"#, "malformed", "it is a list"),
            (r#"{"mediaTyp":"x"}"#, "malformed", "unknown field"),
            ("-----BEGIN", "malformed", "line 1"),
        ] {
            let why = Bundle::parse(given.as_bytes()).unwrap_err();
            assert_eq!(why.kind(), kind, "{why}");
            assert!(why.to_string().contains(says), "{why}");
        }
    }
}
