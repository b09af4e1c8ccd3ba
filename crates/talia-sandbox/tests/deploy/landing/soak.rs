//! Many releases while readers read without pause, and the field's literal command beside
//! them. A measurement: `cargo xtask selftest --soak` runs it.

use std::time::{Duration, Instant};

use super::{
    crawler::{Crawler, Told},
    page::live_folder,
    pages,
    plain::Plain,
};
use crate::{
    kit::{Project, Site, Yard, agent},
    support::Temp,
};

const RELEASES: usize = 50;
const READERS: usize = 3;

/// 50 deploys by the real client cost readers nothing; then what rsync into the live folder
/// costs them.
pub(crate) fn fifty_releases_under_a_crawler(yard: &Yard) {
    let site = yard.site();
    // The one that is tested is not optimised.
    site.droplet.install_agent(&agent::released()).unwrap();
    let ours = by_us(&site);
    site.droplet.install_agent(&agent::build()).unwrap();
    let plain = by_rsync(&yard.staging());
    println!("{RELEASES} releases of all pages, {READERS} readers without pause:");
    for (name, told, took) in
        [("deploy landing", &ours.0, ours.1), ("rsync in place", &plain.0, plain.1)]
    {
        println!("    {name}: {:.2} s each, median; {told}", took.as_secs_f64());
        told.failures.iter().take(3).for_each(|failure| println!("        such as {failure}"));
    }
    assert_eq!((ours.0.errors, ours.0.torn), (0, 0), "readers have noticed");
    assert!(ours.0.pages > RELEASES && plain.0.pages > RELEASES, "hardly anything was read");
}

fn by_us(site: &Site) -> (Told, Duration) {
    let project = Project::new(site);
    let source = project.root().join("infra/reference/landing/src");
    // All assets of a version are new ones: more than may be deleted unasked.
    let deploy = ["deploy", "landing", "--env", &site.environment, "--allow-deletions", "500"];
    under_readers(site, |version| {
        pages::write(&source, version);
        let began = Instant::now();
        project.run(&deploy).ended(0);
        began.elapsed()
    })
}

fn by_rsync(site: &Site) -> (Told, Duration) {
    let temp = Temp::new();
    let source = temp.path().join("src");
    let plain = Plain::new(site, &live_folder(site));
    under_readers(site, |version| {
        pages::write(&source, version);
        let began = Instant::now();
        plain.rsync(&source, &[]);
        began.elapsed()
    })
}

/// Publishes one version, then 50 more while readers read; gives what they have seen, and
/// how long a release takes, in the middle.
fn under_readers(site: &Site, mut publish: impl FnMut(usize) -> Duration) -> (Told, Duration) {
    publish(0);
    let crawler = Crawler::over(&site.target(), &pages::addresses(), READERS);
    let mut took: Vec<Duration> = (1..=RELEASES).map(&mut publish).collect();
    let told = crawler.stop();
    took.sort();
    (told, took[took.len() / 2])
}
