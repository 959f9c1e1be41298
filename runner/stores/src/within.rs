//! A bound on clients whose own timeouts do not cover everything that they do.

use std::time::Duration;

use tokio::time::timeout;
use wharf_policy::Period;

use crate::StoreError;

/// What a request gives, if it is there in time. Twice the table's timeout: a client may have to
/// get a token first.
pub(crate) async fn within<T>(
    period: Period,
    whom: &str,
    request: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let period: Duration = period.duration() * 2;
    timeout(period, request).await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(
            whom.to_owned(),
            "no answer in time".to_owned(),
        ))
    })
}
