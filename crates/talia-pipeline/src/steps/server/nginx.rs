//! The Nginx in front.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    parse::nginx::{self, Site},
    step::{Action, Step, Summary},
};

/// `nginx -T`: the virtual hosts, as Nginx itself reads its files.
///
/// Accepts exit 0; fails where the configuration is wrong.
#[derive(Debug)]
pub struct NginxSites;

impl Step for NginxSites {
    type Output = Vec<Site>;

    fn label(&self) -> String {
        "nginx sites".into()
    }

    fn action(&self) -> Action<'_, Vec<Site>> {
        let line = CommandLine::new("nginx")
            .arg("-T")
            .effect(Effect::Read)
            .stdout_is_data()
            // A server of many sites has a long configuration.
            .capture_bytes(16 << 20)
            .timeout(Duration::from_secs(30))
            .purpose("where Nginx sends requests");
        Action::command(line, |answer| Ok(nginx::sites(&answer.stdout())))
    }

    fn assume(&self) -> Vec<Site> {
        Vec::new()
    }

    fn summary(&self, sites: &Vec<Site>) -> Summary {
        let names: Vec<&str> =
            sites.iter().flat_map(|site| &site.names).map(String::as_str).collect();
        Summary::line(names.join(", "))
    }
}

/// `nginx -t`: whether the configuration is right.
///
/// Accepts exit 0 and 1; what Nginx says is the failure's text.
#[derive(Debug)]
pub struct NginxTest;

impl Step for NginxTest {
    type Output = ();

    fn label(&self) -> String {
        "nginx -t".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("nginx")
            .arg("-t")
            .effect(Effect::Read)
            .accept([0, 1])
            .timeout(Duration::from_secs(30))
            .purpose("whether Nginx takes its configuration");
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(()),
            _ => Err(Error::step("Nginx refuses its configuration").tail(answer.last_lines(10))),
        })
    }

    fn assume(&self) {}
}

/// `systemctl reload nginx`: Nginx reads its configuration again.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct NginxReload;

impl Step for NginxReload {
    type Output = ();

    fn label(&self) -> String {
        "reload nginx".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("systemctl")
            .args(["reload", "nginx"])
            .timeout(Duration::from_secs(60))
            .purpose("Nginx's new configuration");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// `nginx -s reload`: the same, where no systemd does it.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct NginxSignalReload;

impl Step for NginxSignalReload {
    type Output = ();

    fn label(&self) -> String {
        "tell nginx to reload".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("nginx")
            .args(["-s", "reload"])
            .timeout(Duration::from_secs(60))
            .purpose("Nginx's new configuration");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn nginx_sites_minimal() {
        check("nginx_sites__minimal", &NginxSites);
    }

    #[test]
    fn nginx_test_minimal() {
        check("nginx_test__minimal", &NginxTest);
    }

    #[test]
    fn nginx_reload_minimal() {
        check("nginx_reload__minimal", &NginxReload);
    }

    #[test]
    fn nginx_signal_reload_minimal() {
        check("nginx_signal_reload__minimal", &NginxSignalReload);
    }
}
