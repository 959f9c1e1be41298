//! Requests inside requests, and headers that say something else than the request line.

use serde_json::json;

use crate::attacks;

attacks! {
    line_ends_in_headers: "puts line ends into names and values of headers" => "refused, nothing is sent", |world| {
        let origin = world.trusted.origin();
        for (name, value) in [("x", "a\r\nhost: evil"), ("x", "a\nb"), ("x", "a\rb"), ("x\r\nhost: evil\r\ny", "a"), ("x:", "a"), ("x ", "a"), ("", "a"), ("x", "a\u{0}b")] {
            let headers = json!([[name, value]]);
            let told = world.told(json!([
                { "do": "http", "url": format!("{origin}/v1/plain"), "headers": headers },
                { "do": "wasi", "authority": world.trusted.address.to_string(), "path": "/v1/plain", "headers": headers },
            ])).await;
            assert!(told.iter().all(|result| result.get("err").is_some()), "{name:?} {value:?}: {told:?}");
        }
        assert!(!world.trusted.was_reached());
    }
    a_request_in_a_body: "declares no length, two lengths or a wrong one, and puts a request into the body" => "the server sees one request, its body whole", |world| {
        let url = format!("{}/v1/plain", world.trusted.origin());
        let body = "GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        for headers in [
            json!([["content-length", "0"]]),
            json!([["content-length", "1"], ["content-length", "99"]]),
            json!([["transfer-encoding", "chunked"]]),
            json!([["transfer-encoding", "chunked"], ["content-length", "3"]]),
            json!([["Transfer_Encoding", "chunked"]]),
            json!([["connection", "content-length"], ["te", "trailers"]]),
        ] {
            let told = world.told(json!([{ "do": "http", "method": "POST", "url": url, "headers": headers, "body": body }])).await;
            let seen = told[0]["ok"]["body"].as_str().unwrap();
            assert!(seen.starts_with("POST /v1/plain HTTP/1.1\r\n") && seen.ends_with(body), "{seen}");
            assert!(seen.contains(&format!("content-length: {}\r\n", body.len())), "{seen}");
            assert_eq!(seen.to_lowercase().matches("content-length").count(), 1, "{seen}");
            assert!(!seen.to_lowercase().contains("transfer"), "{seen}");
        }
    }
    a_length_that_the_body_does_not_have: "declares through wasi:http a length that its body does not come to" => "broken off; no whole request arrives", |world| {
        let mut script = Vec::new();
        for length in ["0", "1", "999", "+5", "0x5", "5, 5"] {
            script.push(json!({ "do": "wasi", "authority": world.trusted.address.to_string(), "method": "POST", "path": "/v1/plain", "headers": [["content-length", length]], "body": "12345" }));
        }
        script.push(json!({ "do": "wasi", "authority": world.trusted.address.to_string(), "method": "POST", "path": "/v1/plain", "headers": [["content-length", "5"], ["content-length", "6"]], "body": "12345" }));
        let told = world.told(script.into()).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        // What was sent before it was noticed is a beginning: less than was declared, and nothing behind it
        // that could be read as another request.
        let received = world.trusted.received();
        for request in received.split("POST /v1/plain HTTP/1.1").skip(1) {
            let (head, body) = request.split_once("\r\n\r\n").unwrap_or((request, ""));
            let declared = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let declared: usize = declared.unwrap().parse().unwrap();
            assert!(body.len() < declared.max(1), "{received}");
        }
    }
    another_host_header: "says another host than the one it asks, in `host` and in what proxies add" => "dropped: the server sees the host that was checked", |world| {
        let headers = json!([["Host", "evil.test"], ["X-Forwarded-Host", "evil.test"], ["Forwarded", "host=evil.test"], ["X-Host", "evil.test"], ["X-Forwarded-For", "10.0.0.1"], ["X-Real-IP", "10.0.0.1"], ["X-Forwarded", "for=10.0.0.1"], ["True-Client-IP", "10.0.0.1"], ["X-Client-IP", "10.0.0.1"], ["X-HTTP-Host-Override", "evil.test"], ["X-Envoy-Original-Host", "evil.test"]]);
        let told = world.told(json!([{ "do": "http", "url": format!("{}/v1/plain", world.trusted.origin()), "headers": headers }])).await;
        let seen = told[0]["ok"]["body"].as_str().unwrap();
        assert!(seen.contains(&format!("host: {}\r\n", world.trusted.address)), "{seen}");
        assert!(!seen.contains("evil.test") && !seen.contains("10.0.0.1"), "{seen}");
    }
    headers_that_override_the_request_line: "asks for a granted path and method, and for others in headers that frameworks heed" => "dropped", |world| {
        let headers = json!([["X-Original-URL", "/admin"], ["X-Rewrite-URL", "/admin"], ["X_Rewrite_URL", "/admin"], ["X-HTTP-Method-Override", "DELETE"], ["X-HTTP-Method", "DELETE"], ["X-Method-Override", "DELETE"], ["X-Original-URI", "/admin"], ["X-Original-Method", "DELETE"], ["X-Method", "DELETE"], ["X-Envoy-Original-Path", "/admin"]]);
        let told = world.told(json!([{ "do": "http", "url": format!("{}/v1/plain", world.trusted.origin()), "headers": headers }])).await;
        let seen = told[0]["ok"]["body"].as_str().unwrap();
        assert!(!seen.contains("admin") && !seen.contains("DELETE"), "{seen}");
    }
    a_second_path_in_a_header: "has a server copy or move, with a credential for one path, from and to another one" => "refused: the credential is bound to the path, and the header names another", |world| {
        let url = format!("{}/aws/stolen", world.trusted.origin());
        for header in ["x-amz-copy-source", "X_Amz_Copy_Source", "x-amz-rename-source", "x-ms-copy-source", "X-Goog-Copy-Source", "X-Copy-From", "Destination", "X-Object-Manifest"] {
            let told = world.told(json!([
                { "do": "http", "method": "PUT", "url": url, "headers": [[header, "/other/private.txt"]] },
                { "do": "wasi", "method": "PUT", "authority": world.trusted.address.to_string(), "path": "/aws/stolen", "headers": [[header, "/other/private.txt"]] },
            ])).await;
            assert!(told[0]["err"].as_str().is_some_and(|why| why.contains("names another path")), "{header}: {told:?}");
            assert!(told[1].get("err").is_some(), "{header}: {told:?}");
        }
        assert!(!world.trusted.was_reached());
    }
    headers_of_the_connection: "names the credential's header in `connection`, and asks for an upgrade" => "dropped; the credential arrives and the protocol stays", |world| {
        let headers = json!([["Connection", "authorization, upgrade, keep-alive"], ["Upgrade", "h2c"], ["HTTP2-Settings", "x"], ["Expect", "100-continue"], ["Proxy-Authorization", "Basic eA=="], ["Keep-Alive", "timeout=9"]]);
        let told = world.told(json!([{ "do": "http", "url": format!("{}/v1/plain", world.trusted.origin()), "headers": headers }])).await;
        let seen = told[0]["ok"]["body"].as_str().unwrap().to_lowercase();
        assert!(seen.contains("authorization: bearer [secret api]"), "{seen}");
        for gone in ["upgrade", "h2c", "expect", "proxy", "http2", "keep-alive"] {
            assert!(!seen.contains(gone), "{gone}: {seen}");
        }
    }
    its_own_credential_beside_the_hosts: "sends headers of the credential's name, in other spellings too" => "only the host's arrives", |world| {
        let headers = json!([["Authorization", "Bearer mine"], ["authorization", "Basic mine"], ["X-Api-Key", "mine"], ["X_Api_Key", "mine"], ["x-api_key", "mine"]]);
        let told = world.told(json!([{ "do": "http", "url": format!("{}/v1/plain", world.trusted.origin()), "headers": headers, "attach": "attached" }])).await;
        let seen = told[0]["ok"]["body"].as_str().unwrap();
        assert!(!seen.contains("mine"), "{seen}");
        assert!(seen.contains("Bearer [secret api]") && seen.contains("x-api-key: [secret attached]"), "{seen}");
    }
    a_second_answer_in_an_answer: "has a server send a second answer behind the first, for whoever asks next" => "never taken for the answer to another request", |world| {
        let origin = world.trusted.origin();
        let told = world.told(json!([
            { "do": "http", "url": format!("{origin}/v1/two-answers") },
            { "do": "http", "url": format!("{origin}/v1/two-answers") },
            { "do": "http", "url": format!("{origin}/hello") },
        ])).await;
        assert!(!format!("{told:?}").contains("poison"), "{told:?}");
    }
    too_much_head: "sends a URL and headers longer than any server takes" => "refused, nothing is sent", |world| {
        let origin = world.trusted.origin();
        let long = "x".repeat(70_000);
        let told = world.told(json!([
            { "do": "http", "url": format!("{origin}/{long}") },
            { "do": "http", "url": format!("{origin}/?{long}") },
            { "do": "http", "url": format!("{origin}/"), "headers": [["x", long]] },
        ])).await;
        assert!(told.iter().all(|result| result["err"].as_str().is_some_and(|why| why.contains("Invalid") && why.len() < 1000)), "{told:?}");
        assert!(!world.trusted.was_reached());
    }
}
