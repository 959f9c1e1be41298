//! Credentials of which a run puts no two onto one request, because both want the same place there.

use super::reach::Reach;
use super::{Finding, Kind, Row, granted_row};
use crate::placement::Taken;
use crate::{Rights, Rung, SecretBinding};

/// Secrets of which one is injected and the other injected, or put there by the plugin, into the
/// same place of the same requests.
pub(super) fn rows(rights: &Rights, reach: &Reach<'_>, rows: &mut Vec<Row>) {
    let injected: Vec<&SecretBinding> = with(rights, Rung::Inject).collect();
    for (at, one) in injected.iter().enumerate() {
        for other in &injected[..at] {
            if let Some(place) = collision(one, &one.placement.takes(), other, reach) {
                let what = format!("inject {}, {}", other.name, one.name);
                let note = format!(
                    "both want {place}, and a request that is in `to` of both is refused as ambiguous: give them `to` that share nothing"
                );
                rows.push(granted_row(Kind::Secret, Finding::Wider, what, &note));
            }
        }
    }
    for rung in [Rung::Attach, Rung::Operate] {
        for named in with(rights, rung) {
            for other in &injected {
                // It goes onto a request once, and that as the plugin names it.
                if other.name == named.name {
                    continue;
                }
                let taken = match rung {
                    Rung::Operate => named.operations.iter().map(|o| o.takes()).collect(),
                    _ => vec![named.placement.takes()],
                };
                let place = taken
                    .iter()
                    .find_map(|taken| collision(named, taken, other, reach));
                if let Some(place) = place {
                    let what = format!("{rung} {}, inject {}", named.name, other.name);
                    let note = format!(
                        "both want {place}, and a request that is in `to` of both is refused as ambiguous if the plugin names `{}` for it: give them `to` that share nothing, or grant one without the other",
                        named.name
                    );
                    rows.push(granted_row(Kind::Secret, Finding::Wider, what, &note));
                }
            }
        }
    }
}

fn with(rights: &Rights, rung: Rung) -> impl Iterator<Item = &SecretBinding> {
    let has = move |(_, rungs): &(&SecretBinding, &[Rung])| rungs.contains(&rung);
    rights.secrets().filter(has).map(|(binding, _)| binding)
}

/// What both want of a request that can be sent, if one of them takes this of it.
fn collision(
    one: &SecretBinding,
    taken: &Taken<'_>,
    other: &SecretBinding,
    reach: &Reach<'_>,
) -> Option<String> {
    let place = taken.shared_with(&other.placement.takes())?;
    let mut both = (one.to.iter()).flat_map(|to| other.to.iter().filter_map(|o| o.common(to)));
    both.any(|rule| reach.meets(&rule)).then_some(place)
}
