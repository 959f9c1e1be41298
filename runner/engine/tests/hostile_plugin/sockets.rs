//! TCP beyond the grant.

use serde_json::json;

use crate::attacks;
use crate::servers::Server;
use crate::world::World;

fn denied(result: &serde_json::Value) -> bool {
    result["err"]
        .as_str()
        .is_some_and(|why| why.contains("PermissionDenied"))
}

/// How many lines of the audit record say that something was refused.
fn refusals(audited: &str) -> usize {
    audited.matches("RequestDenied").count()
}

/// What came of connecting there, and the one line that was audited of it.
async fn refusal(world: &World, policy: &str, to: &str) -> (serde_json::Value, String) {
    let before = world.spy.told().len();
    let step = json!([{ "do": "tcp", "to": to, "receive": 0 }]);
    let mut told = world.told_under(policy, step).await;
    let audited = world.spy.told().split_off(before);
    assert_eq!(refusals(&audited), 1, "{to}: {audited}");
    (told.remove(0), audited)
}

attacks! {
    sockets_without_a_grant: "connects, looks up, listens and sends datagrams with no `tcp` in the grant" => "refused, audited and told what would allow it", |world| {
        let policy = world.policy("http = [{ origin = 'http://*:*' }]\nnetworks = ['127.0.0.1/32']");
        let to = world.bytes.address.to_string();
        let told = world.told_under(&policy, json!([{ "do": "tcp", "to": to, "receive": 0 }, { "do": "listen", "at": "127.0.0.1:0" }, { "do": "datagram", "to": to }, { "do": "lookup", "name": "a.test" }])).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        assert!(!world.bytes.was_reached() && world.dns.asked().is_empty());
        let audited = world.spy.told();
        for why in ["tcp = [{ host = ", "looking up a.test", "datagrams (UDP)"] {
            assert!(audited.contains(why), "{why}: {audited}");
        }
        // What is no host cannot be read as one.
        assert!(audited.contains("RequestDenied { method: \"TCP\", destination: \"any place\""), "{audited}");
    }
    other_hosts_and_ports: "connects to other ports and hosts than are granted, by name and by address" => "refused, naming the line that would allow it", |world| {
        let (port, other) = (world.bytes.port(), world.evil.port());
        let policy = world.policy(&format!("tcp = [{{ host = 'db.test', ports = [{port}] }}]\nhttp = [{{ origin = 'http://a.test' }}]\nnetworks = ['127.0.0.1/32']"));
        world.dns.tell("db.test", &[&["127.0.0.1"]]);
        world.dns.tell("other.test", &[&["127.0.0.1"]]);
        let told = world.told_under(&policy, json!([
            { "do": "tcp", "to": format!("db.test:{other}"), "receive": 0 },
            { "do": "tcp", "to": format!("other.test:{port}"), "receive": 0 },
            { "do": "elsewhere", "name": "db.test", "port": other },
            { "do": "tcp", "to": format!("127.0.0.2:{port}"), "receive": 0 },
            { "do": "tcp", "to": format!("db.test:{port}"), "send": "select 1", "receive": 8 },
        ])).await;
        assert!(told[..4].iter().all(|result| result.get("err").is_some()), "{told:?}");
        assert_eq!(told[4]["ok"], "select 1", "{told:?}");
        assert!(!world.evil.was_reached());
        let audited = world.spy.told();
        assert!(audited.contains("tcp = [{ host = \\\"db.test\\\""), "{audited}");
        // Told by the name that was looked up, as the refusal names it, and not by its address.
        let refused = format!("RequestDenied {{ method: \"TCP\", destination: \"db.test:{other}\"");
        assert!(audited.contains(&refused), "{audited}");
    }
    an_address_that_no_name_led_to: "connects to the address of a granted name before any lookup has led there" => "refused; after the lookup it is allowed", |world| {
        let port = world.bytes.port();
        let policy = world.policy(&format!("tcp = [{{ host = 'db.test', ports = [{port}] }}]\nhttp = [{{ origin = 'http://a.test' }}]\nnetworks = ['127.0.0.1/32']"));
        world.dns.tell("db.test", &[&["127.0.0.1"]]);
        let address = json!({ "do": "tcp", "to": world.bytes.address.to_string(), "receive": 0 });
        let told = world.told_under(&policy, json!([address])).await;
        assert!(denied(&told[0]), "{told:?}");
        assert!(!world.bytes.was_reached());
        let told = world.told_under(&policy, json!([{ "do": "lookup", "name": "db.test" }, address])).await;
        assert_eq!(told[1]["ok"], "", "{told:?}");
    }
    sockets_to_forbidden_addresses: "connects to metadata, private and loopback addresses by address and by name, under a grant of every host" => "refused by the same check as for HTTP, and audited; what listens there is not reached", |world| {
        let port = world.bytes.port();
        world.dns.tell("meta.test", &[&["169.254.169.254"]]);
        world.dns.tell("private.test", &[&["10.0.0.1", "::ffff:10.0.0.1"]]);
        world.dns.tell("local.test", &[&["127.0.0.1", "::ffff:127.0.0.1"]]);
        let policy = world.policy("tcp = [{ host = '*', ports = '*' }]\nhttp = [{ origin = 'http://a.test' }]\nnetworks = ['169.254.0.0/16', 'fd00::/8']");
        let (meta, private, loopback) = ("a cloud metadata address", "a private", "a loopback address");
        for (to, why) in [
            ("169.254.169.254:80".to_owned(), meta),
            ("10.0.0.1:80".to_owned(), private),
            (format!("127.0.0.1:{port}"), loopback),
            ("[64:ff9b::a9fe:a9fe]:80".to_owned(), meta),
            ("[::ffff:169.254.169.254]:80".to_owned(), meta),
            (format!("[::ffff:127.0.0.1]:{port}"), loopback),
            ("[fd00:ec2::254]:80".to_owned(), meta),
        ] {
            let (told, audited) = refusal(&world, &policy, &to).await;
            assert!(denied(&told), "{to}: {told}");
            assert!(audited.contains(why), "{to}: {audited}");
        }
        for (to, why) in [
            ("meta.test:80".to_owned(), meta),
            ("private.test:80".to_owned(), private),
            (format!("local.test:{port}"), loopback),
            ("2852039166:80".to_owned(), meta),
            (format!("2130706433:{port}"), loopback),
        ] {
            let (told, audited) = refusal(&world, &policy, &to).await;
            assert!(told.get("err").is_some(), "{to}: {told}");
            assert!(audited.contains(why), "{to}: {audited}");
        }
        assert!(!world.bytes.was_reached());
        // By name and by address, told where no words of the plugin's stand.
        let audited = world.spy.told();
        for address in ["address: Some(169.254.169.254)", "address: Some(10.0.0.1)"] {
            assert!(audited.contains(address), "{address}: {audited}");
        }
    }
    rebinding_for_sockets: "has a name change its address between lookups, and connects to what it led to before and after" => "each address is checked; only what was allowed is remembered", |world| {
        let port = world.bytes.port();
        // It listens, and is not granted.
        let other = Server::bytes_at(([127, 0, 0, 2], port).into()).await;
        world.dns.tell("db.test", &[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"]]);
        let connect = json!({ "do": "tcp", "to": format!("db.test:{port}"), "send": "x", "receive": 1 });
        let address = json!({ "do": "tcp", "to": other.address.to_string(), "receive": 0 });
        let told = world.told(json!([connect, connect, connect, address, connect])).await;
        assert_eq!(told[1]["ok"], "x", "{told:?}");
        assert!(denied(&told[3]), "{told:?}");
        for refused in [0, 2, 4] {
            assert!(told[refused].get("err").is_some(), "{told:?}");
        }
        assert!(!other.was_reached());
        assert_eq!(refusals(&world.spy.told()), 4, "{}", world.spy.told());
    }
    listening_and_datagrams: "listens, binds and sends datagrams where TCP is granted" => "refused, and audited", |world| {
        let told = world.told(json!([{ "do": "listen", "at": "127.0.0.1:0" }, { "do": "listen", "at": "0.0.0.0:0" }, { "do": "datagram", "to": world.bytes.address.to_string() }])).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        let audited = world.spy.told();
        assert!(audited.contains("listen or accept") && audited.contains("datagrams (UDP)"), "{audited}");
    }
    too_many_connections: "opens connections without end and keeps them" => "as many as `connections` says", |world| {
        let told = world.told_under(&world.limited("connections = 3"), json!([{ "do": "connections", "to": world.bytes.address.to_string(), "count": 50 }])).await;
        assert!(told[0]["ok"].as_str().unwrap().starts_with("3 then"), "{told:?}");
        assert!(world.spy.told().contains("limits = { connections = "), "{}", world.spy.told());
    }
    too_many_bytes: "sends and receives more than is granted through a socket" => "the stream ends at the limit, which is named", |world| {
        let to = world.bytes.address.to_string();
        for limit in ["request-bytes", "response-bytes"] {
            let policy = world.limited(&format!("{limit} = '1KiB'"));
            let told = world.told_under(&policy, json!([{ "do": "tcp", "to": to, "send": "x".repeat(3000), "receive": 3000 }])).await;
            assert!(told[0].get("err").is_some(), "{limit}: {told:?}");
            assert!(world.spy.told().contains(&format!("limits = {{ {limit} = ")), "{}", world.spy.told());
        }
    }
    too_many_attempts: "tries connections and lookups without end" => "each counts as a request", |world| {
        let policy = world.limited("requests = 3");
        let step = json!({ "do": "tcp", "to": "10.0.0.1:1", "receive": 0 });
        world.dns.tell("a.test", &[&["10.0.0.1"]]);
        let lookup = json!({ "do": "lookup", "name": "a.test" });
        world.told_under(&policy, json!([step, lookup, lookup, lookup, lookup, step])).await;
        assert_eq!(world.dns.asked().len(), 2, "{:?}", world.dns.asked());
        assert!(world.spy.told().contains("3 requests"), "{}", world.spy.told());
    }
}
