//! What comes with a component: who signed it, and what is attested of it.

/// What lies beside a component, or came with it. Nothing of it is proven.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The content of FILE.sigstore.json.
    pub signatures: Option<&'a [u8]>,
    /// The content of FILE.attestations.jsonl. Read only where a policy asks for attestations.
    pub attestations: Option<&'a [u8]>,
}
