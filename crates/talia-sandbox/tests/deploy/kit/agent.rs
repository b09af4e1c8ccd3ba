//! The agent under test: static, and obeying faults.

use std::{env::consts::ARCH, path::Path, process::Command};

use camino::Utf8PathBuf;

use super::said;

/// Builds it into a target folder of its own, so that it is never taken for the one
/// that is released.
pub(crate) fn build() -> Utf8PathBuf {
    built(&["--features=fault-injection"], "debug")
}

/// The agent as servers have it: optimised, and obeying nothing but requests.
pub(crate) fn released() -> Utf8PathBuf {
    built(&["--profile=agent"], "agent")
}

fn built(options: &[&str], folder: &str) -> Utf8PathBuf {
    let target = Utf8PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("agent");
    let triple = format!("{ARCH}-unknown-linux-gnu");
    let statically = format!("target.{triple}.rustflags=[\"-C\",\"target-feature=+crt-static\"]");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--package=talia-agent"])
        .args(["--config", &statically, "--target", &triple])
        .args(options)
        .arg("--target-dir")
        .arg(&target)
        .arg("--manifest-path")
        .arg(manifest);
    said(&mut cargo);
    target.join(triple).join(folder).join("talia-agent")
}
