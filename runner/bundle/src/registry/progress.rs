//! How far a transfer is.

/// Hears of bytes that go over the network.
pub trait Progress: Send + Sync {
    /// So many bytes begin to go.
    fn begin(&self, what: &str, bytes: u64);
    /// So many more have gone.
    fn advance(&self, bytes: u64);
    /// All have gone.
    fn end(&self);
}

/// Does not care.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
