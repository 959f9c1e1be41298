//! Secret stores and object stores behind two small traits.
