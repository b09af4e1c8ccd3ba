//! Where a secret shows, and how; here and in the tests of real deploys.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use crate::support::{Temp, command, said};

/// Counts the processes that show one of these texts in their arguments.
pub(crate) fn watch<T>(texts: &[String], work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (done, looks, seen) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
                    // Most entries are no process; processes end.
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line);
                    if texts.iter().any(|text| line.contains(text)) {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
                looks.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        // The watcher ends with the work, however that ends.
        let result = panic::catch_unwind(AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    });
    (result, looks.into_inner(), seen.into_inner())
}

/// Pieces of the secret as each spelling has them; none may be anywhere.
pub(crate) fn pieces(secret: &str) -> Vec<String> {
    let script = "import base64, json, sys, urllib.parse as u; s = sys.stdin.read(); b = s.encode()\n\
        print(json.dumps(s)[1:-1]); print(u.quote(s)); print(u.quote(s, safe='').lower())\n\
        print(base64.b64encode(b).decode()[:-4])\n\
        print(base64.urlsafe_b64encode(b'x' + b).decode()[2:-4])\n\
        print(base64.b64encode(b'xy' + b + b'z').decode()[3:-4])";
    let input = Temp::new();
    input.write("secret", secret);
    let mut python = command("python3");
    python.args(["-c", script]).stdin(fs::File::open(input.path().join("secret")).unwrap());
    let told = said(&mut python);
    let mut pieces: Vec<String> = told.lines().map(str::to_owned).collect();
    pieces.push(secret.to_owned());
    // What is left where only the special characters are spelt another way.
    pieces.push(secret.split('/').next().unwrap().to_owned());
    pieces
}
