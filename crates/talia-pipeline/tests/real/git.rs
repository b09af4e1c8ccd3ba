//! Questions to git about real repositories.

use talia_pipeline::{
    parse::unified_diff::ChangedFile,
    steps::git::{
        Ancestor, ChangedLines, FreshFolder, GitArchive, IsShallow, LeftOut, RepositoryRoot,
        ResolveRevision, RevisionOf, TrackedFiles, Uncommitted, Unpack, WorkingTree,
    },
};

use crate::{
    alone, failure,
    support::{Temp, command, commit, edit, git, repository, said, state_of},
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

#[test]
fn a_commit_is_named_and_found_in_another() {
    let folder = Temp::new();
    let root = folder.path();
    folder.write("a.py", "1\n");
    repository(root);
    let first = git(root, &["rev-parse", "HEAD"]);
    git(root, &["tag", "--annotate", "--message", "one", "v1"]);
    folder.write("a.py", "2\n");
    commit(root);
    let second = git(root, &["rev-parse", "HEAD"]);
    git(root, &["checkout", "--quiet", "-b", "beside", &first]);
    folder.write("b.py", "1\n");
    commit(root);
    let beside = git(root, &["rev-parse", "HEAD"]);

    let resolve = |name: &str| alone(root, || ResolveRevision::new(root, name));
    // A tag with a message stands for its commit.
    for (name, hash) in
        [("v1", &first), ("main", &second), ("main~1", &first), (&first[..12], &first)]
    {
        assert_eq!(&resolve(name).result.unwrap(), hash, "{name}");
    }
    for name in ["nothing", "HEAD:a.py", "--all", "0123456789abcdef0123456789abcdef01234567"] {
        let finished = resolve(name);
        assert_eq!(finished.exit_code.code(), 2, "{name}");
        let (error, _) = failure(finished);
        assert!(error.hint_text().unwrap().contains("git fetch"), "{error}");
    }
    let is_in = |a: &str, b: &str| alone(root, || Ancestor::new(root, a, b));
    assert!(is_in(&first, "main").result.unwrap());
    assert!(is_in(&second, &second).result.unwrap());
    assert!(!is_in(&second, &first).result.unwrap());
    assert!(!is_in(&beside, "main").result.unwrap());
    let (error, _) = failure(is_in("0123456789abcdef0123456789abcdef01234567", "main"));
    assert!(error.hint_text().unwrap().contains("--unshallow"), "{error}");
}

#[test]
fn an_export_is_the_commit_and_never_the_tree() {
    let folder = Temp::new();
    let root = folder.path().join("it's a repository");
    let write = |name: &str, text: &str| folder.write(&format!("it's a repository/{name}"), text);
    write("app/run.sh", "#!/bin/sh\n").write("it's a repository/other/x", "x\n");
    write("app/a:b *.py", "1\n");
    std::os::unix::fs::symlink("run.sh", root.join("app/link")).unwrap();
    said(command("chmod").args(["755", root.join("app/run.sh").as_str()]));
    repository(&root);
    let hash = git(&root, &["rev-parse", "HEAD"]);
    let gaps = || alone(&root, || LeftOut::new(&root, &hash)).result.unwrap();
    assert_eq!((gaps().submodules, gaps().lfs), (false, false));
    // What is not committed, and what people set for themselves.
    write("app/run.sh", "changed\n").write("it's a repository/app/new.py", "new\n");
    for (key, value) in [("tar.umask", "0077"), ("core.autocrlf", "true")] {
        git(&root, &["config", key, value]);
    }
    let before = state_of(&root.join("app"));
    let (tar, out) = (folder.path().join("ex:port.tar"), folder.path().join("out/ex port"));
    folder.write("out/ex port/left", "from an earlier run");
    let export = || {
        alone(&root, || FreshFolder::new(&out)).result.unwrap();
        alone(&root, || GitArchive::new(&root, &hash, &tar).path("app")).result.unwrap();
        alone(&root, || Unpack::new(&tar, &out)).result.unwrap();
        std::fs::read(&tar).unwrap()
    };
    let (first, second) = (export(), export());
    assert_eq!(first, second, "the same commit gives the same bytes");
    assert_eq!(state_of(&root.join("app")), before);
    let listed = said(command("find").args([".", "-printf", "%P %y %m\n"]).current_dir(&out));
    let mut listed: Vec<&str> = listed.lines().skip(1).collect();
    listed.sort_unstable();
    let expected = ["app d 755", "app/a:b *.py f 644", "app/link l 777", "app/run.sh f 755"];
    assert_eq!(listed, expected);
    assert_eq!(std::fs::read_to_string(out.join("app/run.sh")).unwrap(), "#!/bin/sh\n");

    write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n");
    write("app/.gitattributes", "*.bin filter=lfs\n");
    commit(&root);
    let hash = git(&root, &["rev-parse", "HEAD"]);
    let gaps = alone(&root, || LeftOut::new(&root, &hash)).result.unwrap();
    assert_eq!((gaps.submodules, gaps.lfs), (true, true));
    let link = folder.path().join("linked");
    std::os::unix::fs::symlink(&out, &link).unwrap();
    let refused = alone(&root, || FreshFolder::new(&link));
    assert_eq!(refused.exit_code.code(), 4);
    assert!(out.join("app/run.sh").exists());
}

#[test]
fn everything_that_is_not_committed_is_told_with_its_state() {
    let folder = Temp::new();
    let root = folder.path();
    folder.write("site/same.html", "a").write("site/old.html", "a").write("site/gone.html", "a");
    folder.write("site/to move.html", "a").write("other/x", "a");
    folder.write(".gitignore", "dist/\n*.log\n");
    repository(root);
    let ask = |place: &str| {
        let before = state_of(root);
        let told = alone(root, || Uncommitted::new(root, place)).result.unwrap();
        assert_eq!(state_of(root), before, "nothing is changed, not even git's index");
        told.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ask("site"), [""; 0]);
    // Git's index does not know the new times yet.
    folder.write("site/same.html", "a").write("site/old.html", "b").write("other/x", "b");
    std::fs::remove_file(root.join("site/gone.html")).unwrap();
    git(root, &["mv", "site/to move.html", "site/moved.html"]);
    folder.write("site/new/deep\nfile", "").write("site/dist/a.js", "").write("site/x.log", "");
    git(root, &["config", "status.showUntrackedFiles", "no"]);
    git(root, &["config", "status.renames", "copies"]);
    assert_eq!(
        ask("site"),
        [
            "site/gone.html (changed)",
            "site/moved.html (changed)",
            "site/old.html (changed)",
            "site/to move.html (changed)",
            "site/new/deep\\nfile (untracked)",
            "site/dist/ (ignored)",
            "site/x.log (ignored)",
        ]
    );
    assert_eq!(ask(".").len(), 8);
    // A folder in an ignored one: that one is told.
    assert_eq!(ask("site/dist"), ["site/dist/ (ignored)"]);
    folder.write("site/dist/sub/b.js", "");
    assert_eq!(ask("site/dist/sub"), ["site/dist/ (ignored)"]);
    // A pattern is a name.
    assert_eq!(ask("*"), [""; 0]);
}
