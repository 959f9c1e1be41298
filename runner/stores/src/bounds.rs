//! How much of an answer is read. A store that answers without end must not fill the memory.

use crate::StoreError;

/// The largest answer of a store that is asked over HTTP. A secret has 16 KiB at most; this leaves room
/// for one of many fields.
pub(crate) const LARGEST_ANSWER: usize = 1 << 20;

/// The error for an answer that is larger.
pub(crate) fn too_large(whom: &str) -> StoreError {
    StoreError::BadAnswer(
        whom.to_owned(),
        format!("it is larger than {LARGEST_ANSWER} bytes"),
    )
}

/// Whether what a client fails with is, at its root, that the answer is larger.
#[cfg(any(feature = "aws", feature = "kubernetes"))]
pub(crate) fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
