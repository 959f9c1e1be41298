//! The effective right of one call: manifest ∩ grants ∩ what the call asks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ActionName, Capabilities, Denied, HttpRule, Interface, LimitRequest, Limits, Networks,
    PluginName, Policy, Rung, SecretBinding, SecretName, Target,
};

/// How a call narrows its own rights. Absent means no narrowing; it can never widen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallRights {
    /// Only these destinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Vec<HttpRule>>,
    /// Only these secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SecretName>>,
    /// Lower limits.
    #[serde(default)]
    pub limits: LimitRequest,
}

/// One secret that may be used, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
struct SecretRight {
    binding: SecretBinding,
    rungs: Vec<Rung>,
}

/// What one run may do. A value: equal rights are the same rights, so instances and linkers are
/// kept by them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Rights {
    asked: Vec<HttpRule>,
    granted: Vec<HttpRule>,
    called: Option<Vec<HttpRule>>,
    networks: Networks,
    secrets: Vec<SecretRight>,
    config: Option<BTreeMap<String, String>>,
    limits: Limits,
}

impl Rights {
    /// Intersects what the manifest asks, what the policy grants to this action, and what the
    /// call wants. Several grants that cover the action add up.
    pub fn effective(
        plugin: &PluginName,
        action: &ActionName,
        asks: &Capabilities,
        needs: &LimitRequest,
        policy: &Policy,
        call: &CallRights,
    ) -> Self {
        let grants: Vec<_> = policy
            .grants
            .iter()
            .filter(|grant| grant.covers(plugin, action))
            .collect();
        let mut networks = Networks::default();
        let mut limits = LimitRequest::default();
        let mut config = BTreeMap::new();
        for grant in &grants {
            networks.extend(&grant.networks);
            limits = limits.widest(grant.limits);
            config.extend(grant.config.clone());
        }
        let secrets = policy
            .secrets
            .iter()
            .filter(|binding| {
                call.secrets
                    .as_ref()
                    .is_none_or(|names| names.contains(&binding.name))
            })
            .filter_map(|binding| {
                let mut rungs: Vec<Rung> = grants
                    .iter()
                    .flat_map(|grant| &grant.secrets)
                    .filter(|secret| secret.name == binding.name)
                    .flat_map(|secret| secret.rungs.iter().copied())
                    .filter(|rung| {
                        asks.secrets
                            .iter()
                            .any(|ask| ask.covers(&binding.name, *rung))
                    })
                    .collect();
                rungs.sort();
                rungs.dedup();
                (!rungs.is_empty()).then(|| SecretRight {
                    binding: binding.clone(),
                    rungs,
                })
            })
            .collect();
        Self {
            asked: asks.http.clone(),
            granted: grants.iter().flat_map(|g| g.http.clone()).collect(),
            called: call.http.clone(),
            networks,
            secrets,
            config: (asks.config && !config.is_empty()).then_some(config),
            limits: limits
                .over_defaults()
                .lowered_by(needs)
                .lowered_by(&call.limits),
        }
    }

    /// Whether this interface may be linked.
    pub fn allows(&self, interface: Interface) -> bool {
        let any_secret = |rung| self.secrets.iter().any(|s| s.rungs.contains(&rung));
        let any_http = !self.asked.is_empty() && !self.granted.is_empty();
        match interface {
            Interface::Log
            | Interface::Progress
            | Interface::Control
            | Interface::Output
            | Interface::Types
            | Interface::WasiBase => true,
            Interface::Config => self.config.is_some(),
            Interface::Http | Interface::WasiHttp => any_http,
            Interface::HttpCredentials => any_http && any_secret(Rung::Attach),
            Interface::Secrets => any_secret(Rung::Operate),
            Interface::Reveal => any_secret(Rung::Reveal),
        }
    }

    /// Whether a request may be sent, as far as its URL and method tell. The address it resolves
    /// to is checked with [`Rights::networks`].
    ///
    /// # Errors
    /// Which of manifest, grant and call said no, and the line that would allow it.
    pub fn check_request(&self, method: &str, target: &Target) -> Result<(), Denied> {
        let any = |rules: &[HttpRule]| rules.iter().any(|rule| rule.matches(method, target));
        let denied = |why: &str, place: &str| Denied {
            what: format!("{method} {}{}", target.origin(), target.path()),
            why: why.to_owned(),
            hint: format!(
                "{place} http = [{{ origin = \"{}\", path = \"{}\", methods = [\"{method}\"] }}] would allow it",
                target.origin(),
                target.path()
            ),
        };
        if !any(&self.asked) {
            Err(denied(
                "the plugin's manifest does not ask for it",
                "in the manifest's [capabilities]",
            ))
        } else if !any(&self.granted) {
            Err(denied(
                "no grant allows it",
                "in a [[grant]] for this plugin",
            ))
        } else if !self.called.as_deref().is_none_or(any) {
            Err(denied(
                "the call restricts itself to other destinations",
                "in the call's rights",
            ))
        } else {
            Ok(())
        }
    }

    /// The networks beyond the public ones that are granted.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The binding of a secret, if it may be used in this way.
    ///
    /// # Errors
    /// That it may not, and the line that would allow it. Whether such a secret exists is not told.
    pub fn secret(&self, name: &str, rung: Rung) -> Result<&SecretBinding, Denied> {
        self.with_rung(rung)
            .find(|binding| binding.name.as_str() == name)
            .ok_or_else(|| Denied {
                what: format!("to {rung} the secret `{}`", name.escape_default()),
                why: "it must be asked for by the manifest and granted".to_owned(),
                hint: format!(
                    "in a [[grant]] for this plugin secrets = [{{ name = \"{}\", rungs = [\"{rung}\"] }}] would allow it",
                    name.escape_default()
                ),
            })
    }

    /// The bindings whose credential is injected into such a request.
    pub fn injections<'a>(
        &'a self,
        method: &'a str,
        target: &'a Target,
    ) -> impl Iterator<Item = &'a SecretBinding> {
        self.with_rung(Rung::Inject)
            .filter(move |binding| binding.to.iter().any(|rule| rule.matches(method, target)))
    }

    /// Every binding that may be used in any way: what must be scrubbed from what leaves.
    pub fn secrets(&self) -> impl Iterator<Item = (&SecretBinding, &[Rung])> {
        self.secrets
            .iter()
            .map(|s| (&s.binding, s.rungs.as_slice()))
    }

    /// The operator's settings for the plugin.
    pub fn config(&self) -> Option<&BTreeMap<String, String>> {
        self.config.as_ref()
    }

    /// The limits of the run.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn with_rung(&self, rung: Rung) -> impl Iterator<Item = &SecretBinding> {
        self.secrets
            .iter()
            .filter(move |s| s.rungs.contains(&rung))
            .map(|s| &s.binding)
    }
}

#[cfg(test)]
#[path = "rights_tests.rs"]
mod tests;
