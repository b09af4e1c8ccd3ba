use std::time::Duration;

use camino::Utf8PathBuf;

use crate::step::{Action, Step};

use super::{Privilege, failure::failed};

/// Makes a small Debian system in a folder.
///
/// - Command: `/usr/sbin/debootstrap --variant=minbase --include=… --keyring=…
///   RELEASE ROOT ARCHIVE`, as root.
/// - Exits: 0; 1 becomes an error with a way out.
/// - Touches: the folder, which it makes; mounts `proc` and `sys` below it while it
///   works. About 300 MB. At most 1200 seconds.
/// - Errors: no network, a full disk (often only `debootstrap/debootstrap.log` in the
///   folder says so), a signature that is not in the keyring.
/// - Source: debootstrap(8).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{Debootstrap, Privilege}};
///
/// let make = Debootstrap::new(Privilege::Root, "bookworm", "/var/tmp/x", "http://a.example/debian")
///     .include(["python3"]);
/// assert_eq!(make.label(), "debootstrap bookworm");
/// ```
#[derive(Debug, Clone)]
pub struct Debootstrap {
    privilege: Privilege,
    release: String,
    root: Utf8PathBuf,
    archive: String,
    include: Vec<String>,
    keyring: Option<Utf8PathBuf>,
}

impl Debootstrap {
    /// This release, into this folder, from this archive.
    pub fn new(
        privilege: Privilege,
        release: impl Into<String>,
        root: impl Into<Utf8PathBuf>,
        archive: impl Into<String>,
    ) -> Self {
        let (release, root, archive) = (release.into(), root.into(), archive.into());
        Self { privilege, release, root, archive, include: Vec::new(), keyring: None }
    }

    /// Adds packages.
    #[must_use]
    pub fn include<I: IntoIterator<Item = impl Into<String>>>(mut self, packages: I) -> Self {
        self.include.extend(packages.into_iter().map(Into::into));
        self
    }

    /// The keys that the archive must be signed with. Without it debootstrap takes
    /// its own, and without those it only warns.
    #[must_use]
    pub fn keyring(mut self, keyring: impl Into<Utf8PathBuf>) -> Self {
        self.keyring = Some(keyring.into());
        self
    }
}

impl Step for Debootstrap {
    type Output = ();

    fn label(&self) -> String {
        format!("debootstrap {}", self.release)
    }

    fn action(&self) -> Action<'_, ()> {
        // By its path: a caller's `PATH` may lack `/usr/sbin`.
        let mut line =
            self.privilege.system_line("/usr/sbin/debootstrap", &[]).arg("--variant=minbase");
        if !self.include.is_empty() {
            line = line.option("--include", self.include.join(","));
        }
        if let Some(keyring) = &self.keyring {
            line = line.option("--keyring", keyring);
        }
        let line = line
            // It knows no `--`: a release that begins with a dash is an error of it.
            .args([self.release.as_str(), self.root.as_str(), self.archive.as_str()])
            .accept([0, 1])
            .requires("debootstrap")
            .timeout(Duration::from_secs(1200))
            .purpose("make a small Debian system from packages");
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(()),
            _ => {
                let error = failed("debootstrap", answer);
                let mut tail = answer.last_lines(200);
                // Hundreds of lines tell how well it went until then.
                tail.retain(|line| !line.starts_with("I: "));
                Err(error.tail(tail))
            }
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Answer, Fake, Pipeline, World};

    const ROOT: Privilege = Privilege::Root;
    const SUDO: Privilege = Privilege::Sudo;
    const HOSTILE: &str = "-it's \"ü\" $x\n";

    #[test]
    fn debootstrap_minimal() {
        check(
            "debootstrap__minimal",
            &Debootstrap::new(ROOT, "bookworm", "/t", "http://a.example/d"),
        );
    }
    #[test]
    fn debootstrap_everything() {
        let make = Debootstrap::new(SUDO, "bookworm", "/t/root", "http://a.example/debian")
            .include(["python3", "ca-certificates"])
            .keyring("/usr/share/keyrings/debian-archive-keyring.gpg");
        check("debootstrap__everything", &make);
    }
    #[test]
    fn debootstrap_hostile() {
        let make = Debootstrap::new(ROOT, HOSTILE, HOSTILE, HOSTILE).include([HOSTILE]);
        check("debootstrap__hostile", &make.keyring(HOSTILE));
    }
    #[test]
    fn debootstrap_without_an_archive_tells_the_way_out() {
        let said =
            "I: Retrieving InRelease \nE: Failed getting release file http://a.example/Release\n";
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let fake = Fake::new(move |_| Answer::new(1, said, ""));
        let make = Debootstrap::new(ROOT, "bookworm", "/t", "http://a.example");
        let error = pipeline.fake(fake, |cx| cx.run(make)).0.unwrap_err();
        assert_eq!(error.to_string(), "debootstrap ended with exit 1");
        assert!(error.hint_text().unwrap_or_default().contains("cannot be reached"));
    }
}
