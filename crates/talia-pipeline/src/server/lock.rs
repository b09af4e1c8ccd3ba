//! The server's lock: held exactly as long as anything of its holder works.
//!
//! It is a kernel lock on an open file, and the descriptor is lent to every child: so it is
//! free when the last of them has ended, in whatever way, and never before.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    thread,
    time::Duration,
};

use camino::Utf8Path;
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};

use crate::{
    error::{Error, Result},
    process::Lent,
    protocol::LockHolder,
};

/// How long the kernel is waited for, once every holder is ended.
const FREED_WITHIN: Duration = Duration::from_secs(10);
/// How long one who only looks may hold it at most.
const LOOKED_AT_FOR: Duration = Duration::from_millis(200);
const NAP: Duration = Duration::from_millis(20);

/// What there is to do where the holder itself has died.
pub const GONE: &str = "that process has gone, and what it had started still works: wait until it \
                        has ended; `cargo xtask unlock` ends it at once";

/// Holds the server's lock.
#[derive(Debug)]
pub struct Lock {
    file: File,
    _lent: Lent,
}

impl Lock {
    /// Says in the file what the holder does now. On a full disk it may stay unsaid: the
    /// lock is held all the same.
    pub fn relabel(&mut self, holder: &LockHolder) {
        let text = format!("{}\n", serde_json::to_string(holder).unwrap_or_default());
        // Over what is there, and only then shorter: that needs no room on the disk.
        let written = self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes()));
        let length = if written.is_ok() { text.len() } else { 0 };
        drop(self.file.set_len(length as u64));
    }

    /// Takes it, and says in the file who has it.
    ///
    /// # Errors
    /// Refused when somebody else holds it, who is named; a step error when the file
    /// cannot be opened.
    pub fn take(path: &Utf8Path, holder: &LockHolder) -> Result<Self> {
        let cannot = |cause: std::io::Error| {
            Error::step(format!("the lock {path} cannot be taken")).caused_by(cause)
        };
        let mut file = open(path).map_err(cannot)?;
        let mut left = LOOKED_AT_FOR;
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(cannot(error.into()));
            }
            // Whoever only looks holds it for a moment too.
            if left.is_zero() {
                return Err(held(path, &mut file, holder.since_ms));
            }
            thread::sleep(NAP);
            left = left.saturating_sub(NAP);
        }
        // Children get it too: whatever works for the holder holds the lock.
        let lent = Lent::new(&file).map_err(cannot)?;
        let mut lock = Self { file, _lent: lent };
        lock.relabel(holder);
        Ok(lock)
    }
}

fn open(path: &Utf8Path) -> std::io::Result<File> {
    // Nobody but root may so much as look: a shared lock would keep a release out.
    File::options().create(true).read(true).write(true).truncate(false).mode(0o600).open(path)
}

fn held(path: &Utf8Path, file: &mut File, now_ms: u64) -> Error {
    let Some(holder) = read(file) else {
        return Error::refused("somebody works on this server, and has not said who")
            .hint("wait, ask `cargo xtask status`, or end it: `cargo xtask unlock`");
    };
    let age = now_ms.saturating_sub(holder.since_ms) / 1000;
    let advice = match holds(path, holder.pid) {
        true => holder.advice(),
        false => GONE.to_owned(),
    };
    let LockHolder { doing, by, run, pid, .. } = holder;
    Error::refused(format!(
        "{by} works on this server: {doing}, since {age} s (process {pid}, run {run})"
    ))
    .hint(advice)
}

fn read(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Who holds the lock, if anybody does.
///
/// # Errors
/// When the file cannot be opened for another reason than that it is not there.
pub fn holder(path: &Utf8Path) -> Result<Option<LockHolder>> {
    // Opened for reading alone: to look must not make the file.
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            return Err(Error::step(format!("the lock {path} cannot be read")).caused_by(cause));
        }
    };
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return Ok(None);
    }
    Ok(Some(read(&mut file).unwrap_or_else(|| LockHolder {
        pid: 0,
        doing: "something".to_owned(),
        by: "somebody".parse().unwrap_or_else(|_| unreachable!("it is a word")),
        run: "-".to_owned(),
        since_ms: 0,
    })))
}

/// Asks this holder of the lock to end, gently, unless it has gone.
///
/// # Errors
/// When it cannot be asked.
pub fn interrupt_holder(path: &Utf8Path, holder: &LockHolder) -> Result<()> {
    // The number may be another process's by now, unless that one holds the lock.
    let target = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    let Some(target) = target.filter(|_| holds(path, holder.pid)) else { return Ok(()) };
    kill_process(target, Signal::INT).map_err(|error| {
        Error::step(format!("process {} cannot be asked to end", holder.pid))
            .caused_by(std::io::Error::from(error))
    })
}

/// Whether this process holds the lock.
pub fn holds(path: &Utf8Path, pid: u32) -> bool {
    holders(path).contains(&pid)
}

/// Ends every process that holds the lock, and waits until the kernel has freed it.
/// Gives the numbers of those that were ended.
///
/// # Errors
/// When one cannot be ended.
pub fn end_holders(path: &Utf8Path) -> Result<Vec<u32>> {
    let mut ended = Vec::new();
    let mut left = FREED_WITHIN;
    let first = holder(path)?.map(|holder| holder.run);
    loop {
        // The next one may have it by now.
        if first.is_none() || holder(path)?.map(|holder| holder.run) != first {
            return Ok(ended);
        }
        for pid in holders(path).into_iter().filter(|pid| *pid != std::process::id()) {
            let target = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // A stopped process is ended as well; one that has gone is no error.
            if let Some(target) = target
                && kill_process(target, Signal::KILL).is_ok()
                && !ended.contains(&pid)
            {
                ended.push(pid);
            }
        }
        if left.is_zero() {
            return Err(Error::step(format!(
                "the lock {path} is still held after its holders were ended"
            ))
            .hint("a process that waits for a broken disk cannot be ended: reboot the server"));
        }
        thread::sleep(NAP);
        left = left.saturating_sub(NAP);
    }
}

/// The processes that hold the lock: who only looks has the file open as well.
fn holders(path: &Utf8Path) -> Vec<u32> {
    let Ok(own) = fs::metadata(path) else { return Vec::new() };
    let Ok(entries) = Utf8Path::new("/proc").read_dir_utf8() else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().parse::<u32>().ok());
    pids.filter(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
        descriptors.into_iter().flatten().flatten().any(|descriptor| {
            let is_it = fs::metadata(descriptor.path())
                .is_ok_and(|data| data.ino() == own.ino() && data.dev() == own.dev());
            let number = descriptor.file_name();
            let told = format!("/proc/{pid}/fdinfo/{}", number.to_string_lossy());
            let has_lock = |text: String| {
                text.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK"))
            };
            is_it && fs::read_to_string(told).is_ok_and(has_lock)
        })
    })
    .collect()
}
