//! Archives: the same bytes every time, and nothing but what was saved comes out.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{TRUST_ALL, key, stranger, trust};
use proptest::prelude::*;
use wharf_bundle::layout::{LayoutError, load, save};
use wharf_bundle::oci::{Descriptor, Index, OciError, Published, Trust};
use wharf_bundle::{Beside, SigningKey, attest};

const BLOCK: usize = 512;

fn published(version: &str, keys: &[&SigningKey]) -> Published {
    common::published("acme/http", version, keys)
}

fn saved(plugins: &[Published]) -> Vec<u8> {
    let mut archive = Vec::new();
    save(plugins, &mut archive).unwrap();
    archive
}

fn why(archive: &[u8]) -> String {
    load(archive).unwrap_err().to_string()
}

/// The entries of an archive: name and content.
fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while archive[at] != 0 {
        let header = &archive[at..at + BLOCK];
        let text = |from: usize, to: usize| {
            let field = header[from..to].split(|byte| *byte == 0).next().unwrap();
            String::from_utf8(field.to_vec()).unwrap()
        };
        let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
        at += BLOCK;
        found.push((text(0, 100), archive[at..at + size].to_vec()));
        at += size.div_ceil(BLOCK) * BLOCK;
    }
    found
}

/// An entry with this header, whose checksum is put right.
fn entry(name: &str, content: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut header);
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend_from_slice(content);
    header.resize(BLOCK + content.len().div_ceil(BLOCK) * BLOCK, 0);
    header
}

/// An archive of these entries.
fn archive<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let entries = entries
        .into_iter()
        .map(|(name, content)| entry(name, content, |_| {}));
    let mut bytes = entries.collect::<Vec<_>>().concat();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn again(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    archive(
        entries
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice())),
    )
}

#[test]
fn what_is_saved_is_loaded_with_all_that_signs_it() {
    let mut two = published("2.0.0", &[key(), stranger()]);
    two.sign(key()).unwrap();
    let plugins = [published("1.0.0", &[key()]), two, published("3.0.0", &[])];
    let loaded = load(saved(&plugins).as_slice()).unwrap();
    assert_eq!(loaded.len(), 3);
    for plugin in &plugins {
        let found = loaded
            .iter()
            .find(|other| other.digest() == plugin.digest())
            .unwrap();
        assert_eq!(found.component(), plugin.component());
        assert_eq!(found.signature_file(), plugin.signature_file());
        assert_eq!(found.referrers().len(), plugin.referrers().len());
        let verdict = Trust::Policy(&trust(TRUST_ALL)).verify(found);
        assert_eq!(verdict.is_ok(), !plugin.referrers().is_empty());
    }
}

#[test]
fn what_is_attested_of_a_plugin_goes_with_it() {
    let plain = published("1.0.0", &[key()]);
    let digest = plain.image().component.digest;
    let kind = "https://slsa.dev/provenance/v1";
    let attestation = attest(digest, kind, &serde_json::json!({}), key()).unwrap();
    let signatures = plain.signature_file();
    let beside = Beside {
        signatures: signatures.as_deref(),
        attestations: Some(&attestation),
    };
    let whole = Published::with(plain.component().clone(), beside).unwrap();
    let loaded = load(saved(&[whole]).as_slice()).unwrap();
    assert_eq!(loaded[0].signature_file(), signatures);
    assert_eq!(loaded[0].attestations_file(), Some(attestation));
    let wanting = format!("{TRUST_ALL}\nattestations = [{{ type = '{kind}' }}]");
    let verdict = Trust::Policy(&trust(&wanting)).verify(&loaded[0]);
    assert_eq!(verdict.unwrap().attested, [kind]);
    let without = load(saved(&[plain]).as_slice()).unwrap();
    assert!(Trust::Policy(&trust(&wanting)).verify(&without[0]).is_err());
}

#[test]
fn the_same_plugins_give_the_same_bytes_in_whatever_order_they_are_named() {
    let (one, two) = (published("1.0.0", &[key()]), published("2.0.0", &[]));
    let first = saved(&[one.clone(), two.clone()]);
    assert_eq!(first, saved(&[two.clone(), one.clone()]));
    assert_eq!(first, saved(&[two, one.clone(), one.clone()]));
    assert_eq!(saved(&load(first.as_slice()).unwrap()), first);
}

#[test]
fn a_plugin_that_is_named_twice_keeps_the_signatures_of_both() {
    let ours = published("1.0.0", &[key()]);
    let theirs = published("1.0.0", &[stranger()]);
    let loaded = load(saved(&[ours, theirs]).as_slice()).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].referrers().len(), 2);
}

#[test]
fn other_tools_can_read_an_archive_and_one_that_was_packed_again_is_loaded() {
    let original = saved(&[published("1.0.0", &[key()])]);
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("x");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("a.tar"), &original).unwrap();
    let tar = |arguments: &[&str]| {
        let done = std::process::Command::new("tar")
            .args(arguments)
            .current_dir(folder.path())
            .status();
        assert!(done.unwrap().success(), "tar {arguments:?}");
    };
    tar(&["-xf", "a.tar", "-C", "x"]);
    let index = std::fs::read(inside.join("index.json")).unwrap();
    assert!(index.starts_with(b"{\"manifests\""));
    for format in ["gnu", "ustar"] {
        tar(&[
            "-cf",
            "b.tar",
            &format!("--format={format}"),
            "-C",
            "x",
            ".",
        ]);
        let packed = std::fs::read(folder.path().join("b.tar")).unwrap();
        assert_eq!(saved(&load(packed.as_slice()).unwrap()), original);
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let archive = saved(&[published("1.0.0", &[key()])]);
    for at in 0..archive.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = archive.clone();
            changed[at] ^= change;
            assert!(load(changed.as_slice()).is_err(), "byte {at} ^ {change:#x}");
        }
    }
}

#[test]
fn an_archive_that_ends_early_or_goes_on_is_refused() {
    let archive = saved(&[published("1.0.0", &[key()])]);
    for end in 0..archive.len() {
        assert!(load(&archive[..end]).is_err(), "{end} bytes");
    }
    let mut longer = archive.clone();
    longer.extend_from_slice(&[0; 8 * BLOCK]);
    assert!(load(longer.as_slice()).is_ok(), "empty records are padding");
    longer.push(1);
    assert!(why(&longer).contains("something follows the end"));
    let endless = std::io::Read::chain(archive.as_slice(), std::io::repeat(0));
    assert!(
        load(endless)
            .unwrap_err()
            .to_string()
            .contains("follows the end")
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let plain = entries(&saved(&[published("1.0.0", &[])]));
    for name in [
        "../evil",
        "/etc/passwd",
        "blobs/sha256/../../evil",
        "blobs/sha256/x",
        "blobs/sha512/00",
        "././index.json",
        "index.json/",
        "other",
        "",
        "BLOBS/sha256/x",
    ] {
        let mut with = plain.clone();
        with.push((name.to_owned(), b"x".to_vec()));
        assert!(why(&again(&with)).contains("no place"), "{name:?}");
    }
}

/// Images of one component, each with another remark in its manifest.
fn variants(component: &Arc<[u8]>, count: usize) -> Vec<Published> {
    let plain = published("1.0.0", &[]);
    let mut manifest: serde_json::Value = serde_json::from_slice(plain.manifest()).unwrap();
    manifest["layers"] = serde_json::json!([Descriptor::of("application/wasm", component)]);
    let mut images: Vec<Published> = (0..count)
        .map(|number| {
            manifest["annotations"]["number"] = number.to_string().into();
            let manifest = manifest.to_string().into_bytes();
            let digest = wharf_bundle::digest(&manifest);
            let config = plain.config().to_vec();
            Published::from_parts(digest, manifest, config, Arc::clone(component)).unwrap()
        })
        .collect();
    images.sort_by_key(Published::digest);
    images
}

/// What `save` would write of images that nobody signed, if it refused nothing.
fn unchecked(images: &[Published]) -> Vec<u8> {
    let mut index = Index::default();
    let mut blobs: BTreeMap<String, &[u8]> = BTreeMap::new();
    for image in images {
        index.add(image.descriptor());
        for blob in [image.manifest(), image.config(), image.component()] {
            let name = format!("blobs/sha256/{}", wharf_bundle::digest(blob).to_hex());
            blobs.insert(name, blob);
        }
    }
    let index = index.to_bytes();
    let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
    let documents = [("oci-layout", layout.as_slice()), ("index.json", &index)];
    let blobs = blobs.iter().map(|(name, blob)| (name.as_str(), *blob));
    archive(documents.into_iter().chain(blobs))
}

#[test]
fn images_share_a_component_and_not_as_often_as_they_like_whether_written_or_read() {
    let component: Arc<[u8]> = vec![0; 1 << 20].into();
    let eight = variants(&component, 8);
    let read = load(unchecked(&eight).as_slice()).unwrap();
    assert!(Arc::ptr_eq(read[0].component(), read[7].component()));
    assert_eq!(load(saved(&eight).as_slice()).unwrap(), read);

    let nine = variants(&component, 9);
    let mut written = Vec::new();
    let refused = [
        save(&nine, &mut written).unwrap_err(),
        load(unchecked(&nine).as_slice()).unwrap_err(),
    ];
    let [write, read] = refused.map(|error| error.to_string());
    assert_eq!(write, read);
    for says in ["as often as it is used", "several", "wharf bundle save"] {
        assert!(write.contains(says), "{says}: {write}");
    }
    assert!(written.is_empty());
}

#[test]
fn more_entries_than_are_read_are_not_written() {
    // Each image has a manifest of its own, and all have one configuration and one component.
    let most = 4096 - 4;
    let images = variants(&vec![0].into(), most + 1);
    load(saved(&images[..most]).as_slice()).unwrap();
    let refused = save(&images, &mut Vec::new()).unwrap_err().to_string();
    assert!(refused.contains("more than 4096 entries"), "{refused}");
    assert_eq!(why(&unchecked(&images)), refused);
}

#[test]
fn an_image_that_is_listed_twice_or_out_of_its_order_is_refused_before_it_is_read() {
    let two = saved(&variants(&vec![0].into(), 2));
    let mut entries: BTreeMap<_, _> = entries(&two).into_iter().collect();
    let mut index: serde_json::Value = serde_json::from_slice(&entries["index.json"]).unwrap();
    let listed = index["manifests"].as_array().unwrap().clone();
    let [first, second] = [listed[0].clone(), listed[1].clone()];
    for listed in [[&first, &first], [&second, &first]] {
        let mut again = listed.map(serde_json::Value::clone);
        // What it would be refused for if it were read.
        again[1]["size"] = 1.into();
        index["manifests"] = again.to_vec().into();
        entries.insert("index.json".to_owned(), index.to_string().into_bytes());
        let with: Vec<_> = entries.clone().into_iter().collect();
        let error = load(self::again(&with).as_slice()).unwrap_err();
        assert!(matches!(error, LayoutError::Index), "{error}");
    }
}

#[test]
fn links_devices_and_long_names_are_refused() {
    let rest = saved(&[published("1.0.0", &[])]);
    for (kind, said) in [
        (b'1', "link"),
        (b'2', "link"),
        (b'3', "neither"),
        (b'4', "neither"),
        (b'6', "neither"),
        (b'7', "neither"),
        (b'x', "neither"),
        (b'g', "neither"),
        (b'L', "neither"),
        (b'S', "neither"),
        (0, "neither"),
    ] {
        let mut with = entry("index.json", b"", |header| {
            header[156] = kind;
            header[157..168].copy_from_slice(b"/etc/passwd");
        });
        with.extend_from_slice(&rest);
        assert!(why(&with).contains(said), "{kind}");
    }
    let mut with = entry("index.json", b"", |header| header[345] = b'/');
    with.extend_from_slice(&rest);
    assert!(why(&with).contains("too long"));
}

#[test]
fn entries_that_come_twice_or_for_nothing_or_not_are_refused() {
    let plain = entries(&saved(&[published("1.0.0", &[key()])]));
    for at in 0..plain.len() {
        let mut twice = plain.clone();
        twice.push(plain[at].clone());
        assert!(why(&again(&twice)).contains("twice"), "{}", plain[at].0);
        let mut without = plain.clone();
        without.remove(at);
        assert!(load(again(&without).as_slice()).is_err(), "{}", plain[at].0);
    }
    let mut more = plain.clone();
    let name = format!("blobs/sha256/{}", wharf_bundle::digest(b"more").to_hex());
    more.push((name, b"more".to_vec()));
    assert!(why(&again(&more)).contains("belongs to nothing"));
}

#[test]
fn huge_sizes_are_refused_without_being_read() {
    let rest = saved(&[published("1.0.0", &[])]);
    let blob = format!("blobs/sha256/{}", "0".repeat(64));
    for (name, size) in [
        ("index.json", (4 << 20) + 1),
        (blob.as_str(), (256u64 << 20) + 1),
        (blob.as_str(), 0o77777777777),
    ] {
        let mut with = entry(name, b"", |header| {
            header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        });
        with.extend_from_slice(&rest);
        let error = load(with.as_slice()).unwrap_err();
        assert!(
            matches!(
                error,
                LayoutError::Oci(OciError::TooLarge { .. }) | LayoutError::TooMuch { .. }
            ),
            "{error}"
        );
    }
    // The way of GNU tar to write sizes that do not fit, and other numbers that are none.
    for field in [
        *b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
        *b"-0000000001\0",
        *b"        1  \0",
    ] {
        let mut with = entry("index.json", b"", |header| {
            header[124..136].copy_from_slice(&field);
        });
        with.extend_from_slice(&rest);
        assert!(why(&with).contains("not a number"), "{field:?}");
    }
}

#[test]
fn too_many_entries_are_refused() {
    let many: Vec<(String, Vec<u8>)> = (0..4097u32)
        .map(|number| {
            let content = number.to_be_bytes().to_vec();
            let name = wharf_bundle::digest(&content).to_hex();
            (format!("blobs/sha256/{name}"), content)
        })
        .collect();
    assert!(why(&again(&many)).contains("more than 4096 entries"));
}

#[test]
fn a_signature_that_was_taken_away_with_its_entry_leaves_it_unsigned_and_refused() {
    let signed = published("1.0.0", &[key()]);
    let stripped = saved(&[published("1.0.0", &[])]);
    let loaded = load(stripped.as_slice()).unwrap();
    assert_eq!(loaded[0].digest(), signed.digest());
    assert!(Trust::Key(key().public()).verify(&loaded[0]).is_err());
}

#[test]
fn an_index_that_says_more_or_something_else_is_refused() {
    let plain: BTreeMap<_, _> = entries(&saved(&[published("1.0.0", &[key()])]))
        .into_iter()
        .collect();
    let index = String::from_utf8(plain["index.json"].clone()).unwrap();
    for changed in [
        index.replacen('{', "{ ", 1),
        index.replacen("\"size\":", "\"annotations\":{\"a\":\"b\"},\"size\":", 1),
        index.replace(
            "\"artifactType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",",
            "",
        ),
        index.replace("\"schemaVersion\":2", "\"schemaVersion\":1"),
        "{}".to_owned(),
        "[".repeat(100_000),
    ] {
        let mut with = plain.clone();
        with.insert("index.json".to_owned(), changed.clone().into_bytes());
        let with: Vec<_> = with.into_iter().collect();
        let start: String = changed.chars().take(200).collect();
        assert!(load(again(&with).as_slice()).is_err(), "{start}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(load(bytes.as_slice()).is_err());
    }
}
