//! The effective right of one call: manifest ∩ grants ∩ what the call asks for.

mod refusal;
mod secrets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Host;

pub(crate) use self::refusal::{LOOKUP, of_credential};
use self::refusal::{Says, decide};
use self::secrets::{Said, unlisted};
use crate::granted::{Granted, Rule};
use crate::{
    ActionName, Capabilities, Denied, HttpRule, Interface, LimitRequest, Limits, Networks,
    Operation, PluginName, Policy, Rung, SecretBinding, SecretName, Target, TcpRule,
};

/// How a call narrows its own rights. Absent means no narrowing; it can never widen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallRights {
    /// Only these destinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Vec<HttpRule>>,
    /// Only these TCP destinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Vec<TcpRule>>,
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

/// What one grant says of the way out. Kept apart, so that the networks of one grant are not
/// opened to the destinations of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
struct WayOut {
    http: Vec<HttpRule>,
    tcp: Vec<TcpRule>,
    networks: Networks,
}

/// What one run may do. A value: equal rights are the same rights, so instances and linkers are
/// kept by them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Rights {
    asked: Vec<HttpRule>,
    asked_tcp: Vec<TcpRule>,
    granted: Vec<WayOut>,
    called: Option<Vec<HttpRule>>,
    called_tcp: Option<Vec<TcpRule>>,
    secrets: Vec<SecretRight>,
    said: Said,
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
        let mut limits = LimitRequest::default();
        let mut config = BTreeMap::new();
        for grant in &grants {
            limits = limits.widest(grant.limits);
            config.extend(grant.config.clone());
        }
        let said = Said {
            asked: asks.secrets.clone(),
            granted: grants
                .iter()
                .flat_map(|grant| grant.secrets.iter().cloned())
                .collect(),
            called: call.secrets.clone(),
        };
        let usable = |binding: &SecretBinding| {
            let rungs = said.rungs(&binding.name);
            (!rungs.is_empty()).then(|| SecretRight {
                binding: binding.clone(),
                rungs,
            })
        };
        let secrets = policy.secrets.iter().filter_map(usable).collect();
        Self {
            asked: asks.http.clone(),
            asked_tcp: asks.tcp.clone(),
            granted: grants
                .iter()
                .filter(|grant| !grant.http.is_empty() || !grant.tcp.is_empty())
                .map(|grant| WayOut {
                    http: grant.http.clone(),
                    tcp: grant.tcp.clone(),
                    networks: grant.networks.clone(),
                })
                .collect(),
            called: call.http.clone(),
            called_tcp: call.tcp.clone(),
            secrets,
            said,
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
        let any_http = !self.asked.is_empty() && self.granted.iter().any(|g| !g.http.is_empty());
        match interface {
            Interface::Log
            | Interface::Progress
            | Interface::Control
            | Interface::Output
            | Interface::Types
            | Interface::WasiBase => true,
            Interface::Config => self.config.is_some(),
            Interface::Http | Interface::WasiHttp => any_http,
            Interface::WasiTcp => {
                !self.asked_tcp.is_empty() && self.granted.iter().any(|g| !g.tcp.is_empty())
            }
            Interface::HttpCredentials => any_http && any_secret(Rung::Attach),
            Interface::SignedHttp => any_http && any_secret(Rung::Operate),
            Interface::Secrets => any_secret(Rung::Operate),
            Interface::Reveal => any_secret(Rung::Reveal),
        }
    }

    /// Whether a request may be sent, as far as its URL and method tell. What that gives says at
    /// which addresses.
    ///
    /// # Errors
    /// Which of manifest, grant and call said no, and the line that would allow it.
    pub fn check_request(&self, method: &str, target: &Target) -> Result<Granted<'_>, Denied> {
        let fits = |rule: &HttpRule| rule.matches(method, target);
        decide(
            &Says::of(&self.asked, fits),
            self.granted_by(|grant| grant.http.iter().find(|rule| fits(rule)).map(Rule::Http)),
            &(self.called.as_deref()).map_or(Says::ANYTHING, |rules| Says::of(rules, fits)),
        )
        .map_err(|refusal| refusal.of_request(method, target))
    }

    /// Whether a TCP connection to that port of that host may be opened, or with no port, whether
    /// the name may be looked up for one. What that gives says at which addresses.
    ///
    /// # Errors
    /// Which of manifest, grant and call said no, and the line that would allow it.
    pub fn check_tcp(&self, host: &Host<String>, port: Option<u16>) -> Result<Granted<'_>, Denied> {
        let fits = |rule: &TcpRule| match port {
            Some(port) => rule.matches(host, port),
            None => rule.host.matches(host),
        };
        decide(
            &Says::of(&self.asked_tcp, fits),
            self.granted_by(|grant| grant.tcp.iter().find(|rule| fits(rule)).map(Rule::Tcp)),
            &(self.called_tcp.as_deref()).map_or(Says::ANYTHING, |rules| Says::of(rules, fits)),
        )
        .map_err(|refusal| refusal.of_connection(host, port))
    }

    /// The networks of all grants with a rule that fits, and the first such rule.
    fn granted_by<'r>(
        &'r self,
        fitting: impl Fn(&'r WayOut) -> Option<Rule<'r>>,
    ) -> Option<Granted<'r>> {
        let mut granted: Option<Granted<'r>> = None;
        for grant in &self.granted {
            if let Some(rule) = fitting(grant) {
                granted = Some(match granted {
                    None => Granted::by(rule, &grant.networks),
                    Some(granted) => granted.and(&grant.networks),
                });
            }
        }
        granted
    }

    /// The binding of a secret, if it may be used in this way.
    ///
    /// # Errors
    /// That it may not, and what would allow it. Whether a secret that is not granted exists is not
    /// told.
    pub fn secret(&self, name: &str, rung: Rung) -> Result<&SecretBinding, Denied> {
        self.with_rung(rung)
            .find(|binding| binding.name.as_str() == name)
            .ok_or_else(|| self.said.refusal(name, rung))
    }

    /// The binding of a secret, if the host may work with it in that way for the plugin.
    ///
    /// # Errors
    /// That it may not, and the line that would allow it.
    pub fn operate(&self, name: &str, operation: Operation) -> Result<&SecretBinding, Denied> {
        let binding = self.secret(name, Rung::Operate)?;
        if binding.operations.contains(&operation) {
            return Ok(binding);
        }
        Err(unlisted(binding, operation))
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

    /// Whether a server of that origin may have had a credential of this run, whatever the path
    /// and the method of this request.
    pub fn entrusts(&self, target: &Target) -> bool {
        [Rung::Inject, Rung::Attach, Rung::Operate]
            .into_iter()
            .flat_map(|rung| self.with_rung(rung))
            .flat_map(|binding| &binding.to)
            .any(|rule| rule.origin.matches(target))
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
