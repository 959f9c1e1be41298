//! Keeping the memory of a process that holds secrets to itself.
//!
//! What is freed is wiped by the allocator of this binary (`main.rs`); this is about what is still
//! in use. It must never fail a start: where the system has no such thing, nothing is done.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core file is written from here on, whatever the process dies of.
pub(crate) fn no_core_files() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core files cannot be switched off");
    }
}

/// Only root can read this process's memory and environment from here on. Call it after the engine
/// has been made, which opens `/proc/self/pagemap`.
pub(crate) fn private_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!(%error, "the process's memory cannot be closed to others of the same user");
        }
    }
}
