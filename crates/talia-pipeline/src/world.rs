//! The caller's surroundings: environment, folder, clock, system. Nothing else
//! in the library reads them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{Error, Result};

/// What a program gets from its caller, read once.
///
/// ```
/// use talia_pipeline::World;
///
/// let world = World::fixed("/srv/app", [("PATH", "/usr/bin")]);
/// assert_eq!(world.variable("PATH"), Some("/usr/bin"));
/// assert_eq!(world.now_ms(), 0);
/// ```
#[derive(Debug, Clone)]
pub struct World {
    variables: BTreeMap<OsString, OsString>,
    directory: Utf8PathBuf,
    system: System,
    started: Option<Instant>,
}

/// The operating system, as far as it decides how something is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum System {
    /// Debian, Ubuntu and what is made from them: apt.
    Debian {
        /// Whether the caller is root, so that `sudo` is not needed.
        root: bool,
    },
    /// Fedora and its relatives: dnf.
    Fedora,
    /// Arch and its relatives: pacman.
    Arch,
    /// Alpine: apk.
    Alpine,
    /// macOS: Homebrew.
    MacOs,
    /// Anything else.
    Other,
}

impl World {
    /// The real one.
    ///
    /// # Errors
    /// When the current folder is gone or its path is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
    pub fn real() -> Result<Self> {
        let directory = std::env::current_dir()
            .map_err(|cause| Error::usage("the current folder cannot be read").caused_by(cause))?;
        let directory = Utf8PathBuf::from_path_buf(directory).map_err(|path| {
            Error::usage(format!("the current folder's path is not UTF-8: {}", path.display()))
                .hint("move the project to a path of UTF-8 characters")
        })?;
        Ok(Self {
            variables: std::env::vars_os().collect(),
            directory,
            system: System::detect(),
            started: Some(Instant::now()),
        })
    }

    /// A made-up one for tests and snapshots: these variables alone, Debian,
    /// and a clock that stands still.
    pub fn fixed<'a>(
        directory: impl Into<Utf8PathBuf>,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        Self {
            variables: variables.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
            directory: directory.into(),
            system: System::Debian { root: true },
            started: None,
        }
    }

    /// The same without anything of the caller's environment, as for a program that
    /// runs with more rights than its caller: programs are found in the system's own
    /// folders alone.
    #[must_use]
    pub fn cleared(mut self) -> Self {
        self.variables = BTreeMap::from([
            ("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
            ("HOME".into(), "/root".into()),
        ]);
        self.directory = "/".into();
        self
    }

    /// The same with one variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(&OsString::from(name));
        self
    }

    /// A variable, if it is set, UTF-8 and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(&OsString::from(name))?.to_str()?;
        (!value.is_empty()).then_some(value)
    }

    /// A variable as it is, if it is set.
    pub fn variable_os(&self, name: &str) -> Option<OsString> {
        self.variables.get(&OsString::from(name)).cloned()
    }

    /// The current folder.
    pub fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// The operating system.
    pub fn system(&self) -> System {
        self.system
    }

    /// Milliseconds since 1970; 0 in a fixed world.
    #[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
    pub fn now_ms(&self) -> u64 {
        if self.started.is_none() {
            return 0;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Time since this world was read; zero in a fixed world.
    pub fn elapsed(&self) -> Duration {
        self.started.map(|started| started.elapsed()).unwrap_or_default()
    }

    /// Whether this is a job of GitHub Actions.
    pub fn on_github_actions(&self) -> bool {
        self.variable("GITHUB_ACTIONS") == Some("true")
    }

    /// The environment that every command starts from: the caller's, without
    /// what cargo adds for its own run, in the locale `C.UTF-8`.
    ///
    /// What cargo adds would make a child `cargo` rebuild everything, and would
    /// make two runs of one command differ. The user's own settings of cargo
    /// (`CARGO_HOME`, `CARGO_TARGET_DIR`, registries) stay.
    pub fn child_environment(&self) -> BTreeMap<OsString, OsString> {
        let under_cargo = self.variables.contains_key(&OsString::from("CARGO_MANIFEST_DIR"));
        let mut children: BTreeMap<OsString, OsString> = self
            .variables
            .iter()
            .filter(|(name, _)| !under_cargo || !is_added_by_cargo(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if under_cargo && let Some(paths) = self.variable("LD_LIBRARY_PATH") {
            let kept: Vec<&str> =
                paths.split(':').filter(|path| !is_library_path_of_cargo(path)).collect();
            if kept.iter().all(|path| path.is_empty()) {
                children.remove(&OsString::from("LD_LIBRARY_PATH"));
            } else {
                children.insert("LD_LIBRARY_PATH".into(), kept.join(":").into());
            }
        }
        // Messages are parsed, so they must not depend on the caller's language.
        children.retain(|name, _| {
            !name.to_str().is_some_and(|n| n.starts_with("LC_") || n == "LANGUAGE" || n == "LANG")
        });
        children.insert("LC_ALL".into(), "C.UTF-8".into());
        children
    }

    /// Where a program is, as a shell would find it: along `PATH`, or the path
    /// itself where the name has a slash.
    pub fn find_program(&self, program: &str) -> Option<Utf8PathBuf> {
        find_program(program, self.variable("PATH").unwrap_or(DEFAULT_PATH), &self.directory)
    }
}

/// What a shell searches when `PATH` is not set.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Looks a program up along `path`, relative entries from `directory`.
pub(crate) fn find_program(program: &str, path: &str, directory: &Utf8Path) -> Option<Utf8PathBuf> {
    let runs = |candidate: &Utf8Path| {
        fs::metadata(candidate)
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let candidate = directory.join(program);
        return runs(&candidate).then_some(candidate);
    }
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| directory.join(folder).join(program))
        .find(|candidate| runs(candidate))
}

fn is_added_by_cargo(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    matches!(
        name,
        "CARGO"
            | "CARGO_BIN_NAME"
            | "CARGO_CRATE_NAME"
            | "CARGO_PRIMARY_PACKAGE"
            | "OUT_DIR"
            | "RUST_RECURSION_COUNT"
    ) || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_PKG_")
}

/// Cargo puts the build's own folders and the toolchain's libraries in front.
fn is_library_path_of_cargo(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    ["/debug", "/debug/deps", "/release", "/release/deps"].iter().any(|end| path.ends_with(end))
        || (path.contains("/build/") && path.ends_with("/out"))
        || path.contains("/lib/rustlib/")
        || (path.contains("/toolchains/") && path.ends_with("/lib"))
}

impl System {
    fn detect() -> Self {
        if cfg!(target_os = "macos") {
            return Self::MacOs;
        }
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::from_os_release(&release, rustix::process::geteuid().is_root())
    }

    fn from_os_release(release: &str, root: bool) -> Self {
        let names: Vec<&str> = release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .flat_map(|value| value.trim_matches('"').split(' '))
            .collect();
        let is = |name: &str| names.contains(&name);
        if is("debian") || is("ubuntu") {
            Self::Debian { root }
        } else if is("fedora") || is("rhel") {
            Self::Fedora
        } else if is("arch") {
            Self::Arch
        } else if is("alpine") {
            Self::Alpine
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(world: &World) -> Vec<String> {
        let children = world.child_environment();
        children.keys().map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn children_lose_exactly_what_cargo_added() {
        let world = World::fixed(
            "/",
            [
                ("CARGO", "/c"),
                ("CARGO_HOME", "/h"),
                ("CARGO_MANIFEST_DIR", "/m"),
                ("CARGO_PKG_NAME", "xtask"),
                ("CARGO_TARGET_DIR", "/t"),
                ("CARGO_REGISTRIES_MINE_TOKEN", "x"),
                ("RUSTC_WRAPPER", "sccache"),
                ("OUT_DIR", "/o"),
                ("LD_LIBRARY_PATH", "/t/debug/deps:/t/debug:/r/lib/rustlib/x/lib:/opt/mine"),
            ],
        );
        assert_eq!(
            names(&world),
            [
                "CARGO_HOME",
                "CARGO_REGISTRIES_MINE_TOKEN",
                "CARGO_TARGET_DIR",
                "LC_ALL",
                "LD_LIBRARY_PATH",
                "RUSTC_WRAPPER",
            ]
        );
        assert_eq!(world.child_environment()[&OsString::from("LD_LIBRARY_PATH")], "/opt/mine");
    }

    #[test]
    fn without_cargo_nothing_is_taken_but_the_language() {
        let world = World::fixed("/", [("OUT_DIR", "/o"), ("LANG", "de"), ("LC_TIME", "de")]);
        assert_eq!(names(&world), ["LC_ALL", "OUT_DIR"]);
    }

    #[test]
    fn an_empty_variable_is_no_variable() {
        assert_eq!(World::fixed("/", [("A", "")]).variable("A"), None);
    }

    #[test]
    fn systems_are_known_by_their_release_file() {
        let system = |text| System::from_os_release(text, false);
        assert_eq!(system("ID=debian\n"), System::Debian { root: false });
        assert_eq!(
            system("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
            System::Debian { root: false }
        );
        assert_eq!(system("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n"), System::Fedora);
        assert_eq!(system(""), System::Other);
    }
}
