//! What Linux tells about processes, and does to them.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open,
        pidfd_send_signal, set_child_subreaper, waitid,
    },
};

use super::mark::{Mark, RUN_MARK};
pub(super) use super::scan::Scanner;

/// This process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) pid: i32,
    pub(super) start: u64,
    pub(super) namespace: u64,
}

/// One process, as it was when `/proc` was read.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// In clock ticks since boot. With the pid it names a process for good.
    pub(super) start: u64,
    /// Ended and not reaped.
    pub(super) ended: bool,
    pub(super) name: String,
    pub(super) threads: u64,
    ticks: u64,
}

/// What the environment of a process says.
#[derive(Debug)]
pub(super) enum Marks {
    /// These marks, or none.
    Known(Vec<Mark>),
    /// It is just executing a program and has no environment yet.
    NotYet,
    /// It is not ours to read.
    Closed,
}

/// This process.
pub(super) fn own() -> Own {
    static OWN: OnceLock<Own> = OnceLock::new();
    *OWN.get_or_init(|| {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Own {
            pid,
            start: process(pid).map_or(0, |own| own.start),
            namespace: rustix::fs::stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino),
        }
    })
}

/// Whether `/proc` can be read at all.
pub(super) fn can_see() -> bool {
    own().start != 0
}

impl Process {
    /// Its pid and start time.
    pub(super) fn key(&self) -> (i32, u64) {
        (self.pid, self.start)
    }

    /// The processor time of it and of all its children that were waited for.
    pub(super) fn processor_time(&self) -> Duration {
        Duration::from_secs(self.ticks)
            / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        // The name may hold spaces and parentheses: the last one closes it.
        let open = stat.iter().position(|byte| *byte == b'(')?;
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let threads = number(17)?;
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            start: number(19)?,
            // A leader that has ended while its threads go on is no corpse.
            ended: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
            name,
            threads,
            ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        })
    }
}

/// Reads one process.
pub(super) fn process(pid: i32) -> Option<Process> {
    let mut buffer = [0; 1024];
    let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
    let length = file.read(&mut buffer).ok()?;
    Process::parse(&buffer[..length])
}

/// Every process, in no order.
pub(super) fn all() -> Vec<Process> {
    let listed = numbers(Path::new("/proc")).unwrap_or_default();
    listed.into_iter().filter_map(|(pid, _)| process(pid)).collect()
}

/// Reads the marks of a process.
pub(super) fn marks(pid: i32) -> Marks {
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}"));
    let Ok(environment) = read("environ") else { return Marks::Closed };
    if let Some(marks) = marks_in(&environment) {
        return Marks::Known(marks);
    }
    // A program that is executed meanwhile empties or cuts what is read here, and between
    // the old one and the new one there is neither an environment nor a command line. So
    // that there is no mark counts where it is read twice, of one program. A kernel thread
    // never has a command line, but is nobody's child here.
    let (before, again, after) = (read("cmdline"), read("environ"), read("cmdline"));
    let (Ok(before), Ok(again), Ok(after)) = (before, again, after) else { return Marks::NotYet };
    if let Some(marks) = marks_in(&again) {
        return Marks::Known(marks);
    }
    let is_one_program = !before.is_empty() && before == after;
    if again == environment && (is_one_program || !again.is_empty()) {
        return Marks::Known(Vec::new());
    }
    Marks::NotYet
}

/// The marks in an environment, of which the last variable may be cut.
fn marks_in(environment: &[u8]) -> Option<Vec<Mark>> {
    let whole = environment.split_inclusive(|byte| *byte == 0);
    let mut whole = whole.filter_map(|variable| variable.strip_suffix(&[0]));
    let value = whole.find_map(|one| one.strip_prefix(RUN_MARK.as_bytes())?.strip_prefix(b"="))?;
    Some(Mark::all(OsStr::from_bytes(value)))
}

/// Whether a process holds one of these pipes, named by inode.
pub(super) fn holds_pipe(pid: i32, pipes: &[u64]) -> bool {
    let wanted: Vec<OsString> = pipes.iter().map(|pipe| format!("pipe:[{pipe}]").into()).collect();
    let folder = format!("/proc/{pid}/fd");
    let Some(held) = numbers(Path::new(&folder)) else { return false };
    held.into_iter().any(|(fd, _)| {
        fs::read_link(format!("{folder}/{fd}"))
            .is_ok_and(|target| wanted.contains(&target.into_os_string()))
    })
}

/// Signals this very process: the pidfd pins the number, then the start time
/// says whether it is still the one that was scanned.
pub(super) fn signal(process: &Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    let same = || self::process(process.pid).is_some_and(|now| now.key() == process.key());
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) if same() => _ = pidfd_send_signal(pidfd, signal),
        Ok(_) | Err(Errno::SRCH) => {}
        // No descriptor left, or an old kernel: the comparison alone.
        Err(_) if same() => _ = kill_process(pid, signal),
        Err(_) => {}
    }
}

/// What becomes readable when the child has ended.
pub(super) fn exit_watch(child: Pid) -> Option<OwnedFd> {
    pidfd_open(child, PidfdFlags::empty()).ok()
}

/// From now on orphans among our descendants become our children.
pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(set_child_subreaper(Pid::from_raw(1))?)
}

/// Whether this process has no child at all, dead or alive. One system call.
pub(super) fn childless() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, options), Err(Errno::CHILD))
}

/// Takes the corpse of an adopted process away.
pub(super) fn reap(process: &Process) {
    if let Some(pid) = Pid::from_raw(process.pid) {
        _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// The entries of a folder that are numbers, with their inode numbers.
pub(super) fn numbers(folder: &Path) -> Option<Vec<(i32, u64)>> {
    use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = Dir::new(openat(CWD, folder, flags, Mode::empty()).ok()?).ok()?;
    let entries = folder.filter_map(Result::ok);
    Some(
        entries
            .filter_map(|entry| Some((entry.file_name().to_str().ok()?.parse().ok()?, entry.ino())))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_never_overlooked_while_programs_are_executed() {
        let value = crate::process::RunMark::new("r", Path::new("/")).command(
            7,
            crate::process::Leaves::Nothing,
            "s",
        );
        let mut known = 0;
        for _ in 0..150 {
            let chain = "exec setsid setsid -w env nice setsid true";
            let mut command = crate::process::Spawn::new("/bin/sh", "marks")
                .args(["-c", chain])
                .command(OsStr::new("none"))
                .unwrap();
            let mut child = command.env(RUN_MARK, &value).spawn().unwrap();
            let pid = child.id() as i32;
            while child.try_wait().unwrap().is_none() {
                if let Marks::Known(marks) = marks(pid) {
                    assert_eq!(marks.len(), 1);
                    known += 1;
                }
            }
        }
        assert!(known > 150, "hardly any was read: {known}");
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let line = b"42 (a) R 1 (b) S 7 8 9 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 99 0 0\n";
        let process = Process::parse(line).unwrap();
        assert_eq!((process.pid, process.parent, process.group, process.start), (42, 7, 8, 99));
        assert_eq!((process.name.as_str(), process.ticks), ("a) R 1 (b", 10));
    }
}
