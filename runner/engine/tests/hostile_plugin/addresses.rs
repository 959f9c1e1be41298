//! Addresses that no grant opens by accident, in every spelling.

use serde_json::json;

use crate::attacks;

attacks! {
    metadata_services: "asks the metadata services of all clouds, under a grant of every network" => "refused: only a network of the one address names it", |world| {
        let policy = world.policy("http = [{ origin = 'http://*:*' }]\nnetworks = ['0.0.0.0/0', '::/0', '169.254.0.0/16', 'fd00::/8']");
        world.refused(&policy, &[
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.169.252:988/computeMetadata/v1/",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://168.63.129.16/machine",
            "http://192.0.0.192/",
            "http://100.100.100.200/",
            "http://100.96.0.96/latest/",
            "http://[fd00:ec2::254]/latest/",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://[fd20:ce::254]/computeMetadata/v1/",
            "http://[fd00:c1::a9fe:a9fe]/opc/v2/",
            "http://[fd00:a9fe:a9fe::1]/v1/",
            "http://[fd00:100::100:200]/latest/",
            "http://169.254.42.42/",
            "http://[fd00:42::42]/",
            "http://169.254.0.23/",
            "http://100.80.80.80/",
            "http://[fe80::a9fe:a9fe]/",
        ], "a cloud metadata address").await;
    }
    metadata_in_odd_spellings: "writes 169.254.169.254 in decimal, octal, hexadecimal, short, in full-width digits, with a dot" => "refused: every spelling is the one address", |world| {
        let policy = world.policy("http = [{ origin = 'http://*:*' }]\nnetworks = ['0.0.0.0/0']");
        world.refused(&policy, &[
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0xa9.0xfe.0xa9.0xfe/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://169.16689662/",
            "http://169.254.169.254./",
            "http://169%2e254%2e169%2e254/",
        ], "a cloud metadata address").await;
        world.refused(&policy, &["http://①⑥⑨.254.169.254/", "http://169。254。169。254/"], "metadata").await;
    }
    metadata_inside_ipv6: "wraps 169.254.169.254 as mapped, translated, NAT64, 6to4, Teredo, ISATAP, under a grant of all of them" => "refused: judged by the address inside", |world| {
        let policy = world.policy("http = [{ origin = 'http://*:*' }]\nnetworks = ['0.0.0.0/0', '::/0', '64:ff9b::/96', '2002::/16']");
        world.refused(&policy, &[
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:0:169.254.169.254]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[64:ff9b:1::169.254.169.254]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[2001:0:a9fe:a9fe::1]/",
            "http://[2001:0:808:808::5601:5601]/",
            "http://[2606:4700::5efe:a9fe:a9fe]/",
        ], "metadata").await;
    }
    loopback_in_odd_spellings: "writes 127.0.0.1 in every way, without a network in the grant" => "refused, and nobody is connected to", |world| {
        let policy = world.policy("http = [{ origin = 'http://*:*' }]");
        let port = world.evil.port();
        let spellings = ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "127.0.0.1.", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]"];
        let urls: Vec<String> = spellings.iter().map(|host| format!("http://{host}:{port}/")).collect();
        world.refused(&policy, &urls.iter().map(String::as_str).collect::<Vec<_>>(), "networks = [").await;
        assert!(!world.evil.was_reached());
    }
    private_networks: "asks for private, carrier-grade, link-local, multicast and reserved addresses" => "refused, naming the network that would allow it", |world| {
        world.refused(&world.wide(), &[
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://169.254.1.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://127.0.0.2/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
        ], "networks = [").await;
    }
    names_of_forbidden_addresses: "asks for names that resolve to metadata, private and wrapped addresses" => "refused when the name is looked up", |world| {
        for (name, address) in [
            ("meta.test", "169.254.169.254"),
            ("private.test", "10.0.0.1"),
            ("unspecified.test", "0.0.0.0"),
            ("mapped.test", "::ffff:127.0.0.1"),
            ("nat64.test", "64:ff9b::7f00:1"),
            ("meta6.test", "fd00:ec2::254"),
        ] {
            world.dns.tell(name, &[&[address]]);
            let url = format!("http://{name}:{}/", world.evil.port());
            world.refused(&world.wide(), &[&url], &format!("{name} resolves to {address}")).await;
        }
        assert!(!world.evil.was_reached());
    }
    a_forbidden_address_among_others: "asks for a name with a private, a metadata and a granted address" => "only the granted one is connected to", |world| {
        world.dns.tell("mixed.test", &[&["10.0.0.1", "169.254.169.254", "127.0.0.1"]]);
        let url = format!("http://mixed.test:{}/", world.evil.port());
        let told = world.told(json!([{ "do": "http", "url": url }])).await;
        assert_eq!(told[0]["ok"]["body"], "hello", "{told:?}");
    }
    rebinding_between_check_and_connection: "has a name resolve to a granted address first and to a metadata service from then on" => "one lookup a connection: what was checked is what is connected to", |world| {
        world.dns.tell("rebind.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
        let url = format!("http://rebind.test:{}/", world.evil.port());
        let told = world.told(json!([{ "do": "http", "url": url }])).await;
        assert_eq!(told[0]["ok"]["body"], "hello", "{told:?}");
        assert_eq!(world.dns.asked(), ["rebind.test"], "looked up again after the check");
    }
    rebinding_between_connections: "has a name resolve to a granted address for one connection and to others for the next" => "every connection's address is checked", |world| {
        world.dns.tell("rebind.test", &[&["169.254.169.254"], &["127.0.0.1"], &["10.0.0.1"], &["fd00:ec2::254"]]);
        // Another port each time: a connection that is kept would not be looked up again.
        let ports = [9, world.evil.port(), 9, 10];
        let script: Vec<_> = ports.iter().map(|port| json!({ "do": "http", "url": format!("http://rebind.test:{port}/") })).collect();
        let told = world.told(script.into()).await;
        assert!(told[0]["err"].as_str().unwrap().contains("169.254.169.254"), "{told:?}");
        assert_eq!(told[1]["ok"]["body"], "hello");
        assert!(told[2]["err"].as_str().unwrap().contains("10.0.0.1"), "{told:?}");
        assert!(told[3]["err"].as_str().unwrap().contains("fd00:ec2::254"), "{told:?}");
    }
    networks_of_another_grant: "uses the networks that a grant opens for one host to reach another there" => "refused: networks serve their own grant", |world| {
        let port = world.evil.port();
        world.dns.tell("inside.test", &[&["127.0.0.1"]]);
        world.dns.tell("outside.test", &[&["127.0.0.1"]]);
        let policy = world.policy(&format!(
            "http = [{{ origin = 'http://inside.test:{port}' }}]\nnetworks = ['127.0.0.1/32']\n\
             [[grant]]\nplugins = ['intruder']\nhttp = [{{ origin = 'http://*:*' }}]"));
        let inside = format!("http://inside.test:{port}/");
        let told = world.told_under(&policy, json!([{ "do": "http", "url": inside }])).await;
        assert_eq!(told[0]["ok"]["body"], "hello", "{told:?}");
        world.refused(&policy, &[&format!("http://outside.test:{port}/"), &format!("http://127.0.0.1:{port}/")], "a loopback address").await;
    }
    zones_and_port_zero: "writes addresses with a zone, and port 0" => "refused as no URL", |world| {
        let urls = ["http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://127.0.0.1:0/", "http://a.test:00/"];
        world.refused(&world.wide(), &urls, "Invalid").await;
    }
}
