//! Which requests can be sent at all.

use crate::{Capabilities, Grant, HttpRule, OriginPattern};

/// Where requests may go, as far as manifest and grants tell.
pub(super) struct Reach<'a> {
    asked: &'a [HttpRule],
    granted: Vec<&'a HttpRule>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(asks: &'a Capabilities, grants: &[&'a Grant]) -> Self {
        Self {
            asked: &asks.http,
            granted: grants.iter().flat_map(|grant| &grant.http).collect(),
        }
    }

    /// Whether there is a request that this rule is for.
    pub(super) fn meets(&self, rule: &HttpRule) -> bool {
        // With what cannot meet it left out first, for the lists may be long.
        let asked = self.asked.iter().filter(|ask| ask.overlaps(rule));
        let asked: Vec<&HttpRule> = asked.collect();
        !asked.is_empty()
            && (self.granted.iter().filter_map(|one| one.common(rule)))
                .any(|both| asked.iter().any(|ask| ask.overlaps(&both)))
    }

    /// A rule for requests that can be sent, to an origin that fits: an encrypted one, if there is any.
    pub(super) fn first(&self, fits: impl Fn(&OriginPattern) -> bool) -> Option<HttpRule> {
        let common = |ask: &'a HttpRule| (self.granted.iter()).filter_map(|one| one.common(ask));
        let all = self.asked.iter().flat_map(common);
        all.filter(|rule| fits(&rule.origin))
            .min_by_key(HttpRule::is_plain)
    }

    /// What is asked for of these rules, none of which meets what is granted.
    pub(super) fn asked_and_not_granted(&self, rules: &[HttpRule]) -> Option<HttpRule> {
        let common = |ask: &'a HttpRule| rules.iter().filter_map(|rule| rule.common(ask));
        let all = self.asked.iter().flat_map(common);
        all.filter(|rule| !rule.origin.is_nowhere())
            .min_by_key(HttpRule::is_plain)
    }
}
