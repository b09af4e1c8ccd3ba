//! Images on the server.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    step::{Action, Step, Summary},
};

/// Why a registry did not give an image, from what the engine said.
fn reason(reference: &str, docker_config: &Utf8Path, said: &str) -> Error {
    let registry = reference.split('/').next().unwrap_or_default();
    let refuses =
        ["unauthorized", "denied", "no basic auth credentials", "authentication required"];
    if refuses.iter().any(|word| said.contains(word)) {
        return Error::preflight(format!(
            "{registry} refuses the login in {docker_config}/config.json"
        ))
        .hint("renew it on the server: `docker --config … login`");
    }
    if ["not found", "manifest unknown", "no such manifest"].iter().any(|word| said.contains(word))
    {
        return Error::preflight(format!("{registry} has no {reference}"))
            .hint("it was deleted there: deploy its revision anew");
    }
    Error::preflight(format!("{registry} does not say whether it has {reference}"))
        .hint("is it up, and does the server reach it?")
}

/// `docker --debug manifest inspect -- REPOSITORY@DIGEST`, as root's login for this
/// environment: whether the registry has an image and lets this server have it.
///
/// Accepts exit 0; any other says why: the login, the image or the registry. Without
/// `--debug`, a login that is refused reads as an image that is not there.
#[derive(Debug)]
pub struct ImageOffered {
    reference: String,
    docker_config: Utf8PathBuf,
}

impl ImageOffered {
    /// Asks for `reference` with the login in the folder `docker_config`.
    pub fn new(reference: impl Into<String>, docker_config: impl Into<Utf8PathBuf>) -> Self {
        Self { reference: reference.into(), docker_config: docker_config.into() }
    }
}

impl Step for ImageOffered {
    type Output = ();

    fn label(&self) -> String {
        "image in the registry".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = CommandLine::new("docker").args(["--debug", "manifest", "inspect"]);
        // As the engine itself has it: a registry on this machine may speak plain HTTP.
        if self.reference.starts_with("127.") || self.reference.starts_with("localhost:") {
            line = line.arg("--insecure");
        }
        let line = line
            .operand(&self.reference)
            .env("DOCKER_CONFIG", self.docker_config.as_str())
            .effect(Effect::Read)
            .accept([0, 1])
            .stdout_is_data()
            .timeout(Duration::from_secs(60))
            .purpose("whether the registry has the release's image, and gives it");
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(()),
            _ => Err(reason(&self.reference, &self.docker_config, &answer.stderr())
                .tail(answer.last_lines(3))),
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line("it is there")
    }
}

/// `docker image pull --quiet -- REPOSITORY@DIGEST`, as root's login for this
/// environment.
///
/// Accepts exit 0; tried three times. What is there already is not fetched again. Each time
/// the engine itself asks five times for the rest of a layer whose line breaks; once it has
/// given up, that layer begins anew.
#[derive(Debug)]
pub struct ImagePull {
    reference: String,
    docker_config: Utf8PathBuf,
}

impl ImagePull {
    /// Pulls `reference` with the login in the folder `docker_config`.
    pub fn new(reference: impl Into<String>, docker_config: impl Into<Utf8PathBuf>) -> Self {
        Self { reference: reference.into(), docker_config: docker_config.into() }
    }
}

impl Step for ImagePull {
    type Output = ();

    fn label(&self) -> String {
        "pull image".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("docker")
            .args(["image", "pull", "--quiet"])
            .operand(&self.reference)
            .env("DOCKER_CONFIG", self.docker_config.as_str())
            .attempts(3)
            .requires("docker-engine")
            .timeout(Duration::from_secs(15 * 60))
            .purpose("the release's image");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(&self.reference)
    }
}

/// `docker image rm -- REFERENCE`: an image that no kept release needs.
///
/// Accepts exit 0 and 1: the engine keeps what a container still uses.
#[derive(Debug)]
pub struct ImageRemove {
    reference: String,
}

impl ImageRemove {
    /// Removes this one.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into() }
    }
}

impl Step for ImageRemove {
    type Output = bool;

    fn label(&self) -> String {
        "remove image".into()
    }

    fn action(&self) -> Action<'_, bool> {
        let line = CommandLine::new("docker")
            .args(["image", "rm"])
            .operand(&self.reference)
            .accept([0, 1])
            .timeout(Duration::from_secs(120))
            .purpose("an image that no kept release needs");
        Action::command(line, |answer| Ok(answer.exit() == 0))
    }

    fn assume(&self) -> bool {
        true
    }

    fn summary(&self, removed: &bool) -> Summary {
        Summary::line(if *removed { "" } else { "it is still used, or gone already" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{step::Answer, steps::testing::check};

    const REFERENCE: &str = "ghcr.io/talia/backend@sha256:00";

    #[test]
    fn image_pull_minimal() {
        check("image_pull__minimal", &ImagePull::new(REFERENCE, "/etc/talia/production/docker"));
    }

    #[test]
    fn image_pull_everything() {
        check("image_pull__everything", &ImagePull::new("127.0.0.1:5000/a@sha256:11", "/c"));
    }

    #[test]
    fn image_pull_hostile() {
        check("image_pull__hostile", &ImagePull::new("--all-tags", "/a b/$(id)"));
    }

    #[test]
    fn image_remove_minimal() {
        check("image_remove__minimal", &ImageRemove::new(REFERENCE));
    }

    #[test]
    fn image_remove_hostile() {
        check("image_remove__hostile", &ImageRemove::new("--force"));
    }

    #[test]
    fn image_offered_minimal() {
        check("image_offered__minimal", &ImageOffered::new(REFERENCE, "/etc/talia/p/docker"));
    }

    #[test]
    fn image_offered_everything() {
        check("image_offered__everything", &ImageOffered::new("127.0.0.1:5000/a@sha256:11", "/c"));
    }

    #[test]
    fn image_offered_hostile() {
        check("image_offered__hostile", &ImageOffered::new("--verbose", "/a b/$(id)"));
    }

    #[test]
    fn a_refused_login_names_the_file_and_not_what_is_in_it() {
        let step = ImageOffered::new(REFERENCE, "/etc/talia/production/docker");
        let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
        let said = "unauthorized: authentication required";
        let error = read(&Answer::new(1, "", said)).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Preflight);
        assert!(error.to_string().contains("/etc/talia/production/docker/config.json"));
    }
}
