//! What clients get of the landing page.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    net::SocketAddr,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Stdin},
    error::{Error, Result},
    landing::ContentHash,
    step::{Action, Answer, Step, Summary},
    steps::server::front::Front,
};

/// How many are asked for at a time.
const AT_ONCE: usize = 8;
/// How long one answer may take, and how long a connection of this machine to itself.
const ONE_WITHIN: Duration = Duration::from_secs(60);
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The URL's path, encoded: `/a%20b.html`.
    pub path: String,
    /// What a plan goes on with: what it should hold, or that it is gone.
    pub hoped: Option<ContentHash>,
}

/// How it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The status of the last answer; 0 where there was none.
    pub status: u16,
    /// What the answer holds.
    pub hash: ContentHash,
    /// How many bytes it has.
    pub size: u64,
}

impl Served {
    /// Whether nobody was let in, or nobody answered.
    pub fn is_shut(&self) -> bool {
        matches!(self.status, 0 | 401 | 403)
    }
}

/// What was answered to all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The answers, in the order of the questions.
    pub served: Vec<Served>,
    /// How long all of it took.
    pub took: Duration,
}

/// `curl --parallel … --config -`: asks Nginx for many paths, through TLS and by the name
/// that clients use, and gives the content of each answer as a hash, in their order.
///
/// - Every exit is accepted: what was not answered has the status 0.
/// - Redirects are followed, but never elsewhere: every name leads to the one address, which
///   is this machine's own Nginx unless a policy says otherwise.
/// - Files: a body each in the folder, removed when it is read.
/// - Source: curl(1), *--config*, *--write-out*.
#[derive(Debug)]
pub struct FetchServed {
    front: Front,
    folder: Utf8PathBuf,
    all: Vec<Fetch>,
    within: Duration,
}

impl FetchServed {
    /// Asks this host for these; bodies go through `folder`.
    pub fn new(host: impl Into<String>, folder: impl Into<Utf8PathBuf>, all: Vec<Fetch>) -> Self {
        Self { front: Front::new(host), folder: folder.into(), all, within: ONE_WITHIN }
    }

    /// How long all of it may take; 60 s unless set.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// At this address, instead of this machine's own.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.front.address = address;
        self
    }

    /// Trusts the authority in this file instead of the system's.
    #[must_use]
    pub fn authority(mut self, pem: Option<Utf8PathBuf>) -> Self {
        self.front.authority = pem;
        self
    }

    fn line(&self) -> CommandLine {
        let config: String = self
            .all
            .iter()
            .enumerate()
            .map(|(at, fetch)| {
                format!("url = {}\noutput = \"{at}\"\n", quoted(&self.front.url(&fetch.path)))
            })
            .collect();
        let line = CommandLine::new("curl")
            // Counts only as the first word: the user's own ~/.curlrc could send the
            // question elsewhere.
            .args(["--disable", "--silent", "--show-error", "--globoff", "--path-as-is"])
            .args(["--noproxy", "*", "--proto", "=https"])
            .args(["--parallel", "--parallel-max"])
            .arg(AT_ONCE.to_string())
            .args(["--location", "--max-redirs", "3", "--retry", "2"])
            .args(["--connect-timeout".to_owned(), CONNECTED_WITHIN.as_secs().to_string()])
            .args(["--max-time".to_owned(), ONE_WITHIN.as_secs().to_string()])
            .args(["--write-out", "%{http_code} %{filename_effective}\\n"]);
        // Whatever name an answer leads to, it is asked for here.
        self.front
            .lead(line)
            .args(["--config", "-"])
            .cwd(&self.folder)
            .stdin(Stdin::Text(config))
            .stdout_is_data()
            .capture_bytes(1 << 20)
            .accept(0..=125)
            .timeout(self.within)
            .purpose("what clients get")
    }
}

/// As curl's configuration has a text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The status of each answer, by the name of its file.
fn statuses(answer: &Answer) -> BTreeMap<usize, u16> {
    let stdout = answer.stdout();
    let status = |line: &str| {
        let (status, name) = line.split_once(' ')?;
        Some((name.parse().ok()?, status.parse().ok()?))
    };
    stdout.lines().filter_map(status).collect()
}

/// What a body holds. One without a byte need not have a file.
fn take(path: &Utf8Path) -> io::Result<(ContentHash, u64)> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((ContentHash::of(b""), 0));
        }
        file => file?,
    };
    let size = file.metadata()?.len();
    let hash = ContentHash::read(file)?;
    fs::remove_file(path)?;
    Ok((hash, size))
}

impl Step for FetchServed {
    type Output = Fetched;

    fn label(&self) -> String {
        format!("fetch from {}", self.front.host)
    }

    fn action(&self) -> Action<'_, Fetched> {
        Action::command(self.line(), |answer| {
            let statuses = statuses(answer);
            if statuses.is_empty() && !self.all.is_empty() {
                return Err(
                    Error::step("curl has not said how it was answered").tail(answer.last_lines(5))
                );
            }
            let served = |at: usize| -> Result<Served> {
                let path = self.folder.join(at.to_string());
                let (hash, size) = take(&path).map_err(|cause| {
                    Error::step(format!("what was fetched to {path} cannot be read"))
                        .caused_by(cause)
                })?;
                Ok(Served { status: statuses.get(&at).copied().unwrap_or(0), hash, size })
            };
            let served = (0..self.all.len()).map(served).collect::<Result<_>>()?;
            Ok(Fetched { served, took: answer.duration() })
        })
    }

    fn assume(&self) -> Fetched {
        let served = |fetch: &Fetch| Served {
            status: if fetch.hoped.is_some() { 200 } else { 404 },
            hash: fetch.hoped.unwrap_or_else(|| ContentHash::of(b"")),
            size: 0,
        };
        Fetched { served: self.all.iter().map(served).collect(), took: Duration::ZERO }
    }

    fn summary(&self, Fetched { served, .. }: &Fetched) -> Summary {
        let well = served.iter().filter(|one| one.status == 200).count();
        Summary::line(format!("{} answers, {well} with a file", served.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn fetch(path: &str) -> Fetch {
        Fetch { path: path.into(), hoped: Some(ContentHash::of(b"hi")) }
    }

    #[test]
    fn fetch_served_minimal() {
        let step = FetchServed::new("talia.example", "/f", vec![fetch("/")]);
        check("fetch_served__minimal", &step);
    }

    #[test]
    fn fetch_served_everything() {
        let all = vec![fetch("/index.html"), Fetch { path: "/gone.html".into(), hoped: None }];
        let step = FetchServed::new("talia.example", "/var/lib/talia/production/landing/f", all)
            .at("[2001:db8::1]:8443".parse().unwrap())
            .authority(Some("/etc/talia/production/tls/ca.pem".into()))
            .within(Duration::from_secs(300));
        check("fetch_served__everything", &step);
    }

    #[test]
    fn fetch_served_hostile() {
        let step = FetchServed::new("-x\"$(id)", "/a b/$(id)", vec![fetch("/\"\\%0A")])
            .authority(Some("--insecure".into()));
        check("fetch_served__hostile", &step);
    }

    #[test]
    fn bodies_are_read_by_their_number_and_taken_away() {
        let folder = std::env::temp_dir().join(format!("talia-fetch-{}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("0"), "hi").unwrap();
        let step = FetchServed::new("h", &folder, vec![fetch("/a"), fetch("/b"), fetch("/c")]);
        let read = |said: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(56, said, "curl: (56) gone\n"))
        };
        let Fetched { served, .. } = read("404 1\n200 0\n").unwrap();
        let statuses: Vec<u16> = served.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [200, 404, 0]);
        assert_eq!((served[0].hash, served[0].size), (ContentHash::of(b"hi"), 2));
        assert!(!folder.join("0").exists());
        assert!(read("").is_err(), "nobody says that it is well");
        fs::remove_dir_all(folder).unwrap();
    }
}
