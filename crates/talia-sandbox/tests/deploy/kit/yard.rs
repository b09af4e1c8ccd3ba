//! The sandbox that all tests share; it goes with the last of them.

use std::{
    env, fs,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use camino::Utf8PathBuf;
use talia_pipeline::{Pipeline, State, World};
use talia_sandbox::{DropletWish, Place, Sandbox, Wish, down, up};

use super::{Images, Site, agent};

/// Nobody waits for a stranger's load; and a release is tried here without a backup.
const SHORT_TIMES: &str = "s/^drain_seconds = .*/drain_seconds = 1/; \
                           s/^interval_ms = .*/interval_ms = 100/; \
                           s/^stability_seconds = .*/stability_seconds = 1/; \
                           s/^timeout_ms = .*/timeout_ms = 1000/; \
                           s/^deadline_seconds = .*/deadline_seconds = 12/; \
                           s/^idle_seconds = .*/idle_seconds = 15/; \
                           s/^database = .*/database = \"none\"/";

/// In megabytes: what a release wants to be free, and an image.
const SMALL_DISK: u32 = 1900;

pub(crate) struct Yard {
    state: Utf8PathBuf,
    place: Place,
    sandbox: Option<Sandbox>,
    images: Option<Arc<Images>>,
}

impl Yard {
    /// Brings the sandbox up: a droplet of three environments, and one of a small disk.
    pub(crate) fn up() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let folder = Utf8PathBuf::from_path_buf(env::temp_dir()).unwrap();
        let state = folder.join(format!("talia deploy {}-{now}", std::process::id()));
        fs::create_dir_all(&state).unwrap();
        let place = Place::new(&State::new(&state), Place::DEFAULT).unwrap();
        let mut yard = Self { state, place, sandbox: None, images: None };
        let main = DropletWish::new("droplet");
        let main = main.environment(yard.place.environment());
        let main = main.environment("staging").environment("ports");
        let small = DropletWish::new("small").environment(yard.place.environment());
        let wish = Wish::new(&yard.place)
            .droplets([main, small.small_disk(SMALL_DISK)])
            .agent(agent::build());
        let world = World::real().unwrap();
        let mut pipeline = Pipeline::new("up", "/", world.clone());
        pipeline.run(|cx| up(cx, &yard.place, &wish)).result.unwrap();
        let sandbox = Sandbox::open(&yard.place, &world).unwrap();
        yard.images = Some(Arc::new(Images::new(&sandbox)));
        for droplet in sandbox.droplets() {
            droplet.script(&format!("sed -i '{SHORT_TIMES}' /etc/talia/*.toml")).unwrap();
        }
        yard.sandbox = Some(sandbox);
        yard
    }

    fn on(&self, droplet: &str, environment: &str) -> Site {
        let sandbox = self.sandbox.clone().unwrap();
        Site {
            droplet: sandbox.droplet(droplet).unwrap(),
            sandbox,
            environment: environment.to_owned(),
            images: self.images.clone().unwrap(),
            line: None,
        }
    }

    /// The environment that nearly all tests work on.
    pub(crate) fn site(&self) -> Site {
        self.on("droplet", &self.place.environment())
    }

    /// Another environment on the same host.
    pub(crate) fn staging(&self) -> Site {
        self.on("droplet", "staging")
    }

    /// One more, whose service listens on a port once it is told so.
    pub(crate) fn ports(&self) -> Site {
        self.on("droplet", "ports")
    }

    /// One whose disk can be full.
    pub(crate) fn small(&self) -> Site {
        self.on("small", &self.place.environment())
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // Nothing may hide a test's own failure.
        if let Ok(world) = World::real() {
            drop(Pipeline::new("down", "/", world).run(|cx| down(cx, &self.place)).result);
        }
        drop(fs::remove_dir_all(&self.state));
    }
}
