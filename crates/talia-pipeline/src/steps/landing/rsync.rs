//! A folder's files, brought to a server.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Effect, Leaves},
    error::{Error, Result},
    landing::{Entry, RsyncPlan, check_repeated},
    parse::{
        itemize::{Format, RsyncItemize},
        visible,
    },
    protocol::LandingBegun,
    step::{Action, Answer, Step, Summary},
    steps::ssh::{Connection, OWN_FAILURE, failure},
};

/// What rsync writes at most for the reader.
const REPORT_BYTES: usize = 64 << 20;

const FORMAT: Format = Format::LengthAndName;
/// The exits with a known meaning, for [`meaning`]. Source: rsync(1), *EXIT VALUES*.
const EXITS: [i32; 10] = [3, 4, 5, 10, 11, 12, 23, 24, 30, 35];

/// Where the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The open transaction's staging tree, which no client gets.
    Staging,
    /// What clients get, by the agent.
    Live,
    /// What clients get, by `infra/deploy.sh`.
    Script,
}

/// Makes a folder on a server hold what a local one holds; gives what rsync reports.
///
/// - Command: `rsync -rl --checksum --delete --delete-delay -8 --out-format='%i %l %n'
///   --rsh=SSH [--filter=RULE]… -- FOLDER/ HOST::staging/`, in the locale `C.UTF-8`.
///   Times, owners and permissions are not sent. [`Rsync::in_place`] adds
///   `--delay-updates`; [`Rsync::by_script`] goes to `HOST:./`, without a daemon that would
///   see to permissions, so it adds `-p --chmod=D755,F644`.
/// - Exits: 0. Everything else is an error, a file that vanished or could not be read
///   too.
/// - Touches: what the agent's open transaction allows, nothing else.
/// - Errors: a report that is not the plan ([`Rsync::planned`], [`Rsync::shown`]); refused
///   where `infra/deploy.sh` refuses it; those of ssh
///   ([`SshRequest`](crate::steps::ssh::SshRequest)) where the connection fails; a step's
///   error with rsync's own words otherwise.
/// - Source: rsync(1), 3.2.7.
///
/// ```
/// use talia_pipeline::{Step, steps::{landing::Rsync, ssh::Connection}};
///
/// let server = Connection::new("deploy.example", "deploy", "/srv/known_hosts", "/run/x/c");
/// let step = Rsync::new(&server, "/srv/site");
/// assert_eq!(step.label(), "rsync to deploy@deploy.example");
/// ```
#[derive(Debug, Clone)]
pub struct Rsync {
    server: Connection,
    source: Utf8PathBuf,
    filters: Vec<String>,
    place: Place,
    plan: Option<RsyncPlan>,
    shown: Option<RsyncItemize>,
    dry: Option<Dry>,
}

/// What is only asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dry {
    /// What would be done.
    All,
    /// What would be done with what is there already.
    Existing,
}

impl Rsync {
    /// Brings what is in `source` to this server's staging tree.
    pub fn new(server: &Connection, source: impl Into<Utf8PathBuf>) -> Self {
        let (server, source) = (server.clone(), source.into());
        Self {
            server,
            source,
            filters: Vec::new(),
            place: Place::Staging,
            plan: None,
            shown: None,
            dry: None,
        }
    }

    /// With these arguments; see [`Filters::rsync_arguments`] and
    /// [`RsyncPlan::narrow_arguments`](crate::landing::RsyncPlan::narrow_arguments).
    ///
    /// [`Filters::rsync_arguments`]: crate::landing::Filters::rsync_arguments
    #[must_use]
    pub fn filters(mut self, arguments: Vec<String>) -> Self {
        self.filters = arguments;
        self
    }

    /// Fails where rsync reports anything but what is planned.
    #[must_use]
    pub fn planned(mut self, plan: &RsyncPlan) -> Self {
        self.plan = Some(plan.clone());
        self
    }

    /// Fails where rsync reports anything but what this dry run did. It is in place by then.
    #[must_use]
    pub fn shown(mut self, dry_run: &RsyncItemize) -> Self {
        self.shown = Some(dry_run.clone());
        self
    }

    /// Only reports what it would do: a question that changes nothing.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry = Some(Dry::All);
        self
    }

    /// The same of what is there already: what is new then takes the place of another kind,
    /// of which rsync says nothing otherwise. Contents are not compared.
    #[must_use]
    pub fn dry_run_over_existing(mut self) -> Self {
        self.dry = Some(Dry::Existing);
        self
    }

    /// Into what clients get: each file is replaced when all have come.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.place = Place::Live;
        self
    }

    /// The same on a server without an agent. Everything there gets the permissions of
    /// what is published, whatever those of the source are.
    #[must_use]
    pub fn by_script(mut self) -> Self {
        self.place = Place::Script;
        self
    }

    fn line(&self) -> CommandLine {
        let target = match self.place {
            Place::Staging | Place::Live => format!(":{}/", LandingBegun::MODULE),
            Place::Script => "./".to_owned(),
        };
        let mut line = CommandLine::new("rsync").arg("-rl");
        if self.dry != Some(Dry::Existing) {
            line = line.arg("--checksum");
        }
        line = line.args(["--delete", "--delete-delay"]);
        if self.place != Place::Staging {
            line = line.arg("--delay-updates");
        }
        if self.place == Place::Script {
            // Alone, the second would leave a file closed that is there already.
            let (folders, files) = (Entry::FOLDER_MODE, Entry::FILE_MODE);
            line = line.arg("-p").arg(format!("--chmod=D{folders:o},F{files:o}"));
        }
        line = match self.dry {
            None => line,
            Some(Dry::All) => line.arg("--dry-run"),
            Some(Dry::Existing) => line.args(["--dry-run", "--existing"]),
        };
        line = line
            .arg("-8")
            .arg(format!("--out-format={}", FORMAT.argument()))
            .arg(format!("--rsh={}", self.server.rsh()))
            .args(self.filters.clone())
            .operand(folder(&self.source))
            .operand(self.server.remote_place(&target));
        // Names are escaped alike everywhere.
        line.env("LC_ALL", "C.UTF-8")
            .effect(if self.dry.is_some() { Effect::Read } else { Effect::Remote })
            .requires("ssh")
            .leaves(Leaves::UntilFlowEnds)
            .capture_bytes(REPORT_BYTES)
            .stdout_is_data()
            .purpose(match self.dry {
                None => "bring the files",
                Some(Dry::All) => "what would be brought",
                Some(Dry::Existing) => "what would be replaced by another kind",
            })
    }
}

/// What is in the folder, not the folder itself.
fn folder(path: &Utf8Path) -> String {
    format!("{}/", path.as_str().trim_end_matches('/'))
}

/// rsync's reports, unless it has failed.
fn report(server: &Connection, answer: &Answer) -> Result<RsyncItemize> {
    match answer.exit() {
        0 if answer.is_truncated() => {
            Err(Error::step(format!("rsync reports more than {REPORT_BYTES} bytes"))
                .hint("publish in smaller parts"))
        }
        0 => RsyncItemize::parse(answer.stdout_bytes(), FORMAT),
        OWN_FAILURE => Err(failure(server, answer)),
        exit => {
            if let Some(refusal) = refusal(answer) {
                return Err(refusal);
            }
            let error = Error::step(format!("rsync has failed with exit {exit}{}", meaning(exit)));
            Err(error.tail(answer.last_lines(20)))
        }
    }
}

/// What `infra/deploy.sh` has refused: rsync tells of the server's end alone.
fn refusal(answer: &Answer) -> Option<Error> {
    let stderr = answer.stderr();
    let said = stderr.lines().find_map(|line| line.strip_prefix("deploy.sh: "))?;
    let error = Error::refused(format!("the server refuses it: {}", visible(said)));
    Some(
        error.hint(
            "if it is another deploy, wait for its end; else bring `deploy.sh` there up to date",
        ),
    )
}

/// What an exit means, of those that have a meaning.
fn meaning(exit: i32) -> &'static str {
    match exit {
        3 => ": a file cannot be read or written",
        4 => ": the server refuses an option",
        5 => ": the server refuses the transfer",
        10 | 12 => ": the connection or the server's side has ended",
        11 => ": a file cannot be written, the disk may be full",
        23 => ": not everything could be brought",
        24 => ": files vanished while they were read",
        _ => ": it has waited too long",
    }
}

impl Step for Rsync {
    type Output = RsyncItemize;

    fn label(&self) -> String {
        let dry = match self.dry {
            None => "",
            Some(Dry::All) => ", dry run",
            Some(Dry::Existing) => ", dry run over what is there",
        };
        format!("rsync to {}{dry}", self.server)
    }

    fn action(&self) -> Action<'_, RsyncItemize> {
        let line = self.line().accept(EXITS.iter().copied().chain([0, OWN_FAILURE]));
        Action::command(line, |answer| {
            let report = report(&self.server, answer)?;
            self.plan.as_ref().map_or(Ok(()), |plan| plan.check_report(&report))?;
            if let Some(shown) = &self.shown {
                check_repeated(shown, &report).map_err(|error| {
                    error.hint("it is in place already: let nobody change the folder, deploy again")
                })?;
            }
            Ok(report)
        })
    }

    fn assume(&self) -> RsyncItemize {
        RsyncItemize::default()
    }

    fn summary(&self, report: &RsyncItemize) -> Summary {
        Summary::line(format!("{} items", report.items().len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{landing::Tree, steps::testing::check};

    fn server() -> Connection {
        Connection::new("deploy.example", "deploy", "/srv/app/known_hosts", "/run/x/c")
    }

    #[test]
    fn rsync_minimal() {
        check("rsync__minimal", &Rsync::new(&server(), "/srv/app/site"));
    }

    #[test]
    fn rsync_everything() {
        let server = server().port(2222).key_file("/run/x/key", "DEPLOY_KEY");
        let step = Rsync::new(&server, "/srv/app/site/")
            .filters(vec!["--filter=- *.map".into(), "--filter=P /.well-known/***".into()]);
        check("rsync__everything", &step.in_place());
    }

    #[test]
    fn rsync_by_script() {
        check("rsync__by_script", &Rsync::new(&server(), "/srv/app/site").by_script());
    }

    #[test]
    fn rsync_dry_run() {
        let step = Rsync::new(&server(), "/srv/app/site").by_script().dry_run();
        check("rsync__dry_run", &step);
    }

    #[test]
    fn rsync_dry_run_over_existing() {
        let step = Rsync::new(&server(), "/srv/app/site").by_script().dry_run_over_existing();
        check("rsync__dry_run_over_existing", &step);
    }

    fn ended(step: &Rsync, exit: i32, stdout: &str, stderr: &str) -> Result<RsyncItemize> {
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(exit, stdout, stderr))
    }

    #[test]
    fn what_was_not_planned_fails() {
        let nothing = RsyncPlan::between(&Tree::default(), &Tree::default(), |_, _| false);
        let step = Rsync::new(&server(), "/srv/app/site").planned(&nothing.unwrap());
        ended(&step, 0, "", "").unwrap();
        let error = ended(&step, 0, "<f+++++++++ 3 a\n", "").unwrap_err();
        assert!(error.to_string().contains("planned"), "{error}");
    }

    #[test]
    fn what_was_not_shown_fails() {
        let step = Rsync::new(&server(), "/srv/app/site").by_script();
        let shown = ended(&step, 0, "<f+++++++++ 3 a\n*deleting   0 b\n", "").unwrap();
        let step = step.shown(&shown);
        ended(&step, 0, "*deleting   0 b\n<f+++++++++ 3 a\n", "").unwrap();
        let error = ended(&step, 0, "<f+++++++++ 3 a\n*deleting   0 c\n", "").unwrap_err();
        assert!(error.to_string().contains("b: planned `*deleting`, reported nothing"), "{error}");
        assert!(error.hint_text().unwrap().contains("in place already"), "{error:?}");
    }

    #[test]
    fn what_the_script_refuses_is_refused() {
        let step = Rsync::new(&server(), "/srv/app/site").by_script();
        let said = "deploy.sh: another rsync works on the landing page\nrsync: connection closed\n";
        let error = ended(&step, 12, "", said).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Refused);
        assert!(error.to_string().ends_with("another rsync works on the landing page"), "{error}");
        assert_eq!(ended(&step, 12, "", "").unwrap_err().kind(), crate::ErrorKind::Step);
    }

    #[test]
    fn rsync_hostile() {
        let server = Connection::new("::1", "a b", "/it's %h \"x\"", "/s $(id)");
        let step = Rsync::new(&server, "/-e sh/a b\n")
            .filters(vec!["--filter=- a'b \"$HOME\"".into(), "--filter=- \n".into()]);
        check("rsync__hostile", &step);
    }

    #[test]
    fn what_has_failed_says_what_it_means() {
        let ended = |exit, stderr: &str| report(&server(), &Answer::new(exit, "", stderr));
        let full = ended(11, "rsync: write failed: No space left on device (28)").unwrap_err();
        assert!(full.to_string().contains("disk may be full"), "{full}");
        let lost = ended(255, "").unwrap_err();
        assert_eq!(lost.kind(), crate::ErrorKind::Unknown);
        assert!(ended(0, "").unwrap().items().is_empty());
    }
}
