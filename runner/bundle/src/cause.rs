//! Why a request came to nothing, for both modules that make requests.

/// The innermost reason, which names no URL: there may be tokens in one.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
