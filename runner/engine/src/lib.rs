//! Wasmtime: compile, cache, warm pool, limits; runs one action.
//!
//! [`Engine::load`] takes what was verified and nothing else, [`Engine::prepare`] links it under
//! the rights of a run, [`Prepared::run`] runs it once in an instance of its own and tells what
//! came of it. This crate decides no right and reaches nothing itself: that is `wharf-policy` and
//! `wharf-host`. It must never run code that did not come from a verified bundle (but to describe
//! itself, without rights), nor let a guest outlive its limits.

#![deny(unsafe_code)]

mod bindings;
mod cache;
mod call;
mod cancel;
mod config;
mod describe;
mod engine;
mod error;
mod finish;
mod instance;
mod linked;
mod meter;
mod plugin;
mod pool;
mod recent;
mod report;
mod run;
mod schema;
mod stderr;
mod stop;
mod ticker;

pub use cache::{
    CacheCounts, CacheError, CachedCode, CachedFile, Clear, Cleared, CodeCache, Finding,
    Fingerprint,
};
pub use call::{Call, Input};
pub use cancel::Cancel;
pub use config::{CacheDir, EngineConfig};
pub use engine::Engine;
pub use error::{EngineError, Refused};
pub use plugin::Plugin;
pub use report::{ActionError, FieldError, Outcome, Report, Start, Timings, Usage};
pub use run::Prepared;
pub use stop::Stop;
