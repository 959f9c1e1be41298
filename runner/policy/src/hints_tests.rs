//! Every refusal names the line that would allow it: read the line out of the refusal, paste it, ask
//! again.

use proptest::prelude::*;
use url::Url;

use crate::*;

const SECRETS: &str =
    "[[secret]]\nname='api-token'\nfrom='env:T'\nto=[{origin='https://api.example'}]\n";
const ASKS: &str = "http=[{origin='https://*:*'},{origin='http://*:*'}]\ntcp=[{host='*',ports='*'}]\nconfig=true\n\
    secrets=[{name='*',rungs=['inject','attach','operate','reveal']}]";

fn rights(asks: &str, grant: &str) -> Rights {
    let policy = format!("{SECRETS}[[grant]]\nplugins=['http']\n{grant}\n");
    Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(asks).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(&policy).unwrap_or_else(|error| panic!("{error}: {policy}")),
        &CallRights::default(),
    )
}

/// The line that a refusal names, such as `http = […]`.
fn line(refusal: &str, member: &str) -> String {
    let at = refusal
        .find(&format!("{member} = "))
        .unwrap_or_else(|| panic!("no line: {refusal}"));
    let rest = &refusal[at..];
    // The longest beginning that is TOML.
    let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
    let whole = ends.rfind(|end| rest[..*end].parse::<toml::Table>().is_ok());
    rest[..whole.unwrap_or_else(|| panic!("not TOML: {rest}"))].to_owned()
}

proptest! {
    #[test]
    fn a_refused_request_names_a_line_that_allows_it(
        method in "[A-Za-z-]{1,12}", host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
        path in "/[ -~é]{0,300}", port in prop::option::of(1_u16..)
    ) {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let Ok(url) = Url::parse(&format!("https://{host}{port}{path}")) else { return Ok(()) };
        let Ok(target) = Target::of(&url) else { return Ok(()) };
        let refusal = rights(ASKS, "").check_request(&method, &target).unwrap_err().to_string();
        let pasted = rights(ASKS, &line(&refusal, "http"));
        prop_assert!(pasted.check_request(&method, &target).is_ok(), "{}", refusal);
        // What the manifest does not ask for is allowed by a line in the manifest.
        let refusal = rights("", "").check_request(&method, &target).unwrap_err().to_string();
        prop_assert!(refusal.contains("manifest"));
        let asked = line(&refusal, "http");
        prop_assert!(rights(&asked, &asked).check_request(&method, &target).is_ok(), "{}", refusal);
    }
}

#[test]
fn a_refused_connection_names_a_line_that_allows_it() {
    for host in ["db.internal", "10.0.0.7", "fd00::7"] {
        let host = tcp_host(host).unwrap();
        let refusal = rights(ASKS, "").check_tcp(&host, Some(5432)).unwrap_err();
        let pasted = rights(ASKS, &line(&refusal.to_string(), "tcp"));
        assert!(pasted.check_tcp(&host, Some(5432)).is_ok(), "{refusal}");
    }
}

#[test]
fn a_refused_secret_names_a_line_that_allows_it() {
    for rung in [Rung::Inject, Rung::Attach, Rung::Operate, Rung::Reveal] {
        let refusal = rights(ASKS, "").secret("api-token", rung).unwrap_err();
        let pasted = rights(ASKS, &line(&refusal.to_string(), "secrets"));
        assert!(pasted.secret("api-token", rung).is_ok(), "{refusal}");
    }
}

#[test]
fn an_import_that_is_not_granted_names_lines_that_link_it() {
    for interface in Interface::ALL {
        let Some(hint) = interface.grant_hint() else {
            assert!(rights("", "").allows(interface), "{interface}");
            continue;
        };
        assert!(!rights(ASKS, "").allows(interface), "{interface}");
        // The lines stand in backticks, those of the grant behind those of the manifest.
        let mut lines = toml::Table::new();
        for part in hint.split('`') {
            lines.extend(part.parse::<toml::Table>().unwrap_or_default());
        }
        assert!(!lines.is_empty(), "no line: {hint}");
        let grant: String = lines.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
        assert!(
            rights(ASKS, &grant).allows(interface),
            "{interface}: {hint}"
        );
    }
}
