//! The identity that a CI system gives to what runs in it.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::service::{Service, TlsRoots};
use super::{IdentityToken, SigningError};

/// For whom the token is meant. Certificate authorities of Sigstore expect this audience.
const AUDIENCE: &str = "sigstore";

/// Where an identity token is to be had.
pub enum Ambient {
    /// It is in the environment: our own variable, or the one of GitLab's `id_tokens`.
    Token(SecretString),
    /// GitHub Actions gives one to jobs with `permissions: id-token: write`.
    GitHubActions {
        /// Whom to ask.
        url: String,
        /// Who may.
        token: SecretString,
    },
}

impl Ambient {
    /// What the environment has, by a function that gives the value of a variable.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(token) = set("WHARF_IDENTITY_TOKEN").or_else(|| set("SIGSTORE_ID_TOKEN")) {
            return Some(Self::Token(token.into()));
        }
        Some(Self::GitHubActions {
            url: set("ACTIONS_ID_TOKEN_REQUEST_URL")?,
            token: set("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?.into(),
        })
    }

    /// The token.
    ///
    /// # Errors
    /// It cannot be had, or is none.
    pub async fn token(self, roots: &TlsRoots) -> Result<IdentityToken, SigningError> {
        #[derive(Deserialize)]
        struct Answer {
            value: String,
        }
        match self {
            Self::Token(token) => IdentityToken::parse(token),
            Self::GitHubActions { url, token } => {
                let separator = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{separator}audience={AUDIENCE}");
                let service = Service::new("the identity service of GitHub Actions", &url, roots)?;
                let answer = service.get(token.expose_secret()).await?;
                let answer: Answer = serde_json::from_slice(&answer)
                    .map_err(|_| service.answered("it is not a token"))?;
                IdentityToken::parse(answer.value.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Option<Ambient> {
        Ambient::find(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn the_token_of_the_environment_is_found_before_that_of_a_ci_system() {
        let github = [
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://ci.test/?x=1"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
        ];
        assert!(matches!(find(&github), Some(Ambient::GitHubActions { .. })));
        let gitlab = [("SIGSTORE_ID_TOKEN", "gitlab"), github[0], github[1]];
        let both = [("WHARF_IDENTITY_TOKEN", "ours"), gitlab[0]];
        for (variables, expected) in [(&gitlab[..], "gitlab"), (&both[..], "ours")] {
            let Some(Ambient::Token(token)) = find(variables) else {
                panic!("{expected} was not found");
            };
            assert_eq!(token.expose_secret(), expected);
        }
    }

    #[test]
    fn half_of_what_is_needed_is_nothing() {
        assert!(find(&[]).is_none());
        assert!(find(&[("ACTIONS_ID_TOKEN_REQUEST_URL", "https://ci.test")]).is_none());
        assert!(find(&[("SIGSTORE_ID_TOKEN", " ")]).is_none());
    }
}
