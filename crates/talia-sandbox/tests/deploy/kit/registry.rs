//! What a registry itself says, asked by its HTTP interface as no client of ours asks it.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use talia_sandbox::Sandbox;

use super::said;

/// Every kind of manifest that a tag may name.
const KINDS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// How often a watch looks.
const LOOK: Duration = Duration::from_millis(40);

/// The repository of a sandbox's images.
#[derive(Clone)]
pub(crate) struct Registry {
    /// What curl is told, the password among it.
    config: PathBuf,
    url: String,
    container: String,
}

/// Sees every digest that a tag ever names, until it is ended.
pub(crate) struct Watch {
    registry: Registry,
    is_over: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Registry {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let own = sandbox.registry();
        let name = own.repository.strip_prefix(&format!("{}/", own.address)).unwrap();
        let config = sandbox.place().folder().join("curl").into_std_path_buf();
        let mut text = format!("silent\nshow-error\nuser = \"{}:{}\"\n", own.user, own.password);
        text += &KINDS.map(|kind| format!("header = \"Accept: {kind}\"\n")).concat();
        fs::write(&config, text).unwrap();
        Self {
            config,
            url: format!("http://{}/v2/{name}", own.address),
            container: sandbox.place().container("registry"),
        }
    }

    fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.arg("--config").arg(&self.config);
        curl
    }

    /// The digest that a tag names.
    pub(crate) fn digest(&self, tag: &str) -> Option<String> {
        let url = format!("{}/manifests/{tag}", self.url);
        let head = said(self.curl().args(["--head", &url]));
        let mut lines = head.lines().map(str::trim);
        let has_it = lines.next().is_some_and(|line| line.contains(" 200"));
        let digest = lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("docker-content-digest").then(|| value.to_owned())
        });
        digest.filter(|_| has_it)
    }

    fn json(&self, path: &str) -> Value {
        let url = format!("{}/{path}", self.url);
        let text = said(self.curl().args(["--fail", "--location", &url]));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
    }

    /// The digest of the one image behind this: a list of one may stand around it.
    pub(crate) fn image(&self, digest: &str) -> String {
        let manifest = self.json(&format!("manifests/{digest}"));
        match manifest["manifests"][0]["digest"].as_str() {
            Some(only) => only.to_owned(),
            None => digest.to_owned(),
        }
    }

    /// The commit that the image behind a digest says it is.
    pub(crate) fn revision(&self, digest: &str) -> String {
        let manifest = self.json(&format!("manifests/{}", self.image(digest)));
        let config =
            self.json(&format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
        let label = &config["config"]["Labels"]["org.opencontainers.image.revision"];
        label.as_str().unwrap_or_else(|| panic!("it names no commit: {config}")).to_owned()
    }

    /// Points a tag at what a digest names, as somebody does who asks nobody.
    pub(crate) fn point(&self, tag: &str, digest: &str) {
        let manifest = self.config.with_extension("manifest");
        let from = format!("{}/manifests/{digest}", self.url);
        let kind = said(
            self.curl()
                .args(["--fail", "--write-out", "%{content_type}", &from, "-o"])
                .arg(&manifest),
        );
        let (kind, to) = (format!("Content-Type: {kind}"), format!("{}/manifests/{tag}", self.url));
        let mut put = self.curl();
        put.args(["--fail", "--request", "PUT", "--header", &kind, "--data-binary"]);
        said(put.arg(format!("@{}", manifest.display())).arg(&to));
        assert_eq!(self.digest(tag).as_deref(), Some(digest));
    }

    /// Takes a tag away, with what it names.
    pub(crate) fn forget(&self, tag: &str) {
        let Some(digest) = self.digest(tag) else { return };
        let url = format!("{}/manifests/{digest}", self.url);
        said(self.curl().args(["--fail", "--request", "DELETE", &url]));
        assert_eq!(self.digest(tag), None);
    }

    /// How often anybody has ever pointed a tag at something.
    pub(crate) fn moves(&self, tag: &str) -> usize {
        let log = said(Command::new("docker").args(["logs", &self.container]));
        let put = format!("manifests/{tag} HTTP/1.1\" 201");
        log.lines().filter(|line| line.contains("\"PUT ") && line.contains(&put)).count()
    }

    /// Looks at a tag again and again.
    pub(crate) fn watch(&self, tag: &'static str) -> Watch {
        let (is_over, looks) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (registry, over, count) = (self.clone(), Arc::clone(&is_over), Arc::clone(&looks));
        let thread = thread::spawn(move || {
            let mut seen: Vec<String> = Vec::new();
            loop {
                // The last look is after the end.
                let is_last = over.load(Ordering::Relaxed);
                let now = registry.digest(tag);
                count.fetch_add(1, Ordering::Relaxed);
                seen.extend(now.filter(|now| seen.last() != Some(now)));
                if is_last {
                    return seen;
                }
                thread::sleep(LOOK);
            }
        });
        Watch { registry: self.clone(), is_over, looks, thread }
    }
}

impl Watch {
    /// How often it was looked, and the commits that the tag has named, in order.
    pub(crate) fn end(self) -> (usize, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap();
        let revisions = seen.iter().map(|digest| self.registry.revision(digest));
        (self.looks.load(Ordering::Relaxed), revisions.collect())
    }
}
