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
pub(crate) fn line(refusal: &str, member: &str) -> String {
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
        // Looking up a name is not for one port.
        let refusal = rights(ASKS, "").check_tcp(&host, None).unwrap_err();
        let pasted = rights(ASKS, &line(&refusal.to_string(), "tcp"));
        assert!(pasted.check_tcp(&host, None).is_ok(), "{refusal}");
        assert!(refusal.hint.contains("the lookup alone"), "{refusal}");
        for port in [22, 5432, u16::MAX] {
            assert!(pasted.check_tcp(&host, Some(port)).is_err(), "{refusal}");
        }
    }
}

/// The policy with the networks of a refusal in the one grant that the refusal points to by its
/// rule. There is exactly one.
fn opened(policy: &str, refusal: &str) -> Policy {
    let mut policy = Policy::from_toml(policy).unwrap();
    let member = if refusal.contains(" http = ") {
        "http"
    } else {
        "tcp"
    };
    let named: Capabilities = toml::from_str(&line(refusal, member)).unwrap();
    let has = |grant: &Grant| match member {
        "http" => grant.http.contains(&named.http[0]),
        _ => grant.tcp.contains(&named.tcp[0]),
    };
    let pasted = format!("plugins = ['http']\n{}", line(refusal, "networks"));
    let pasted: Grant = toml::from_str(&pasted).unwrap();
    let mut pointed: Vec<_> = policy
        .grants
        .iter_mut()
        .filter(|grant| has(grant))
        .collect();
    assert_eq!(pointed.len(), 1, "{refusal}");
    pointed[0].networks.extend(&pasted.networks);
    policy
}

const APART: &str = "[[grant]]\nplugins=['http']\nnetworks=['127.0.0.1/32','10.0.0.7/32','fd00::/8']\n\
    [[grant]]\nplugins=['http']\nhttp=[{origin='https://other.test'},{origin='http://*.test:8080',path='/v1',methods=['GET']}]\n\
    [[grant]]\nplugins=['http']\ntcp=[{host='mail.test',ports=[25]},{host='db.test',ports=[5432]}]\n\
    [[grant]]\nplugins=['http']\nhttp=[{origin='https://a.test'}]\ntcp=[{host='a.test',ports=[1]}]\nnetworks=['127.0.0.0/8']\n";

fn of(policy: &Policy) -> Rights {
    Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(ASKS).unwrap(),
        &LimitRequest::default(),
        policy,
        &CallRights::default(),
    )
}

#[test]
fn a_refused_address_names_a_line_and_the_grant_in_which_it_has_an_effect() {
    let text = |url: &str| url.to_owned();
    for address in [
        "127.0.0.1",
        "10.0.0.7",
        "fd00::7",
        "169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ] {
        let address = address.parse().unwrap();
        let ask = |policy: &Policy| {
            let target = Target::of(&Url::parse("http://inner.test:8080/v1/x").unwrap()).unwrap();
            let rights = of(policy);
            let granted = rights.check_request("GET", &target).unwrap();
            granted.check(target.host(), address, || text("GET"))
        };
        let refusal = ask(&Policy::from_toml(APART).unwrap())
            .unwrap_err()
            .to_string();
        assert!(ask(&opened(APART, &refusal)).is_ok(), "{refusal}");

        for port in [Some(5432), None] {
            let ask = |policy: &Policy| {
                let host = tcp_host("db.test").unwrap();
                let rights = of(policy);
                let granted = rights.check_tcp(&host, port).unwrap();
                granted.check(&host, address, || text("TCP"))
            };
            let refusal = ask(&Policy::from_toml(APART).unwrap())
                .unwrap_err()
                .to_string();
            assert!(ask(&opened(APART, &refusal)).is_ok(), "{refusal}");
        }
    }
}

#[test]
fn a_line_of_networks_for_a_grant_that_has_some_is_said_to_go_beside_them() {
    let rights = of(&Policy::from_toml(APART).unwrap());
    for (host, port, beside) in [("a.test", 1, true), ("db.test", 5432, false)] {
        let host = tcp_host(host).unwrap();
        let granted = rights.check_tcp(&host, Some(port)).unwrap();
        let denied = granted.check(&host, "10.0.0.9".parse().unwrap(), || "TCP".to_owned());
        let refusal = denied.unwrap_err().to_string();
        assert_eq!(
            refusal.contains("beside those that it has"),
            beside,
            "{refusal}"
        );
    }
}

#[test]
fn a_line_that_opens_a_metadata_service_says_so_by_whatever_gateway() {
    let rights = of(&Policy::from_toml(APART).unwrap());
    let host = tcp_host("db.test").unwrap();
    let granted = rights.check_tcp(&host, Some(5432)).unwrap();
    let refusal = |address: &str| {
        let denied = granted.check(&host, address.parse().unwrap(), || "TCP".to_owned());
        denied.unwrap_err().to_string()
    };
    for address in [
        "64:ff9b::a9fe:a9fe",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "169.254.169.254",
    ] {
        let refusal = refusal(address);
        assert!(refusal.contains("169.254.169.254"), "{refusal}");
        assert!(
            refusal.contains("gives credentials to whoever asks"),
            "{refusal}"
        );
    }
    assert!(!refusal("64:ff9b::a00:1").contains("credentials"));
}

#[test]
fn a_refused_token_names_a_line_that_allows_it() {
    let claims = |value: serde_json::Value| value.as_object().unwrap().clone();
    let fixed = "iss = 'app'\nkid = '1'\nalgorithm = 'EdDSA'\nlifetime = '1m'";
    let rule = |lines: &str| toml::from_str::<JwtRule>(lines).unwrap();
    // What is pasted takes the place of what was there.
    let instead = |refusal: &str, member: &str| {
        let mut lines: toml::Table = fixed.parse().unwrap();
        lines.extend(line(refusal, member).parse::<toml::Table>().unwrap());
        rule(&lines.to_string())
    };
    let other = || claims(serde_json::json!({ "iss": "an \"other\"" }));
    let refusal = rule(fixed).claims(other(), None, 0).unwrap_err();
    let pasted = instead(&refusal.to_string(), "iss");
    assert!(pasted.claims(other(), None, 0).is_ok(), "{refusal}");
    let refusal = rule(fixed).key_id(Some("2".into())).unwrap_err();
    let pasted = instead(&refusal.to_string(), "kid");
    assert!(pasted.key_id(Some("2".into())).is_ok(), "{refusal}");
    let wanted = Some(JwtAlgorithm::Es256);
    let refusal = rule(fixed).algorithm(wanted).unwrap_err();
    let pasted = instead(&refusal.to_string(), "algorithm");
    assert!(pasted.algorithm(wanted).is_ok(), "{refusal}");
    let refusal = rule(fixed).claims(claims(serde_json::json!({})), Some(90), 0);
    let refusal = refusal.unwrap_err();
    let pasted = instead(&refusal.to_string(), "lifetime");
    let none = claims(serde_json::json!({}));
    assert!(pasted.claims(none, Some(90), 0).is_ok(), "{refusal}");
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
