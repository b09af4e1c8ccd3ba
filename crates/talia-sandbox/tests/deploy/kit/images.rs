//! Images of the backend that behave as a test wants.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use talia_pipeline::{digest::Digest, files::fingerprint, protocol::RevisionId};
use talia_sandbox::Sandbox;

use super::{output, said};

const RECIPE: &str = include_str!("../../../images/load/Dockerfile");
const APP: &str = include_str!("../../../images/load/load.py");
const REQUIREMENTS: &str = include_str!("../../../images/load/requirements.txt");

/// What goes wrong with a version, if anything.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    Well,
    HealthFails,
    HealthHangs,
    /// It names another revision than its own.
    SaysAnother,
    Exits,
    CrashesAfter(u32),
    CrashesAfterHealthy(u32),
}

impl Behaviour {
    fn variables(self) -> String {
        match self {
            Self::Well => String::new(),
            Self::HealthFails => "LOAD_HEALTH=fails".to_owned(),
            Self::HealthHangs => "LOAD_HEALTH=hangs".to_owned(),
            Self::SaysAnother => format!("LOAD_HEALTH={:040x}", 0xbad),
            Self::Exits => "LOAD_EXITS=1".to_owned(),
            Self::CrashesAfter(seconds) => format!("LOAD_CRASHES_AFTER={seconds}"),
            Self::CrashesAfterHealthy(seconds) => format!("LOAD_CRASHES_AFTER_HEALTHY={seconds}"),
        }
    }
}

/// A version of the backend that the registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) revision: RevisionId,
    pub(crate) digest: Digest,
}

/// Makes versions, each once, and pushes them to the sandbox's registry.
pub(crate) struct Images {
    load: String,
    repository: String,
    config: PathBuf,
    made: Mutex<BTreeMap<String, Version>>,
}

impl Images {
    /// Where the versions are pushed to.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// Builds what all versions stand on, where the engine has not got it yet.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
        let registry = sandbox.registry();
        let config = sandbox.place().folder().join("docker").into_std_path_buf();
        let mut login = Command::new("sh");
        login.args(["-c", "exec docker login --username \"$NAME\" --password-stdin -- \"$REGISTRY\" < \"$PASSWORD\""]);
        login.env("NAME", &registry.user).env("REGISTRY", &registry.address);
        login.env("PASSWORD", sandbox.registry_password()).env("DOCKER_CONFIG", &config);
        said(&mut login);

        // Its layers are there since the pipeline's own build, so this takes a moment.
        let reference = "talia-sandbox-reference:tests";
        build(
            &["BASE_IMAGE=talia-base:bookworm"],
            reference,
            &crates.join("../../infra/reference/backend"),
        );
        let id = said(Command::new("docker").args(["inspect", "--format={{.Id}}", reference]));
        let tag = fingerprint(&[RECIPE, APP, REQUIREMENTS, &id].concat());
        let load = format!("talia-sandbox-load:{tag:016x}");
        build(&[&format!("REFERENCE={reference}")], &load, &crates.join("images/load"));
        Self { load, repository: registry.repository, config, made: Mutex::default() }
    }

    /// The version of this name, which is made at the first call.
    pub(crate) fn version(&self, name: &str, behaviour: Behaviour) -> Version {
        let mut made = self.made.lock().unwrap();
        let known = made.entry(format!("{name} {behaviour:?}"));
        known.or_insert_with_key(|key| self.make(key, &behaviour.variables(), "")).clone()
    }

    /// A version that does nothing wrong and has one layer of this many megabytes, which
    /// no compression makes smaller.
    pub(crate) fn heavy(&self, name: &str, megabytes: u32) -> Version {
        let mut made = self.made.lock().unwrap();
        let weigh = format!("RUN head --bytes={megabytes}M /dev/urandom > /tmp/weight\n");
        let known = made.entry(format!("{name} of {megabytes} MB"));
        known.or_insert_with_key(|key| self.make(key, "", &weigh)).clone()
    }

    /// One layer less than a copy: variables and labels alone.
    fn make(&self, key: &str, variables: &str, more: &str) -> Version {
        let revision = format!("{:016x}", fingerprint(key)).repeat(3)[..40].to_owned();
        let recipe = format!(
            "FROM {}\nENV TALIA_REVISION={revision} {variables}\n\
             LABEL org.opencontainers.image.revision={revision}\n{more}",
            self.load,
        );
        let digest = self.push(&self.repository, &revision[..12], &recipe);
        Version { revision: revision.parse().unwrap(), digest }
    }

    /// The digest of an image that another repository of the registry has.
    pub(crate) fn elsewhere(&self, repository: &str) -> Digest {
        let (registry, _) = self.repository.split_once('/').unwrap();
        let recipe = format!("FROM {}\nLABEL elsewhere=yes\n", self.load);
        self.push(&format!("{registry}/{repository}"), "latest", &recipe)
    }

    fn push(&self, repository: &str, tag: &str, recipe: &str) -> Digest {
        let image = format!("{repository}:{tag}");
        let mut command = Command::new("docker");
        command.args(["build", "--quiet", "--tag", &image, "-"]).env("DOCKER_BUILDKIT", "1");
        // docker leaves its copy of the recipe there.
        command.env("TMPDIR", &self.config);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(recipe.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{recipe}");
        let pushed = said(
            Command::new("docker").env("DOCKER_CONFIG", &self.config).args(["push", "--", &image]),
        );
        drop(output(Command::new("docker").args(["image", "rm", "--", &image])));
        let digest = pushed.split("digest: ").nth(1).and_then(|rest| rest.split(' ').next());
        let digest = digest.unwrap_or_else(|| panic!("no digest: {pushed}"));
        digest.parse().unwrap()
    }
}

fn build(arguments: &[&str], image: &str, folder: &Path) {
    let mut command = Command::new("docker");
    command.args(["build", "--quiet", "--tag", image]).env("DOCKER_BUILDKIT", "1");
    for argument in arguments {
        command.args(["--build-arg", argument]);
    }
    said(command.arg(folder));
}
