//! Looks for a secret where every user of a machine can read it.

use std::{
    collections::BTreeSet,
    fs,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::support::command;

/// Watches the arguments of every process until it is asked what it has seen.
pub(crate) struct Arguments {
    stop: Arc<AtomicBool>,
    watch: JoinHandle<BTreeSet<String>>,
}

impl Arguments {
    /// Looks for this text, over and over.
    pub(crate) fn watch(text: &str) -> Self {
        let (stop, text) = (Arc::new(AtomicBool::new(false)), text.to_owned());
        let stopped = Arc::clone(&stop);
        let watch = thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                look(&text, &mut seen);
                thread::sleep(Duration::from_millis(1));
            }
            seen
        });
        Self { stop, watch }
    }

    /// The command lines that held it.
    pub(crate) fn seen(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.watch.join().unwrap().into_iter().collect()
    }
}

fn look(text: &str, seen: &mut BTreeSet<String>) {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    for process in processes.filter(|path| path.join("cmdline").exists()) {
        // It may have ended meanwhile.
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            seen.insert(line);
        }
    }
}

#[test]
fn a_planted_secret_is_seen() {
    let watch = Arguments::watch("planted-canary");
    let mut sleep = command("sh");
    sleep.args(["-c", "sleep 0.2; :", "planted-canary"]).stdout(Stdio::null());
    assert!(sleep.status().unwrap().success());
    assert_eq!(watch.seen().len(), 1);
}
