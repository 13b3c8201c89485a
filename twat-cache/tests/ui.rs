//! What the attributes refuse, and the advice in their errors.
//!
//! How the compiler shows an error changes from one version to the next, so this runs with one of them only: the one that
//! the `.stderr` files were made with. `TRYBUILD=overwrite cargo test --all-features --test ui` makes them anew.

use std::process::Command;

const COMPILER: &str = "rustc 1.95.";

#[test]
fn every_refusal_says_what_to_do_instead() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("a compiler that tells its version");
    if version.stdout.starts_with(COMPILER.as_bytes()) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    }
}
