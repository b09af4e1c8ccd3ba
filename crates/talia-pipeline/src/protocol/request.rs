//! Requests: one line each, parsed and printed by one grammar.

use std::{fmt, str::FromStr};

use crate::{
    digest::Digest,
    error::{Error, ErrorKind, Result},
};

use super::{
    accepted::Accepted,
    area::Area,
    landing::LandingRequest,
    log_query::LogQuery,
    role::Role,
    version::Version,
    whose::{Whose, run},
    word::{ReleaseId, RevisionId, RunId, Who},
    words::Words,
};

/// The longest request, in bytes. What is larger comes on standard input.
pub(super) const LONGEST: usize = 4096;

/// What a client asks.
///
/// ```
/// use talia_pipeline::protocol::{Request, Role};
///
/// let request: Request = "logs since 15m".parse()?;
/// assert_eq!(request.to_string(), "logs since 15m");
/// assert!("logs since 15m; reboot".parse::<Request>().is_err());
/// assert_eq!("unlock".parse::<Request>()?.role(), Role::Admin);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// `hello V`: which versions are there.
    Hello(Version),
    /// `status`: what runs, as the engine, Nginx and the disk say now.
    Status,
    /// `releases`: the records that are kept.
    Releases,
    /// `backups`: those that are kept, and what is known of each.
    Backups,
    /// `logs [follow] [since T] [request ID]`: the app's own records.
    Logs(LogQuery),
    /// `plan DIGEST|- REVISION [accept-drift]`: what a release would do.
    Plan {
        /// The image, where it is there already.
        digest: Option<Digest>,
        /// What it is built from.
        revision: RevisionId,
        /// Whether files that were edited on the server are taken as they are.
        accept_drift: bool,
    },
    /// `release DIGEST REVISION after REVISION|none by WHO [run RUN] [accept-drift]`.
    Release {
        /// The image.
        digest: Digest,
        /// What it is built from, and what its health has to name.
        revision: RevisionId,
        /// What the client saw live, when it compared the two in git.
        after: Option<RevisionId>,
        /// Who asks.
        by: Who,
        /// In which run, so that it can be cancelled by that.
        run: Option<RunId>,
        /// Whether files that were edited on the server are taken as they are.
        accept_drift: bool,
    },
    /// `rollback ID|- from LIVE by WHO [run RUN] [accept-schema] [accept-no-backup]`: back
    /// to a release that was good.
    Rollback {
        /// Which one; without it the last good one before the live one.
        to: Option<ReleaseId>,
        /// What the client saw live: asked twice, it leads back once.
        from: ReleaseId,
        /// Who asks.
        by: Who,
        /// In which run, so that it can be cancelled by that.
        run: Option<RunId>,
        /// What it may be in spite of.
        accepted: Accepted,
    },
    /// `rollback ID|- plan [accept-schema] [accept-no-backup]`: what a rollback would do.
    RollbackPlan {
        /// Which one; without it the last good one before the live one.
        to: Option<ReleaseId>,
        /// What it may be in spite of.
        accepted: Accepted,
    },
    /// `backup`: a dump, proven to be readable.
    Backup,
    /// `cancel [backend|landing] [by WHO [run RUN]]`: end the release that is running,
    /// unless it has switched.
    Cancel {
        /// Of what; without it, of the only one that runs.
        area: Option<Area>,
        /// Only one that this one has asked for, in that run.
        whose: Option<Whose>,
    },
    /// `landing …`: about the landing page.
    Landing(LandingRequest),
    /// `rsync --server --daemon .`, as rsync itself asks for a daemon over ssh: the server's
    /// side of the transfer of the landing page's one open transaction.
    Rsync,
    /// `latest moved ID`: the registry's `latest` names this release, the lock may go.
    LatestMoved(ReleaseId),
    /// `compose push`: a new compose file, on standard input.
    ComposePush,
    /// `env push`: a new `.env`, on standard input.
    EnvPush,
    /// `site push`: a new Nginx site, on standard input.
    SitePush,
    /// `agent install`: another version of the agent, on standard input.
    AgentInstall,
    /// `restore ID [accept-database] [drop-dependents]`: the database as it was in this backup.
    Restore {
        /// The backup.
        id: String,
        /// Whether it is known that it was made of another database.
        accept_database: bool,
        /// Whether what is newer and depends on what is replaced is dropped with it.
        drop_dependents: bool,
    },
    /// `restore ID plan`: what that would overwrite.
    RestorePlan(String),
    /// `drill [ID]`: restore a backup somewhere else and compare it.
    Drill(Option<String>),
    /// `unlock`: end whatever holds the lock.
    Unlock,
    /// `maintenance on|off`.
    Maintenance(bool),
    /// `boot`: bring up what was live before a reboot.
    Boot,
    /// `prune`: remove what is not kept any more.
    Prune,
}

impl Request {
    /// The least role that may ask it.
    pub fn role(&self) -> Role {
        match self {
            Self::Hello(_)
            | Self::Status
            | Self::Releases
            | Self::Backups
            | Self::Logs(_)
            | Self::Plan { .. }
            | Self::Release { .. }
            | Self::Rollback { .. }
            | Self::RollbackPlan { .. }
            | Self::Backup
            | Self::Cancel { .. }
            | Self::Landing(_)
            | Self::Rsync
            | Self::LatestMoved(_) => Role::Deploy,
            Self::AgentInstall
            | Self::ComposePush
            | Self::EnvPush
            | Self::SitePush
            | Self::Restore { .. }
            | Self::RestorePlan(_)
            | Self::Drill(_)
            | Self::Unlock
            | Self::Maintenance(_)
            | Self::Boot
            | Self::Prune => Role::Admin,
        }
    }

    /// Whether nothing on the server changes by it, not even the journal.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Landing(request) => request.is_read_only(),
            Self::Hello(_)
            | Self::Status
            | Self::Releases
            | Self::Backups
            | Self::Logs(_)
            | Self::Plan { .. }
            | Self::RollbackPlan { .. } => true,
            _ => false,
        }
    }

    /// Whether this role may ask it.
    ///
    /// # Errors
    /// Refused, with the key that may.
    pub fn allowed_to(&self, role: Role) -> Result<()> {
        if role == Role::Admin || self.role() == Role::Deploy {
            return Ok(());
        }
        Err(Error::refused(format!("the deploy key may not ask `{self}`"))
            .hint("ask with the admin key: set `admin_user` and `admin_key` of the environment"))
    }
}

/// A backup's id, in the form of [`ReleaseId`]'s first part and a few letters more.
fn backup_id(text: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let holds = text.starts_with(|first: char| first.is_ascii_digit())
        && (8..=64).contains(&text.len())
        && text.chars().all(plain);
    holds.then(|| text.to_owned()).ok_or_else(|| {
        Error::usage("expected a backup's id").hint("`cargo xtask backups` lists them")
    })
}

impl FromStr for Request {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        if line.len() > LONGEST {
            return Err(Error::usage(format!("a request has at most {LONGEST} bytes")));
        }
        // Before anything of it is looked at: no control character, nothing that a
        // shell or a terminal could make something of.
        if !line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(Error::usage("a request is one line of printable ASCII"));
        }
        if line.split(' ').any(str::is_empty) {
            return Err(Error::usage("a request's words stand one blank apart"));
        }
        let mut words = Words::new(line);
        let verb = words.next("a verb")?;
        let request = match verb {
            "hello" => Self::Hello(words.parse("a version")?),
            "status" => Self::Status,
            "releases" => Self::Releases,
            "backups" => Self::Backups,
            "logs" => Self::Logs(LogQuery::parse(&mut words)?),
            "plan" => Self::Plan {
                digest: words.maybe("-", "a digest or `-`")?,
                revision: words.parse("a revision")?,
                accept_drift: words.flag("accept-drift"),
            },
            "release" => {
                let (digest, revision) = (words.parse("a digest")?, words.parse("a revision")?);
                words.keyword("after")?;
                let after = words.maybe("none", "the live revision or `none`")?;
                words.keyword("by")?;
                let (by, run) = (words.parse("a name")?, run(&mut words)?);
                let accept_drift = words.flag("accept-drift");
                Self::Release { digest, revision, after, by, run, accept_drift }
            }
            "rollback" => {
                let to = words.maybe("-", "a release's id or `-`")?;
                if words.flag("plan") {
                    let accepted = Accepted::read(&mut words);
                    return words.end(Self::RollbackPlan { to, accepted });
                }
                words.keyword("from")?;
                let from = words.parse("the live release's id")?;
                words.keyword("by")?;
                let (by, run) = (words.parse("a name")?, run(&mut words)?);
                Self::Rollback { to, from, by, run, accepted: Accepted::read(&mut words) }
            }
            "backup" => Self::Backup,
            "cancel" => {
                let area = Area::BOTH.into_iter().find(|area| words.flag(area.name()));
                let whose = words.flag("by").then(|| Whose::parse(&mut words)).transpose()?;
                Self::Cancel { area, whose }
            }
            "landing" => Self::Landing(LandingRequest::parse(&mut words)?),
            "rsync" if ["--server", "--daemon", "."].iter().all(|it| words.flag(it)) => Self::Rsync,
            "latest" => {
                words.keyword("moved")?;
                Self::LatestMoved(words.parse("a release's id")?)
            }
            "agent" => {
                words.keyword("install")?;
                Self::AgentInstall
            }
            "compose" | "env" | "site" => {
                words.keyword("push")?;
                match verb {
                    "compose" => Self::ComposePush,
                    "env" => Self::EnvPush,
                    _ => Self::SitePush,
                }
            }
            "restore" => {
                let id = backup_id(words.next("a backup's id")?)?;
                if words.flag("plan") {
                    Self::RestorePlan(id)
                } else {
                    let accept_database = words.flag("accept-database");
                    let drop_dependents = words.flag("drop-dependents");
                    Self::Restore { id, accept_database, drop_dependents }
                }
            }
            "drill" if words.is_empty() => Self::Drill(None),
            "drill" => Self::Drill(Some(backup_id(words.next("a backup's id")?)?)),
            "unlock" => Self::Unlock,
            "maintenance" => match words.next("`on` or `off`")? {
                "on" => Self::Maintenance(true),
                "off" => Self::Maintenance(false),
                _ => return Err(Error::usage("expected `on` or `off`")),
            },
            "boot" => Self::Boot,
            "prune" => Self::Prune,
            _ => {
                return Err(Error::new(ErrorKind::Refused, "there is no such request")
                    .hint("this key takes the requests of `cargo xtask`, and no shell"));
            }
        };
        words.end(request)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn or<'a, T: AsRef<str>>(word: Option<&'a T>, none: &'a str) -> &'a str {
            word.map_or(none, AsRef::as_ref)
        }
        let flag = |set: bool, word: &'static str| if set { word } else { "" };
        let in_run = |run: &Option<RunId>| match run {
            Some(run) => format!(" run {run}"),
            None => String::new(),
        };
        match self {
            Self::Hello(version) => write!(f, "hello {version}"),
            Self::Status => f.write_str("status"),
            Self::Releases => f.write_str("releases"),
            Self::Backups => f.write_str("backups"),
            Self::Logs(query) => write!(f, "logs{query}"),
            Self::Plan { digest, revision, accept_drift } => {
                let (digest, drift) = (or(digest.as_ref(), "-"), flag(*accept_drift, DRIFT));
                write!(f, "plan {digest} {revision}{drift}")
            }
            Self::Release { digest, revision, after, by, run, accept_drift } => {
                let (after, drift) = (or(after.as_ref(), "none"), flag(*accept_drift, DRIFT));
                let run = in_run(run);
                write!(f, "release {digest} {revision} after {after} by {by}{run}{drift}")
            }
            Self::Rollback { to, from, by, run, accepted } => {
                let to = or(to.as_ref(), "-");
                write!(f, "rollback {to} from {from} by {by}{}{accepted}", in_run(run))
            }
            Self::RollbackPlan { to, accepted } => {
                write!(f, "rollback {} plan{accepted}", or(to.as_ref(), "-"))
            }
            Self::Backup => f.write_str("backup"),
            Self::Cancel { area, whose } => {
                f.write_str("cancel")?;
                if let Some(area) = area {
                    write!(f, " {area}")?;
                }
                match whose {
                    Some(whose) => write!(f, " by {whose}"),
                    None => Ok(()),
                }
            }
            Self::Landing(request) => write!(f, "{request}"),
            Self::Rsync => f.write_str("rsync --server --daemon ."),
            Self::LatestMoved(id) => write!(f, "latest moved {id}"),
            Self::AgentInstall => f.write_str("agent install"),
            Self::ComposePush => f.write_str("compose push"),
            Self::EnvPush => f.write_str("env push"),
            Self::SitePush => f.write_str("site push"),
            Self::Restore { id, accept_database, drop_dependents } => {
                let other = flag(*accept_database, " accept-database");
                write!(f, "restore {id}{other}{}", flag(*drop_dependents, " drop-dependents"))
            }
            Self::RestorePlan(id) => write!(f, "restore {id} plan"),
            Self::Drill(None) => f.write_str("drill"),
            Self::Drill(Some(id)) => write!(f, "drill {id}"),
            Self::Unlock => f.write_str("unlock"),
            Self::Maintenance(on) => {
                f.write_str(if *on { "maintenance on" } else { "maintenance off" })
            }
            Self::Boot => f.write_str("boot"),
            Self::Prune => f.write_str("prune"),
        }
    }
}

const DRIFT: &str = " accept-drift";

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn lines() -> Vec<String> {
        let digest = format!("sha256:{SHA}{}", &SHA[..24]);
        let id = "20261124T081500Z-0123456789ab";
        let tree = format!("{SHA}{}", &SHA[..24]);
        [
            "hello 0.1".to_owned(),
            "status".to_owned(),
            "releases".to_owned(),
            "backups".to_owned(),
            "logs".to_owned(),
            "logs follow since 15m request 7f-3".to_owned(),
            format!("plan - {SHA}"),
            format!("plan {digest} {SHA} accept-drift"),
            format!("release {digest} {SHA} after none by ana@laptop"),
            format!("release {digest} {SHA}-dirty after {SHA} by github/talia/42 accept-drift"),
            format!("rollback - from {id} by ana"),
            format!("rollback {id} from {id} by ana run 1795508100042-7 accept-schema"),
            format!("release {digest} {SHA} after {SHA} by ana run 1 accept-drift"),
            "cancel by ana run 1795508100042-7".to_owned(),
            "rollback - plan".to_owned(),
            format!("rollback {id} plan accept-schema"),
            "rollback - plan accept-schema accept-no-backup".to_owned(),
            format!("rollback - from {id} by ana accept-no-backup"),
            "backup".to_owned(),
            "cancel".to_owned(),
            "cancel by github/talia/42".to_owned(),
            "cancel backend".to_owned(),
            "cancel landing".to_owned(),
            "cancel landing by ana".to_owned(),
            "cancel backend by ana run 1795508100042-7".to_owned(),
            format!("latest moved {id}"),
            "landing index -".to_owned(),
            format!("landing index {tree}"),
            format!("landing begin {tree} {SHA} after none by ana@laptop"),
            format!("landing begin {tree} {SHA}-dirty after {id} by github/talia/42 accept-drift"),
            format!("landing commit {id}"),
            format!("landing abort {id}"),
            format!("landing rollback - from {id} by ana"),
            format!("landing rollback {id} from {id} by ana"),
            "landing releases".to_owned(),
            "landing read a%20b/%C3%BC.html".to_owned(),
            "landing read a b%0A -x".to_owned(),
            "rsync --server --daemon .".to_owned(),
            "agent install".to_owned(),
            "compose push".to_owned(),
            "env push".to_owned(),
            "site push".to_owned(),
            format!("restore {id}"),
            format!("restore {id} accept-database"),
            format!("restore {id} accept-database drop-dependents"),
            format!("restore {id} drop-dependents"),
            format!("restore {id} plan"),
            "drill".to_owned(),
            format!("drill {id}"),
            "unlock".to_owned(),
            "maintenance on".to_owned(),
            "maintenance off".to_owned(),
            "boot".to_owned(),
            "prune".to_owned(),
        ]
        .into()
    }

    #[test]
    fn what_is_printed_is_parsed_again() {
        for line in lines() {
            assert_eq!(line.parse::<Request>().unwrap().to_string(), line);
        }
    }

    const ODD: &[u8] = b" \n\t\0;|&$`'\"\\-./:0aZ\x7f\xc3~#*()<>";

    /// A small generator of its own: the same numbers at every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % sides as u64).unwrap()
        }
    }

    #[test]
    fn a_changed_line_is_refused_or_means_what_it_says() {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let (lines, mut refused) = (lines(), 0);
        for _ in 0..50_000 {
            let mut bytes = lines[dice.roll(lines.len())].clone().into_bytes();
            for _ in 0..=dice.roll(3) {
                let at = dice.roll(bytes.len() + 1);
                let byte = ODD[dice.roll(ODD.len())];
                match dice.roll(3) {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
                if bytes.is_empty() {
                    bytes.push(b'x');
                }
            }
            let Ok(line) = String::from_utf8(bytes) else { continue };
            match line.parse::<Request>() {
                // One meaning, one spelling.
                Ok(request) => assert_eq!(request.to_string(), line),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 10_000, "the changes hardly ever broke a line: {refused}");
    }

    #[test]
    fn hostile_lines_are_refused() {
        let long = format!("status{}", " x".repeat(4096));
        for bad in [
            "",
            " ",
            "status ",
            " status",
            "status  ",
            "status\n",
            "status\nunlock",
            "status\0",
            "status; reboot",
            "status $(reboot)",
            "STATUS",
            "sh",
            "/bin/sh -c id",
            "rsync --server --daemon",
            "rsync --server --daemon . /",
            "rsync --server --daemon ./",
            "rsync --daemon --server .",
            "rsync --server --daemon --config=/tmp/x .",
            "rsync --server -logDtpre.iLsfxCIvu . /var/www/talia-landing/",
            "rsync --server --sender -vlogDtpre.iLsfxCIvu . /etc/",
            "landing",
            "landing commit",
            "landing read ../../etc/shadow",
            "landing read %2E%2E/%2E%2E/etc/shadow",
            "landing read /etc/shadow",
            "landing read",
            "landing read a ../b",
            "landing read a  b",
            "landing index HEAD",
            "scp -t /etc",
            "internal-sftp",
            "logs since 1h --follow",
            "logs request ../../etc/passwd",
            "backups all",
            "restore ../../x",
            "restore -x",
            "maintenance",
            "maintenance on off",
            "hello",
            "hello 1",
            "rollback --force by x",
            "cancel run 1",
            "cancel backend landing",
            "cancel by ana landing",
            "cancel Landing",
            "cancel by ana run",
            "rollback plan",
            "rollback - plan from x",
            "rollback - plan accept-no-backup accept-schema",
            "cancel by ana run -1",
            "cancel by ana run ../x",
            "release latest HEAD after none by x",
            "status\u{202e}",
            long.as_str(),
        ] {
            assert!(bad.parse::<Request>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_deploy_key_may_not_ask_what_is_for_people() {
        let asked = |line: &str| line.parse::<Request>().unwrap().allowed_to(Role::Deploy);
        for verb in [
            "unlock",
            "agent install",
            "env push",
            "compose push",
            "site push",
            "boot",
            "prune",
            "drill",
        ] {
            assert_eq!(asked(verb).unwrap_err().kind(), ErrorKind::Refused, "{verb}");
        }
        for verb in
            ["status", "backups", "backup", "cancel", "logs", "landing index -", "rollback - plan"]
        {
            assert!(asked(verb).is_ok(), "{verb}");
        }
    }
}
