//! Docker's `config.json`: where the credentials of a registry are. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::credentials::{Credentials, SecretText};

/// The largest configuration file, in bytes.
pub(super) const MAX_CONFIG: usize = 1 << 20;

/// Under which name Docker keeps the credentials of Docker Hub.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the credentials of a registry are.
#[derive(Debug)]
pub(super) enum Source {
    /// In the file.
    Here(Credentials),
    /// With the program `docker-credential-NAME`, under this key.
    Helper { name: String, key: String },
    /// Nowhere.
    None,
}

/// The part of the file that is about credentials. Other settings are Docker's own business.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DockerConfig {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: Option<SecretText>,
    username: Option<String>,
    password: Option<SecretText>,
    identitytoken: Option<SecretText>,
}

impl DockerConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not JSON, or its members are not what they are with Docker. What is in it is not shown.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            format!(
                "it is not JSON as Docker writes it, at line {}",
                error.line()
            )
        })
    }

    /// Where the credentials of a registry are: with its own helper, with the helper of all, or in
    /// the file.
    ///
    /// # Errors
    /// They are there, and are not well formed.
    pub(super) fn source(&self, registry: &str) -> Result<Source, String> {
        let key = match registry {
            DOCKER_HUB => DOCKER_HUB_KEY,
            registry => registry,
        };
        let own = self
            .cred_helpers
            .get(key)
            .or_else(|| self.cred_helpers.get(registry));
        // An empty name is the file, also where it stands for one registry before the helper of all.
        let helper = own.or(self.creds_store.as_ref());
        if let Some(name) = helper.filter(|name| !name.is_empty()) {
            return Ok(Source::Helper {
                name: checked_helper(name)?,
                key: key.to_owned(),
            });
        }
        let found = self.auths.get(key).or_else(|| {
            self.auths
                .iter()
                .find(|(entry, _)| host_of(entry) == registry)
                .map(|(_, auth)| auth)
        });
        match found {
            Some(auth) => auth.credentials(),
            None => Ok(Source::None),
        }
    }
}

impl Auth {
    fn credentials(&self) -> Result<Source, String> {
        let text = |secret: &'_ Option<SecretText>| {
            let text = secret.as_ref().and_then(SecretText::get);
            text.map(|text| Zeroizing::new(text.to_owned()))
        };
        if let Some(token) = text(&self.identitytoken) {
            return Ok(Source::Here(Credentials::Identity(SecretString::from(
                token.as_str(),
            ))));
        }
        if let (Some(user), Some(password)) = (&self.username, text(&self.password)) {
            return Ok(Source::Here(Credentials::of(
                user.clone(),
                SecretString::from(password.as_str()),
            )));
        }
        let Some(auth) = text(&self.auth) else {
            return Ok(Source::None);
        };
        let wrong = || "the `auth` of the registry is not base64 of USER:PASSWORD".to_owned();
        let plain = Zeroizing::new(ANY_PADDING.decode(auth.trim()).map_err(|_| wrong())?);
        let plain = std::str::from_utf8(&plain).map_err(|_| wrong())?;
        // Old versions of Docker end it with zeros.
        let (user, password) = plain
            .trim_end_matches('\0')
            .split_once(':')
            .ok_or_else(wrong)?;
        Ok(Source::Here(Credentials::of(
            user.to_owned(),
            SecretString::from(password),
        )))
    }
}

/// The host of an entry, which may be a URL.
fn host_of(entry: &str) -> &str {
    let entry = entry
        .strip_prefix("https://")
        .or_else(|| entry.strip_prefix("http://"))
        .unwrap_or(entry);
    entry.split('/').next().unwrap_or_default()
}

/// The name of a helper becomes part of the name of a program: it cannot be a path.
fn checked_helper(name: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match name.len() <= 64 && name.bytes().all(plain) {
        true => Ok(name.to_owned()),
        false => {
            Err("a credential helper has a name with letters, digits, `-`, `_` and `.`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn source(config: &str, registry: &str) -> Result<Source, String> {
        DockerConfig::parse(config.as_bytes())
            .unwrap()
            .source(registry)
    }

    fn password(config: &str, registry: &str) -> Option<String> {
        match source(config, registry).unwrap() {
            Source::Here(Credentials::Password { user, password }) => {
                Some(format!("{user}/{}", password.expose_secret()))
            }
            _ => None,
        }
    }

    #[test]
    fn credentials_in_the_file_are_of_exactly_that_registry() {
        // me:se:cret
        let config = r#"{"auths":{"https://registry.example.com/v1/":{"auth":"bWU6c2U6Y3JldA=="},"r.test:5000":{"username":"u","password":"p"}},"other":1}"#;
        assert_eq!(
            password(config, "registry.example.com").unwrap(),
            "me/se:cret"
        );
        assert_eq!(password(config, "r.test:5000").unwrap(), "u/p");
        for other in [
            "r.test",
            "r.test:5001",
            "example.com",
            "registry.example.com.evil.test",
        ] {
            assert!(matches!(source(config, other), Ok(Source::None)), "{other}");
        }
    }

    #[test]
    fn a_helper_of_the_registry_goes_before_the_one_of_all_and_both_before_the_file() {
        let config = r#"{"credsStore":"all","credHelpers":{"r.test":"own"},"auths":{"r.test":{"auth":"YTpi"}}}"#;
        let helper = |registry: &str| match source(config, registry).unwrap() {
            Source::Helper { name, key } => format!("{name} {key}"),
            _ => "none".to_owned(),
        };
        assert_eq!(helper("r.test"), "own r.test");
        assert_eq!(helper("s.test"), "all s.test");
        assert_eq!(helper("docker.io"), "all https://index.docker.io/v1/");
    }

    #[test]
    fn a_helper_without_a_name_is_the_file() {
        let auths = r#""auths":{"r.test":{"auth":"YTpi"}}"#;
        for helpers in [
            r#""credsStore":"""#,
            r#""credHelpers":{"r.test":""}"#,
            r#""credsStore":"all","credHelpers":{"r.test":""}"#,
        ] {
            let config = format!("{{{helpers},{auths}}}");
            assert_eq!(
                password(&config, "r.test").as_deref(),
                Some("a/b"),
                "{config}"
            );
        }
        let config = r#"{"credsStore":"all","credHelpers":{"r.test":""}}"#;
        assert!(matches!(source(config, "r.test"), Ok(Source::None)));
        assert!(matches!(
            source(config, "s.test"),
            Ok(Source::Helper { name, .. }) if name == "all"
        ));
    }

    #[test]
    fn the_name_of_a_helper_is_no_path() {
        for name in ["../evil", "a/b", "a b", "a\\u0000b"] {
            let config = format!(r#"{{"credsStore":"{name}"}}"#);
            assert!(source(&config, "r.test").is_err(), "{name}");
        }
    }

    #[test]
    fn identity_tokens_are_told_from_passwords() {
        for auth in [
            r#"{"identitytoken":"t"}"#,
            r#"{"username":"<token>","password":"t"}"#,
        ] {
            let config = format!(r#"{{"auths":{{"r.test":{auth}}}}}"#);
            let Source::Here(Credentials::Identity(token)) = source(&config, "r.test").unwrap()
            else {
                panic!("{auth}");
            };
            assert_eq!(token.expose_secret(), "t");
        }
    }

    #[test]
    fn what_is_damaged_is_an_error_that_shows_nothing() {
        let error = source(r#"{"auths":{"r.test":{"auth":"c2VjcmV0"}}}"#, "r.test").unwrap_err();
        assert!(
            error.contains("USER:PASSWORD") && !error.contains("secret"),
            "{error}"
        );
        let error = DockerConfig::parse(br#"{"auths":{"r.test":{"auth":["secret"]}}}"#)
            .err()
            .unwrap();
        assert!(!error.contains("secret"), "{error}");
    }
}
