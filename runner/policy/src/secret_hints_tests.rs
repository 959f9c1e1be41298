//! Every refusal of a secret names all that would allow it: put it where the refusal says, ask again.

use url::Url;

use crate::hints_tests::line;
use crate::*;

const RUNGS: [Rung; 4] = [Rung::Inject, Rung::Attach, Rung::Operate, Rung::Reveal];

/// Manifest, secrets and grant as text, and the call: what a refusal may say to add to.
#[derive(Debug, Clone, Default)]
struct World {
    asks: String,
    blocks: String,
    grant: String,
    call: CallRights,
}

impl World {
    fn rights(&self) -> Rights {
        let text = format!(
            "{}[[grant]]\nplugins=['http']\n{}\n",
            self.blocks, self.grant
        );
        Rights::effective(
            &"http".parse().unwrap(),
            &"request".parse().unwrap(),
            &toml::from_str(&self.asks).unwrap(),
            &LimitRequest::default(),
            &Policy::from_toml(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
            &self.call,
        )
    }

    /// With everything that the refusal names, where it says.
    fn mended(&self, hint: &str) -> Self {
        let mut mended = self.clone();
        let (policy, call) = match hint.split_once("in the call's rights") {
            Some((policy, call)) => (policy, Some(call)),
            None => (hint, None),
        };
        if policy.contains("in the manifest's [capabilities]") {
            // What is not said to go beside what is there takes its place.
            let beside = policy.contains("[capabilities] beside those that it has");
            assert_eq!(beside, !self.asks.is_empty(), "{hint}");
            mended.asks = line(policy, "secrets");
        }
        if policy.contains("in a [[grant]] for this plugin") {
            mended.grant = line(policy, "secrets");
        }
        if policy.contains("with a [[secret]] block of that name") && self.blocks.is_empty() {
            mended.blocks = block(if policy.contains("has `to`") { TO } else { "" });
        }
        if let Some(call) = call {
            assert!(call.contains("beside those that it has"), "{hint}");
            let named: CallRights = toml::from_str(&line(call, "secrets")).unwrap();
            let names = mended.call.secrets.get_or_insert_default();
            names.extend(named.secrets.unwrap());
        }
        mended
    }
}

const TO: &str = "to=[{origin='https://api.example'}]\n";

fn block(lines: &str) -> String {
    format!("[[secret]]\nname='api'\nfrom='env:T'\n{lines}")
}

#[test]
fn a_refused_secret_names_whoever_said_no_and_all_that_would_allow_it() {
    for (rung, case) in RUNGS
        .into_iter()
        .flat_map(|rung| (0..7).map(move |case| (rung, case)))
    {
        let (asked, granted, called) = (case & 1 != 0, case & 2 != 0, case & 4 != 0);
        let secrets = format!("secrets = [{{ name = 'api', rungs = ['{rung}'] }}]");
        let said = |yes: bool| if yes { secrets.clone() } else { String::new() };
        let world = World {
            asks: said(asked),
            blocks: block(TO),
            grant: said(granted),
            call: CallRights {
                secrets: (!called).then(|| vec!["other".parse().unwrap()]),
                ..CallRights::default()
            },
        };
        let refusal = world.rights().secret("api", rung).unwrap_err();
        let first = match (asked, granted) {
            (false, _) => "manifest does not ask",
            (true, false) => "no grant",
            (true, true) => "the call",
        };
        assert!(refusal.why.contains(first), "{refusal}");
        for (place, yes) in [
            ("manifest's", asked),
            ("[[grant]]", granted),
            ("call's", called),
        ] {
            assert_eq!(refusal.hint.contains(place), !yes, "{refusal}");
        }
        let mended = world.mended(&refusal.hint);
        assert!(mended.rights().secret("api", rung).is_ok(), "{refusal}");
        // It does not tell whether there is a secret that is not granted, and says what one needs.
        if !granted {
            let none = World {
                blocks: String::new(),
                ..world
            };
            assert_eq!(none.rights().secret("api", rung).unwrap_err(), refusal);
            let mended = none.mended(&refusal.hint);
            assert!(mended.rights().secret("api", rung).is_ok(), "{refusal}");
        }
    }
}

#[test]
fn a_name_that_no_secret_can_have_gets_no_line() {
    let long = "n".repeat(1000);
    for name in ["e\u{301}", "a\"b", "", long.as_str()] {
        let rights = World::default().rights();
        let refusal = rights.secret(name, Rung::Reveal);
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains("no line of a policy"), "{refusal}");
        assert!(!refusal.contains("secrets ="), "{refusal}");
        assert!(refusal.len() < 1000, "{refusal}");
    }
}

const LISTS: [&str; 6] = [
    "[]",
    "['hmac']",
    "['jwt']",
    "['hmac', 'jwt']",
    "['bearer', 'basic']",
    "['jwt', 'aws-sigv4']",
];

#[test]
fn a_refused_operation_names_lines_that_allow_it_beside_those_that_are_there() {
    use Operation::*;
    let secret = "secrets = [{ name = 'api', rungs = ['operate'] }]";
    let world = |lines: &str| World {
        asks: secret.to_owned(),
        blocks: block(lines),
        grant: secret.to_owned(),
        call: CallRights::default(),
    };
    let mut forged = 0;
    for (list, to, jwt) in LISTS.into_iter().flat_map(|list| {
        ["", TO]
            .into_iter()
            .flat_map(move |to| ["", "jwt={iss='x'}\n"].map(|jwt| (list, to, jwt)))
    }) {
        let lines = format!("operations={list}\n{to}{jwt}");
        let before = world(&lines);
        let text = format!("{}[[grant]]\nplugins=['http']\n{secret}", before.blocks);
        if Policy::from_toml(&text).is_err() {
            continue;
        }
        for operation in [Hmac, Sign, Jwt, Bearer, Basic, AwsSigv4] {
            let Err(refusal) = before.rights().operate("api", operation) else {
                continue;
            };
            let line = line(&refusal.hint, "operations");
            let forges = !jwt.is_empty() && matches!(operation, Hmac | Sign);
            if forges {
                forged += 1;
                assert!(refusal.hint.contains("under another name"), "{refusal}");
                assert!(!refusal.hint.contains("there operations"), "{refusal}");
                let again = world(&format!("{line}\n"));
                assert!(
                    again.rights().operate("api", operation).is_ok(),
                    "{refusal}"
                );
                continue;
            }
            let needs_to = to.is_empty() && operation.needs_destination();
            assert_eq!(refusal.hint.contains("with `to`"), needs_to, "{refusal}");
            let more = if needs_to { TO } else { to };
            // The line takes the place of the one that was there, and what was allowed still is.
            let after = world(&format!("{line}\n{more}{jwt}")).rights();
            assert!(after.operate("api", operation).is_ok(), "{refusal}");
            for was in [Hmac, Sign, Jwt, Bearer, Basic, AwsSigv4] {
                let allowed = before.rights().operate("api", was).is_ok();
                assert!(!allowed || after.operate("api", was).is_ok(), "{refusal}");
            }
        }
    }
    assert!(forged > 0, "no case of rules for tokens was tried");
}

#[test]
fn a_refused_credential_names_a_rule_for_that_request_and_no_other_beside_those_of_its_block() {
    let bound = |rules: &str| {
        let blocks = block(&format!("{rules}\n"));
        Policy::from_toml(&blocks).unwrap().secrets.remove(0)
    };
    let may = |binding: &SecretBinding, method: &str, url: &str| {
        let target = Target::of(&Url::parse(url).unwrap()).unwrap();
        binding.check_destination(Rung::Attach, method, &target)
    };
    let before = bound("to=[{origin='https://a.test',path='/v1',methods=['GET']}]");
    assert!(may(&before, "GET", "https://a.test/v1/x").is_ok());
    let (method, url) = ("POST", "https://a.test/v2/x");
    let refusal = may(&before, method, url).unwrap_err();
    assert!(
        refusal
            .what
            .contains("attach the secret `api` to POST https://a.test/v2/x"),
        "{refusal}"
    );
    assert!(
        refusal.hint.contains("beside those that it has"),
        "{refusal}"
    );
    let mut after = before.clone();
    after.to.extend(bound(&line(&refusal.hint, "to")).to);
    assert!(may(&after, method, url).is_ok(), "{refusal}");
    assert!(
        may(&after, "GET", "https://a.test/v1/x").is_ok(),
        "{refusal}"
    );
    for (method, url) in [
        ("PUT", "https://a.test/v2/x"),
        ("POST", "https://a.test/v2"),
        ("POST", "https://a.test/v1/x"),
        ("POST", "https://a.test:8443/v2/x"),
    ] {
        assert!(
            may(&after, method, url).is_err(),
            "{method} {url}: {refusal}"
        );
    }
    // Where no rule can say less, it is said how much the line opens.
    let odd = may(&before, "GET", "https://a.test/v1/..%2fadmin").unwrap_err();
    assert!(odd.hint.contains("would allow every path"), "{odd}");
    // The first one goes beside none.
    let first = may(&bound(""), method, url).unwrap_err();
    assert!(!first.hint.contains("beside"), "{first}");
    assert!(
        may(&bound(&line(&first.hint, "to")), method, url).is_ok(),
        "{first}"
    );
}
