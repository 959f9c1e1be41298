//! `export!`: names the actions of a plugin and makes them the exports of its component.

/// Names the actions of a plugin, once, in the root of its crate.
///
/// ```
/// # use wharf_plugin::{NoInput, Error};
/// # /// Answers.
/// # #[wharf_plugin::action]
/// # fn first(_: NoInput) -> Result<(), Error> { Ok(()) }
/// # mod more {
/// #     use wharf_plugin::{NoInput, Error};
/// #     /// Answers too.
/// #     #[wharf_plugin::action]
/// #     pub fn second(_: NoInput) -> Result<(), Error> { Ok(()) }
/// # }
/// wharf_plugin::export!(first, more::second);
/// # assert_eq!(PLUGIN.describe().len(), 2);
/// ```
///
/// It defines `PLUGIN`, a [`Plugin`](crate::Plugin) for tests, and in a component its exports. Two
/// actions of one name do not compile:
///
/// ```compile_fail
/// # use wharf_plugin::{NoInput, Error};
/// # /// Answers.
/// # #[wharf_plugin::action]
/// # fn first(_: NoInput) -> Result<(), Error> { Ok(()) }
/// wharf_plugin::export!(first, first);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($($action:path),+ $(,)?) => {
        /// The actions of this plugin.
        pub static PLUGIN: $crate::Plugin =
            const { $crate::Plugin::new(const { &[$($crate::Entry::of::<$action>()),+] }) };

        $crate::__export_component!(PLUGIN);
    };
}

/// The part of [`export!`] that a component has and a native build has not. Here, so that a plugin
/// needs neither a `cfg` nor `wit-bindgen` of its own.
#[doc(hidden)]
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! __export_component {
    ($plugin:path) => {
        #[allow(unsafe_code, unreachable_pub, missing_docs, clippy::all)]
        const _: () = {
            use $crate::bindings::exports::wharf::plugin::{actions, description};
            use $crate::bindings::wharf::plugin::types::ActionError;

            struct Component;

            impl actions::Guest for Component {
                fn run(
                    call: actions::Call,
                ) -> ::core::result::Result<actions::Output, ActionError> {
                    $crate::component::run(&$plugin, call)
                }
            }

            impl description::Guest for Component {
                fn describe() -> ::std::vec::Vec<description::Action> {
                    $crate::component::describe(&$plugin)
                }
            }

    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}

#[doc(hidden)]
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! __export_component {
    ($plugin:path) => {};
}
