//! Who knows whom, and which foreign crate stands where.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    holds, library,
    source::{Source, enclosed, pieces},
    sources,
};

/// What each module may know of the house: data's way through it never turns back.
const HOUSE: &[(&str, &[&str])] = &[
    // These know nobody but the error, which is known by all.
    ("quote", &[]),
    ("hole", &[]),
    ("diagnostic", &[]),
    ("exit_code", &[]),
    ("pins", &[]),
    ("files", &["error"]),
    ("world", &["error"]),
    ("error", &["diagnostic", "exit_code"]),
    ("digest", &["error", "hole"]),
    ("secret", &["error"]),
    ("parse", &["error", "diagnostic", "secret"]),
    ("coverage", &["error", "parse"]),
    ("landing", &["diagnostic", "error", "parse"]),
    ("protocol", &["digest", "landing", "error", "hole"]),
    // A command is a value.
    ("command_line", &["quote", "hole", "secret"]),
    ("xshell_compat", &["command_line", "error"]),
    ("tool", &["command_line", "world"]),
    ("step", &["command_line", "diagnostic", "error"]),
    // Steps: never the runner, a report, an event, a process.
    (
        "steps",
        &[
            "step",
            "command_line",
            "parse",
            "files",
            "secret",
            "error",
            "diagnostic",
            "hole",
            "coverage",
            "landing",
            "tool",
            "world",
            "protocol",
            "server",
            "settings",
            "digest",
            "quote",
        ],
    ),
    ("settings", &["coverage", "diagnostic", "landing", "error"]),
    (
        "server",
        &[
            "digest",
            "landing",
            "protocol",
            "settings",
            "templates",
            "parse",
            "files",
            // Its lock is lent to whatever works under it.
            "process",
            "error",
        ],
    ),
    ("templates", &[]),
    ("project", &["step", "parse", "files", "settings", "error"]),
    ("event", &["command_line", "diagnostic", "error"]),
    ("report", &["event", "parse", "secret", "diagnostic", "world", "error"]),
    // The only door out.
    ("process", &["error"]),
    ("signals", &["process", "error"]),
    ("state", &["files", "secret", "error"]),
    ("private", &["files", "secret", "world", "error"]),
    (
        "plan",
        &["command_line", "event", "exit_code", "hole", "parse", "quote", "step", "preflight"],
    ),
    ("preflight", &["parse", "plan", "command_line", "tool", "process", "runner", "error"]),
    (
        "runner",
        &[
            "command_line",
            "process",
            "step",
            "event",
            "plan",
            "preflight",
            "secret",
            "state",
            "world",
            "parse",
            "error",
        ],
    ),
    ("context", &["runner", "step", "event", "process", "error"]),
    (
        "pipeline",
        &[
            "context",
            "runner",
            "plan",
            "preflight",
            "process",
            "report",
            "event",
            "secret",
            "state",
            "world",
            "command_line",
            "exit_code",
            "error",
        ],
    ),
    (
        "flows",
        &[
            "context",
            "steps",
            "settings",
            "project",
            "state",
            "coverage",
            "landing",
            "parse",
            "pins",
            "tool",
            "quote",
            "world",
            "error",
            "protocol",
            "server",
            "digest",
            // A server's agent is reached with a key and tells events.
            "command_line",
            "step",
            "event",
            "secret",
            "private",
            "templates",
            "hole",
        ],
    ),
];

/// Where each foreign crate may be imported: below these paths. The vocabulary may
/// be spoken everywhere.
const FOREIGN: &[(&str, &[&str])] = &[
    ("anyhow", &[""]),
    ("camino", &[""]),
    ("serde", &[""]),
    ("aho_corasick", &["secret/automaton.rs"]),
    ("blake3", &["landing/entry.rs"]),
    ("filetime", &["steps/landing/stamp.rs"]),
    ("globwalk", &["project/find.rs"]),
    ("quick_xml", &["parse/cobertura/", "parse/junit/"]),
    (
        "rustix",
        &[
            "files.rs",
            "process/",
            "private.rs",
            "report/console.rs",
            "runner/faults.rs",
            "server/app_logs.rs",
            "server/landing/",
            "server/lock.rs",
            "state.rs",
            "steps/landing/hash.rs",
            "world.rs",
        ],
    ),
    (
        "serde_json",
        &[
            // Everything that is written as JSON writes itself.
            "event.rs",
            "plan.rs",
            "preflight.rs",
            "protocol/",
            "server/",
            "runner/",
            "steps/check/coverage.rs",
            "steps/backup/record.rs",
            // And what tools write as JSON is read where it is known.
            "parse/app_log.rs",
            "parse/compose.rs",
            "parse/compose_ps.rs",
            "parse/health.rs",
            "parse/ruff.rs",
            "steps/server/engine.rs",
            "steps/image/inspect.rs",
            "steps/registry/",
            "steps/backup/contents.rs",
            // Names for a script are a JSON list.
            "steps/backup/dump.rs",
            "steps/backup/names.rs",
        ],
    ),
    ("sha2", &["steps/backup/checksum.rs"]),
    ("signal_hook", &["signals.rs"]),
    ("similar", &["parse/line_diff.rs"]),
    ("strsim", &["settings/suggest.rs"]),
    ("toml", &["settings/", "parse/pyproject.rs"]),
    ("walkdir", &["steps/landing/walk.rs"]),
    ("xshell", &["xshell_compat.rs"]),
];

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// The first names behind a path such as `crate::`: several behind a brace.
fn heads(behind: &str) -> Vec<&str> {
    if behind.starts_with('{') {
        pieces(enclosed(behind)).into_iter().map(word).collect()
    } else {
        vec![word(behind)]
    }
}

/// The names that the code takes from the crate's root.
fn taken(source: &Source) -> BTreeSet<String> {
    let depth = source.module().len();
    let mut found = BTreeSet::new();
    let mut add = |behind: &str| found.extend(heads(behind).into_iter().map(str::to_owned));
    for (at, path) in source.code.match_indices("crate::") {
        add(&source.code[at + path.len()..]);
    }
    // Enough steps up lead to the root as well.
    let up = "super::".repeat(depth);
    for (at, _) in source.code.match_indices(&up) {
        if depth > 0 && !source.code[..at].ends_with("super::") {
            let behind = &source.code[at + up.len()..];
            if !behind.starts_with("super") {
                add(behind);
            }
        }
    }
    found.remove("self");
    found.remove("");
    found
}

/// Which module brings a name to the crate's root: `Error` comes from `error`.
fn reexports(root: &Source) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (at, path) in root.code.match_indices("pub use ") {
        let line = &root.code[at + path.len()..];
        let module = word(line);
        if let Some(behind) = line[module.len()..].strip_prefix("::") {
            for name in heads(behind) {
                found.insert(name.to_owned(), module.to_owned());
            }
        }
    }
    found
}

fn wrong_acquaintances(sources: &[Source], house: &[(&str, &[&str])]) -> Vec<String> {
    let root = sources.iter().find(|source| source.path == "lib.rs");
    let names = root.map(reexports).unwrap_or_default();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(&own) = source.module().first() else { continue };
        let Some((_, may)) = house.iter().find(|(module, _)| *module == own) else {
            findings.push(format!("{}: the house does not say whom `{own}` may know", source.path));
            continue;
        };
        for name in taken(source) {
            let module = names.get(&name).unwrap_or(&name);
            if module != own && !may.contains(&module.as_str()) {
                findings.push(format!("{}: `{own}` must not know `{module}`", source.path));
            }
        }
    }
    findings
}

fn wrong_crates(sources: &[Source], crates: &[String], foreign: &[(&str, &[&str])]) -> Vec<String> {
    let mut findings = Vec::new();
    for name in crates {
        let Some((_, places)) = foreign.iter().find(|(known, _)| known == name) else {
            findings.push(format!("Cargo.toml: nobody says where `{name}` may be imported"));
            continue;
        };
        let path = format!("{name}::");
        let uses = |source: &&Source| {
            source.code.match_indices(&path).any(|(at, _)| {
                // `camino` is not `my_camino`, and `crate::toml::` is not `toml`.
                !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            })
        };
        for source in sources.iter().filter(|source| !source.is_test()).filter(uses) {
            if !places.iter().any(|place| source.path.starts_with(place)) {
                findings.push(format!("{}: must not import `{name}`", source.path));
            }
        }
    }
    findings
}

/// The names of the dependencies, as code spells them.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find(|part| part.starts_with("dependencies]"));
    let lines = section.unwrap_or_default().lines().skip(1);
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[test]
fn every_module_knows_only_whom_the_house_allows() {
    holds(&wrong_acquaintances(&sources("src"), HOUSE));
}

#[test]
fn every_foreign_crate_stands_in_its_own_module() {
    let manifest = std::fs::read_to_string(library().join("Cargo.toml")).unwrap();
    let crates = dependencies(&manifest);
    assert!(crates.len() > 5, "{crates:?}");
    holds(&wrong_crates(&sources("src"), &crates, FOREIGN));
}

#[test]
fn a_wrong_acquaintance_is_found_however_it_is_written() {
    let house: &[(&str, &[&str])] = &[("steps", &["step"]), ("runner", &[]), ("step", &[])];
    let root = || Source::new("lib.rs", "pub use runner::{Core, Shell};\npub mod steps;");
    let find = |path: &str, text: &str| {
        wrong_acquaintances(&[root(), Source::new(path, text)], house).len()
    };
    for bad in [
        "use crate::runner::Core;",
        "use crate::{step::Step, runner::{Core, Shell}};",
        "use crate::Shell;",
        "fn a() { crate::runner::go() }",
        "use super::super::runner;",
    ] {
        assert_eq!(find("steps/a.rs", bad), 1, "{bad}");
    }
    for good in [
        "use crate::step::Step;",
        "use super::b;",
        "// crate::runner\nconst A: &str = \"crate::runner\";",
        "#[cfg(test)]\nmod tests {\n    use crate::runner;\n}",
        "use super::{c, d};",
    ] {
        assert_eq!(find("steps/a.rs", good), 0, "{good}");
    }
    assert_eq!(find("stranger.rs", ""), 1, "a module that nobody has placed");
    assert_eq!(find("step.rs", "use super::runner;"), 1, "the root is one step up");
}

#[test]
fn a_crate_in_a_wrong_place_or_without_a_place_is_found() {
    let foreign: &[(&str, &[&str])] = &[("toml", &["settings/"]), ("serde", &[""])];
    let crates = ["toml", "serde"].map(str::to_owned);
    let find =
        |path: &str, text: &str| wrong_crates(&[Source::new(path, text)], &crates, foreign).len();
    assert_eq!(find("step.rs", "use toml::Value;"), 1);
    assert_eq!(find("step.rs", "fn a(_: toml::Value) {}"), 1);
    assert_eq!(find("settings/read.rs", "use toml::Value;"), 0);
    assert_eq!(find("step.rs", "use serde::Serialize; use crate::toml::x; // toml::x"), 0);
    let unknown = wrong_crates(&[], &["rand".to_owned()], foreign);
    assert_eq!(unknown, ["Cargo.toml: nobody says where `rand` may be imported"]);
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\naho-corasick.workspace = true\nserde = \"1\"\n\n[lints]\na = 1\n";
    assert_eq!(dependencies(manifest), ["aho_corasick", "serde"]);
}
