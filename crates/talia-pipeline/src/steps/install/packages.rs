use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
};

/// Which of these Debian packages are installed.
///
/// - Command: `dpkg-query --show --showformat=… -- PACKAGE…`. Needs no rights.
/// - Exits: 0, and 1 where one of them is not known.
/// - Touches: nothing.
/// - Source: dpkg-query(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::PackagesInstalled};
///
/// let question = PackagesInstalled::new(["git", "rsync"]);
/// assert_eq!(question.label(), "which packages are installed");
/// ```
#[derive(Debug, Clone)]
pub struct PackagesInstalled {
    packages: Vec<String>,
}

impl PackagesInstalled {
    /// Of these.
    pub fn new<I: IntoIterator<Item = impl Into<String>>>(packages: I) -> Self {
        Self { packages: packages.into_iter().map(Into::into).collect() }
    }
}

impl Step for PackagesInstalled {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "which packages are installed".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = CommandLine::new("dpkg-query")
            .args(["--show", "--showformat=${binary:Package} ${db:Status-Status}\\n"])
            .effect(Effect::Read)
            .accept([0, 1])
            .purpose("see which packages are installed");
        let line = self.packages.iter().fold(line, CommandLine::operand);
        Action::command(line, |answer| {
            let said = answer.stdout();
            let installed = said.lines().filter_map(|line| line.strip_suffix(" installed"));
            // `libc6:amd64` where a package may be there in two architectures.
            let name = |package: &str| package.split(':').next().unwrap_or_default().to_owned();
            Ok(installed.map(name).collect())
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, installed: &Vec<String>) -> Summary {
        let missing = self.packages.iter().filter(|package| !installed.contains(package));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        Summary::line(match missing.as_slice() {
            [] => "all of them".to_owned(),
            missing => format!("all but {}", missing.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Answer, Fake, Pipeline, World};

    #[test]
    fn minimal() {
        check("packages_installed__minimal", &PackagesInstalled::new(["git"]));
    }
    #[test]
    fn several() {
        check("packages_installed__several", &PackagesInstalled::new(["git", "docker.io"]));
    }
    #[test]
    fn hostile() {
        check("packages_installed__hostile", &PackagesInstalled::new(["-x", "it's a\nü", "*"]));
    }

    #[test]
    fn removed_packages_with_settings_left_are_not_installed() {
        let said = "git installed\nrsync config-files\nlibc6:amd64 installed\n";
        let fake = Fake::new(move |_| Answer::new(1, said, "dpkg-query: no packages found"));
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let question = PackagesInstalled::new(["git", "rsync", "libc6", "x"]);
        let (installed, _) = pipeline.fake(fake, |cx| cx.observe(question));
        assert_eq!(installed.unwrap(), ["git", "libc6"]);
    }
}
