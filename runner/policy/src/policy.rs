//! The operator's policy file: whom to trust, which secrets there are, who may do what.
//!
//! ```toml
//! [[trust]]
//! plugins = ["http", "acme/*"]
//! keys = ["wharf.pub"]                # relative to this file
//!
//! [[secret]]
//! name = "internal-api"
//! from = "env:INTERNAL_API_TOKEN"
//! to = [{ origin = "https://api.internal", path = "/v1", methods = ["GET"] }]
//! as = "bearer"
//!
//! [[grant]]
//! plugins = ["http"]
//! http = [{ origin = "https://api.internal" }]
//! networks = ["10.0.0.0/8"]
//! secrets = [{ name = "internal-api", rungs = ["inject"] }]
//! limits = { deadline = "30s" }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::tables::misread_list;
use crate::{
    ActionName, HttpRule, LimitRequest, NamePattern, Networks, Operation, PluginName, PolicyError,
    Rung, SecretBinding, SecretGrant, SecretName, StoreConfig, StoreName, TcpRule, TrustRule,
};

/// A policy file. Empty, it trusts nobody and grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// Who may sign what.
    #[serde(default)]
    pub trust: Vec<TrustRule>,
    /// Where secrets are, beside the environment and files.
    #[serde(default, rename = "store", skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreName, StoreConfig>,
    /// The secrets there are.
    #[serde(default, rename = "secret")]
    pub secrets: Vec<SecretBinding>,
    /// Who may do what.
    #[serde(default, rename = "grant")]
    pub grants: Vec<Grant>,
}

/// One `[[grant]]` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grant {
    /// Which plugins.
    pub plugins: Vec<NamePattern>,
    /// Which of their actions; all if left out, and then empty here.
    #[serde(
        default,
        deserialize_with = "crate::listed::actions",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub actions: Vec<ActionName>,
    /// Where requests may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRule>,
    /// Where TCP connections may go, for plugins that speak a protocol of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp: Vec<TcpRule>,
    /// Networks beyond the public ones that a resolved address may be in, for `http` and `tcp` of
    /// this grant.
    #[serde(default)]
    pub networks: Networks,
    /// Which secrets may be used, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretGrant>,
    /// Settings for the plugin to read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Limits in place of the defaults.
    #[serde(default)]
    pub limits: LimitRequest,
}

impl Grant {
    /// Whether this grant is about that action of that plugin.
    pub fn covers(&self, plugin: &PluginName, action: &ActionName) -> bool {
        self.plugins.iter().any(|pattern| pattern.matches(plugin))
            && (self.actions.is_empty() || self.actions.contains(action))
    }

    /// Whether it lets anything out at all.
    pub(crate) fn goes_out(&self) -> bool {
        !(self.http.is_empty() && self.tcp.is_empty())
    }
}

impl Policy {
    /// Reads a policy and checks that its parts agree.
    ///
    /// # Errors
    /// Anything that is not understood: a policy is used as a whole or not at all.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(syntax)?;
        let written = toml::Value::try_from(&policy).map_err(syntax)?;
        let read = text.parse().map(toml::Value::Table).map_err(syntax)?;
        if let Some(place) = misread_list(&read, Some(&written)) {
            let place = place.trim_start_matches('.');
            return Err(syntax(format!(
                "`{place}` is a list, and a table belongs there: write {{ NAME = VALUE, … }}"
            )));
        }
        policy.check()?;
        Ok(policy)
    }

    /// The binding of that name.
    pub fn secret(&self, name: &SecretName) -> Option<&SecretBinding> {
        self.secrets.iter().find(|binding| binding.name == *name)
    }

    /// Whether every secret comes from a store that there is. Apart from reading, because a
    /// program may bring stores of its own.
    ///
    /// # Errors
    /// The first binding whose store no table configures.
    pub fn check_stores(&self) -> Result<(), PolicyError> {
        let there = |store| StoreName::BUILT_IN.contains(&store) || self.stores.contains_key(store);
        match self.secrets.iter().find(|s| !there(s.from.store())) {
            None => Ok(()),
            Some(binding) => Err(PolicyError::UnknownStore {
                secret: binding.name.to_string(),
                store: binding.from.store().to_owned(),
            }),
        }
    }

    /// This policy with its grants, secrets and stores replaced by those of another file.
    pub fn with_grants_of(mut self, other: Self) -> Self {
        self.grants = other.grants;
        self.secrets = other.secrets;
        self.stores = other.stores;
        self
    }

    fn check(&self) -> Result<(), PolicyError> {
        for rule in &self.trust {
            rule.check()?;
        }
        let mut names = BTreeSet::new();
        for binding in &self.secrets {
            if !names.insert(&binding.name) {
                return Err(PolicyError::DuplicateSecret(binding.name.to_string()));
            }
            check_binding(binding)?;
        }
        for grant in &self.grants {
            for secret in &grant.secrets {
                let Some(binding) = self.secret(&secret.name) else {
                    return Err(PolicyError::UnboundSecret {
                        plugins: grant
                            .plugins
                            .iter()
                            .map(NamePattern::to_string)
                            .collect::<Vec<_>>()
                            .join(", "),
                        secret: secret.name.to_string(),
                    });
                };
                for (rung, word) in [(Rung::Inject, "inject"), (Rung::Attach, "attach")] {
                    if secret.rungs.contains(&rung) && binding.to.is_empty() {
                        return Err(PolicyError::NoDestination(secret.name.to_string(), word));
                    }
                }
                let onto_requests = secret.rungs.contains(&Rung::Operate)
                    && binding.is_refused_without_to(Rung::Operate);
                if onto_requests && binding.to.is_empty() {
                    return Err(PolicyError::NoDestination(
                        secret.name.to_string(),
                        "requests of *operate*",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn syntax(why: impl Display) -> PolicyError {
    PolicyError::Syntax(why.to_string())
}

/// What must agree within one `[[secret]]` block.
fn check_binding(binding: &SecretBinding) -> Result<(), PolicyError> {
    let name = || binding.name.to_string();
    let lists = |operation| binding.operations.contains(&operation);
    for origin in binding.to.iter().map(|rule| &rule.origin) {
        if origin.is_any_host() {
            return Err(PolicyError::AnyDestination(name(), origin.to_string()));
        }
        if let Some(label) = origin.all_below() {
            return Err(PolicyError::WideDestination {
                secret: name(),
                origin: origin.to_string(),
                label: label.to_owned(),
            });
        }
    }
    if !binding.jwt.is_open() && !lists(Operation::Jwt) {
        return Err(PolicyError::UnusedJwt(name()));
    }
    for operation in [Operation::Hmac, Operation::Sign] {
        if !binding.jwt.is_open() && lists(operation) {
            return Err(PolicyError::ForgeableJwt(name(), operation));
        }
    }
    if binding.jwt.lifetime.is_some() && binding.jwt.longest() == 0 {
        return Err(PolicyError::NoLifetime(name()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [[trust]]
        plugins = ["http", "acme/*"]
        keys = ["wharf.pub"]
        minimum-version = "0.1.0"

        [[secret]]
        name = "api"
        from = "env:API_TOKEN"
        to = [{ origin = "https://api.test", path = "/v1", methods = ["GET"] }]
        as = { header = { name = "x-api-key" } }

        [[grant]]
        plugins = ["http"]
        http = [{ origin = "https://api.test" }]
        networks = ["10.0.0.0/8"]
        secrets = [{ name = "api" }]
        limits = { deadline = "30s", memory = "64MiB" }
        config = { region = "eu" }
    "#;

    #[test]
    fn a_whole_policy_is_read_and_written_back() {
        let policy = Policy::from_toml(WHOLE).unwrap();
        assert_eq!(policy.grants[0].secrets[0].rungs, [Rung::Inject]);
        let again = Policy::from_toml(&toml::to_string(&policy).unwrap()).unwrap();
        assert_eq!(again, policy);
    }

    #[test]
    fn an_unknown_field_makes_the_whole_policy_unusable() {
        let error = Policy::from_toml("[[grant]]\nplugins = ['*']\nhtpp = []").unwrap_err();
        assert!(error.to_string().contains("htpp"), "{error}");
    }

    #[test]
    fn a_grant_of_a_secret_that_nobody_bound_is_an_error() {
        let text = "[[grant]]\nplugins = ['http']\nsecrets = [{ name = 'ghost' }]";
        let error = Policy::from_toml(text).unwrap_err();
        assert!(
            matches!(error, PolicyError::UnboundSecret { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_secret_to_inject_needs_a_destination() {
        let text =
            "[[secret]]\nname='a'\nfrom='env:A'\n[[grant]]\nplugins=['http']\nsecrets=[{name='a'}]";
        let error = Policy::from_toml(text).unwrap_err();
        assert!(matches!(error, PolicyError::NoDestination(..)), "{error}");
    }

    fn bound(more: &str) -> Result<Policy, PolicyError> {
        Policy::from_toml(&format!("[[secret]]\nname='a'\nfrom='env:A'\n{more}"))
    }

    #[test]
    fn nothing_is_allowed_where_no_operation_is_listed() {
        assert_eq!(bound("").unwrap().secrets[0].operations, []);
        let policy = bound("operations = ['sign', 'aws-sigv4']").unwrap();
        assert_eq!(
            policy.secrets[0].operations,
            [Operation::Sign, Operation::AwsSigv4]
        );
        assert!(bound("operations = ['decrypt']").is_err());
    }

    #[test]
    fn a_credential_may_not_go_to_every_host() {
        let error = bound("to = [{ origin = 'https://*' }]").unwrap_err();
        assert!(matches!(error, PolicyError::AnyDestination(..)), "{error}");
        assert!(bound("to = [{ origin = 'https://*.a.test:*' }]").is_ok());
    }

    #[test]
    fn a_credential_may_not_go_to_every_name_below_one_label_a_private_one_either() {
        for label in ["com", "internal", "localhost"] {
            let error = bound(&format!("to = [{{ origin = 'https://*.{label}' }}]")).unwrap_err();
            assert!(
                matches!(error, PolicyError::WideDestination { .. }),
                "{error}"
            );
            let text = error.to_string();
            assert!(text.contains(&format!("below `{label}`")), "{text}");
            assert!(text.contains("of your own"), "{text}");
        }
        assert!(bound("to = [{ origin = 'https://db' }]").is_ok());
    }

    #[test]
    fn rules_for_tokens_that_would_not_hold_are_refused() {
        let jwt = "jwt = { iss = 'app' }";
        assert!(bound(&format!("operations = ['jwt']\n{jwt}")).is_ok());
        assert!(bound("operations = ['hmac', 'jwt']").is_ok());
        for (text, says) in [
            (jwt.to_owned(), "operations"),
            (format!("operations = ['jwt', 'hmac']\n{jwt}"), "`hmac`"),
            (format!("operations = ['jwt', 'sign']\n{jwt}"), "`sign`"),
            (
                "operations = ['jwt']\njwt = { lifetime = '5ms' }".to_owned(),
                "lifetime",
            ),
        ] {
            let error = bound(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_secret_that_goes_onto_requests_by_operate_needs_a_destination() {
        let grant = "[[grant]]\nplugins=['http']\nsecrets=[{name='a',rungs=['operate']}]";
        assert!(bound(&format!("operations = ['hmac']\n{grant}")).is_ok());
        let error = bound(&format!("operations = ['basic']\n{grant}")).unwrap_err();
        assert!(matches!(error, PolicyError::NoDestination(..)), "{error}");
    }
}
