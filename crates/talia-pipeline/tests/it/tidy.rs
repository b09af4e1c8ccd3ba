//! The house in order: who knows whom, which doors there are, what stands where.
//!
//! Every check is a function from texts to findings, so that each can be shown
//! to find what it is for.

mod doors;
mod files;
mod imports;
mod snapshots;
mod source;

use camino::{Utf8Path, Utf8PathBuf};

use source::Source;

/// The library's folder.
fn library() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder whose name ends like this, in a fixed order.
fn below(folder: &Utf8Path, end: &str) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(below(entry.path(), end));
        } else if entry.file_name().ends_with(end) {
            found.push(entry.into_path());
        }
    }
    found.sort();
    found
}

/// The Rust files below a folder of the library, named from there.
fn sources(folder: &str) -> Vec<Source> {
    let folder = library().join(folder);
    let files = below(&folder, ".rs");
    assert!(!files.is_empty(), "{folder} has files");
    let read = |path: Utf8PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        Source::new(path.strip_prefix(&folder).unwrap().as_str(), &text)
    };
    files.into_iter().map(read).collect()
}

/// Fails with every finding.
#[track_caller]
fn holds(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
