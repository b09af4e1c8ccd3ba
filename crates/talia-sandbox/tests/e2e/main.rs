//! A sandbox for real: what it is, what may happen to it, and that nothing is left.
//!
//! Needs an engine and the base image; without them the tests fail and name what
//! brings them in.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::disallowed_methods, reason = "tests arrange processes and measure time by hand")]

mod faults;
mod kit;
mod server;

use kit::{Yard, turn};
use talia_pipeline::World;
use talia_sandbox::{Place, Sandbox};

/// Everything that needs a sandbox of two droplets, one after the other: bringing one
/// up for each would cost more than all of them.
#[test]
fn a_sandbox_is_a_whole_server_and_survives_what_happens_to_one() {
    let _turn = turn();
    let mut yard = Yard::new();
    let sandbox = yard.up(Place::DEFAULT, true);
    let droplet = sandbox.droplet("droplet").unwrap();

    server::a_key_reaches_the_gate_and_no_other_does(&sandbox, &droplet);
    server::nginx_answers_over_tls(&sandbox, &droplet);
    server::the_owners_are_right(&droplet);
    server::the_database_answers(&droplet);
    server::files_go_there_and_back(&droplet);
    let image = server::an_image_goes_through_the_registry(&sandbox, &droplet);
    faults::a_container_survives_its_engine(&droplet, &image);
    faults::a_reboot_keeps_ports_and_files(&sandbox, &droplet);
    faults::a_partition_cuts_everything_and_heals(&sandbox, &droplet, &image);
    faults::a_process_is_killed(&droplet);
    faults::the_network_is_slow(&sandbox, &droplet);
    faults::the_database_stops_and_comes_back(&sandbox, &droplet);
    faults::a_disk_is_full(&sandbox);
    server::two_environments_share_one_host(&sandbox);

    // A second one beside it has its own of everything, and goes alone.
    let other = yard.up("two", false);
    let (a, b) = (droplet.ssh_port(), other.droplet("droplet").unwrap().ssh_port());
    assert_ne!(a, b);
    assert_ne!(sandbox.registry().address, other.registry().address);
    yard.down("two");
    assert_eq!(yard.left("two"), "");
    assert!(!other.place().folder().exists());
    droplet.wait().unwrap();

    let images = |name: &str| {
        kit::said(std::process::Command::new("docker").args(["image", "ls", "--quiet", name]))
    };
    assert_ne!(images(&image), "", "it was pushed from here");
    yard.down(Place::DEFAULT);
    assert_eq!(yard.left(Place::DEFAULT), "");
    assert_eq!(images(&sandbox.registry().repository), "");
    assert_ne!(images("talia-base:bookworm"), "", "the same image by another name");
    assert!(Sandbox::open(sandbox.place(), &World::real().unwrap()).is_err());
}

#[test]
fn what_was_not_made_to_the_end_is_made_anew() {
    let _turn = turn();
    let mut yard = Yard::new();
    let sandbox = yard.up("cut", false);
    // What a killed `up` leaves: a part is missing, and nobody has said it is whole.
    let facts = sandbox.place().folder().join("sandbox.json");
    let text = std::fs::read_to_string(&facts).unwrap();
    std::fs::write(&facts, text.replace("\"complete\": true", "\"complete\": false")).unwrap();
    let registry = sandbox.place().container("registry");
    kit::said(std::process::Command::new("docker").args(["rm", "--force", &registry]));
    assert!(Sandbox::open(sandbox.place(), &World::real().unwrap()).is_err());

    let again = yard.up("cut", false);
    assert_ne!(again.registry().password, sandbox.registry().password);
    again.droplet("droplet").unwrap().stop().unwrap();
    // One that is whole is started again, with what is in it.
    let third = yard.up("cut", false);
    assert_eq!(third.registry(), again.registry());
    third.droplet("droplet").unwrap().wait().unwrap();
    yard.down("cut");
    assert_eq!(yard.left("cut"), "");
}
