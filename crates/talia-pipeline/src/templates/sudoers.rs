use super::{AGENT, Accounts};

/// What sudo lets one environment's users do: a file for `/etc/sudoers.d/`.
///
/// One command each, every word of it fixed. Of the caller's environment only the
/// request itself gets through.
///
/// Source: sudoers(5).
///
/// ```
/// use talia_pipeline::templates::{Accounts, Sudoers};
///
/// let text = Sudoers::new("staging", Accounts::first()).render();
/// assert!(!text.contains('*'));
/// ```
#[derive(Debug, Clone)]
pub struct Sudoers {
    environment: String,
    accounts: Accounts,
}

impl Sudoers {
    /// For this environment and these users.
    pub fn new(environment: impl Into<String>, accounts: Accounts) -> Self {
        Self { environment: environment.into(), accounts }
    }

    /// The file's name in `/etc/sudoers.d/`; one with a dot would be passed over.
    pub fn file_name(&self) -> String {
        format!("talia-{}", self.environment)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let environment = &self.environment;
        let mut text =
            format!("# The gate of the environment {environment} needs root's rights.\n");
        for (role, user) in self.accounts.both() {
            text.push_str(&format!(
                "\n\
                 Defaults:{user} env_reset, env_keep = \"SSH_ORIGINAL_COMMAND\", !env_check\n\
                 # The agent talks through the client's own pipes, and outlives them.\n\
                 Defaults:{user} !requiretty, !use_pty, !lecture, !mail_badpass\n\
                 # With nothing to close after it, sudo becomes the agent: one that waited for\n\
                 # an agent that is stopped would stop itself, and keep the client waiting.\n\
                 Defaults:{user} !pam_session, !pam_setcred\n\
                 {user} ALL=(root) NOPASSWD: {AGENT} gate {environment} {role}\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn sudoers_first_environment() {
        check(
            "sudoers__first_environment",
            &Sudoers::new("production", Accounts::first()).render(),
        );
    }

    #[test]
    fn sudoers_second_environment() {
        check(
            "sudoers__second_environment",
            &Sudoers::new("staging", Accounts::second("staging")).render(),
        );
    }
}
