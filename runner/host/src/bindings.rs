//! The traits that wasmtime derives from the WIT.

#![allow(missing_docs, unreachable_pub)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "wharf:plugin/imports",
    imports: {
        "wharf:plugin/http.send": async | trappable,
        "wharf:plugin/http-credentials.send": async | trappable,
        "wharf:plugin/reveal.reveal": async | trappable,
        "wharf:plugin/signed-http.send": async | trappable,
        default: trappable,
    },
    with: {
        "wharf:plugin/http-credentials.credential": crate::credentials::Credential,
        "wharf:plugin/secrets.secret": crate::secrets::Secret,
    },
});

pub(crate) use wharf::plugin::{
    config, control, http, http_credentials, log, output, progress, reveal, secrets, signed_http,
};
