//! Every refusal names the line that would allow it: read the line out of the refusal, paste it, ask
//! again.

use proptest::prelude::*;
use url::Url;

use crate::*;

const SECRETS: &str =
    "[[secret]]\nname='api-token'\nfrom='env:T'\nto=[{origin='https://api.example'}]\n";
const ASKS: &str = "http=[{origin='https://*:*'},{origin='http://*:*'}]\ntcp=[{host='*',ports='*'}]\nconfig=true\n\
    secrets=[{name='*',rungs=['inject','attach','operate','reveal']}]";

/// What each of the three says of destinations.
#[derive(Debug, Clone, Default)]
struct World {
    asks: Capabilities,
    grants: Vec<String>,
    call: CallRights,
}

impl World {
    /// Each of them silent about what is asked for, and with a word about something else or without.
    fn silent(asks: &str, call: &str) -> Self {
        Self {
            asks: toml::from_str(asks).unwrap(),
            grants: Vec::new(),
            call: toml::from_str(call).unwrap(),
        }
    }

    fn rights(&self) -> Rights {
        let block = |lines: &String| format!("[[grant]]\nplugins=['http']\n{lines}\n");
        let policy: String = self.grants.iter().map(block).collect();
        Rights::effective(
            &"http".parse().unwrap(),
            &"request".parse().unwrap(),
            &self.asks,
            &LimitRequest::default(),
            &Policy::from_toml(&policy).unwrap_or_else(|error| panic!("{error}: {policy}")),
            &self.call,
        )
    }

    /// With the line of a refusal in every place that it names, and nowhere else.
    fn mended(&self, refusal: &Denied, member: &str) -> Self {
        let mut mended = self.clone();
        let line = line(&refusal.hint, member);
        // Before them may stand what is odd about a path.
        let places = refusal.hint.split(&line).next().unwrap();
        let places = places.rsplit(": ").next().unwrap();
        let named: Capabilities = toml::from_str(&line).unwrap();
        for place in places.split(" and ") {
            let beside = place.contains("beside those that it has");
            if place.starts_with("in the manifest's [capabilities]") {
                add(&mut mended.asks.http, &named.http, beside);
                add(&mut mended.asks.tcp, &named.tcp, beside);
            } else if place.starts_with("in a [[grant]] for this plugin") {
                mended.grants.push(line.clone());
            } else {
                assert!(place.starts_with("in the call's rights"), "{refusal}");
                let call = &mut mended.call;
                call.http
                    .iter_mut()
                    .for_each(|list| add(list, &named.http, beside));
                call.tcp
                    .iter_mut()
                    .for_each(|list| add(list, &named.tcp, beside));
            }
        }
        mended
    }
}

/// What is not said to go beside what is there takes its place.
fn add<R: Clone>(list: &mut Vec<R>, named: &[R], beside: bool) {
    if named.is_empty() {
        return;
    }
    assert_eq!(beside, !list.is_empty());
    if !beside {
        list.clear();
    }
    list.extend_from_slice(named);
}

/// All ways in which manifest, grant and call can be silent: with a word about something else, or
/// none, or all of what is asked for.
fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for asks in ["", OTHER, ASKS] {
        for grant in [None, Some(ASKS)] {
            for call in ["", "http=[]\ntcp=[]", OTHER] {
                let mut world = World::silent(asks, call);
                // A grant asks for nothing: only the destinations of it.
                let lines = |asks: &str| asks.split("config").next().unwrap_or_default().to_owned();
                world.grants.extend(grant.map(lines));
                worlds.push(world);
            }
        }
    }
    worlds
}

const OTHER: &str =
    "http=[{origin='https://other.example'}]\ntcp=[{host='other.example',ports=[9]}]";

fn rights(asks: &str, grant: &str) -> Rights {
    secretive(SECRETS, asks, grant)
}

fn secretive(secrets: &str, asks: &str, grant: &str) -> Rights {
    let policy = format!("{secrets}[[grant]]\nplugins=['http']\n{grant}\n");
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
        for world in worlds() {
            let rights = world.rights();
            let Err(refusal) = rights.check_request(&method, &target) else { continue };
            let mended = world.mended(&refusal, "http").rights();
            prop_assert!(mended.check_request(&method, &target).is_ok(), "{}", refusal);
        }
    }
}

#[test]
fn a_refused_connection_names_a_line_that_allows_it() {
    for host in ["db.internal", "10.0.0.7", "fd00::7"] {
        let host = tcp_host(host).unwrap();
        for world in worlds() {
            let Err(refusal) = world.rights().check_tcp(&host, Some(5432)).map(drop) else {
                continue;
            };
            let mended = world.mended(&refusal, "tcp").rights();
            assert!(mended.check_tcp(&host, Some(5432)).is_ok(), "{refusal}");
            // Looking up a name is not for one port.
            let refusal = world.rights().check_tcp(&host, None).unwrap_err();
            let mended = world.mended(&refusal, "tcp").rights();
            assert!(mended.check_tcp(&host, None).is_ok(), "{refusal}");
            assert!(refusal.hint.contains("the lookup alone"), "{refusal}");
            for port in [22, 5432, u16::MAX] {
                assert!(mended.check_tcp(&host, Some(port)).is_err(), "{refusal}");
            }
        }
    }
}

#[test]
fn a_refused_destination_names_every_place_that_lacks_it_and_no_other() {
    let target = Target::of(&Url::parse("https://a.test/v1").unwrap()).unwrap();
    let mut refused = 0;
    for world in worlds() {
        let Err(refusal) = world.rights().check_request("GET", &target).map(drop) else {
            continue;
        };
        refused += 1;
        let asks = world.asks.http.len() > 1;
        let called = world.call.http.is_none();
        for (place, silent) in [
            ("manifest's", !asks),
            ("[[grant]]", world.grants.is_empty()),
            ("call's", !called),
        ] {
            assert_eq!(refusal.hint.contains(place), silent, "{refusal}");
        }
    }
    assert_eq!(refused, 17, "all but the one where all three allow it");
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
        // Without the block that it names, if it names one, the policy is not even taken.
        let block = hint.contains("with a [[secret]] block of that name");
        let to = if hint.contains("that has `to`") {
            TO
        } else {
            ""
        };
        let secret = format!("[[secret]]\nname='api-token'\nfrom='env:T'\n{to}");
        let secrets = if block { secret } else { String::new() };
        assert!(
            secretive(&secrets, ASKS, &grant).allows(interface),
            "{interface}: {hint}"
        );
    }
}

const TO: &str = "to=[{origin='https://api.example'}]\n";
