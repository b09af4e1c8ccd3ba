//! What is known about a sandbox that no engine tells: `sandbox.json`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    net::TcpListener,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use talia_pipeline::{Action, Error, Result, Step, Summary, hole};

use crate::{DropletWish, Place, images, wish::Wish};

/// The name of the user that may push and pull.
pub(crate) const REGISTRY_USER: &str = "talia";

/// Ports are text because a plan has holes in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Which recipe the images were made from.
    pub(crate) version: String,
    /// Whether all of it was up once; else something ended `up` in the middle.
    pub(crate) complete: bool,
    pub(crate) registry_port: String,
    pub(crate) registry_password: String,
    pub(crate) database_password: String,
    pub(crate) twilio_token: String,
    pub(crate) droplets: BTreeMap<String, DropletFacts>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DropletFacts {
    pub(crate) ssh_port: String,
    pub(crate) http_port: String,
    pub(crate) https_port: String,
    /// The first one has the plain names.
    pub(crate) environments: Vec<String>,
    pub(crate) small_disk: Option<u32>,
}

impl Facts {
    /// `127.0.0.1:PORT`, the registry's address on the host and in every droplet.
    pub(crate) fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.registry_port)
    }

    /// Where releases come from.
    pub(crate) fn repository(&self) -> String {
        format!("{}/talia/backend", self.registry())
    }

    /// Where the app finds its database.
    pub(crate) fn database_url(&self) -> String {
        format!("postgresql://talia:{}@db:5432/talia", self.database_password)
    }

    /// Those of a sandbox that is not made yet, with values from these two.
    pub(crate) fn new(
        wishes: &[DropletWish],
        port: &mut dyn FnMut(&str) -> Result<String>,
        password: &mut dyn FnMut(&str) -> Result<String>,
    ) -> Result<Self> {
        let mut droplets = BTreeMap::new();
        for wish in wishes {
            let name = &wish.name;
            let facts = DropletFacts {
                ssh_port: port(&format!("{name}'s ssh port"))?,
                http_port: port(&format!("{name}'s http port"))?,
                https_port: port(&format!("{name}'s https port"))?,
                environments: wish.environments.clone(),
                small_disk: wish.small_disk,
            };
            droplets.insert(name.clone(), facts);
        }
        Ok(Self {
            version: images::version(),
            complete: false,
            registry_port: port("registry port")?,
            registry_password: password("registry password")?,
            database_password: password("database password")?,
            twilio_token: password("twilio token")?,
            droplets,
        })
    }

    /// Reads them; `None` where there is no such sandbox.
    pub(crate) fn read(place: &Place) -> Result<Option<Self>> {
        let path = place.file("sandbox.json");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|cause| cannot("read", &path, cause))?,
        };
        // What another version of this program wrote is as good as nothing.
        Ok(serde_json::from_str(&text).ok())
    }

    fn write(&self, place: &Place) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|cause| Error::step("the sandbox cannot be described").caused_by(cause))?;
        write_private(&place.file("sandbox.json"), text.as_bytes())
    }
}

fn cannot(what: &str, path: &Utf8Path, cause: io::Error) -> Error {
    Error::step(format!("cannot {what} {path}")).caused_by(cause)
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Utf8Path, content: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    drop(fs::remove_file(&partial));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut file| io::Write::write_all(&mut file, content))
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(|cause| cannot("write", path, cause))
}

/// What a sandbox's folder says about it, if there is one.
///
/// - In this process: reads `sandbox.json`.
/// - Touches: nothing.
#[derive(Debug, Clone)]
pub(crate) struct ReadFacts(pub(crate) Place);

impl Step for ReadFacts {
    type Output = Option<Facts>;

    fn label(&self) -> String {
        format!("what is known about the sandbox {}", self.0.name())
    }

    fn action(&self) -> Action<'_, Option<Facts>> {
        Action::read(format!("read {}", self.0.file("sandbox.json")), || Facts::read(&self.0))
    }

    fn assume(&self) -> Option<Facts> {
        None
    }

    fn summary(&self, facts: &Option<Facts>) -> Summary {
        Summary::line(match facts {
            Some(facts) if facts.complete => "it was up",
            Some(_) => "it was not made to the end",
            None => "nothing",
        })
    }
}

/// Makes a sandbox's folder with ports that are free and new passwords.
///
/// - In this process: makes the folder (0700) and `sandbox.json` in it (0600).
/// - Errors: the folder cannot be written; no port is free.
#[derive(Debug, Clone)]
pub(crate) struct MakeFacts {
    place: Place,
    wishes: Vec<DropletWish>,
}

impl MakeFacts {
    pub(crate) fn new(place: &Place, wish: &Wish) -> Self {
        Self { place: place.clone(), wishes: wish.all().to_vec() }
    }

    fn make(&self) -> Result<Facts> {
        let folder = self.place.folder();
        let parent = folder.parent().unwrap_or(&folder);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        fs::create_dir_all(parent)
            .and_then(|()| match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => private.create(&folder),
            })
            .map_err(|cause| cannot("make", &folder, cause))?;
        let mut ports = Ports::default();
        let facts = Facts::new(&self.wishes, &mut |_| ports.free(), &mut |_| random(16))?;
        facts.write(&self.place)?;
        Ok(facts)
    }
}

impl Step for MakeFacts {
    type Output = Facts;

    fn label(&self) -> String {
        "choose ports and passwords".into()
    }

    fn action(&self) -> Action<'_, Facts> {
        Action::work(format!("make {}", self.place.folder()), || self.make())
    }

    fn assume(&self) -> Facts {
        let hole = |name: &str| Ok(hole::named(name));
        match Facts::new(&self.wishes, &mut { hole }, &mut { hole }) {
            Ok(facts) => facts,
            Err(_) => unreachable!("holes are always free"),
        }
    }

    fn summary(&self, facts: &Facts) -> Summary {
        Summary::line(format!("registry {}", facts.registry()))
    }
}

/// Writes down that all of a sandbox is up.
///
/// - In this process: replaces `sandbox.json`.
#[derive(Debug, Clone)]
pub(crate) struct Completed {
    place: Place,
    facts: Facts,
}

impl Completed {
    pub(crate) fn new(place: &Place, facts: &Facts) -> Self {
        Self { place: place.clone(), facts: Facts { complete: true, ..facts.clone() } }
    }
}

impl Step for Completed {
    type Output = ();

    fn label(&self) -> String {
        "remember that it is up".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("write {}", self.place.file("sandbox.json"));
        Action::work(what, || self.facts.write(&self.place))
    }

    fn assume(&self) {}
}

/// Removes a sandbox's folder.
///
/// - In this process: removes it with everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Forget(pub(crate) Place);

impl Step for Forget {
    type Output = ();

    fn label(&self) -> String {
        "remove its folder".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let folder: Utf8PathBuf = self.0.folder();
        Action::work(format!("remove {folder}"), move || match fs::remove_dir_all(&folder) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(cannot("remove", &folder, cause))
            }
            _ => Ok(()),
        })
    }

    fn assume(&self) {}
}

/// This many random bytes, in hexadecimal.
fn random(bytes: usize) -> Result<String> {
    let path = Utf8Path::new("/dev/urandom");
    let mut buffer = vec![0; bytes];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut buffer))
        .map_err(|cause| cannot("read", path, cause))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Finds free ports, and holds each until all are found.
#[derive(Default)]
struct Ports(Vec<TcpListener>);

impl Ports {
    /// A port below those that the system gives to outgoing connections, so that it
    /// is still free when a stopped container is started again.
    fn free(&mut self) -> Result<String> {
        for _ in 0..100 {
            let number = u16::from_str_radix(&random(2)?, 16).unwrap_or_default();
            let port = 10_000 + number % 20_000;
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                self.0.push(listener);
                return Ok(port.to_string());
            }
        }
        Err(Error::step("no free port was found between 10000 and 30000"))
    }
}
