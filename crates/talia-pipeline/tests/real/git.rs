//! Questions to git about real repositories.

use talia_pipeline::{
    parse::unified_diff::ChangedFile,
    steps::git::{ChangedLines, IsShallow, RepositoryRoot, RevisionOf, TrackedFiles, WorkingTree},
};

use crate::{
    alone, failure,
    support::{Temp, commit, edit, git, repository, state_of},
};

#[test]
fn changed_lines_are_those_of_renamed_quoted_and_uncommitted_files() {
    let folder = Temp::new();
    let root = folder.path();
    let ten: String = (1..=10).map(|number| format!("line {number}\n")).collect();
    folder.write("old.py", &ten).write("a \"b\"\té.py", &ten).write("gone.py", &ten);
    repository(root);
    git(root, &["checkout", "--quiet", "-b", "work"]);
    git(root, &["mv", "old.py", "new name.py"]);
    edit(&root.join("new name.py"), "line 4\n", "line four\n");
    git(root, &["rm", "--quiet", "gone.py"]);
    commit(root);
    // Main goes on: its own changes are none of the branch's.
    git(root, &["checkout", "--quiet", "main"]);
    folder.write("later.py", "x\n");
    commit(root);
    git(root, &["checkout", "--quiet", "work"]);
    edit(&root.join("a \"b\"\té.py"), "line 9\n", "line nine\nline nine and a half\n");
    // Settings that change what git prints.
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.context", "5"),
        ("color.ui", "always"),
        ("diff.external", "false"),
        ("core.quotePath", "false"),
    ] {
        git(root, &["config", key, value]);
    }
    let before = state_of(root);
    let changed = alone(root, || ChangedLines::new(root, "main")).result.unwrap();
    assert_eq!(
        changed,
        [ChangedFile::new("a \"b\"\té.py", [9, 10]), ChangedFile::new("new name.py", [4]),]
    );
    assert_eq!(state_of(root), before, "asking changes nothing");

    let tracked = alone(root, || TrackedFiles::new(root)).result.unwrap();
    assert_eq!(tracked, ["a \"b\"\té.py", "new name.py"]);
    let inner = root.join("deeper");
    std::fs::create_dir(&inner).unwrap();
    let top = alone(root, || RepositoryRoot::new(&inner)).result.unwrap();
    assert_eq!(top, root);
}

#[test]
fn a_clone_without_the_base_says_what_to_do() {
    let (origin, clones) = (Temp::new(), Temp::new());
    origin.write("a.py", "1\n");
    repository(origin.path());
    git(origin.path(), &["checkout", "--quiet", "-b", "work"]);
    origin.write("a.py", "2\n");
    commit(origin.path());
    let url = format!("file://{}", origin.path());
    let args = ["clone", "--quiet", "--depth=1", "--branch=work", "--", &url, "clone"];
    git(clones.path(), &args);
    let root = clones.path().join("clone");
    assert!(alone(&root, || IsShallow::new(&root)).result.unwrap());
    let finished = alone(&root, || ChangedLines::new(&root, "origin/main"));
    assert_eq!(finished.exit_code.code(), 2);
    let (error, _) = failure(finished);
    assert!(error.to_string().contains("origin/main"), "{error}");
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("git fetch --unshallow") && hint.contains("fetch-depth: 0"), "{hint}");
}

#[test]
fn a_revision_has_its_hash_and_time_and_a_tree_its_differences() {
    let folder = Temp::new();
    let root = folder.path();
    folder.write("app/a.py", "1\n").write(".gitignore", "*.log\n");
    repository(root);
    let revision = alone(root, || RevisionOf::new(root)).result.unwrap();
    assert_eq!(revision.hash, git(root, &["rev-parse", "HEAD"]));
    assert_eq!(revision.committed_at, git(root, &["log", "-1", "--format=%cI"]));
    let app = root.join("app");
    let differs = || alone(root, || WorkingTree::new(&app)).result.unwrap();
    assert!(!differs());
    folder.write("app/x.log", "ignored").write("beside.py", "not below the folder");
    assert!(!differs());
    folder.write("app/new.py", "untracked");
    assert!(differs());
}
