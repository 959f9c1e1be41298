//! Tables where tables belong.
//!
//! The structs that serde derives also read from a list, their fields in order: `identities = [["A", "B"]]`
//! would be an identity, and which is its issuer nobody sees. What was read is compared with how it
//! is written out, which knows of every place, whatever its type is made of, what stands there.

use toml::Value;

/// The first place at which a list was read as something else.
pub(crate) fn misread_list(read: &Value, written: Option<&Value>) -> Option<String> {
    match (read, written) {
        (Value::Array(items), Some(Value::Array(written))) => {
            let mut places = items.iter().enumerate().filter_map(|(index, item)| {
                let rest = misread_list(item, written.get(index))?;
                Some(format!("[{index}]{rest}"))
            });
            places.next()
        }
        // Says nothing, and is left out.
        (Value::Array(items), None) if items.is_empty() => None,
        (Value::Array(_), _) => Some(String::new()),
        (Value::Table(fields), _) => fields.iter().find_map(|(name, value)| {
            let written = written.and_then(|written| written.get(name));
            let rest = misread_list(value, written)?;
            Some(format!(".{name}{rest}"))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Policy;

    #[test]
    fn a_list_of_values_where_a_table_belongs_is_refused_with_its_place() {
        let secret = "[[secret]]\nname='a'\nfrom='env:A'\n";
        let trust = "[[trust]]\nplugins=['*']\n";
        let vault = "[store.v]\nkind='vault'\naddress='https://v.test'\n";
        for (place, before, table, list) in [
            (
                "grant[0]",
                "",
                "[[grant]]\nplugins=['http']",
                "grant=[[['http']]]",
            ),
            (
                "grant[0].http[1]",
                "[[grant]]\nplugins=['http']\n",
                "http=[{origin='https://a.test'},{origin='https://b.test'}]",
                "http=[{origin='https://a.test'},['https://b.test']]",
            ),
            (
                "grant[0].limits",
                "[[grant]]\nplugins=['http']\n",
                "limits={}",
                "limits=[]",
            ),
            (
                "trust[0].keys[0]",
                trust,
                "keys=[{path='a.pub',not-after='2027-01-01'}]",
                "keys=[['a.pub','2026-01-01','2027-01-01']]",
            ),
            (
                "trust[0].keys[0]",
                trust,
                "keys=[{path='a.pub'}]",
                "keys=[['a.pub']]",
            ),
            (
                "trust[0].identities[0]",
                trust,
                "identities=[{issuer='A',subject='B'}]",
                "identities=[['A','B']]",
            ),
            (
                "secret[0].as.header",
                secret,
                "as={header={name='x-key'}}",
                "as={header=['x-key','']}",
            ),
            (
                "secret[0].jwt",
                &format!("{secret}operations=['jwt']\n"),
                "jwt={algorithm='HS256',kid='k'}",
                "jwt=['HS256','k']",
            ),
            (
                "store.v.login.approle",
                vault,
                "login={approle={role-id='r',secret-id='env:S'}}",
                "login={approle=['r','env:S','approle']}",
            ),
        ] {
            Policy::from_toml(&format!("{before}{table}")).unwrap();
            let text = format!("{before}{list}");
            // As it is read without this module: that is what would pass.
            assert!(toml::from_str::<Policy>(&text).is_ok(), "{text}");
            let error = Policy::from_toml(&text).unwrap_err().to_string();
            let says = format!("`{place}` is a list, and a table belongs there");
            assert!(error.contains(&says), "{text}: {error}");
        }
    }
}
