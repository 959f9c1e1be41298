//! The attribute macro of the `wharf-plugin` SDK. Use it through that crate, as
//! `#[wharf_plugin::action]`; what it does is documented there.
//!
//! It only ever adds items beside the function: the function itself stays a plain function.

mod action;

use proc_macro::TokenStream;

/// Makes a plain function an action: see the documentation of `wharf_plugin`.
#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    action::expand(arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
