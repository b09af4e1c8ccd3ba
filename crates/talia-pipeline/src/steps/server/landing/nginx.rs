//! What Nginx is told about the landing page.

use std::{fs, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    files::write_atomically_as,
    landing::ContentHash,
    parse::nginx::{self, Site},
    step::{Action, Step, Summary},
};

/// Nginx's configuration, as it stands in its files now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxNow {
    /// The virtual hosts.
    pub sites: Vec<Site>,
    /// All of it, as one hash.
    pub hash: ContentHash,
    /// Whether it is another one than at the last release; not where none is known.
    pub has_changed: bool,
}

/// `nginx -T`: the virtual hosts, and whether anything of the configuration has changed
/// since a hash of it was kept.
///
/// Accepts exit 0; fails where the configuration is wrong.
#[derive(Debug)]
pub struct NginxConfiguration {
    kept: Utf8PathBuf,
}

impl NginxConfiguration {
    /// Compares with the hash in this file.
    pub fn new(kept: impl Into<Utf8PathBuf>) -> Self {
        Self { kept: kept.into() }
    }
}

impl Step for NginxConfiguration {
    type Output = NginxNow;

    fn label(&self) -> String {
        "nginx configuration".into()
    }

    fn action(&self) -> Action<'_, NginxNow> {
        let line = CommandLine::new("nginx")
            .arg("-T")
            .effect(Effect::Read)
            .stdout_is_data()
            // A server of many sites has a long configuration.
            .capture_bytes(16 << 20)
            .timeout(Duration::from_secs(30))
            .purpose("how Nginx serves the landing page");
        Action::command(line, |answer| {
            let hash = ContentHash::of(answer.stdout_bytes());
            let kept = fs::read_to_string(&self.kept).ok();
            let kept = kept.and_then(|text| text.trim().parse::<ContentHash>().ok());
            let has_changed = kept.is_some_and(|kept| kept != hash);
            Ok(NginxNow { sites: nginx::sites(&answer.stdout()), hash, has_changed })
        })
    }

    fn assume(&self) -> NginxNow {
        NginxNow { sites: Vec::new(), hash: ContentHash::of(b""), has_changed: false }
    }

    fn summary(&self, now: &NginxNow) -> Summary {
        let changed = if now.has_changed { ", changed since the last release" } else { "" };
        Summary::line(format!("{} hosts{changed}", now.sites.len()))
    }
}

/// In this process: keeps the hash of Nginx's configuration, to tell at the next release
/// whether it has changed.
#[derive(Debug)]
pub struct KeepNginx {
    kept: Utf8PathBuf,
    hash: ContentHash,
}

impl KeepNginx {
    /// Keeps this one in this file.
    pub fn new(kept: impl Into<Utf8PathBuf>, hash: ContentHash) -> Self {
        Self { kept: kept.into(), hash }
    }
}

impl Step for KeepNginx {
    type Output = ();

    fn label(&self) -> String {
        "remember nginx's configuration".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.kept), || {
            let text = format!("{}\n", self.hash);
            write_atomically_as(&self.kept, text.as_bytes(), 0o600).map_err(|cause| {
                Error::step(format!("{} cannot be written", self.kept)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::{step::Answer, steps::testing::check};

    #[test]
    fn nginx_configuration_minimal() {
        check("nginx_configuration__minimal", &NginxConfiguration::new(place().nginx()));
    }

    #[test]
    fn nginx_configuration_hostile() {
        check("nginx_configuration__hostile", &NginxConfiguration::new("/a b/$(id)"));
    }

    #[test]
    fn keep_nginx_minimal() {
        check("keep_nginx__minimal", &KeepNginx::new(place().nginx(), ContentHash::of(b"")));
    }

    #[test]
    fn another_configuration_is_told_from_the_one_that_was_kept() {
        let folder = std::env::temp_dir().join(format!("talia-nginx-{}", std::process::id()));
        let kept = Utf8PathBuf::from_path_buf(folder.join("kept")).unwrap();
        let step = NginxConfiguration::new(&kept);
        let has_changed = |said: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(0, said, "")).unwrap().has_changed
        };
        assert!(!has_changed("a"), "nothing is known yet");
        let keep = KeepNginx::new(&kept, ContentHash::of(b"a"));
        let Action::Work { work, .. } = keep.action() else { unreachable!("it is work") };
        work().unwrap();
        assert!(!has_changed("a") && has_changed("b"));
        fs::remove_dir_all(folder).unwrap();
    }
}
