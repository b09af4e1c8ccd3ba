//! The Nginx in front.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, Result},
    hole,
    parse::nginx::{self, Site},
    step::{Action, Answer, Pace, Step, Summary, Verdict},
};

/// How long Nginx may take to read its configuration and to start workers with it.
const RENEWED_WITHIN: Duration = Duration::from_secs(30);

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

/// `systemctl reload nginx`: Nginx is told to read its configuration again.
///
/// Accepts exit 0. Nginx does so afterwards: see [`NginxRenewed`].
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

/// `systemctl reload-or-restart nginx`: as [`NginxReload`], and where Nginx does not run,
/// it is started: a site that is wrong has kept it from starting at boot, say.
///
/// Accepts exit 0.
#[derive(Debug)]
pub struct NginxReloadOrStart;

impl Step for NginxReloadOrStart {
    type Output = ();

    fn label(&self) -> String {
        "reload or start nginx".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("systemctl")
            .args(["reload-or-restart", "nginx"])
            .timeout(Duration::from_secs(60))
            .purpose("Nginx with its new configuration");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// `systemctl show --property=MainPID --value nginx`: the number of Nginx's master.
///
/// Accepts exit 0; fails where Nginx does not run.
#[derive(Debug)]
pub struct NginxMaster;

impl Step for NginxMaster {
    type Output = String;

    fn label(&self) -> String {
        "nginx's master".into()
    }

    fn action(&self) -> Action<'_, String> {
        let line = CommandLine::new("systemctl")
            .args(["show", "--property=MainPID", "--value", "nginx"])
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(30))
            .purpose("whose workers answer");
        Action::command(line, |answer| match answer.stdout().trim() {
            "0" => Err(Error::step("Nginx does not run").hint("start it: `systemctl start nginx`")),
            master if master.parse::<u32>().is_ok() => Ok(master.to_owned()),
            _ => Err(answer.unreadable("a process's number")),
        })
    }

    fn assume(&self) -> String {
        hole::named("nginx's master")
    }
}

/// `pgrep --parent MASTER --full --exact 'nginx: worker process'`: the workers that take
/// connections. Those of a configuration before say that they are shutting down, while
/// they end what is under way.
///
/// Accepts exit 0 and 1.
#[derive(Debug)]
pub struct NginxWorkers {
    master: String,
}

impl NginxWorkers {
    /// Those of this master.
    pub fn of(master: impl Into<String>) -> Self {
        Self { master: master.into() }
    }

    fn line(&self) -> CommandLine {
        CommandLine::new("pgrep")
            .args(["--parent", self.master.as_str()])
            .args(["--full", "--exact"])
            .operand("nginx: worker process")
            .accept([0, 1])
            .effect(Effect::Read)
            .stdout_is_data()
            .timeout(Duration::from_secs(10))
    }
}

fn workers(answer: &Answer) -> Result<Vec<u32>> {
    let stdout = answer.stdout();
    let numbers = stdout.lines().map(|line| line.trim().parse());
    numbers.collect::<Result<_, _>>().map_err(|_| answer.unreadable("processes' numbers"))
}

impl Step for NginxWorkers {
    type Output = Vec<u32>;

    fn label(&self) -> String {
        "nginx's workers".into()
    }

    fn action(&self) -> Action<'_, Vec<u32>> {
        Action::command(self.line().purpose("who takes connections"), workers)
    }

    fn assume(&self) -> Vec<u32> {
        Vec::new()
    }

    fn summary(&self, workers: &Vec<u32>) -> Summary {
        Summary::line(told(workers))
    }
}

/// As [`NginxWorkers`], again and again: waits until none of those of before takes
/// connections, so that every new one meets the new configuration.
///
/// Nginx reads its configuration after it was told to, and where it cannot use it after
/// all it says so in its log alone: then this fails.
#[derive(Debug)]
pub struct NginxRenewed {
    workers: NginxWorkers,
    before: Vec<u32>,
}

impl NginxRenewed {
    /// Waits for others than these.
    pub fn new(master: impl Into<String>, before: Vec<u32>) -> Self {
        Self { workers: NginxWorkers::of(master), before }
    }

    fn judge(&self, answer: &Answer) -> Result<Verdict<()>> {
        let now = workers(answer)?;
        let old: Vec<u32> = now.iter().filter(|one| self.before.contains(one)).copied().collect();
        Ok(match (now.is_empty(), old.is_empty()) {
            (false, true) => Verdict::Done(()),
            (true, _) => Verdict::Again("Nginx has no worker".to_owned()),
            (_, false) => Verdict::Again(format!("{} still with what was before", told(&old))),
        })
    }
}

impl Step for NginxRenewed {
    type Output = ();

    fn label(&self) -> String {
        "wait for nginx's new workers".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self.workers.line().purpose("whether Nginx works with what it was told to read");
        let pace = Pace { interval: Duration::from_millis(100), deadline: RENEWED_WITHIN };
        Action::poll(line, pace, |one| self.judge(one.answer))
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

fn told(workers: &[u32]) -> String {
    let workers: Vec<String> = workers.iter().map(u32::to_string).collect();
    workers.join(", ")
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
    fn nginx_master_minimal() {
        check("nginx_master__minimal", &NginxMaster);
    }

    #[test]
    fn nginx_workers_minimal() {
        check("nginx_workers__minimal", &NginxWorkers::of("812"));
    }

    #[test]
    fn nginx_workers_planned() {
        check("nginx_workers__planned", &NginxWorkers::of(NginxMaster.assume()));
    }

    #[test]
    fn nginx_renewed_minimal() {
        check("nginx_renewed__minimal", &NginxRenewed::new("812", vec![813, 814]));
    }

    #[test]
    fn nginx_renewed_planned() {
        let step = NginxRenewed::new(NginxMaster.assume(), NginxWorkers::of("1").assume());
        check("nginx_renewed__planned", &step);
    }

    #[test]
    fn nginx_renewed_hostile() {
        check("nginx_renewed__hostile", &NginxRenewed::new("-x $(id)\n", Vec::new()));
    }

    #[test]
    fn new_workers_are_those_that_were_not_there_before() {
        let wait = NginxRenewed::new("1", vec![12, 14]);
        let verdict = |exit, stdout: &str| wait.judge(&Answer::new(exit, stdout, ""));
        assert!(matches!(verdict(0, "12\n14\n").unwrap(), Verdict::Again(_)));
        assert!(matches!(verdict(0, "14\n20\n21\n").unwrap(), Verdict::Again(_)), "both");
        assert!(matches!(verdict(1, "").unwrap(), Verdict::Again(_)));
        assert_eq!(verdict(0, "20\n21\n").unwrap(), Verdict::Done(()));
        assert!(verdict(0, "what\n").is_err());
    }

    #[test]
    fn nginx_reload_minimal() {
        check("nginx_reload__minimal", &NginxReload);
    }

    #[test]
    fn nginx_reload_or_start_minimal() {
        check("nginx_reload_or_start__minimal", &NginxReloadOrStart);
    }

    #[test]
    fn nginx_signal_reload_minimal() {
        check("nginx_signal_reload__minimal", &NginxSignalReload);
    }
}
