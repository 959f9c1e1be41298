//! How two rules stand to each other: does one allow all that the other does, or anything of it?
//!
//! Exact for rules that the parser gives.

use super::{HttpRule, Method, OriginPattern, PathPrefix, PortPattern};

impl HttpRule {
    /// Whether everything that `other` allows is allowed by this rule alone.
    pub fn covers(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty()
            || (!other.methods.is_empty()
                && other.methods.iter().all(|m| self.methods.contains(m)));
        methods && self.origin.covers(&other.origin) && self.path.covers(other.path.as_str())
    }

    /// Whether anything is allowed by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let methods = self.methods.is_empty()
            || other.methods.is_empty()
            || other.methods.iter().any(|m| self.methods.contains(m));
        methods && self.origin.overlaps(&other.origin) && self.path.overlaps(&other.path)
    }

    /// The rule for exactly what is allowed by both, if anything is.
    pub(crate) fn common(&self, other: &Self) -> Option<Self> {
        if !self.overlaps(other) {
            return None;
        }
        // Of two hosts that overlap one holds the other, and so of two paths.
        let host = match self.origin.host.covers(&other.origin.host) {
            true => &other.origin.host,
            false => &self.origin.host,
        };
        let port = match self.origin.port {
            PortPattern::Any => other.origin.port,
            exact @ PortPattern::Exactly(_) => exact,
        };
        let path = match self.path.covers(other.path.as_str()) {
            true => &other.path,
            false => &self.path,
        };
        let methods = match (&self.methods[..], &other.methods[..]) {
            ([], theirs) => theirs.to_vec(),
            (ours, []) => ours.to_vec(),
            (ours, theirs) => ours
                .iter()
                .filter(|m| theirs.contains(m))
                .cloned()
                .collect(),
        };
        Some(Self {
            origin: OriginPattern {
                scheme: self.origin.scheme,
                host: host.clone(),
                port,
            },
            path: path.clone(),
            methods,
        })
    }

    /// The same in rules of one method each, where it lists methods.
    pub(crate) fn by_method(&self) -> Vec<Self> {
        if self.methods.is_empty() {
            return vec![self.clone()];
        }
        let alone = |method: &Method| Self {
            methods: vec![method.clone()],
            ..self.clone()
        };
        self.methods.iter().map(alone).collect()
    }

    /// Whether both allow the same but for the scheme, each by its own port or by the same one.
    pub(crate) fn is_twin_of(&self, other: &Self) -> bool {
        let among = |one: &Self, two: &Self| one.methods.iter().all(|m| two.methods.contains(m));
        self.origin.is_twin_of(&other.origin)
            && self.path == other.path
            && among(self, other)
            && among(other, self)
    }

    /// Whether requests that it allows are not encrypted.
    pub fn is_plain(&self) -> bool {
        self.origin.scheme == super::Scheme::Http
    }
}

impl OriginPattern {
    fn covers(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && (self.port == PortPattern::Any || self.port == other.port)
            && self.host.covers(&other.host)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && (self.port == other.port
                || self.port == PortPattern::Any
                || other.port == PortPattern::Any)
            && self.host.overlaps(&other.host)
    }

    fn is_twin_of(&self, other: &Self) -> bool {
        let is_own = |one: &Self| one.port == PortPattern::Exactly(one.scheme.default_port());
        self.scheme != other.scheme
            && self.host == other.host
            && (self.port == other.port || (is_own(self) && is_own(other)))
    }
}

impl PathPrefix {
    fn overlaps(&self, other: &Self) -> bool {
        self.covers(other.as_str()) || other.covers(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::Target;

    fn origin() -> impl Strategy<Value = String> {
        let host = prop_oneof![
            Just("*"),
            Just("*.a.test"),
            Just("*.b.a.test"),
            Just("a.test"),
            Just("b.a.test"),
            Just("c.b.a.test"),
            Just("10.0.0.1")
        ];
        let port = prop_oneof![Just(""), Just(":*"), Just(":8080")];
        (prop_oneof![Just("http"), Just("https")], host, port)
            .prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
    }

    fn rule() -> impl Strategy<Value = HttpRule> {
        let path = prop_oneof![Just("/"), Just("/v1"), Just("/v1/x"), Just("/v2")];
        let methods = prop_oneof![
            Just(vec![]),
            Just(vec!["GET"]),
            Just(vec!["POST"]),
            Just(vec!["GET", "POST"])
        ];
        (origin(), path, methods).prop_map(|(origin, path, methods)| {
            let mut rule = serde_json::json!({ "origin": origin, "path": path });
            if !methods.is_empty() {
                rule["methods"] = methods.into();
            }
            serde_json::from_value(rule).unwrap()
        })
    }

    /// Every request that the rules above can tell apart.
    fn requests() -> Vec<(&'static str, Target)> {
        let mut all = Vec::new();
        for scheme in ["http", "https"] {
            for host in [
                "a.test",
                "b.a.test",
                "c.b.a.test",
                "d.b.a.test",
                "other.a.test",
                "xa.test",
                "10.0.0.1",
            ] {
                for port in ["", ":8080", ":99"] {
                    for path in ["/", "/v1", "/v1/x", "/v1/x/y", "/v1y", "/v2"] {
                        let url = format!("{scheme}://{host}{port}{path}");
                        let target = Target::of(&Url::parse(&url).unwrap()).unwrap();
                        all.push(("GET", target.clone()));
                        all.push(("POST", target));
                    }
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn a_rule_covers_another_exactly_if_every_request_says_so(a in rule(), b in rule()) {
            let requests = requests();
            let all = requests.iter().all(|(m, t)| !b.matches(m, t) || a.matches(m, t));
            // Two methods are all there are here, and not all there are.
            let by_methods = b.methods.is_empty() && !a.methods.is_empty();
            prop_assert_eq!(a.covers(&b), all && !by_methods, "{:?} {:?}", a, b);
        }

        #[test]
        fn two_rules_overlap_exactly_if_some_request_says_so(a in rule(), b in rule()) {
            let requests = requests();
            let some = requests.iter().any(|(m, t)| a.matches(m, t) && b.matches(m, t));
            prop_assert_eq!(a.overlaps(&b), some, "{:?} {:?}", a, b);
        }

        #[test]
        fn what_two_rules_have_in_common_is_what_both_allow(a in rule(), b in rule()) {
            let common = a.common(&b);
            for (method, target) in requests() {
                let both = a.matches(method, &target) && b.matches(method, &target);
                let in_it = common.as_ref().is_some_and(|c| c.matches(method, &target));
                prop_assert_eq!(in_it, both, "{:?} {:?} {} {:?}", a, b, method, target);
            }
        }
    }
}
