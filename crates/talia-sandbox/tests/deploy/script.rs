//! The script of a server without an agent, on a real one.

use std::time::Duration;

use talia_pipeline::templates::DeployScript;

use crate::kit::{Site, Yard, seen, until};

const PATH: &str = "/usr/local/lib/talia/script-under-test.sh";
const FOLDER: &str = "/opt/talia-script-under-test";
const ENDED: &str = "/run/script-under-test";

/// A backend of two services; gone when dropped.
struct Backend<'a>(&'a Site);

impl<'a> Backend<'a> {
    fn new(site: &'a Site) -> Self {
        let script = DeployScript::new(&site.environment).folder(FOLDER);
        site.droplet.write(PATH, script.render().as_bytes(), 0o755).unwrap();
        site.droplet.script(&format!("mkdir -p {FOLDER}; rm -f {ENDED}")).unwrap();
        let digest = site.well("a").digest;
        let backend = Self(site);
        backend.image(&format!("{}@{digest}", site.images.repository()));
        backend
    }

    fn image(&self, image: &str) {
        let service = format!(
            "image: {image}\n    entrypoint: [sleep, infinity]\n    stop_signal: SIGKILL\n"
        );
        let compose = format!("services:\n  one:\n    {service}  two:\n    {service}");
        let path = format!("{FOLDER}/docker-compose.yml");
        self.0.droplet.write(&path, compose.as_bytes(), 0o644).unwrap();
    }

    fn running(&self) -> String {
        let count = format!("cd {FOLDER} && docker compose ps --quiet --status running | wc -l");
        self.0.droplet.script(&count).unwrap()
    }
}

impl Drop for Backend<'_> {
    fn drop(&mut self) {
        let script = format!(
            "cd {FOLDER} && docker compose down --timeout 0; cd /; rm -rf {FOLDER} {PATH} {ENDED}"
        );
        drop(self.0.droplet.script(&script));
    }
}

pub(crate) fn a_client_that_has_gone_ends_no_deploy(yard: &Yard) {
    let site = yard.ports();
    let backend = Backend::new(&site);
    // Before Compose has said a word nobody listens any more.
    site.droplet.script(&format!("({PATH} deploy 2>&1; echo $? > {ENDED}) | true")).unwrap();
    until("the script has ended", Duration::from_secs(60), || {
        site.droplet.exec(["test", "-s", ENDED]).unwrap().exit == 0
    });
    let ended = site.droplet.script(&format!("cat {ENDED}")).unwrap();
    let running = backend.running();
    assert_eq!((ended.as_str(), running.as_str()), ("0", "2"));
    seen(
        "4",
        "the client of a deploy by script goes at once",
        format!("its Compose ends with {ended}, {running} services run"),
    );

    // What fails is told, and ends as Compose does.
    backend.image("127.0.0.1:9/talia/none:latest");
    let failed = site.droplet.exec([PATH, "deploy"]).unwrap();
    let told = failed.stderr;
    assert!(failed.exit != 0 && told.contains("127.0.0.1:9"), "{}: {told}", failed.exit);
    assert_eq!(backend.running(), "2", "nothing was ended for it");
}
