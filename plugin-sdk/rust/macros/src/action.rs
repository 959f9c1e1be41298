//! `#[action]`: checks the signature and writes the `Action` implementation.
//!
//! The implementation hangs on an empty struct of the function's own name. A braced struct lives
//! among the types and the function among the values, so both go by one name, and `use` brings both.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, FnArg, ItemFn, Lit, LitBool, LitStr, Meta, ReturnType};

/// What stands in the parentheses of `#[action(...)]`.
#[derive(Default)]
struct Arguments {
    name: Option<LitStr>,
    idempotent: bool,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments = parse_arguments(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    check_signature(&function)?;

    let ident = &function.sig.ident;
    let visibility = &function.vis;
    let name = arguments
        .name
        .unwrap_or_else(|| LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()));
    check_name(&name)?;
    let description = description(&function.attrs).ok_or_else(|| {
        Error::new(
            ident.span(),
            "an action needs a doc comment (`/// ...`): it is the description that people see",
        )
    })?;
    let idempotent = arguments.idempotent;
    let input = input_type(&function)?;
    let output = output_type(&function)?;
    let conditions = function.attrs.iter().filter(|a| a.path().is_ident("cfg"));
    let conditions: Vec<_> = conditions.collect();

    // The spans of the user's own types make "not implemented" errors point at them.
    let input_item = quote_spanned!(input.span()=> type Input = #input;);
    let output_item = quote_spanned! {output.span()=>
        type Output = <#output as ::wharf_plugin::Outcome>::Output;
    };
    Ok(quote! {
        #function

        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, missing_docs, dead_code)]
        #visibility struct #ident {}

        #(#conditions)*
        impl ::wharf_plugin::Action for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #description;
            const IDEMPOTENT: bool = #idempotent;
            #input_item
            #output_item

            fn call(
                input: Self::Input,
            ) -> ::core::result::Result<Self::Output, ::wharf_plugin::Error> {
                ::wharf_plugin::Outcome::settle(#ident(input))
            }
        }
    })
}

fn parse_arguments(tokens: TokenStream) -> syn::Result<Arguments> {
    let mut arguments = Arguments::default();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            arguments.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("idempotent") {
            arguments.idempotent = match meta.value() {
                Ok(value) => value.parse::<LitBool>()?.value,
                Err(_) => true,
            };
        } else {
            return Err(meta.error("an action takes `name = \"...\"` and `idempotent`"));
        }
        Ok(())
    });
    syn::parse::Parser::parse2(parser, tokens)?;
    Ok(arguments)
}

fn check_signature(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    let problem = if let Some(token) = &signature.asyncness {
        Some((
            token.span(),
            "an action is not async: host calls wait by themselves",
        ))
    } else if let Some(token) = &signature.unsafety {
        Some((
            token.span(),
            "an action is called by the host, so it cannot be unsafe",
        ))
    } else if !signature.generics.params.is_empty() {
        Some((
            signature.generics.span(),
            "an action has no generic parameters: its types make its schemas",
        ))
    } else {
        None
    };
    problem.map_or(Ok(()), |(span, message)| Err(Error::new(span, message)))
}

fn check_name(name: &LitStr) -> syn::Result<()> {
    let value = name.value();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    if value.starts_with(|c: char| c.is_ascii_lowercase()) && value.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::new(
        name.span(),
        "the name of an action starts with a lower-case letter and has only lower-case letters, digits, `_` and `-`",
    ))
}

fn input_type(function: &ItemFn) -> syn::Result<&syn::Type> {
    let inputs = &function.sig.inputs;
    match (inputs.first(), inputs.len()) {
        (Some(FnArg::Typed(input)), 1) => Ok(&input.ty),
        _ => Err(Error::new(
            function.sig.paren_token.span.join(),
            "an action takes one argument, its input (`wharf_plugin::NoInput` if it needs none)",
        )),
    }
}

fn output_type(function: &ItemFn) -> syn::Result<&syn::Type> {
    match &function.sig.output {
        ReturnType::Type(_, ty) => Ok(ty),
        ReturnType::Default => Err(Error::new(
            function.sig.ident.span(),
            "an action returns `Result<Output, wharf_plugin::Error>`",
        )),
    }
}

/// The doc comment without the space that follows `///`; nothing if there is none.
fn description(attributes: &[Attribute]) -> Option<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) = &pair.value
        {
            let text = text.value();
            lines.extend(
                text.lines()
                    .map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end().to_owned()),
            );
            if text.is_empty() {
                lines.push(String::new());
            }
        }
    }
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}
