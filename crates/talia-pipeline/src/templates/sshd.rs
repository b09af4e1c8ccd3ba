use super::{AGENT, Accounts};

/// What sshd is told about one environment's users: a file for
/// `/etc/ssh/sshd_config.d/`.
///
/// Whatever a client asks for, the agent's gate is started and nothing else, as a
/// user that has no terminal, no forwarding, and no keys of its own making: they
/// stand in a file of root's.
///
/// Source: sshd_config(5). What comes first there counts, and Debian includes this
/// folder first.
///
/// ```
/// use talia_pipeline::templates::{Accounts, Sshd};
///
/// let text = Sshd::new("staging", Accounts::first()).render();
/// assert!(text.contains("gate staging deploy"));
/// ```
#[derive(Debug, Clone)]
pub struct Sshd {
    environment: String,
    accounts: Accounts,
}

impl Sshd {
    /// For this environment and these users.
    pub fn new(environment: impl Into<String>, accounts: Accounts) -> Self {
        Self { environment: environment.into(), accounts }
    }

    /// The file's name in `/etc/ssh/sshd_config.d/`.
    pub fn file_name(&self) -> String {
        format!("talia-{}.conf", self.environment)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let environment = &self.environment;
        let mut text =
            format!("# The gate of the environment {environment}: one request, one answer.\n");
        for (role, user) in self.accounts.both() {
            text.push_str(&format!(
                "\n\
                 Match User {user}\n\
                 \x20   # A file of root's: who gets in cannot let others in.\n\
                 \x20   AuthorizedKeysFile {keys}\n\
                 \x20   AuthenticationMethods publickey\n\
                 \x20   ForceCommand /usr/bin/sudo -n {AGENT} gate {environment} {role}\n\
                 \x20   DisableForwarding yes\n\
                 \x20   X11Forwarding no\n\
                 \x20   PermitTunnel no\n\
                 \x20   PermitTTY no\n\
                 \x20   PermitUserRC no\n\
                 \x20   # Takes the place of the host's own list, which lets the locale in.\n\
                 \x20   AcceptEnv TALIA_NOTHING\n\
                 \x20   # A client that is gone is noticed within a minute.\n\
                 \x20   ClientAliveInterval 15\n\
                 \x20   ClientAliveCountMax 3\n\
                 \x20   # A whole flow shares one connection.\n\
                 \x20   MaxSessions 20\n",
                keys = keys_file(user),
            ));
        }
        text
    }
}

/// Where the public keys of this user are: `/etc/ssh/talia/deploy.keys`.
fn keys_file(user: &str) -> String {
    format!("/etc/ssh/talia/{user}.keys")
}

/// One line of such a file: this public key may do nothing by itself.
///
/// ```
/// use talia_pipeline::templates::authorized_key;
///
/// assert_eq!(authorized_key("ssh-ed25519 AAAA ci\n"), "restrict ssh-ed25519 AAAA ci\n");
/// ```
pub fn authorized_key(public_key: &str) -> String {
    format!("restrict {}\n", public_key.trim())
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn sshd_first_environment() {
        check("sshd__first_environment", &Sshd::new("production", Accounts::first()).render());
    }

    #[test]
    fn sshd_second_environment() {
        check(
            "sshd__second_environment",
            &Sshd::new("staging", Accounts::second("staging")).render(),
        );
    }
}
