//! Whole servers as containers: an engine, sshd, Nginx, users and paths each, beside
//! a registry and a PostgreSQL, to try and test deploys for real on one machine.
//!
//! A [`Sandbox`] is a name in a state folder. [`up`] and [`down`] are flows like any
//! other: `cargo xtask sandbox up --plan` shows what they do. What is up is opened
//! with [`Sandbox::open`]; a [`Droplet`] is a server of it, with one-line calls for
//! what may happen to one: a reboot, a partition, a full disk.
//!
//! ```no_run
//! use talia_pipeline::{Pipeline, State, World};
//! use talia_sandbox::{Place, Sandbox, Wish, down, up};
//!
//! let world = World::real()?;
//! let place = Place::new(&State::new("/srv/target/talia/app"), "default")?;
//! let wish = Wish::new(&place);
//! Pipeline::new("up", "/", world.clone()).run(|cx| up(cx, &place, &wish)).result?;
//!
//! let sandbox = Sandbox::open(&place, &world)?;
//! let droplet = sandbox.droplet("droplet")?;
//! assert_eq!(droplet.said(["hostname"])?, "droplet");
//! droplet.reboot()?;
//!
//! Pipeline::new("down", "/", world).run(|cx| down(cx, &place)).result?;
//! # Ok::<(), talia_pipeline::Error>(())
//! ```
//!
//! Everything carries the labels `talia.sandbox` and `talia.sandbox.state`, by which
//! [`down`] finds it, after a killed [`up`] too.

mod base64;
mod door;
mod droplet;
mod facts;
mod faults;
mod flows;
mod images;
mod place;
mod sandbox;
mod server;
mod settings;
pub mod steps;
mod tar;
mod wish;

pub use droplet::{Droplet, Said};
pub use faults::Balloon;
pub use flows::{Part, Status, down, put_agents, status, up};
pub use place::Place;
pub use sandbox::{Registry, Sandbox};
pub use wish::{DropletWish, Wish};
