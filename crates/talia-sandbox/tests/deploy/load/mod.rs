//! Load through a droplet's Nginx, as many clients at once make it: over TLS, by the
//! real host name, to 127.0.0.1. It ends by itself, at its deadline at the latest.

mod client;
mod told;
mod work;

pub(crate) use client::{Connection, Target};
pub(crate) use told::{Told, what_was_seen_is_told};
pub(crate) use work::{Kind, Load, Mix};
