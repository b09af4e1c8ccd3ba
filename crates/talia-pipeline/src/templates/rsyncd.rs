/// What rsync's daemon is told for one transaction of the landing page.
///
/// It is started for one connection, by the agent, behind the gate: there is no port. It
/// shuts itself into the one folder and gives root's rights up before it reads anything
/// from the client. It takes the options of a content's transfer and no other one: none
/// that sets times, permissions or owners, none that writes into a file that is there, and
/// none that names another place.
///
/// Source: rsyncd.conf(5).
///
/// ```
/// use talia_pipeline::templates::Rsyncd;
///
/// let text = Rsyncd::new("staging", "/var/www/.talia-landing/staging/staging", 1000, 1000).render();
/// assert!(text.starts_with("# ") && text.contains("\n[staging]\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Rsyncd {
    module: String,
    folder: String,
    user: u32,
    group: u32,
    log: Option<String>,
    hidden: Option<String>,
}

/// What a client may ask for; rsync asks for some of these by itself.
const OPTIONS: &[&str] = &[
    "recursive",
    "links",
    "checksum",
    "delete",
    "delete-during",
    "delete-delay",
    "delay-updates",
    "log-format",
    "compress",
    "timeout",
    "stats",
];

impl Rsyncd {
    /// One module of this name: this folder, as this user and group.
    pub fn new(
        module: impl Into<String>,
        folder: impl Into<String>,
        user: u32,
        group: u32,
    ) -> Self {
        let (module, folder) = (module.into(), folder.into());
        Self { module, folder, user, group, log: None, hidden: None }
    }

    /// Where it tells what it does.
    #[must_use]
    pub fn log(mut self, file: impl Into<String>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// A file of patterns: what they name is not there for a client, who can neither see
    /// nor change nor delete it.
    #[must_use]
    pub fn hidden(mut self, file: impl Into<String>) -> Self {
        self.hidden = Some(file.into());
        self
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let Self { module, folder, user, group, .. } = self;
        let mut text = String::from(
            "# Made by talia-agent for one release of the landing page; the next one makes it anew.\n",
        );
        if let Some(log) = &self.log {
            text.push_str(&format!("log file = {log}\n"));
        }
        let options: Vec<String> = OPTIONS.iter().map(|option| format!("!{option}")).collect();
        text.push_str(&format!(
            "# Nobody is asked for a client's name.\n\
             reverse lookup = no\n\
             \n\
             [{module}]\n\
             path = {folder}\n\
             use chroot = yes\n\
             uid = {user}\n\
             gid = {group}\n\
             list = no\n\
             read only = no\n\
             write only = yes\n\
             # A link is published as it is.\n\
             munge symlinks = no\n\
             # Whatever is sent: what is published is for all to read.\n\
             incoming chmod = D755,F644\n\
             # Every option but these.\n\
             refuse options = * {}\n\
             # A client that says nothing for so long has gone.\n\
             timeout = 300\n",
            options.join(" ")
        ));
        if let Some(hidden) = &self.hidden {
            text.push_str(&format!("exclude from = {hidden}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn rsyncd_minimal() {
        let folder = "/var/www/.talia-landing/production/staging";
        check("rsyncd__minimal", &Rsyncd::new("staging", folder, 1001, 1001).render());
    }

    #[test]
    fn rsyncd_everything() {
        let own = "/var/lib/talia/production/landing";
        let text = Rsyncd::new("staging", "/var/www/talia-landing", 1001, 1001)
            .log(format!("{own}/rsyncd.log"))
            .hidden(format!("{own}/rsyncd.hidden"));
        check("rsyncd__everything", &text.render());
    }
}
