//! Formatting, lints and documentation of a Rust workspace.

use camino::Utf8PathBuf;

use crate::{
    command_line::Effect,
    step::{Action, Step, Summary, Touches},
};

use super::cargo;

/// `cargo fmt --all -- --check`: whether the code is formatted.
///
/// Accepts exit 0. Changes nothing. Source: rustfmt's manual.
#[derive(Debug)]
pub struct CargoFmt {
    root: Utf8PathBuf,
}

/// `cargo clippy --workspace --all-targets --locked -- --deny=warnings`: lints.
///
/// Accepts exit 0. Writes cargo's target folder. Source: clippy's manual.
#[derive(Debug)]
pub struct CargoClippy {
    root: Utf8PathBuf,
}

/// `cargo doc --workspace --no-deps --locked`, warnings denied: documentation.
///
/// Accepts exit 0. Writes cargo's target folder. Source: cargo's manual.
#[derive(Debug)]
pub struct CargoDoc {
    root: Utf8PathBuf,
}

impl CargoFmt {
    /// In this workspace.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl CargoClippy {
    /// In this workspace.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl CargoDoc {
    /// In this workspace.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Step for CargoFmt {
    type Output = ();

    fn label(&self) -> String {
        "cargo fmt".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = cargo(&self.root)
            .args(["fmt", "--all", "--", "--check"])
            .effect(Effect::Read)
            .purpose("check the formatting; `cargo fmt` mends it");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn touches(&self) -> Option<Touches> {
        Some(
            Touches::new(&self.root).reads(["**/*.rs", "rustfmt.toml"]).tools(["cargo", "rustfmt"]),
        )
    }

    fn summary(&self, (): &()) -> Summary {
        Summary::line("formatted")
    }
}

impl Step for CargoClippy {
    type Output = ();

    fn label(&self) -> String {
        "cargo clippy".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = cargo(&self.root)
            .args(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny=warnings"])
            .purpose("lints, warnings denied");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line("clean")
    }
}

impl Step for CargoDoc {
    type Output = ();

    fn label(&self) -> String {
        "cargo doc".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = cargo(&self.root)
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "--deny=warnings")
            .purpose("documentation, warnings denied");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line("no warnings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn cargo_fmt_minimal() {
        check("cargo_fmt__minimal", &CargoFmt::new("/srv/tool"));
    }

    #[test]
    fn cargo_fmt_hostile() {
        check("cargo_fmt__hostile", &CargoFmt::new("/srv/it's a\n$tool"));
    }

    #[test]
    fn cargo_clippy_minimal() {
        check("cargo_clippy__minimal", &CargoClippy::new("/srv/tool"));
    }

    #[test]
    fn cargo_clippy_hostile() {
        check("cargo_clippy__hostile", &CargoClippy::new("/srv/it's a\n$app"));
    }

    #[test]
    fn cargo_doc_hostile() {
        check("cargo_doc__hostile", &CargoDoc::new("/srv/it's a\n$app"));
    }

    #[test]
    fn cargo_doc_minimal() {
        check("cargo_doc__minimal", &CargoDoc::new("/srv/tool"));
    }
}
