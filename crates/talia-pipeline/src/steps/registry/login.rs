use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::Stdin,
    step::{Action, Step},
};

use super::failure::{question, refused};

/// Logs in to a registry, into a private configuration folder.
///
/// - Command: `docker login --username=USER --password-stdin -- REGISTRY` with
///   `DOCKER_CONFIG=FOLDER`; the password comes on standard input.
/// - Exits: 0; 1 is read for its reason. At most 60 seconds.
/// - Touches: `FOLDER/config.json`, which holds the password until the folder is
///   removed. It counts as reading: nothing is left of it after the run, and a
///   question that a plan asks needs it. So it may be observed, before the questions.
/// - Errors: preflight with the credential's *name* when the registry does not accept
///   it; another preflight error when the registry cannot be reached.
/// - Source: Docker's manual, *docker login*.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::RegistryLogin};
///
/// let step = RegistryLogin::new("/run/x/docker", "ghcr.io", "talia", "REGISTRY_TOKEN");
/// assert_eq!(step.label(), "log in to ghcr.io");
/// ```
#[derive(Debug, Clone)]
pub struct RegistryLogin {
    config: Utf8PathBuf,
    registry: String,
    user: String,
    secret: String,
}

impl RegistryLogin {
    /// Into this configuration folder, at this registry (`HOST[:PORT]`), as this
    /// user with the secret of this name.
    pub fn new(
        config: impl Into<Utf8PathBuf>,
        registry: impl Into<String>,
        user: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        Self {
            config: config.into(),
            registry: registry.into(),
            user: user.into(),
            secret: secret.into(),
        }
    }

    fn config(&self) -> Option<&Utf8Path> {
        Some(&self.config)
    }
}

impl Step for RegistryLogin {
    type Output = ();

    fn label(&self) -> String {
        format!("log in to {}", self.registry)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = question(self.config())
            .arg("login")
            .option("--username", &self.user)
            .arg("--password-stdin")
            .operand(&self.registry)
            .stdin(Stdin::Secret(self.secret.clone()))
            // With an engine that does the asking, where it runs matters.
            .requires("docker-engine")
            .purpose("log in to the registry");
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(()),
            _ => Err(refused(answer, &self.registry, Some(&self.secret), "to log in")),
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, ErrorKind, steps::testing::check};

    #[test]
    fn registry_login_minimal() {
        check(
            "registry_login__minimal",
            &RegistryLogin::new("/run/x/docker", "ghcr.io", "talia", "REGISTRY_TOKEN"),
        );
    }

    #[test]
    fn registry_login_port() {
        let step = RegistryLogin::new("/run/x/docker", "127.0.0.1:5000", "ci@talia", "TOKEN");
        check("registry_login__port", &step);
    }

    #[test]
    fn registry_login_hostile() {
        let step = RegistryLogin::new("/run/it's\n", "--help", "-u $(id)", "A_B");
        check("registry_login__hostile", &step);
    }

    #[test]
    fn a_wrong_password_and_a_registry_that_is_down_are_two_things() {
        let step = RegistryLogin::new("/run/x", "127.0.0.1:5000", "talia", "REGISTRY_TOKEN");
        let fail = |said: &str| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&Answer::new(1, "", said)).expect_err("it has failed")
        };
        let wrong = fail(
            "Error response from daemon: login attempt to http://127.0.0.1:5000/v2/ failed with status: 401 Unauthorized",
        );
        assert_eq!(wrong.kind(), ErrorKind::Preflight);
        assert_eq!(
            wrong.to_string(),
            "127.0.0.1:5000 does not accept the credential REGISTRY_TOKEN (to log in)"
        );
        let down = fail("dial tcp 127.0.0.1:5000: connect: connection refused");
        assert_eq!(down.to_string(), "the registry 127.0.0.1:5000 cannot be reached (to log in)");
    }
}
