//! Limits that a grant raises, and those that it does not raise as far as the manifest asks.

use serde_json::{Map, Value};

use super::{Finding, Kind, Row, granted_row};
use crate::{Grant, LimitRequest, Limits, Rights};

/// Limits that are above the defaults.
pub(super) fn raised(grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted = grants.iter().fold(LimitRequest::default(), |all, grant| {
        all.widest(grant.limits)
    });
    let defaults = Limits::default();
    let (ours, usual) = (table(&granted.over_defaults()), table(&defaults));
    // What is lowered by this has been raised by the grant.
    let capped = table(&granted.over_defaults().lowered_by(&as_request(&defaults)));
    for (name, value) in ours {
        if capped[&name] != value {
            let what = format!("{name} = {value}");
            let note = format!("above the default of {}", usual[&name]);
            rows.push(granted_row(Kind::Limit, Finding::Wider, what, &note));
        }
    }
}

/// Limits that the manifest asks for and that are not granted: it never has more than a grant says.
pub(super) fn capped(needs: &LimitRequest, rights: &Rights, rows: &mut Vec<Row>) {
    let ours = table(rights.limits());
    for (name, wanted) in table(needs) {
        let has = &ours[&name];
        if *has != wanted {
            rows.push(Row {
                kind: Kind::Limit,
                finding: Finding::Partly,
                asked: Some(format!("{name} = {wanted}")),
                granted: Some(format!("{name} = {has}")),
                note: format!(
                    "in a [[grant]] for this plugin limits = {{ {name} = {wanted} }}, beside the limits that it has, would allow it"
                ),
            });
        }
    }
}

/// By name, as a policy file has them.
fn table(limits: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(limits) {
        Ok(Value::Object(table)) => table,
        _ => Map::new(),
    }
}

/// Limits as a request that names every one of them.
fn as_request(limits: &Limits) -> LimitRequest {
    // Both have the same members with the same forms.
    serde_json::to_value(limits)
        .and_then(serde_json::from_value)
        .unwrap_or_default()
}
