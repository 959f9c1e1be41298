//! What a host may do with a key for a plugin (*operate*), and what a token that it makes may say.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Period;

/// One way of working with a secret for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// HMAC of the plugin's message.
    Hmac,
    /// A signature of the plugin's message.
    Sign,
    /// A JSON Web Token with the plugin's claims.
    Jwt,
    /// The value as bearer token on a request of the plugin's.
    Bearer,
    /// The value as password on a request of the plugin's.
    Basic,
    /// An AWS signature on a request of the plugin's.
    AwsSigv4,
}

impl Operation {
    /// Whether its result goes to a destination, which the binding must then name.
    pub const fn needs_destination(self) -> bool {
        matches!(self, Self::Bearer | Self::Basic | Self::AwsSigv4)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac => "hmac",
            Self::Sign => "sign",
            Self::Jwt => "jwt",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::AwsSigv4 => "aws-sigv4",
        })
    }
}

/// A signature or MAC of JSON Web Tokens (RFC 7518, RFC 8037). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are those of the standards")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        })
    }
}

/// How long a token is valid where the operator does not say.
const LIFETIME: Period = Period::secs(600);

/// What the operator fixes about tokens. What is left out is the plugin's to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JwtRule {
    /// The algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<JwtAlgorithm>,
    /// The id of the key, in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// The longest lifetime; ten minutes if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Period>,
}

/// A token that is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtRefusal {
    /// The plugin sets a claim that is the host's.
    #[error(
        "the claim `{0}` is set by the host: leave it out, and ask for a lifetime where one is needed"
    )]
    HostsClaim(&'static str),
    /// The plugin names a claim that a reader may take for one of the host's or the operator's.
    #[error(
        "the claim `{wanted}` is too like `{claim}`, which the host or the operator may set: some readers take one for the other; spell it so, or leave it out"
    )]
    Alike {
        /// What is set.
        claim: &'static str,
        /// What the plugin names.
        wanted: String,
    },
    /// The plugin wants another value than the operator fixed.
    #[error(
        "the operator fixed `{claim}` for this key and the plugin wants another: leave it out; {} allows the other",
        instead(claim, wanted)
    )]
    Fixed {
        /// What is fixed.
        claim: &'static str,
        /// What the plugin wants, where that is one text that a policy can fix.
        wanted: Option<String>,
    },
    /// The token would not live. No line of a policy allows that.
    #[error(
        "a lifetime of 0 s is not allowed, and no line of a policy allows it: a token must live, here from 1 s to {longest} s; leave the lifetime out for the longest"
    )]
    NoLifetime {
        /// What is allowed, in seconds.
        longest: u64,
    },
    /// The token would live too long.
    #[error(
        "a lifetime of {wanted} s is not allowed: from 1 s to {longest} s; `lifetime = \"{wanted}s\"` in `jwt` of its [[secret]] block allows it"
    )]
    Lifetime {
        /// What was asked for, in seconds.
        wanted: u64,
        /// What is allowed, in seconds.
        longest: u64,
    },
}

/// The claims that the host sets, and those that the operator may.
const SET: [&str; 5] = ["iss", "sub", "aud", "exp", "iat"];

/// The longest text of a plugin that is repeated, in bytes.
const SHOWN: usize = 256;

fn instead(claim: &str, wanted: &Option<String>) -> String {
    match wanted {
        Some(wanted) if wanted.len() <= SHOWN => {
            let wanted = toml::Value::from(wanted.as_str());
            format!("`{claim} = {wanted}` in `jwt` of its [[secret]] block")
        }
        _ => format!("leaving `{claim}` out of `jwt` of its [[secret]] block"),
    }
}

impl JwtRule {
    /// Whether the operator fixed nothing.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// The longest lifetime, in seconds.
    pub fn longest(&self) -> u64 {
        self.lifetime.unwrap_or(LIFETIME).as_millis() / 1000
    }

    /// The key id in the header: the operator's, or else the plugin's.
    ///
    /// # Errors
    /// The plugin wants another than the operator fixed.
    pub fn key_id(&self, wanted: Option<String>) -> Result<Option<String>, JwtRefusal> {
        agreed("kid", self.kid.as_ref(), wanted)
    }

    /// The algorithm that operator or plugin want, if either says.
    ///
    /// # Errors
    /// The plugin wants another than the operator fixed.
    pub fn algorithm(
        &self,
        wanted: Option<JwtAlgorithm>,
    ) -> Result<Option<JwtAlgorithm>, JwtRefusal> {
        agreed("algorithm", self.algorithm.as_ref(), wanted)
    }

    /// The claims of the token: the plugin's, what the operator fixed, and the times.
    ///
    /// # Errors
    /// The plugin sets what is the host's or the operator's, or wants too long a lifetime.
    pub fn claims(
        &self,
        mut claims: Map<String, Value>,
        lifetime: Option<u64>,
        now: u64,
    ) -> Result<Map<String, Value>, JwtRefusal> {
        for wanted in claims.keys() {
            // As Go's JSON does, which many verifiers are written with: without regard to case, also
            // for letters that only in upper case are one of these.
            let folded = wanted.to_uppercase().to_lowercase();
            if let Some(claim) = SET
                .iter()
                .find(|claim| folded == **claim && wanted != **claim)
            {
                return Err(JwtRefusal::Alike {
                    claim,
                    wanted: wanted.clone(),
                });
            }
        }
        for times in ["iat", "exp"] {
            if claims.contains_key(times) {
                return Err(JwtRefusal::HostsClaim(times));
            }
        }
        for (name, fixed) in [("iss", &self.iss), ("sub", &self.sub), ("aud", &self.aud)] {
            let Some(fixed) = fixed else { continue };
            match claims.get(name) {
                None => {
                    claims.insert(name.to_owned(), Value::from(fixed.as_str()));
                }
                Some(Value::String(same)) if same == fixed => {}
                Some(other) => {
                    return Err(JwtRefusal::Fixed {
                        claim: name,
                        wanted: other.as_str().map(str::to_owned),
                    });
                }
            }
        }
        let longest = self.longest();
        let lifetime = lifetime.unwrap_or(longest);
        if lifetime == 0 {
            return Err(JwtRefusal::NoLifetime { longest });
        }
        if lifetime > longest {
            return Err(JwtRefusal::Lifetime {
                wanted: lifetime,
                longest,
            });
        }
        claims.insert("iat".to_owned(), Value::from(now));
        claims.insert("exp".to_owned(), Value::from(now.saturating_add(lifetime)));
        Ok(claims)
    }
}

fn agreed<T: Clone + PartialEq + Serialize>(
    what: &'static str,
    fixed: Option<&T>,
    wanted: Option<T>,
) -> Result<Option<T>, JwtRefusal> {
    match (fixed, wanted) {
        (Some(fixed), Some(wanted)) if *fixed != wanted => {
            let wanted = serde_json::to_value(wanted).ok();
            Err(JwtRefusal::Fixed {
                claim: what,
                wanted: wanted.and_then(|text| Some(text.as_str()?.to_owned())),
            })
        }
        (Some(fixed), _) => Ok(Some(fixed.clone())),
        (None, wanted) => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn rule(text: &str) -> JwtRule {
        toml::from_str(text).unwrap()
    }

    fn claims(rule: &JwtRule, claims: Value, lifetime: Option<u64>) -> Result<Value, JwtRefusal> {
        let Value::Object(claims) = claims else {
            panic!("not an object")
        };
        rule.claims(claims, lifetime, NOW).map(Value::Object)
    }

    #[test]
    fn the_host_sets_the_times_and_the_operators_claims() {
        let rule = rule("iss = 'app'\naud = 'https://a.test'\nlifetime = '1m'");
        assert_eq!(
            claims(&rule, json!({ "role": "x", "iss": "app" }), Some(30)),
            Ok(json!({
                "role": "x", "iss": "app", "aud": "https://a.test",
                "iat": NOW, "exp": NOW + 30,
            }))
        );
        assert_eq!(claims(&rule, json!({}), None).unwrap()["exp"], NOW + 60);
    }

    #[test]
    fn a_claim_that_a_reader_may_take_for_one_that_is_set_is_refused() {
        let rule = rule("iss = 'app'\nsub = 's'");
        for name in ["i\u{17f}s", "ISS", "Sub", "\u{17f}ub", "EXP", "Iat", "aUd"] {
            let refused = claims(&rule, json!({ name: "admin" }), None);
            assert!(
                matches!(refused, Err(JwtRefusal::Alike { .. })),
                "{name}: {refused:?}"
            );
        }
        let fine = json!({ "issuer": 1, "subject": 2, "NBF": 3, "ex": 4, "iss": "app" });
        assert!(claims(&rule, fine, None).is_ok());
    }

    #[test]
    fn a_plugin_cannot_talk_its_way_round_what_is_fixed() {
        let rule = rule("iss = 'app'\nsub = 's'\naud = 'a'\nkid = '1'\nalgorithm = 'EdDSA'");
        for (name, value) in [
            ("iss", json!("other")),
            ("sub", json!(["s"])),
            ("aud", json!(["a", "b"])),
            ("aud", Value::Null),
        ] {
            assert!(
                matches!(claims(&rule, json!({ name: value }), None), Err(JwtRefusal::Fixed { claim, .. }) if claim == name),
            );
        }
        assert!(rule.key_id(Some("2".into())).is_err());
        assert_eq!(rule.key_id(None), Ok(Some("1".into())));
        assert!(rule.algorithm(Some(JwtAlgorithm::Hs256)).is_err());
        assert_eq!(rule.algorithm(None), Ok(Some(JwtAlgorithm::EdDsa)));
    }

    #[test]
    fn times_and_lifetimes_are_not_the_plugins_to_choose() {
        let rule = JwtRule::default();
        for name in ["iat", "exp"] {
            assert_eq!(
                claims(&rule, json!({ name: 1 }), None),
                Err(JwtRefusal::HostsClaim(name))
            );
        }
        let none = claims(&rule, json!({}), Some(0)).unwrap_err();
        assert_eq!(none, JwtRefusal::NoLifetime { longest: 600 });
        // What would be pasted from it would allow nothing, and take away from what is allowed.
        let none = none.to_string();
        assert!(
            none.contains("must live") && !none.contains("lifetime ="),
            "{none}"
        );
        for wanted in [601, u64::MAX] {
            assert!(matches!(
                claims(&rule, json!({}), Some(wanted)),
                Err(JwtRefusal::Lifetime { longest: 600, .. })
            ));
        }
        assert!(claims(&rule, json!({}), Some(600)).is_ok());
    }

    #[test]
    fn algorithms_have_the_names_of_the_standard() {
        for name in [
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
            "ES256", "ES384", "EdDSA",
        ] {
            let rule = rule(&format!("algorithm = '{name}'"));
            assert_eq!(rule.algorithm.unwrap().to_string(), name);
        }
        assert!(toml::from_str::<JwtRule>("algorithm = 'none'").is_err());
    }
}
