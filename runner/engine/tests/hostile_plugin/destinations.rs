//! Destinations that look like a granted one.

use serde_json::json;

use crate::attacks;
use crate::world::World;

/// A grant of the trusted server below /v1, GET only, and of no other.
fn narrow(world: &World) -> String {
    let origin = world.trusted.origin();
    world.policy(&format!(
        "http = [{{ origin = '{origin}', path = '/v1', methods = ['GET'] }}]\ntcp = [{{ host = 'none.test', ports = [1] }}]\nnetworks = ['127.0.0.1/32']"
    ))
}

attacks! {
    another_host_port_or_scheme: "asks for another port, scheme or name of a granted server" => "denied, naming the line that would allow it", |world| {
        world.dns.tell("alias.test", &[&["127.0.0.1"]]);
        let (port, other) = (world.trusted.port(), world.evil.port());
        let urls = [format!("http://127.0.0.1:{other}/v1"), format!("https://127.0.0.1:{port}/v1"), format!("http://alias.test:{port}/v1"), format!("http://[::ffff:127.0.0.1]:{port}/v1")];
        world.refused(&narrow(&world), &urls.each_ref().map(String::as_str), "no grant allows it").await;
        assert!(!world.trusted.was_reached() && !world.evil.was_reached());
    }
    ways_up_a_path: "leaves /v1 by dots, encoded, twice encoded, with slashes, backslashes, parameters, overlong and full-width forms" => "denied: where a server may see other segments, nothing below / covers it", |world| {
        let origin = world.trusted.origin();
        let paths = [
            "/v1/../admin", "/v1/%2e%2e/admin", "/v1/.%2e/admin", "/v1/..%2fadmin", "/v1/%2e%2e%2fadmin",
            "/v1/..%5cadmin", "/v1/..;/admin", "/v1/..;x=y/admin", "/v1/%252e%252e/admin", "/v1/%25252e./admin",
            "/v1/..%252fadmin", "/v1/%c0%ae%c0%ae/admin", "/v1/..%c0%afadmin", "/v1/..%00/admin", "/v1/..%20/admin",
            "/v1/..%3fx=1/admin", "/v1/..%23/admin", "/v1/%2e%2e%253f/admin",
            "/v1/%u002e%u002e/admin", "/v1/%ef%bc%8e%ef%bc%8e/admin", "/v1admin", "/V1/x", "//v1/x", "/", "/./v2",
        ];
        let urls: Vec<String> = paths.iter().map(|path| format!("{origin}{path}")).collect();
        world.refused(&narrow(&world), &urls.iter().map(String::as_str).collect::<Vec<_>>(), "no grant allows it").await;
        world.refused(&narrow(&world), &[&format!("{origin}/v1\\..\\admin")], "backslash").await;
        assert!(!world.trusted.was_reached());
    }
    other_methods: "uses methods that are not granted, in small letters, for proxies and for probes" => "denied or refused", |world| {
        let url = format!("{}/v1/x", world.trusted.origin());
        let methods = ["POST", "DELETE", "get", "Get", "CONNECT", "connect", "TRACE", "TRACK", "PRI", "GET\r\nX", "GET /admin"];
        let script: Vec<_> = methods.iter().map(|method| json!({ "do": "http", "method": method, "url": url })).collect();
        for (method, result) in methods.iter().zip(world.told_under(&narrow(&world), script.into()).await) {
            assert!(result.get("err").is_some(), "{method}: {result}");
        }
        assert!(!world.trusted.was_reached());
    }
    userinfo: "hides the host behind user information" => "refused, and not repeated in the message", |world| {
        let (trusted, evil) = (world.trusted.address, world.evil.address);
        let urls = [format!("http://{trusted}@{evil}/v1"), format!("http://user:pass@{trusted}/v1"), format!("http://{trusted}%40{evil}/v1"), format!("http://user@{trusted}/v1")];
        world.refused(&narrow(&world), &urls.each_ref().map(String::as_str), "Invalid").await;
        assert!(!world.trusted.was_reached() && !world.evil.was_reached());
        assert!(!world.spy.told().contains("user:pass"));
    }
    two_readers_of_a_url: "writes URLs that parsers read in two ways" => "refused rather than mended", |world| {
        let (trusted, evil) = (world.trusted.address, world.evil.address);
        for url in [
            format!("http://{evil}\\@{trusted}/v1"), format!("http:/{trusted}/v1"), format!("http:{trusted}/v1"), format!("http:///{trusted}/v1"),
            format!("//{trusted}/v1"), format!("http://{trusted}/v1\r\nhost: {evil}"), format!("http://{trusted}\t/v1"), format!(" http://{trusted}/v1"),
            format!("file://{trusted}/v1"), format!("ws://{trusted}/v1"), "http://".to_owned(), "data:text/plain,x".to_owned(),
        ] {
            let told = world.told_under(&narrow(&world), json!([{ "do": "http", "url": url }])).await;
            assert!(told[0]["err"].as_str().unwrap().contains("Invalid"), "{url}: {told:?}");
        }
        assert!(!world.trusted.was_reached() && !world.evil.was_reached());
    }
    homographs: "asks for a name whose letters only look like those of a granted one" => "denied: compared as it is looked up", |world| {
        let policy = world.policy("http = [{ origin = 'http://apple.test' }, { origin = 'http://*.bank.test' }]");
        world.refused(&policy, &[
            "http://аpple.test/", "http://xn--pple-43d.test/", "http://apple.test.evil.test/", "http://apple.test%2eevil.test/", "http://app1e.test/",
            "http://bank.test/", "http://evilbank.test/", "http://a.bank.test.evil.test/", "http://a.bаnk.test/",
        ], "no grant allows it").await;
        assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    }
    a_redirect: "has a granted server redirect elsewhere" => "given to the plugin, not followed; following it is a request like any other", |world| {
        let url = format!("{}/v1/redirect?{}/taken", world.trusted.origin(), world.evil.origin());
        let told = world.told_under(&narrow(&world), json!([{ "do": "http", "url": url }, { "do": "http", "url": format!("{}/taken", world.evil.origin()) }])).await;
        assert_eq!(told[0]["ok"]["status"], 302, "{told:?}");
        assert!(told[1]["err"].as_str().unwrap().contains("no grant allows it"), "{told:?}");
        assert!(!world.evil.was_reached());
    }
    a_request_line_for_proxies: "asks a granted server in the form that proxies take, and by other paths that begin oddly" => "the path stays a path", |world| {
        let (trusted, evil) = (world.trusted.address, world.evil.address);
        let script = json!([
            { "do": "wasi", "authority": trusted.to_string(), "path": format!("http://{evil}/x") },
            { "do": "wasi", "authority": trusted.to_string(), "path": "*" },
            { "do": "wasi", "authority": trusted.to_string(), "path": format!("@{evil}/x") },
            { "do": "wasi", "authority": trusted.to_string(), "path": ".evil.test/" },
            { "do": "wasi", "authority": format!("{trusted}/v1@{evil}"), "path": "/" },
        ]);
        world.told(script).await;
        assert!(!world.evil.was_reached());
        assert!(!world.trusted.received().contains("GET http:"), "{}", world.trusted.received());
    }
    a_name_that_the_certificate_does_not_hold: "reaches a TLS server by a name or an address that its certificate is not for" => "TLS fails and nothing is sent", |world| {
        world.dns.tell("tls.test", &[&["127.0.0.1"]]);
        world.dns.tell("other.test", &[&["127.0.0.1"]]);
        let port = world.tls.port();
        let urls = [format!("https://other.test:{port}/"), format!("https://127.0.0.1:{port}/")];
        world.refused(&world.wide(), &urls.each_ref().map(String::as_str), "TLS").await;
        assert_eq!(world.tls.received(), "");
        let told = world.told(json!([{ "do": "http", "url": format!("https://tls.test:{port}/") }])).await;
        assert_eq!(told[0]["ok"]["body"], "hello", "{told:?}");
    }
    plain_http_to_a_server_with_tls: "asks without TLS where only https is granted" => "denied", |world| {
        let policy = world.policy(&format!("http = [{{ origin = 'https://tls.test:{}' }}]\nnetworks = ['127.0.0.1/32']", world.tls.port()));
        world.refused(&policy, &[&format!("http://tls.test:{}/", world.tls.port())], "no grant allows it").await;
    }
}
