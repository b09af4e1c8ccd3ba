use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    error::Result,
    step::{Action, Answer, Step, Summary},
};

use super::{Privilege, failure::failed};

/// What apt ends with when it could not do it.
const FAILED: i32 = 100;

/// Options of every call. The lock of dpkg is waited for, because a fresh
/// machine often upgrades itself just then.
const COMMON: [&str; 3] =
    ["--quiet", "--option=DPkg::Lock::Timeout=300", "--option=Acquire::Retries=3"];

/// Questions get their default answer. `needrestart` of Ubuntu asks on its own.
const SILENT: [(&str, &str); 2] =
    [("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_MODE", "a")];

/// Fetches the lists of what the archives have. Needed before an installation;
/// there is no need for it where nothing is installed.
///
/// - Command: `apt-get update`, as root; [`AptUpdate::only`] reads one sources
///   file alone and leaves the lists of the others as they are.
/// - Exits: 0; 100 becomes an error with a way out.
/// - Touches: `/var/lib/apt/lists`. At most 600 seconds.
/// - Errors: no network, a full disk, a held lock, an archive without the release.
/// - Source: apt-get(8), apt.conf(5).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{AptUpdate, Privilege}};
///
/// let update = AptUpdate::new(Privilege::Root).only("/var/tmp/x/next.sources");
/// assert_eq!(update.label(), "apt-get update of next.sources");
/// ```
#[derive(Debug, Clone)]
pub struct AptUpdate {
    privilege: Privilege,
    only: Option<Utf8PathBuf>,
}

impl AptUpdate {
    /// Of every archive that the machine knows.
    pub fn new(privilege: Privilege) -> Self {
        Self { privilege, only: None }
    }

    /// Of the archives in this file alone.
    #[must_use]
    pub fn only(mut self, sources: impl Into<Utf8PathBuf>) -> Self {
        self.only = Some(sources.into());
        self
    }
}

impl Step for AptUpdate {
    type Output = ();

    fn label(&self) -> String {
        match self.only.as_deref().and_then(Utf8Path::file_name) {
            Some(name) => format!("apt-get update of {name}"),
            None => "apt-get update".into(),
        }
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = self.privilege.system_line("apt-get", &SILENT).arg("update").args(COMMON);
        if let Some(sources) = &self.only {
            line = line
                .arg(format!("--option=Dir::Etc::sourcelist={sources}"))
                // No other sources, whose lists would else be fetched again ...
                .arg("--option=Dir::Etc::sourceparts=-")
                // ... or, not being named, be removed.
                .arg("--option=APT::Get::List-Cleanup=0")
                // One source alone: without it nothing can go on.
                .arg("--option=APT::Update::Error-Mode=any");
        }
        let line = line
            .accept([0, FAILED])
            .timeout(Duration::from_secs(600))
            .purpose("learn what the package archives have");
        Action::command(line, |answer| done("apt-get update", answer))
    }

    fn assume(&self) {}
}

/// What [`AptInstall`] and [`AptSimulate`] are asked for.
#[derive(Debug, Clone)]
struct Request {
    packages: Vec<String>,
    sources: Option<Utf8PathBuf>,
    preferences: Option<Utf8PathBuf>,
}

impl Request {
    fn new<I: IntoIterator<Item = impl Into<String>>>(packages: I) -> Self {
        let packages = packages.into_iter().map(Into::into).collect();
        Self { packages, sources: None, preferences: None }
    }

    fn arguments(&self, mut line: CommandLine) -> CommandLine {
        line = line
            .arg("install")
            .args(COMMON)
            .args(["--yes", "--no-install-recommends", "--no-remove"])
            // Settings files that somebody has changed stay as they are.
            .arg("--option=Dpkg::Options::=--force-confdef")
            .arg("--option=Dpkg::Options::=--force-confold");
        if let Some(sources) = &self.sources {
            line = line.arg(format!("--option=Dir::Etc::sourcelist={sources}"));
        }
        if let Some(preferences) = &self.preferences {
            line = line.arg(format!("--option=Dir::Etc::preferences={preferences}"));
        }
        self.packages.iter().fold(line, CommandLine::operand)
    }
}

/// Installs packages and what they depend on, nothing that they recommend.
///
/// Name only what is missing: apt upgrades a package that is named and there.
///
/// - Command: `apt-get install --yes --no-remove … -- PACKAGE…`, as root.
/// - Exits: 0; 100 becomes an error with a way out.
/// - Touches: the system. At most 1800 seconds.
/// - Errors: no network, a full disk, a held lock, an unknown package, or a
///   package that something would have to be removed for.
/// - Source: apt-get(8), apt.conf(5), dpkg(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::{AptInstall, Privilege}};
///
/// let install = AptInstall::new(Privilege::Root, ["rsync"]).provides(["rsync"]);
/// assert_eq!(install.label(), "apt-get install rsync");
/// ```
#[derive(Debug, Clone)]
pub struct AptInstall {
    privilege: Privilege,
    request: Request,
    provides: Vec<String>,
}

impl AptInstall {
    /// These packages; `name=version` asks for a version.
    pub fn new<I: IntoIterator<Item = impl Into<String>>>(
        privilege: Privilege,
        packages: I,
    ) -> Self {
        Self { privilege, request: Request::new(packages), provides: Vec::new() }
    }

    /// Says which tools are there afterwards.
    #[must_use]
    pub fn provides<I: IntoIterator<Item = impl Into<String>>>(mut self, tools: I) -> Self {
        self.provides.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Uses one more sources file and its preferences, which are not part of the
    /// machine's settings.
    #[must_use]
    pub fn suite(
        mut self,
        sources: impl Into<Utf8PathBuf>,
        preferences: impl Into<Utf8PathBuf>,
    ) -> Self {
        self.request.sources = Some(sources.into());
        self.request.preferences = Some(preferences.into());
        self
    }
}

impl Step for AptInstall {
    type Output = ();

    fn label(&self) -> String {
        format!("apt-get install {}", self.request.packages.join(" "))
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self.request.arguments(self.privilege.system_line("apt-get", &SILENT));
        let line = self.provides.iter().fold(line, CommandLine::provides);
        let line = line
            .accept([0, FAILED])
            .timeout(Duration::from_secs(1800))
            .purpose("bring in what is missing");
        Action::command(line, |answer| done("apt-get install", answer))
    }

    fn assume(&self) {}
}

/// What [`AptInstall`] would install or upgrade, by name. Worth asking before
/// packages of another release are installed, which may want a newer C library.
///
/// - Command: `apt-get install --simulate …` with the arguments of [`AptInstall`].
///   Needs no rights.
/// - Exits: 0; 100 becomes an error with a way out.
/// - Touches: nothing.
/// - Source: apt-get(8): a line `Inst NAME …` for each package.
///
/// ```
/// use talia_pipeline::{Step, steps::install::AptSimulate};
///
/// let simulate = AptSimulate::new(["docker-compose=2.*"]);
/// assert_eq!(simulate.assume(), ["docker-compose"]);
/// ```
#[derive(Debug, Clone)]
pub struct AptSimulate {
    request: Request,
}

impl AptSimulate {
    /// For these packages.
    pub fn new<I: IntoIterator<Item = impl Into<String>>>(packages: I) -> Self {
        Self { request: Request::new(packages) }
    }

    /// As [`AptInstall::suite`].
    #[must_use]
    pub fn suite(
        mut self,
        sources: impl Into<Utf8PathBuf>,
        preferences: impl Into<Utf8PathBuf>,
    ) -> Self {
        self.request.sources = Some(sources.into());
        self.request.preferences = Some(preferences.into());
        self
    }
}

impl Step for AptSimulate {
    type Output = Vec<String>;

    fn label(&self) -> String {
        format!("what apt-get install {} would change", self.request.packages.join(" "))
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = self
            .request
            .arguments(CommandLine::new("apt-get").arg("--simulate"))
            .effect(Effect::Read)
            .accept([0, FAILED])
            .timeout(Duration::from_secs(120))
            .purpose("see what an installation would change");
        Action::command(line, |answer| {
            done("apt-get install --simulate", answer)?;
            let said = answer.stdout();
            let inst = said.lines().filter_map(|line| line.strip_prefix("Inst "));
            Ok(inst.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect())
        })
    }

    fn assume(&self) -> Vec<String> {
        let name = |package: &String| package.split('=').next().unwrap_or_default().to_owned();
        self.request.packages.iter().map(name).collect()
    }

    fn summary(&self, names: &Vec<String>) -> Summary {
        Summary::line(names.join(", "))
    }
}

fn done(doing: &str, answer: &Answer) -> Result<()> {
    if answer.exit() == FAILED { Err(failed(doing, answer)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Fake, Pipeline, World};

    const HOSTILE: &str = "/var/tmp/it's \"a\" –dir\n-x";

    #[test]
    fn update_minimal() {
        check("apt_update__minimal", &AptUpdate::new(Privilege::Root));
    }
    #[test]
    fn update_everything() {
        check(
            "apt_update__everything",
            &AptUpdate::new(Privilege::Sudo).only("/var/tmp/n.sources"),
        );
    }
    #[test]
    fn update_hostile() {
        check("apt_update__hostile", &AptUpdate::new(Privilege::Root).only(HOSTILE));
    }
    #[test]
    fn install_minimal() {
        check("apt_install__minimal", &AptInstall::new(Privilege::Root, ["rsync"]));
    }
    #[test]
    fn install_everything() {
        let install = AptInstall::new(Privilege::Sudo, ["docker-compose=2.*", "docker-buildx"])
            .provides(["docker-compose", "docker-buildx"])
            .suite("/var/tmp/n.sources", "/var/tmp/n");
        check("apt_install__everything", &install);
    }
    #[test]
    fn install_hostile() {
        let install = AptInstall::new(Privilege::Root, ["--purge", "it's $HOME", "é\n"]);
        check("apt_install__hostile", &install.suite(HOSTILE, HOSTILE));
    }
    #[test]
    fn simulate_minimal() {
        check("apt_simulate__minimal", &AptSimulate::new(["rsync"]));
    }
    #[test]
    fn simulate_everything() {
        let simulate = AptSimulate::new(["docker-compose=2.*", "docker-buildx"]);
        let simulate = simulate.suite("/var/tmp/n.sources", "/var/tmp/n");
        check("apt_simulate__everything", &simulate);
    }
    #[test]
    fn simulate_hostile() {
        let simulate = AptSimulate::new(["-x", "it's\n\"ü\""]);
        check("apt_simulate__hostile", &simulate.suite(HOSTILE, HOSTILE));
    }

    fn answer<S: Step>(step: S, answer: Answer) -> Result<S::Output> {
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        pipeline.fake(Fake::new(move |_| answer.clone()), |cx| cx.run(step)).0
    }

    #[test]
    fn a_simulation_names_what_would_change() {
        let said = "Reading package lists...\nInst libc6 [2.36] (2.41 Debian:13/stable [amd64])\n\
                    Inst docker-buildx (0.13.1+ds1-3 Debian:13/stable [amd64])\nConf libc6 (2.41)\n";
        let names = answer(AptSimulate::new(["docker-buildx"]), Answer::new(0, said, ""));
        assert_eq!(names.unwrap(), ["libc6", "docker-buildx"]);
    }

    #[test]
    fn a_failure_tells_the_way_out() {
        let said = "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)";
        let install = AptInstall::new(Privilege::Root, ["rsync"]);
        let error = answer(install, Answer::new(100, "", said)).unwrap_err();
        assert_eq!(error.to_string(), "apt-get install ended with exit 100");
        assert!(error.hint_text().unwrap_or_default().contains("another package manager"));
        assert_eq!(error.last_lines(), [said]);
    }
}
