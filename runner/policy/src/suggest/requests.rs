//! The smallest `http` rules for the requests that were seen.

use std::collections::BTreeMap;

use url::Url;

use crate::{HttpRule, Method, PathPrefix, Target};

/// The longest path of a rule that is made here. A longer one would be hard to read.
const LONGEST: usize = 256;

/// A destination as the audit record has it, as far as it is known: up to where the record has
/// left something out.
pub(super) fn read(destination: &str) -> Option<(&str, Target)> {
    let cut = ["…", "[secret "]
        .iter()
        .filter_map(|mark| destination.find(mark))
        .min();
    let known = match cut {
        Some(at) => &destination[..destination[..at].rfind('/')? + 1],
        None => destination,
    };
    Some((known, Target::of(&Url::parse(known).ok()?).ok()?))
}

/// The narrowest rule that a request fits, and what is to be said where it is wider than the
/// request.
///
/// # Errors
/// That there is none, to be said instead. Where no rule can name the method the request is refused
/// under any rule, and one for all methods would open much and not allow it either.
pub(super) fn narrowest(
    method: &str,
    destination: &str,
) -> Result<(HttpRule, Option<String>), String> {
    let told = destination.escape_default();
    let none = || format!("no rule can be made of {} {told}", method.escape_default());
    let (known, target) = read(destination).ok_or_else(none)?;
    let rule = rule_for(method, &target).ok_or_else(none)?;
    if rule.methods.is_empty() {
        return Err(format!(
            "no rule can name the method of a request to {told}, which no rule would allow: {}",
            method.escape_default()
        ));
    }
    let note = if known != destination || rule.path.as_str() != target.path() {
        Some(format!(
            "the rule for {known} covers more than that path: no rule can name it exactly"
        ))
    } else {
        None
    };
    Ok((rule, note))
}

/// The narrowest rule that covers a request. Wider than it only where no rule can name its method
/// or its path.
pub(crate) fn rule_for(method: &str, target: &Target) -> Option<HttpRule> {
    Some(HttpRule {
        origin: target.origin().parse().ok()?,
        path: path(target.path()),
        methods: Method::try_from(method.to_owned()).into_iter().collect(),
    })
}

/// The longest prefix of whole segments that a rule can name and that covers the path.
fn path(path: &str) -> PathPrefix {
    let mut prefix = path;
    loop {
        if prefix.len() <= LONGEST
            && let Ok(rule) = PathPrefix::try_from(prefix.to_owned())
            && rule.covers(path)
        {
            return rule;
        }
        match prefix.rfind('/') {
            Some(at) if at > 0 => prefix = &prefix[..at],
            _ => return PathPrefix::default(),
        }
    }
}

/// Rules for the same place become one with all their methods; what another covers goes.
pub(super) fn merged(rules: Vec<HttpRule>) -> Vec<HttpRule> {
    let mut by_place: BTreeMap<(String, String), HttpRule> = BTreeMap::new();
    for rule in rules {
        let place = (rule.origin.to_string(), String::from(rule.path.clone()));
        match by_place.get_mut(&place) {
            // No methods are all methods.
            Some(known) if known.methods.is_empty() => {}
            Some(known) if rule.methods.is_empty() => known.methods.clear(),
            Some(known) => {
                known.methods.extend(rule.methods);
                known.methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
                known.methods.dedup();
            }
            None => {
                by_place.insert(place, rule);
            }
        }
    }
    let all: Vec<HttpRule> = by_place.into_values().collect();
    all.iter()
        .filter(|rule| !all.iter().any(|other| other != *rule && other.covers(rule)))
        .cloned()
        .collect()
}
