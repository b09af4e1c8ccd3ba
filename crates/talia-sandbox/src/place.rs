use camino::Utf8PathBuf;
use talia_pipeline::{Error, Result, State, files::fingerprint};

/// Which sandbox is meant: its name, and the state folder that it belongs to.
///
/// Two names, or two state folders, are two sandboxes that never meet.
///
/// ```
/// use talia_pipeline::State;
/// use talia_sandbox::Place;
///
/// let state = State::new("/srv/target/talia/app");
/// assert_eq!(Place::new(&state, "default")?.environment(), "sandbox");
/// assert_eq!(Place::new(&state, "two")?.environment(), "sandbox-two");
/// assert!(Place::new(&state, "Not so").is_err());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    state: Utf8PathBuf,
    name: String,
}

impl Place {
    /// The name of a sandbox that nobody has named.
    pub const DEFAULT: &str = "default";

    /// The sandbox of this name.
    ///
    /// # Errors
    /// A usage error when the name is none: a small letter, then small letters,
    /// digits and dashes, 12 in all.
    pub fn new(state: &State, name: &str) -> Result<Self> {
        let fine = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 12
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !fine {
            return Err(Error::usage(format!("{name:?} is no name of a sandbox"))
                .hint("a small letter, then small letters, digits and dashes, 12 in all"));
        }
        Ok(Self { state: state.dir().to_owned(), name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sandbox that serves this environment, where the name is one of those.
    ///
    /// # Errors
    /// As [`Place::new`].
    pub fn of_environment(state: &State, environment: &str) -> Result<Option<Self>> {
        match environment.strip_prefix("sandbox") {
            Some("") => Self::new(state, Self::DEFAULT).map(Some),
            Some(rest) => rest.strip_prefix('-').map(|name| Self::new(state, name)).transpose(),
            None => Ok(None),
        }
    }

    /// The environment that it serves: `sandbox`, or `sandbox-NAME`.
    pub fn environment(&self) -> String {
        match self.name.as_str() {
            Self::DEFAULT => "sandbox".to_owned(),
            name => format!("sandbox-{name}"),
        }
    }

    /// Where what is known about it is kept: keys, ports, passwords.
    pub fn folder(&self) -> Utf8PathBuf {
        self.state.join("sandbox").join(&self.name)
    }

    /// What everything of it is labelled with.
    pub fn labels(&self) -> [String; 2] {
        [
            format!("talia.sandbox={}", self.name),
            format!("talia.sandbox.state={:016x}", fingerprint(self.state.as_str())),
        ]
    }

    /// The network that everything of it is in.
    pub fn network(&self) -> String {
        // Eight digits are enough for the checkouts of one machine.
        let state = fingerprint(self.state.as_str()) >> 32;
        format!("talia-{state:08x}-{}", self.name)
    }

    /// The container of one part: `registry`, `db`, or a droplet's name.
    pub fn container(&self, part: &str) -> String {
        format!("{}-{part}", self.network())
    }

    /// The part that a container's name ends with.
    pub(crate) fn part<'a>(&self, container: &'a str) -> &'a str {
        let rest = container.strip_prefix(&self.network());
        rest.and_then(|rest| rest.strip_prefix('-')).unwrap_or(container)
    }

    /// What brings it up.
    pub(crate) fn up_command(&self) -> String {
        match self.name.as_str() {
            Self::DEFAULT => "cargo xtask sandbox up".to_owned(),
            name => format!("cargo xtask sandbox up --name {name}"),
        }
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> Utf8PathBuf {
        self.folder().join(name)
    }
}
