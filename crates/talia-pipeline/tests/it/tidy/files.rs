//! What a file must not have: too many lines, paths of one machine, loose ends.

use super::{
    holds, library,
    source::{Source, without_text},
    sources,
};

/// A file is read in one sitting: so many lines at most, without its tests.
const LINES: usize = 400;
/// Files that are longer today, and how long at most. A number here only goes down.
const LONGER: &[(&str, usize)] =
    &[("command_line.rs", 485), ("pipeline.rs", 500), ("project/detect.rs", 410)];

/// `mod.rs` of folders whose files share a value or a function that stands there.
const WITH_CODE: &[&str] =
    &["report/mod.rs", "steps/cargo/mod.rs", "steps/git/mod.rs", "steps/python/mod.rs"];

fn too_long(sources: &[Source], limit: usize, longer: &[(&str, usize)]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        // The tests stand last in a file.
        let lines =
            source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        let may = longer.iter().find(|(path, _)| *path == source.path).map(|(_, lines)| *lines);
        if lines > may.unwrap_or(limit) {
            findings.push(format!(
                "{}: {lines} lines, {} at most",
                source.path,
                may.unwrap_or(limit)
            ));
        }
        if may.is_some() && lines <= limit {
            findings
                .push(format!("{}: is short enough, so needs no leave to be longer", source.path));
        }
    }
    findings
}

fn loose_ends(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let code = without_text(&source.text);
        for word in ["todo!", "unimplemented!", "dbg!"] {
            if code.contains(word) {
                findings.push(format!("{}: `{word}`", source.path));
            }
        }
        let plain = source.text.lines().zip(code.lines());
        for (number, (line, code)) in plain.enumerate() {
            // The attribute is code; its reason stands in quotes.
            if code.trim_start().starts_with("#[ignore") && !line.contains("= \"") {
                findings.push(format!("{}:{}: ignored without a reason", source.path, number + 1));
            }
        }
    }
    findings
}

/// Paths that exist on one machine only: the workspace's own, and homes in code
/// that is no test.
fn machine_paths(sources: &[Source], workspace: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let homes = ["/home/", "/Users/", "/root/"];
        let end = source.text.find("\n#[cfg(test)]").unwrap_or(source.text.len());
        let own = if source.is_test() { "" } else { &source.text[..end] };
        let code = own.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.filter(|line| homes.iter().any(|home| line.contains(home))) {
            findings.push(format!("{}: a path of one machine: {}", source.path, line.trim()));
        }
        if source.text.contains(workspace) {
            findings.push(format!("{}: the path of this checkout", source.path));
        }
    }
    findings
}

fn code_in_mod_files(sources: &[Source], with_code: &[&str]) -> Vec<String> {
    let mod_files = sources.iter().filter(|source| !source.is_test());
    let mod_files = mod_files.filter(|source| source.path.ends_with("/mod.rs"));
    let mut findings = Vec::new();
    for source in mod_files {
        let has = source.code.split_whitespace().any(|word| word == "fn");
        match (has, with_code.contains(&source.path.as_str())) {
            (true, false) => findings.push(format!("{}: a `mod.rs` only re-exports", source.path)),
            (false, true) => findings.push(format!("{}: needs no leave to have code", source.path)),
            _ => {}
        }
    }
    findings
}

fn everything() -> Vec<Source> {
    let folders = ["src", "tests/it", "../../xtask/src"];
    folders.into_iter().flat_map(sources).collect()
}

#[test]
fn every_file_is_read_in_one_sitting() {
    holds(&too_long(&sources("src"), LINES, LONGER));
    holds(&too_long(&sources("../../xtask/src"), LINES, &[]));
}

#[test]
fn nothing_is_left_to_do_or_ignored_without_a_reason() {
    holds(&loose_ends(&everything()));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let workspace = library().parent().and_then(|crates| crates.parent()).unwrap();
    let elsewhere: Vec<Source> =
        everything().into_iter().filter(|source| source.path != "tidy/files.rs").collect();
    // A checkout at the file system's root would be in every path.
    if workspace.as_str().len() > 4 {
        holds(&machine_paths(&elsewhere, workspace.as_str()));
    }
}

#[test]
fn a_mod_file_only_re_exports() {
    holds(&code_in_mod_files(&sources("src"), WITH_CODE));
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let long = |lines| {
        Source::new("a.rs", &format!("{}#[cfg(test)]\nmod tests {{}}\n", "x\n".repeat(lines)))
    };
    assert_eq!(too_long(&[long(10)], 10, &[]), [""; 0]);
    assert_eq!(too_long(&[long(11)], 10, &[]), ["a.rs: 11 lines, 10 at most"]);
    assert_eq!(too_long(&[long(11)], 10, &[("a.rs", 11)]), [""; 0]);
    assert_eq!(too_long(&[long(12)], 10, &[("a.rs", 11)]), ["a.rs: 12 lines, 11 at most"]);
    assert_eq!(too_long(&[long(9)], 10, &[("a.rs", 11)]).len(), 1);
}

#[test]
fn loose_ends_are_found() {
    let find = |text: &str| loose_ends(&[Source::new("a.rs", text)]).len();
    assert_eq!(find(&format!("fn a() {{ {}() }}", "todo!")), 1);
    assert_eq!(find(&format!("    #[{}]\n", "ignore")), 1);
    assert_eq!(find(&format!("#[{} = \"measures\"]\n", "ignore")), 0);
    assert_eq!(find("// todo!\nconst A: &str = \"todo!\";"), 0);
}

#[test]
fn machine_paths_are_found() {
    let find = |text: &str| machine_paths(&[Source::new("a.rs", text)], "/srv/here").len();
    assert_eq!(find("const A: &str = \"/home/me/x\";"), 1);
    assert_eq!(find("#[cfg(test)]\nconst A: &str = \"/srv/here/x\";"), 1);
    assert_eq!(find("a\n#[cfg(test)]\nconst A: &str = \"/home/me/x\";"), 0);
    assert_eq!(find("/// In `/home/me`.\nconst A: &str = \"/srv/x\";"), 0);
}

#[test]
fn code_in_a_mod_file_is_found() {
    let find =
        |text: &str, may: &[&str]| code_in_mod_files(&[Source::new("a/mod.rs", text)], may).len();
    assert_eq!(find("pub fn a() {}", &[]), 1);
    assert_eq!(find("//! A fn.\nmod b;\npub use b::C;\n", &[]), 0);
    assert_eq!(find("pub fn a() {}", &["a/mod.rs"]), 0);
    assert_eq!(find("mod b;", &["a/mod.rs"]), 1);
}
