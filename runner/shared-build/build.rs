//! Nothing. Cargo passes over the `[build-dependencies]` of a package that has no build script.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
