//! Taking parameters out of a query, by names as any server may read them.

use url::Url;
use wharf_policy::Parameter;

use crate::percent;

/// Removes parameters from the query of a URL.
pub(super) fn remove(url: &mut Url, names: &[&str]) {
    for name in names {
        if let Some(query) = url.query() {
            let rest = without(query, name);
            url.set_query((!rest.is_empty()).then_some(&rest));
        }
    }
}

/// A query without the parameters of that name, as any server may read it: encoded or not, divided
/// by `&` or by `;`.
pub(super) fn without(query: &str, name: &str) -> String {
    let name = Parameter::new(name);
    let is_it = |pair: &str| {
        let key = pair.split('=').next().unwrap_or_default();
        name.is(&percent::decode_query(key.as_bytes()))
    };
    let kept: Vec<String> = query
        .split('&')
        .filter_map(|part| {
            if !part.split(';').any(is_it) {
                return Some(part.to_owned());
            }
            let rest: Vec<&str> = part.split(';').filter(|pair| !is_it(pair)).collect();
            (!rest.is_empty()).then(|| rest.join(";"))
        })
        .collect();
    kept.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_that_name_are_taken_out_however_they_are_written() {
        for (query, rest) in [
            ("", ""),
            ("key=x", ""),
            ("a=1&key=x&b=2", "a=1&b=2"),
            ("KEY=x&%6bey=y&k%65y", ""),
            ("a=1;key=x;b=2&c", "a=1;b=2&c"),
            ("a=key&keys=1&ke=y", "a=key&keys=1&ke=y"),
            ("a=%26key%3D1&b=+%20", "a=%26key%3D1&b=+%20"),
        ] {
            assert_eq!(without(query, "key"), rest, "{query}");
        }
        assert_eq!(without("api+key=1&api%20key=2&x", "api key"), "x");
    }

    #[test]
    fn a_parameter_that_some_server_reads_as_that_one_is_taken_out() {
        for name in [
            "api.key",
            "api+key",
            "api%20key",
            "api%2Bkey",
            "api%2Ekey",
            "API.Key",
            "api_key[]",
            "api_key%5B%5D",
            "api_key[x]",
            "api_key[x][y]",
            "api.key[]",
            "api[key",
            "[api_key]",
            "api_key%00",
            "api_key%00x",
            "%20api_key",
            "++api.key[0]",
        ] {
            let query = format!("a=1&{name}=mine&b=2;{name};c");
            assert_eq!(without(&query, "api_key"), "a=1&b=2;c", "{name}");
            assert_eq!(without(&query, "api.key"), "a=1&b=2;c", "{name}");
        }
        for name in [
            "api_keys",
            "xapi_key",
            "api-key",
            "x[api_key]",
            "api",
            "api[x]",
            "%00",
        ] {
            let query = format!("{name}=mine");
            assert_eq!(without(&query, "api_key"), query, "{name}");
        }
        // Of one that is in a list itself, the whole list goes: which of it a server takes is its own affair.
        assert_eq!(without("auth[key]=1&auth=2&auth[x]=3&b", "auth[key]"), "b");
    }
}
