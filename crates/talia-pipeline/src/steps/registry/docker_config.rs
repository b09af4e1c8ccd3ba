use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, symlink},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    step::{Action, Step, Summary},
    world::World,
};

/// What is carried over from the user's `config.json`: which engine is meant and how
/// it is reached, which plugins there are, what every build is given. Never `auths`,
/// `credsStore` and `credHelpers`: a login would be written where they say.
const CARRIED: &[&str] =
    &["currentContext", "cliPluginsExtraDirs", "plugins", "aliases", "proxies", "HttpHeaders"];

/// What is linked: nothing of it is written to by what the steps do.
const LINKED: &[&str] = &["cli-plugins", "contexts"];

/// The state of buildx that says which builder is chosen. It is copied, because
/// buildx writes beside it.
const BUILDX: &[&str] = &["current", "defaults", "instances", "certs"];

/// Makes a private `DOCKER_CONFIG` folder for a login that must not reach the user's
/// own: same context, same plugins, same builder, no credentials.
///
/// - In this process: the folder (0700), links to the user's plugins and contexts, a
///   copy of the chosen builder, a `config.json` (0600). A folder that is there
///   already with its `config.json` stays as it is, so that a login is kept.
/// - Touches: the folder, which must be inside one of this run's own
///   ([`crate::private::PrivateFolder`]). It counts as reading: nothing is left of it
///   after the run, and a question that a plan asks needs it. So it may be observed.
/// - Errors: usage when the user's `config.json` cannot be read; a step error when
///   the folder cannot be made, or is not private.
/// - Source: Docker's manual, *docker* (configuration files). With no credential in
///   `config.json` the client looks for a credential helper along `PATH`; an empty
///   entry for the registry keeps it from that.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::DockerConfig};
///
/// let step = DockerConfig::new("/run/user/1000/x/docker", "ghcr.io");
/// assert_eq!(step.assume(), "/run/user/1000/x/docker");
/// ```
#[derive(Debug, Clone)]
pub struct DockerConfig {
    folder: Utf8PathBuf,
    registry: String,
    own: Option<Utf8PathBuf>,
}

impl DockerConfig {
    /// This folder, for a login at this registry (`HOST[:PORT]`).
    pub fn new(folder: impl Into<Utf8PathBuf>, registry: impl Into<String>) -> Self {
        Self { folder: folder.into(), registry: registry.into(), own: None }
    }

    /// Carries over what is no credential from the user's own folder.
    #[must_use]
    pub fn carries(mut self, own: Option<Utf8PathBuf>) -> Self {
        self.own = own;
        self
    }

    /// Where the user's own configuration is: `DOCKER_CONFIG`, or `.docker` at home.
    pub fn of_user(world: &World) -> Option<Utf8PathBuf> {
        match world.variable("DOCKER_CONFIG") {
            Some(folder) => Some(world.directory().join(folder)),
            None => world.variable("HOME").map(|home| Utf8Path::new(home).join(".docker")),
        }
    }

    fn make(&self) -> Result<Utf8PathBuf> {
        let cannot = |cause: io::Error| {
            Error::step(format!("the private docker configuration {} cannot be made", self.folder))
                .caused_by(cause)
        };
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let data = fs::symlink_metadata(&self.folder).map_err(cannot)?;
                if !data.is_dir() || data.mode() & 0o077 != 0 {
                    return Err(Error::refused(format!(
                        "{} is no folder that only this user can look into",
                        self.folder
                    )));
                }
            }
            made => made.map_err(cannot)?,
        }
        let config = self.folder.join("config.json");
        if config.exists() {
            return Ok(self.folder.clone());
        }
        if let Some(own) = self.own.as_ref().filter(|own| own.is_dir()) {
            for name in LINKED {
                let (from, to) = (own.join(name), self.folder.join(name));
                if from.is_dir() && fs::symlink_metadata(&to).is_err() {
                    symlink(from, to).map_err(cannot)?;
                }
            }
            for name in BUILDX {
                let to = self.folder.join("buildx").join(name);
                copy(&own.join("buildx").join(name), &to).map_err(cannot)?;
            }
        }
        let text = Value::Object(self.config()?).to_string();
        // Last, so that it tells whether the folder is complete.
        let partial = self.folder.join(".config.json.partial");
        let mut file = fs::OpenOptions::new();
        file.write(true).create(true).truncate(true).mode(0o600);
        file.open(&partial)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
            .and_then(|()| fs::rename(&partial, &config))
            .map_err(cannot)?;
        Ok(self.folder.clone())
    }

    /// The content of the private `config.json`.
    fn config(&self) -> Result<Map<String, Value>> {
        let mut config = Map::new();
        if let Some(path) = self.own.as_ref().map(|own| own.join("config.json")) {
            let unreadable = || {
                Error::usage(format!("docker's configuration {path} cannot be read"))
                    .hint("correct it, or name another folder with DOCKER_CONFIG")
            };
            match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable().caused_by(error)),
                Ok(bytes) => {
                    let own: Map<String, Value> = serde_json::from_slice(&bytes)
                        .map_err(|cause| unreadable().caused_by(cause))?;
                    let carried =
                        own.into_iter().filter(|(name, _)| CARRIED.contains(&name.as_str()));
                    config.extend(carried);
                }
            }
        }
        let entry = Map::from_iter([(self.registry.clone(), Value::Object(Map::new()))]);
        config.insert("auths".to_owned(), Value::Object(entry));
        Ok(config)
    }
}

/// Copies a file, or a folder of files; what is not there is not copied.
fn copy(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    let data = match fs::symlink_metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        data => data?,
    };
    if let Some(parent) = to.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    if data.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
        for entry in from.read_dir_utf8()? {
            let entry = entry?;
            copy(entry.path(), &to.join(entry.file_name()))?;
        }
    } else if data.is_file() {
        fs::copy(from, to)?;
    }
    Ok(())
}

impl Step for DockerConfig {
    type Output = Utf8PathBuf;

    fn label(&self) -> String {
        "private docker configuration".into()
    }

    fn action(&self) -> Action<'_, Utf8PathBuf> {
        let carried = match &self.own {
            Some(own) => format!(", with context, plugins and builder of {own}"),
            None => String::new(),
        };
        Action::read(format!("make {} for {}{carried}", self.folder, self.registry), || self.make())
    }

    fn assume(&self) -> Utf8PathBuf {
        self.folder.clone()
    }

    fn summary(&self, folder: &Utf8PathBuf) -> Summary {
        Summary::line(folder.as_str())
    }
}

/// Removes what [`DockerConfig`] has made, and the login in it. For
/// [`crate::Context::finally`].
///
/// - In this process: removes the folder; what it links to stays.
/// - Touches: the folder. One that is not there is removed already.
///
/// ```
/// use talia_pipeline::{Step, steps::registry::RemoveDockerConfig};
///
/// let step = RemoveDockerConfig::new("/run/user/1000/x/docker");
/// assert_eq!(step.label(), "remove the private docker configuration");
/// ```
#[derive(Debug, Clone)]
pub struct RemoveDockerConfig {
    folder: Utf8PathBuf,
}

impl RemoveDockerConfig {
    /// This folder.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Step for RemoveDockerConfig {
    type Output = ();

    fn label(&self) -> String {
        "remove the private docker configuration".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("remove {}", self.folder), || match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::step(format!("{} still holds a login", self.folder))
                    .caused_by(error)
                    .hint(format!("remove it: `rm -r -- {}`", self.folder)))
            }
            _ => Ok(()),
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    struct Temp(Utf8PathBuf);
    impl Temp {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("talia-{name}-{}", std::process::id()));
            drop(fs::remove_dir_all(&folder));
            fs::create_dir_all(&folder).expect("a folder");
            Self(Utf8PathBuf::from_path_buf(folder).expect("UTF-8"))
        }
    }
    impl Drop for Temp {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn docker_config_minimal() {
        check("docker_config__minimal", &DockerConfig::new("/run/x/docker", "ghcr.io"));
    }

    #[test]
    fn docker_config_everything() {
        let step = DockerConfig::new("/run/it's/docker", "127.0.0.1:5000");
        check("docker_config__everything", &step.carries(Some("/srv/me/.docker".into())));
    }

    #[test]
    fn remove_docker_config_minimal() {
        check("remove_docker_config__minimal", &RemoveDockerConfig::new("/run/x/docker"));
    }

    #[test]
    fn the_users_own_folder_is_found() {
        let own = |variables: &[(&str, &str)]| {
            DockerConfig::of_user(&World::fixed("/srv", variables.iter().copied()))
        };
        assert_eq!(own(&[("HOME", "/a")]), Some("/a/.docker".into()));
        assert_eq!(own(&[("HOME", "/a"), ("DOCKER_CONFIG", "b")]), Some("/srv/b".into()));
        assert_eq!(own(&[]), None);
    }

    #[test]
    fn credentials_and_their_helpers_stay_behind() {
        let temp = Temp::new("docker-config");
        let (own, folder) = (temp.0.join("own"), temp.0.join("private"));
        for name in ["cli-plugins", "contexts/meta", "buildx/instances", "buildx/refs"] {
            fs::create_dir_all(own.join(name)).expect("a folder");
        }
        fs::write(own.join("buildx/current"), "{}").expect("a file");
        fs::write(own.join("buildx/instances/mine"), "{}").expect("a file");
        fs::write(
            own.join("config.json"),
            r#"{"auths":{"x":{"auth":"c2VjcmV0"}},"credsStore":"pass","credHelpers":{"x":"y"},
                "currentContext":"far","proxies":{"default":{}},"psFormat":"x"}"#,
        )
        .expect("a file");
        let step = DockerConfig::new(&folder, "ghcr.io").carries(Some(own.clone()));
        step.make().expect("it is made");
        let text = fs::read_to_string(folder.join("config.json")).expect("it is there");
        let config: Value = serde_json::from_str(&text).expect("JSON");
        let expected =
            r#"{"auths":{"ghcr.io":{}},"currentContext":"far","proxies":{"default":{}}}"#;
        assert_eq!(config, serde_json::from_str::<Value>(expected).expect("JSON"));
        assert_eq!(fs::read_link(folder.join("contexts")).expect("a link"), own.join("contexts"));
        assert!(folder.join("cli-plugins").is_symlink());
        assert!(folder.join("buildx/instances/mine").is_file());
        assert!(!folder.join("buildx/refs").exists());
        let mode = |path: &Utf8Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("config.json")), 0o600);

        fs::write(folder.join("config.json"), "logged in").expect("a file");
        step.make().expect("it stays");
        let kept = fs::read_to_string(folder.join("config.json")).expect("it is there");
        assert_eq!(kept, "logged in");

        let remove = RemoveDockerConfig::new(&folder);
        for _ in 0..2 {
            let Action::Work { work, .. } = remove.action() else { unreachable!("it is work") };
            work().expect("it is removed");
        }
        assert!(!folder.exists() && own.join("contexts/meta").is_dir());
    }

    #[test]
    fn a_folder_that_others_can_look_into_is_refused() {
        let temp = Temp::new("docker-config-open");
        let folder = temp.0.join("open");
        fs::DirBuilder::new().mode(0o755).create(&folder).expect("a folder");
        let error = DockerConfig::new(&folder, "x").make().expect_err("it is open");
        assert_eq!(error.kind(), crate::ErrorKind::Refused);
        symlink(&temp.0, temp.0.join("link")).expect("a link");
        assert!(DockerConfig::new(temp.0.join("link"), "x").make().is_err());
    }

    #[test]
    fn a_broken_configuration_is_told() {
        let temp = Temp::new("docker-config-broken");
        fs::write(temp.0.join("config.json"), "{").expect("a file");
        let step = DockerConfig::new(temp.0.join("p"), "x").carries(Some(temp.0.clone()));
        assert_eq!(step.make().expect_err("it is broken").kind(), crate::ErrorKind::Usage);
    }
}
