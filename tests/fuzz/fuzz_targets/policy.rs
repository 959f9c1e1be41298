//! Whatever is offered as a policy, an origin or a path: it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_policy::{OriginPattern, PathPrefix, Policy};

fuzz_target!(|text: &str| {
    let _ = Policy::from_toml(text);
    let _ = PathPrefix::try_from(text.to_owned());
    if let Ok(origin) = text.parse::<OriginPattern>() {
        let printed = origin.to_string();
        assert_eq!(printed.parse::<OriginPattern>().expect("what is printed is read"), origin);
    }
});
