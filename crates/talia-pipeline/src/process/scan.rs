//! Finds the processes that may be ours, on Linux.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{self, File},
    path::Path,
    sync::OnceLock,
};

use super::{
    kernel::{Marks, Process, can_see, marks, numbers, own, process},
    mark::Mark,
};

/// Finds the processes that may be ours.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Pids that were looked at and are not ours, with the inode number of
    /// their folder below `/proc`, which is another one when the pid is used
    /// again. They are not read again, so that a scan of a machine full of
    /// other people's processes stays cheap.
    foreign: HashMap<i32, u64>,
}

/// The kernel's list of a thread's children. It is there only when the kernel
/// was built with it.
fn has_children_files() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| File::open("/proc/thread-self/children").is_ok())
}

impl Scanner {
    /// Hands over all our descendants, parents before their children. With
    /// `everywhere` also the processes that are not below us any more, but
    /// marked or `known` from before, and what is below them.
    ///
    /// Says whether something came or went meanwhile, so that having found
    /// nothing would prove nothing; `None` when `/proc` cannot be read.
    pub(super) fn scan(
        &mut self,
        everywhere: bool,
        known: impl Fn((i32, u64)) -> bool,
        found: &mut dyn FnMut(Process),
    ) -> Option<bool> {
        if !can_see() {
            return None;
        }
        if !everywhere && has_children_files() {
            return Some(Self::tree(found));
        }
        let (processes, torn) = self.walk(everywhere, known)?;
        processes.into_iter().for_each(found);
        Some(torn)
    }

    /// From parent to child, by the kernel's own lists. Each process is handed
    /// over at once, the youngest first: one that forks and ends all the time
    /// is another one a millisecond later.
    fn tree(found: &mut dyn FnMut(Process)) -> bool {
        let mut torn = false;
        let mut seen = HashSet::new();
        let mut queue = VecDeque::from([(own().pid, u64::MAX)]);
        while let Some((parent, threads)) = queue.pop_front() {
            let Some(children) = children(parent, threads) else {
                torn = true;
                continue;
            };
            for pid in children.into_iter().rev() {
                match process(pid) {
                    Some(process) if seen.insert(process.key()) => {
                        if !process.ended {
                            queue.push_back((pid, process.threads));
                        }
                        found(process);
                    }
                    Some(_) => {}
                    None => torn = true,
                }
            }
        }
        torn
    }

    /// Through all of `/proc`, from child to parent.
    fn walk(
        &mut self,
        everywhere: bool,
        known: impl Fn((i32, u64)) -> bool,
    ) -> Option<(Vec<Process>, bool)> {
        let own = own().pid;
        let listed: HashMap<i32, u64> = numbers(Path::new("/proc"))?.into_iter().collect();
        self.foreign.retain(|pid, inode| listed.get(pid) == Some(inode));
        let (mut ours, mut torn) = (Vec::new(), false);
        let mut found = HashMap::new();
        for pid in listed.keys().filter(|pid| **pid != own && !self.foreign.contains_key(pid)) {
            match process(*pid) {
                Some(process) => _ = found.insert(*pid, process),
                None => torn = true,
            }
        }

        let mut below: HashMap<i32, Vec<i32>> = HashMap::new();
        for process in found.values() {
            below.entry(process.parent).or_default().push(process.pid);
        }
        take_tree(own, &below, &mut found, &mut ours);
        let mut unknown = HashSet::new();
        if everywhere {
            let others: Vec<i32> = found.keys().copied().collect();
            for pid in others {
                let Some(process) = found.get(&pid) else { continue };
                let is_ours = known(process.key())
                    || match marks(pid) {
                        Marks::Known(marks) => marks.iter().any(Mark::is_own),
                        Marks::NotYet => {
                            // Corpses and kernel threads never will.
                            if !process.ended && process.parent != 2 && pid != 2 {
                                unknown.insert(pid);
                            }
                            false
                        }
                        Marks::Closed => false,
                    };
                if is_ours {
                    ours.extend(found.remove(&pid));
                    take_tree(pid, &below, &mut found, &mut ours);
                }
            }
        }

        // What is left is foreign, if it can be followed to a foreign root. A
        // chain that breaks may have lost a parent of ours a moment ago.
        loop {
            let before = found.len();
            found.retain(|pid, process| {
                let rooted = process.parent <= 1 || self.foreign.contains_key(&process.parent);
                if rooted && !unknown.contains(pid) {
                    self.foreign.insert(*pid, listed[pid]);
                }
                !rooted
            });
            if found.len() == before {
                break;
            }
        }
        torn |= !found.is_empty() || !unknown.is_empty();
        Some((ours, torn))
    }
}

/// Moves everything below `root` out of `found`, parents first.
fn take_tree(
    root: i32,
    below: &HashMap<i32, Vec<i32>>,
    found: &mut HashMap<i32, Process>,
    taken: &mut Vec<Process>,
) {
    let mut queue = VecDeque::from([root]);
    while let Some(parent) = queue.pop_front() {
        for child in below.get(&parent).into_iter().flatten() {
            if let Some(process) = found.remove(child) {
                taken.push(process);
                queue.push_back(*child);
            }
        }
    }
}

/// The children of all threads of a process.
fn children(pid: i32, threads: u64) -> Option<Vec<i32>> {
    let threads = if threads == 1 {
        vec![(pid, 0)]
    } else {
        numbers(Path::new(&format!("/proc/{pid}/task")))?
    };
    let mut children = Vec::new();
    for (thread, _) in threads {
        // A thread that has ended in the meantime gave its children to another.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")) {
            children
                .extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    Some(children)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn both_ways_to_scan_find_a_grandchild() {
        let mut command = crate::process::Spawn::new("/bin/sh", "scan")
            .args(["-c", "sleep 60 & read line; kill $!"])
            .command(OsStr::new("none"))
            .unwrap();
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let shell = child.id() as i32;
        let grandchild = |found: &[Process]| found.iter().any(|one| one.parent == shell);
        let mut scanner = Scanner::default();
        while !grandchild(&scanner.walk(false, |_| false).unwrap().0) {}
        while !grandchild(&scanner.walk(true, |_| false).unwrap().0) {}
        if has_children_files() {
            let mut found = Vec::new();
            while !grandchild(&found) {
                Scanner::tree(&mut |process| found.push(process));
            }
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_foreign_process_is_read_once() {
        let mut scanner = Scanner::default();
        scanner.walk(true, |_| false).unwrap();
        assert!(scanner.foreign.contains_key(&1));
        let first = scanner.foreign.clone();
        scanner.walk(true, |_| false).unwrap();
        assert_eq!(scanner.foreign.get(&1), first.get(&1));
    }
}
