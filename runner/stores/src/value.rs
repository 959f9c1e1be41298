//! A secret in memory: wiped on drop, never printed.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The largest secret that a store gives out, in bytes. A secret is a key or a token, and every
/// form of it is searched for in what leaves a run.
pub const LARGEST: usize = 16 * 1024;

/// The bytes of a secret. A clone is the same bytes, not a copy of them; they are wiped when the
/// last one is dropped. `Debug` shows only that there is a secret.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

impl SecretValue {
    /// Takes these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes themselves. Keep the borrow short, and do not copy them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_value_shows_nothing_of_it() {
        let shown = format!("{:?}", SecretValue::new(b"hunter2".to_vec()));
        assert!(
            !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }
}
