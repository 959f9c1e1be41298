//! The smallest `http` rules for the requests that were seen.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::notes::{About, Notes, beyond};
use crate::{HttpRule, Method, PathPrefix, Target, ambiguous};

/// The longest path of a rule that is made here. A longer one would be hard to read.
const LONGEST: usize = 256;

/// The most rules, and the most methods of one. A run has far fewer, unless it searches.
const MOST: usize = 256;
const MOST_METHODS: usize = 32;

/// What a record has in place of what it left out, and how that ends.
const MARKS: [(&str, &str); 2] = [("…", "…"), ("[secret ", "]")];

/// A request of a record, as a rule.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The narrowest rule that it fits.
    pub(super) rule: HttpRule,
    /// What is to be said where the rule is wider than the request.
    pub(super) note: Option<String>,
    /// Where it went, if nothing is left out of that.
    pub(super) target: Option<Target>,
}

/// A destination as the audit record has it, as far as it is known: up to where the record has
/// left something out.
pub(super) fn read(destination: &str) -> Option<(&str, Target)> {
    let cut = MARKS
        .iter()
        .filter_map(|(mark, _)| destination.find(mark))
        .min();
    let known = match cut {
        Some(at) => &destination[..destination[..at].rfind('/')? + 1],
        None => destination,
    };
    Some((known, Target::of(&Url::parse(known).ok()?).ok()?))
}

/// Why a server might see another path than a destination says, by all that the record has of it.
fn doubtful(destination: &str) -> Option<&'static str> {
    let mut known = destination.to_owned();
    for (begin, end) in MARKS {
        while let Some(at) = known.find(begin) {
            let behind = at + begin.len();
            let until = match known[behind..].find(end) {
                Some(length) if end != begin => behind + length + end.len(),
                _ => behind,
            };
            known.replace_range(at..until, "");
        }
    }
    let (_, rest) = known.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    // Cut off where it was too long, perhaps within a letter or a segment.
    let whole = match destination.ends_with('…') {
        true => &path[..path.rfind('/')? + 1],
        false => path,
    };
    ambiguous(whole)
}

/// The narrowest rule that a request fits.
///
/// # Errors
/// That there is none, to be said instead. Where no rule can name the method the request is refused
/// under any rule, and one for all methods would open much and not allow it either.
pub(super) fn narrowest(method: &str, destination: &str) -> Result<Wanted, String> {
    let told = destination.escape_default();
    let none = || format!("no rule can be made of {} {told}", method.escape_default());
    let (known, target) = read(destination).ok_or_else(none)?;
    let mut rule = rule_for(method, &target).ok_or_else(none)?;
    if rule.methods.is_empty() {
        return Err(format!(
            "no rule can name the method of a request to {told}, which no rule would allow: {}",
            method.escape_default()
        ));
    }
    let whole = known == destination;
    // What no path but `/` covers is not covered by the beginning of it either.
    let note = if let Some(why) = doubtful(destination) {
        rule.path = PathPrefix::default();
        Some(format!(
            "the rule for {told} covers every path: {why}, so that a server may read another path, and it is below none but `/`"
        ))
    } else if !whole || rule.path.as_str() != target.path() {
        Some(format!(
            "the rule for {known} covers more than that path: no rule can name it exactly"
        ))
    } else {
        None
    };
    Ok(Wanted {
        rule,
        note,
        target: whole.then_some(target),
    })
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
    if ambiguous(path).is_some() {
        return PathPrefix::default();
    }
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

/// Rules for the same place become one with all their methods; what another covers goes, and what
/// is more than can be read. The rules are of one origin each; `who` begins what is said of them.
pub(super) fn merged(rules: Vec<HttpRule>, who: &str, notes: &mut Notes) -> Vec<HttpRule> {
    let mut seen: BTreeMap<(String, String), (HttpRule, BTreeSet<Method>)> = BTreeMap::new();
    for rule in rules {
        let place = (rule.origin.to_string(), String::from(rule.path.clone()));
        let (_, methods) = seen
            .entry(place)
            .or_insert_with(|| (rule.clone(), BTreeSet::new()));
        methods.extend(rule.methods);
    }
    let with_methods = |((origin, path), (mut rule, methods)): (_, (HttpRule, BTreeSet<_>))| {
        if let Some(more) = beyond(methods.len(), MOST_METHODS) {
            notes.add(
                About::Record,
                format!(
                    "{who} used more methods than {MOST_METHODS} at {origin}{path}, and {more} of them are left out"
                ),
            );
        }
        rule.methods = methods.into_iter().take(MOST_METHODS).collect();
        ((origin, path), rule)
    };
    let by_place: BTreeMap<(String, String), HttpRule> =
        seen.into_iter().map(with_methods).collect();
    let is_covered = |(origin, path): &(String, String), rule: &HttpRule| {
        above(path).any(|path| {
            let higher = by_place.get(&(origin.clone(), path.to_owned()));
            higher.is_some_and(|higher| higher.covers(rule))
        })
    };
    let mut all: Vec<HttpRule> = by_place
        .iter()
        .filter(|(place, rule)| !is_covered(place, rule))
        .map(|(_, rule)| rule.clone())
        .collect();
    if let Some(more) = beyond(all.len(), MOST) {
        notes.add(About::LeftOut, format!(
            "{who} sent requests to more places than {MOST}, and no rule is made for {more} of them: a shorter path may be what is meant"
        ));
        all.truncate(MOST);
    }
    all
}

/// The paths above one, from the nearest on.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 => (path != "/").then_some("/"),
        at => Some(&path[..at]),
    }
}
