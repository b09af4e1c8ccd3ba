//! How long a deploy of a large tree takes, beside what people have without us. A
//! measurement: `cargo xtask selftest --soak` runs it.

use std::{
    fs,
    io::Write as _,
    process::Command,
    time::{Duration, Instant},
};

use camino::Utf8Path;

use super::{pages, plain::Plain};
use crate::{
    kit::{Project, Yard, agent, said},
    support::commit,
};

const FILES: usize = 20_000;
/// 430 MB in all.
const FILE_BYTES: usize = 21_500;
const ROUNDS: usize = 7;
/// Where rsync puts the same tree on the same droplet.
const FOLDER: &str = "/srv/plain";

/// 20,000 files of 430 MB over ssh on loopback: nothing changed and one file changed, by
/// the real client and by rsync, each in turn, and what a connection alone costs. Before
/// that, one file changed in each of the first releases.
pub(crate) fn twenty_thousand_files(yard: &Yard) {
    let site = yard.site();
    site.droplet.install_agent(&agent::released()).unwrap();
    let (project, plain) = (Project::new(&site), Plain::new(&site, FOLDER));
    let source = project.root().join("infra/reference/landing/src");
    large(&source);
    commit(project.root());
    let deploy = ["deploy", "landing", "--env", &site.environment];
    let plan = ["deploy", "landing", "--env", &site.environment, "--plan"];
    let ours = |args: &[&str]| {
        let began = Instant::now();
        let ran = project.run(args).ended(0);
        (began.elapsed(), ran.stdout)
    };
    // Whatever another test has published.
    let (first, _) = ours(&[&deploy[..], &["--allow-deletions", "1000"]].concat());
    let (again, _) = ours(&deploy);
    println!("the first deploy: {:.1} s; the one after it: {:.1} s", secs(first), secs(again));
    plain.rsync(&source, &[]);

    let shared = plain.shared();
    let timed = |command: &mut Command| {
        let began = Instant::now();
        said(command);
        began.elapsed()
    };
    let rsync = |changed: usize| {
        let began = Instant::now();
        let told = plain.rsync(&source, &[]);
        assert_eq!(told.len(), changed, "{told:?}");
        began.elapsed()
    };
    let mut table = Table::default();
    for round in 0..ROUNDS {
        // As long as no release was pruned, there is no tree that could be used again.
        fs::write(source.join(name(round)), pages::bytes(2 * FILES + round, FILE_BYTES)).unwrap();
        table.add("ours, deploy, of the first releases", ours(&deploy).0);
    }
    plain.rsync(&source, &[]);
    for round in 0..ROUNDS {
        // A file whose content is another one, and as long.
        let one = source.join(name(round * 997));
        fs::write(&one, pages::bytes(FILES + round, FILE_BYTES)).unwrap();
        let (took, told) = ours(&plan);
        assert!(told.contains("\n1 changed: "), "{told}");
        table.add("ours, plan, one file changed", took);
        let (took, told) = ours(&deploy);
        assert!(told.contains("is live on"), "{told}");
        table.add("ours, deploy, one file changed", took);
        table.add("rsync, one file changed", rsync(1));
        table.add("ours, plan, nothing changed", ours(&plan).0);
        let (took, told) = ours(&deploy);
        assert!(told.contains("nothing to do"), "{told}");
        table.add("ours, deploy, nothing changed", took);
        table.add("rsync, nothing changed", rsync(0));
        table.add(CONNECTION, timed(&mut plain.ssh(&[], &["true"])));
        table.add("ssh host true, shared connection", timed(&mut shared.ssh(&["true"])));
    }
    table.print();
    site.droplet.install_agent(&agent::build()).unwrap();
}

const CONNECTION: &str = "ssh host true, own connection";

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// What was measured, by its name.
#[derive(Default)]
struct Table(Vec<(&'static str, Vec<Duration>)>);

impl Table {
    fn add(&mut self, what: &'static str, took: Duration) {
        match self.0.iter_mut().find(|(name, _)| *name == what) {
            Some((_, all)) => all.push(took),
            None => self.0.push((what, vec![took])),
        }
    }

    fn print(&self) {
        let sorted = |all: &[Duration]| {
            let mut all = all.to_vec();
            all.sort();
            all
        };
        let middle = |what: &str| {
            let found = self.0.iter().find(|(name, _)| *name == what);
            found.map_or(f64::NAN, |(_, all)| secs(sorted(all)[all.len() / 2]))
        };
        println!("{FILES} files, {} MB, {ROUNDS} rounds:", FILES * FILE_BYTES / 1_000_000);
        for (what, all) in &self.0 {
            let all = sorted(all);
            let (least, most) = (secs(all[0]), secs(all[all.len() - 1]));
            println!(
                "    {what:34} {:6.3} s median ({least:.3} to {most:.3}), {:5.1} x a connection",
                middle(what),
                middle(what) / middle(CONNECTION)
            );
        }
        for change in ["nothing changed", "one file changed"] {
            println!(
                "    {change}: rsync takes {:.1} x as long as our deploy",
                middle(&format!("rsync, {change}")) / middle(&format!("ours, deploy, {change}"))
            );
        }
    }
}

fn name(n: usize) -> String {
    let (section, folder) = (n / 1000, n / 100 % 10);
    format!("section-{section:02}/m{folder}/page-{n:05}.html")
}

/// Sections of ten folders of a hundred files each.
fn large(source: &Utf8Path) {
    for n in 0..FILES {
        let path = source.join(name(n));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.write_all(&pages::bytes(n, FILE_BYTES)).unwrap();
    }
    fs::write(source.join("index.html"), "<!doctype html>\n").unwrap();
}
