//! Pure types and decisions: names, capabilities, grants, limits, addresses.
//!
//! Everything here is a value or a function of values. This crate must never do I/O, read a
//! clock, or be async: what it decides can be tested by calling it.

#![forbid(unsafe_code)]

mod address;
mod capability;
mod check;
mod digest;
mod error;
mod granted;
mod host;
mod http;
mod interface;
mod limits;
mod listed;
mod moment;
mod name;
mod operation;
mod path;
mod placement;
mod policy;
mod quantity;
mod rights;
mod secret;
mod store;
mod suggest;
mod tables;
mod tcp;
mod text;
mod trust;

pub use address::{AddressClass, Nature, Networks, classify};
pub use capability::{Capabilities, SecretAsk, SecretPattern};
pub use check::{Finding, Kind, Row, Subject, can_run, check, check_each};
pub use digest::Digest;
pub use error::{Denied, ParseError, PolicyError};
pub use granted::Granted;
pub use host::HostRule;
pub use http::{HttpRule, Method, OriginPattern, Target};
pub use interface::Interface;
pub use limits::{LimitRequest, Limits, Raise, raise};
pub use moment::Moment;
pub use name::{ActionName, NamePattern, PluginName, SecretName};
pub use operation::{JwtAlgorithm, JwtRefusal, JwtRule, Operation};
pub use path::{PathPrefix, ambiguous};
pub use placement::{
    AwsSigv4, AwsWord, BasicUser, CredentialHeader, HeaderPrefix, Parameter, Placement, QueryName,
    are_alike,
};
pub use policy::{Grant, Policy};
pub use quantity::{ByteSize, Period};
pub use rights::{CallRights, Rights};
pub use secret::{Rung, SecretBinding, SecretGrant, StoreRef};
pub use store::{
    AgeConfig, AwsConfig, ControllerConfig, CredentialRef, GcpConfig, KubernetesConfig,
    StoreConfig, StoreName, VaultConfig, VaultEngine, VaultLogin,
};
pub use suggest::{Observed, Suggestion, Unbound, suggest};
pub use tcp::{PortList, Ports, Star, TcpRule, tcp_host};
pub use trust::{EvidenceRule, RequiredAttestation, TrustRule, TrustedIdentity, TrustedKey};

#[cfg(test)]
mod hints_tests;
#[cfg(test)]
mod secret_hints_tests;
