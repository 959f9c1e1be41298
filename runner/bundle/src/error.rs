//! What can go wrong with a component, a key file or a trust policy, said so that it can be mended.
//!
//! A bundle that is whole but not trusted is not an error of this kind: see `Refusal`.

use wharf_policy::ParseError;

use crate::sigstore::RootError;

/// A component that is not a plugin, or that cannot be made one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The file does not begin as WebAssembly does.
    #[error("this is not WebAssembly: the file must be a component (.wasm, in binary form)")]
    NotWasm,
    /// A module where a component must be.
    #[error(
        "this is a core WebAssembly module, not a component: build for wasm32-wasip2, or run `wasm-tools component new`"
    )]
    CoreModule,
    /// The sections of the component do not parse.
    #[error("the component is damaged at byte {offset}: {why}")]
    Damaged {
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        why: String,
    },
    /// Larger than any plugin may be.
    #[error("{what} has {size} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A manifest with more of something than any plugin needs.
    #[error("the manifest has {count} {what}, more than the {limit} that are allowed: {mend}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
        /// What to do.
        mend: &'static str,
    },
    /// A component that was never packed.
    #[error(
        "the component has no manifest (custom section `wharf:manifest`): make it a plugin with `wharf plugin pack`"
    )]
    NoManifest,
    /// More than one manifest: which one is meant cannot be told.
    #[error(
        "the component has {0} manifests (custom sections `wharf:manifest`) and must have one: pack it again with `wharf plugin pack`"
    )]
    SeveralManifests(usize),
    /// A manifest of another time.
    #[error("the manifest has format {found}, and this version of wharf reads format {known} only")]
    ManifestFormat {
        /// The format of the manifest.
        found: u64,
        /// The format that is understood.
        known: u32,
    },
    /// A manifest that is not JSON, or has an unknown or missing field, or a bad value.
    #[error("the manifest cannot be read: {0}")]
    ManifestSyntax(String),
    /// A plugin without actions.
    #[error("the plugin has no action: describe one with the SDK or add an [[action]] block")]
    NoActions,
    /// Arguments or environment that no program could be given.
    #[error("the command of action `{action}` cannot be run: {why}")]
    BadCommand {
        /// The action.
        action: String,
        /// What is wrong with its command.
        why: String,
    },
    /// A `plugin.toml` that is not understood.
    #[error("plugin.toml cannot be read: {0}")]
    Toml(String),
    /// A file that `plugin.toml` names cannot be read.
    #[error("{path} cannot be read: {why}")]
    File {
        /// As it is named.
        path: String,
        /// Why not.
        why: String,
    },
    /// A schema that is not JSON Schema 2020-12.
    #[error("the {which} schema of action `{action}` is not a JSON Schema (2020-12): {why}")]
    Schema {
        /// The action.
        action: String,
        /// `input` or `output`.
        which: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The component is not valid.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// The component exports nothing that can be run.
    #[error(
        "the component exports neither `wharf:plugin/actions@0.1.0` nor `wasi:cli/run@0.2`, so there is nothing to run; it exports: {exports}"
    )]
    NothingToRun {
        /// What it exports.
        exports: String,
    },
    /// An import that no runner has.
    #[error(
        "the component imports `{import}`, which no runner provides: build it against the WIT of wharf:plugin@0.1.0 and WASI"
    )]
    UnknownImport {
        /// The import.
        import: String,
    },
    /// An import that needs a capability that `plugin.toml` does not ask for.
    #[error(
        "the component imports `{import}` but does not ask for it: add {asks} to [capabilities] in plugin.toml, or remove the import"
    )]
    UnaskedImport {
        /// The import.
        import: String,
        /// What to add.
        asks: &'static str,
    },
    /// The same action twice.
    #[error(
        "the action `{0}` is described twice: keep either the component's own description or one [[action]] block"
    )]
    DuplicateAction(String),
    /// A program needs a command for each action.
    #[error(
        "the component is a program (it exports `wasi:cli/run` only), so its action `{0}` needs `command = {{}}`"
    )]
    NeedsCommand(String),
    /// A command needs a program.
    #[error(
        "the action `{0}` has a command, but the component is not a program: it does not export `wasi:cli/run@0.2`"
    )]
    NotAProgram(String),
    /// A name that is not one.
    #[error(transparent)]
    Name(#[from] ParseError),
}

/// A key that cannot be made, read, written or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key {path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// The file cannot be written.
    #[error("the key {path} cannot be written: {why}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// There is a key already, and keys are never overwritten.
    #[error("{0} exists already, and a key is never overwritten: choose another folder")]
    Exists(String),
    /// Not an encrypted key as cosign and `wharf keygen` write it.
    #[error("this is not an encrypted Sigstore private key: {0}; make one with `wharf keygen`")]
    NotAnEncryptedKey(String),
    /// The password does not open the key, or the key is damaged.
    #[error("the private key does not open: the password is wrong or the file is damaged")]
    WrongPassword,
    /// Not a P-256 key.
    #[error(
        "the key is not ECDSA P-256, the only kind that signs plugins: make one with `wharf keygen`"
    )]
    NotP256,
    /// Not a public key in PEM.
    #[error("this is not a public key: {0}; it must be a PEM block `PUBLIC KEY` (wharf.pub)")]
    NotAPublicKey(String),
    /// The cryptography failed.
    #[error("the key could not be used: {0}")]
    Failed(String),
}

/// A trust policy that cannot be used. Nothing is verified under a policy that has an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A key of a rule is missing, unreadable, or not a P-256 public key.
    #[error("the [[trust]] block for {plugins} names the key `{key}`, which cannot be used: {why}")]
    Key {
        /// The patterns of the rule.
        plugins: String,
        /// The key as the rule names it.
        key: String,
        /// Why not.
        why: KeyError,
    },
    /// A trusted root of a rule is missing, unreadable or unusable.
    #[error(
        "the [[trust]] block for {plugins} has the trusted root `{root}`, which cannot be used: {why}"
    )]
    Root {
        /// The patterns of the rule.
        plugins: String,
        /// The root as the rule names it.
        root: String,
        /// Why not.
        why: RootError,
    },
    /// A rule that could never let anything pass.
    #[error(
        "the [[trust]] block for {0} has neither keys nor identities: name one, or remove the block"
    )]
    NoSigners(String),
    /// Some signers of a rule are the same, and those that are left are too few.
    #[error(
        "the [[trust]] block for {plugins} asks for {require} signers and names {signers} different ones: name more, or lower `require`"
    )]
    TooFewSigners {
        /// The patterns of the rule.
        plugins: String,
        /// How many it asks for.
        require: u32,
        /// How many there are.
        signers: usize,
    },
    /// A rule about nothing.
    #[error("a [[trust]] block has no plugins: name them, or remove the block")]
    NoPlugins,
}
