//! How long it takes to verify: a key bundle and keyless bundles of small files, without I/O, and a
//! plugin under a policy. What it costs to hash the artifact comes on top.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, TrustRoot, VerifyingKey, verify_artifact,
};
use wharf_bundle::{SigningKey, sign};

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sigstore")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(asset(name)).unwrap()
}

fn key_bundles(bench: &mut Criterion) {
    let root = TrustRoot::public_good().unwrap();
    let key = SigningKey::generate().unwrap();
    let file = b"any file".as_slice();
    let bundle = sign(file, &key).unwrap();
    let key = VerifyingKey::from(key.public());
    bench.bench_function("key bundle", |b| {
        b.iter(|| {
            let artifact = Artifact::from_bytes(black_box(file));
            let expected = Expected::Key(&key);
            verify_artifact(&artifact, &bundle, expected, &root, Evidence::KeyAlone).unwrap()
        });
    });
    let (bundle, file) = (
        read("bundles/managed-key.json"),
        read("artifacts/managed-key.txt"),
    );
    let key = VerifyingKey::load(&asset("artifacts/managed-key.pub")).unwrap();
    bench.bench_function("key bundle with log entry and timestamp", |b| {
        b.iter(|| {
            let artifact = Artifact::from_bytes(black_box(&file));
            let expected = Expected::Key(&key);
            let evidence = Evidence::LogAndTimestamp;
            verify_artifact(&artifact, &bundle, expected, &root, evidence).unwrap()
        });
    });
}

fn keyless_bundles(bench: &mut Criterion) {
    for (name, file, root, subject) in [
        (
            "cosign-v3-blob",
            "cosign-v3-blob.txt",
            None,
            "w.vollprecht@gmail.com",
        ),
        (
            "python-rekor-v2",
            "python-rekor-v2.txt",
            Some("roots/staging.json"),
            "jku@goto.fi",
        ),
        (
            "conda-rekor-v2",
            "signed-package.conda",
            Some("roots/staging.json"),
            "jku@goto.fi",
        ),
    ] {
        let root = match root {
            Some(root) => TrustRoot::load(&asset(root)).unwrap(),
            None => TrustRoot::public_good().unwrap(),
        };
        let identity = Identity {
            issuer: "https://github.com/login/oauth".to_owned(),
            subject: subject.to_owned(),
        };
        let bundle = read(&format!("bundles/{name}.json"));
        let file = read(&format!("artifacts/{file}"));
        bench.bench_function(&format!("keyless bundle {name}"), |b| {
            b.iter(|| {
                let artifact = Artifact::from_bytes(black_box(&file));
                let expected = Expected::Identity(&identity);
                verify_artifact(&artifact, &bundle, expected, &root, Evidence::Log).unwrap()
            });
        });
    }
}

fn roots(bench: &mut Criterion) {
    bench.bench_function("read the public-good root", |b| {
        b.iter(|| TrustRoot::public_good().unwrap());
    });
    // What a runner does before it looks at the manifest of one megabyte of plugin.
    let bytes: Arc<[u8]> = vec![7; 1 << 20].into();
    bench.bench_function("hash 1 MiB", |b| {
        b.iter(|| wharf_bundle::digest(black_box(&bytes)))
    });
}

criterion_group!(benches, key_bundles, keyless_bundles, roots);
criterion_main!(benches);
