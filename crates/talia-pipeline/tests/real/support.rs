//! What the tests with real tools share, here and in `xtask/tests/real`.
//!
//! Every test works in folders of its own, so that two runs of the tests do not
//! meet. Only environments are shared: they cost up to a minute each, so they are
//! kept in cargo's target folder like any other product of a build, made under a
//! lock and never changed afterwards.
#![allow(dead_code, reason = "two test binaries take their parts of it")]

use std::{
    collections::BTreeMap,
    env, fs,
    fs::File,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};

/// What brings in every tool that a test may lack.
const INSTALL: &str = "`cargo xtask selftest --install` brings it in";

/// A name that no other test uses, now or in another run.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}-{}", std::process::id(), now % 1_000_000_000)
}

/// A folder, removed with everything in it when dropped.
pub(crate) struct Temp(Utf8PathBuf);

impl Temp {
    /// In the system's temporary folder, with a blank in its name.
    pub(crate) fn new() -> Self {
        let folder = Utf8PathBuf::from_path_buf(env::temp_dir()).unwrap();
        Self::made(folder.join(format!("talia real {}", unique())))
    }

    /// In cargo's target folder, so that an environment can be linked into it.
    pub(crate) fn beside_environments() -> Self {
        Self::made(kept().join(format!("run-{}", unique())))
    }

    fn made(path: Utf8PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        // Tools tell real paths.
        Self(path.canonicalize_utf8().unwrap())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// Writes a file of it.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        write(&self.0.join(name), text);
        self
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn write(path: &Utf8Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Replaces a text of a file, which has to be there.
pub(crate) fn edit(path: &Utf8Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{path} does not hold {old:?}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

/// Where environments are kept.
fn kept() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("real")
}

/// The top folder of this workspace.
pub(crate) fn workspace() -> Utf8PathBuf {
    let package = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("infra/pipeline.toml").is_file()).unwrap().into()
}

/// A program that is told nothing of cargo.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars() {
        if name.starts_with("CARGO") || name == "LD_LIBRARY_PATH" || name.starts_with("TALIA_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a program; one that is not there fails the test and names the remedy.
pub(crate) fn output(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| panic!("{name} cannot be started ({error}): {INSTALL}"))
}

/// Starts a program; one that is not there fails the test and names the remedy.
pub(crate) fn started(command: &mut Command) -> Child {
    let name = command.get_program().to_string_lossy().into_owned();
    command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started ({error}): {INSTALL}"))
}

/// Runs a program that has to succeed; gives what it says.
pub(crate) fn said(command: &mut Command) -> String {
    let output = output(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// Runs `program` with `args` in `folder`.
pub(crate) fn run(folder: &Utf8Path, program: &str, args: &[&str]) -> String {
    said(command(program).args(args).current_dir(folder))
}

/// A git command as a person would type it, on a machine without any settings.
pub(crate) fn git(folder: &Utf8Path, args: &[&str]) -> String {
    let who = [("NAME", "T. Alia"), ("EMAIL", "t@talia.example")];
    let mut command = command("git");
    for (what, value) in who {
        command.env(format!("GIT_AUTHOR_{what}"), value);
        command.env(format!("GIT_COMMITTER_{what}"), value);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    said(command.args(args).current_dir(folder)).trim_end().to_owned()
}

/// A repository with one commit of everything in the folder.
pub(crate) fn repository(folder: &Utf8Path) {
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    commit(folder);
}

pub(crate) fn commit(folder: &Utf8Path) {
    git(folder, &["add", "--all"]);
    // A message of its own gives each test's commit, and so its image, another name.
    git(folder, &["commit", "--quiet", "--message", &unique()]);
}

/// A port of the loopback interface that nobody has taken yet.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something is so; false when it takes too long.
pub(crate) fn wait_until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Fails the test where the engine, or the image that stands in for a registry's,
/// is not there.
pub(crate) fn need_engine() {
    let asked = |args: &[&str]| output(command("docker").args(args)).status.success();
    assert!(asked(&["version"]), "the docker engine does not answer: {INSTALL}");
    let base = ["image", "inspect", "talia-base:bookworm"];
    assert!(asked(&base), "there is no image talia-base:bookworm: {INSTALL}");
}

/// Images of one name, removed when dropped.
pub(crate) struct Images(String);

impl Images {
    /// A repository name of this test's own.
    pub(crate) fn new() -> Self {
        Self(format!("talia-real-{}", unique()))
    }

    /// Those of another name.
    pub(crate) fn named(repository: String) -> Self {
        Self(repository)
    }

    pub(crate) fn repository(&self) -> &str {
        &self.0
    }

    /// Their tags, such as `ci-0123456789ab`.
    pub(crate) fn tags(&self) -> Vec<String> {
        let args = ["image", "ls", "--format={{.Tag}}", "--", &self.0];
        said(command("docker").args(args)).lines().map(str::to_owned).collect()
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let args = ["image", "ls", "--format={{.Repository}}:{{.Tag}}", "--", &self.0];
        let Ok(listed) = command("docker").args(args).output() else { return };
        for name in String::from_utf8_lossy(&listed.stdout).lines() {
            drop(command("docker").args(["image", "rm", "--force", "--", name]).output());
        }
    }
}

/// The reference backend and its settings in a repository of their own, whose
/// image gets a name of its own.
pub(crate) fn reference(root: &Utf8Path, images: &Images) {
    for name in ["infra/pipeline.toml", "infra/reference/backend"] {
        let to = root.join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        run(&workspace(), "cp", &["-R", "--", name, to.as_str()]);
    }
    // What a developer's own runs have left is not in the repository.
    for left in [".venv", ".pytest_cache", ".ruff_cache", ".coverage", "coverage.xml"] {
        let path = root.join("infra/reference/backend").join(left);
        drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
    }
    edit(
        &root.join("infra/pipeline.toml"),
        "ghcr.io/talia/backend\"\n",
        &format!("{}\"\n", images.0),
    );
    repository(root);
}

/// Everything below a folder: kind, mode, time, size and content of each file.
/// A file that was made and removed again shows in its folder's time.
pub(crate) fn state_of(folder: &Utf8Path) -> BTreeMap<Utf8PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let data = fs::symlink_metadata(&path).unwrap();
        let content = if data.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if data.is_dir() {
            open.extend(path.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()));
        }
        let text = String::from_utf8_lossy(&content);
        let times = (data.mtime(), data.mtime_nsec());
        found.insert(path, format!("{:o} {times:?} {} {text}", data.mode(), data.ino()));
    }
    found
}

/// Takes a lock that other processes respect too; freed when dropped.
fn locked(name: &str) -> File {
    fs::create_dir_all(kept()).unwrap();
    let file = File::create(kept().join(format!("{name}.lock"))).unwrap();
    file.lock().unwrap();
    file
}

/// Makes `kept()/name` by `make` unless it was made from the same `recipe` before.
pub(crate) fn prepared(name: &str, recipe: &str, make: impl FnOnce(&Utf8Path)) -> Utf8PathBuf {
    let _lock = locked(name);
    let (folder, stamp) = (kept().join(name), kept().join(format!("{name}.made-from")));
    if fs::read_to_string(&stamp).ok().as_deref() != Some(recipe) {
        drop(fs::remove_file(&stamp));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        make(&folder);
        fs::write(&stamp, recipe).unwrap();
    }
    folder
}

/// A virtual environment with these packages, made once.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Utf8PathBuf {
    prepared(name, &packages.join("\n"), |folder| {
        let made = output(command("python3").args(["-m", "venv", folder.as_str()]));
        assert!(made.status.success(), "python3 has no working `venv` module: {INSTALL}");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        said(command(folder.join("bin/python").as_str()).args(pip).args(packages));
    })
}

/// Counts of a Cobertura file by other means than ours: lines and branches, each
/// as valid and covered.
pub(crate) fn counted_by_python(coverage_xml: &Utf8Path) -> Vec<u64> {
    const SCRIPT: &str = r#"
import sys, xml.etree.ElementTree as tree
lines, branches = {}, {}
for one in tree.parse(sys.argv[1]).iter("class"):
    for line in one.iter("line"):
        key = one.get("filename"), line.get("number")
        lines[key] = max(lines.get(key, 0), int(line.get("hits")))
        if line.get("branch") == "true":
            taken, there = line.get("condition-coverage").split("(")[1].rstrip(")").split("/")
            branches[key] = int(there), int(taken)
print(len(lines), sum(hits > 0 for hits in lines.values()))
print(sum(there for there, _ in branches.values()), sum(taken for _, taken in branches.values()))
"#;
    let told = said(command("python3").args(["-c", SCRIPT, coverage_xml.as_str()]));
    told.split_whitespace().map(|number| number.parse().unwrap()).collect()
}
