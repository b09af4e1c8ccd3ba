use std::fs;

use camino::Utf8PathBuf;

use crate::{
    error::Error,
    step::{Action, Step, Summary},
};

/// A release of Debian, of Ubuntu, or of a system made from one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    codename: String,
    ubuntu: bool,
}

impl Release {
    /// The release of this code name; `ubuntu` where the packages are Ubuntu's.
    pub fn new(codename: impl Into<String>, ubuntu: bool) -> Self {
        Self { codename: codename.into(), ubuntu }
    }

    /// Its code name: `bookworm`. Not empty.
    pub fn codename(&self) -> &str {
        &self.codename
    }

    /// Whether the packages are Ubuntu's.
    pub fn is_ubuntu(&self) -> bool {
        self.ubuntu
    }

    /// The next release of Debian where this one has no compose v2 and no buildx,
    /// and that one's packages of them need nothing which this one lacks.
    pub(crate) fn borrows_from(&self) -> Option<&'static str> {
        (!self.ubuntu && self.codename == "bookworm").then_some("trixie")
    }

    /// Whether the client has a package of its own, which the engine's only
    /// recommends. So since Debian 13.
    pub(crate) fn splits_client(&self) -> bool {
        let one_package = ["stretch", "buster", "bullseye", "bookworm"];
        !self.ubuntu && !one_package.contains(&self.codename.as_str())
    }

    fn from_text(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
        };
        let like = [value("ID"), value("ID_LIKE")].into_iter().flatten();
        let ubuntu = like.flat_map(|names| names.split(' ')).any(|name| name == "ubuntu");
        // What is made from a release has a code name of its own beside that one's.
        let original = if ubuntu { "UBUNTU_CODENAME" } else { "DEBIAN_CODENAME" };
        let codename = value(original).or_else(|| value("VERSION_CODENAME"))?;
        Some(Self::new(codename, ubuntu))
    }
}

/// Which release this machine has.
///
/// - In this process: reads `/etc/os-release`.
/// - Errors: the file is not there or names no code name.
/// - Source: os-release(5).
///
/// ```
/// use talia_pipeline::{Step, steps::install::OsRelease};
///
/// assert_eq!(OsRelease::new().label(), "which release this is");
/// ```
#[derive(Debug, Clone)]
pub struct OsRelease {
    path: Utf8PathBuf,
}

impl OsRelease {
    /// Of this machine.
    pub fn new() -> Self {
        Self::at("/etc/os-release")
    }

    /// As another file tells it.
    pub fn at(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Default for OsRelease {
    fn default() -> Self {
        Self::new()
    }
}

impl Step for OsRelease {
    type Output = Release;

    fn label(&self) -> String {
        "which release this is".into()
    }

    fn action(&self) -> Action<'_, Release> {
        Action::read(format!("read {}", self.path), || {
            let text = fs::read_to_string(&self.path).map_err(|cause| {
                Error::preflight(format!("{} cannot be read", self.path)).caused_by(cause)
            })?;
            Release::from_text(&text).ok_or_else(|| {
                Error::preflight(format!("{} names no release by a code name", self.path))
                    .hint("install what is missing by hand; `--plan` lists it")
            })
        })
    }

    fn assume(&self) -> Release {
        Release::new("bookworm", false)
    }

    fn summary(&self, release: &Release) -> Summary {
        Summary::line(release.codename.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("os_release__minimal", &OsRelease::new());
    }
    #[test]
    fn everything() {
        check("os_release__everything", &OsRelease::at("/srv/root/etc/os-release"));
    }
    #[test]
    fn hostile() {
        check("os_release__hostile", &OsRelease::at("/srv/it's \"a\"\nü"));
    }

    #[test]
    fn releases_are_told_from_their_file() {
        let debian = "ID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(Release::from_text(debian), Some(Release::new("bookworm", false)));
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=wilma\n\
                    UBUNTU_CODENAME=noble\n";
        assert_eq!(Release::from_text(mint), Some(Release::new("noble", true)));
        let lmde =
            "ID=linuxmint\nID_LIKE=debian\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n";
        assert_eq!(Release::from_text(lmde), Some(Release::new("bookworm", false)));
        assert_eq!(Release::from_text("ID=debian\nVERSION_CODENAME=\n"), None);
    }

    #[test]
    fn only_bookworm_borrows_from_the_next_release() {
        assert_eq!(Release::new("bookworm", false).borrows_from(), Some("trixie"));
        assert_eq!(Release::new("trixie", false).borrows_from(), None);
        assert_eq!(Release::new("noble", true).borrows_from(), None);
        assert!(Release::new("trixie", false).splits_client());
        assert!(!Release::new("bookworm", false).splits_client());
        assert!(!Release::new("noble", true).splits_client());
    }
}
