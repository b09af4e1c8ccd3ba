//! Reads what `strace -f -v -xx` wrote: who started whom, and who wrote where.
#![allow(dead_code, reason = "two test binaries take their parts of it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::support::command;

/// System calls that start processes, and say where.
const STARTS: &str = "execve,clone,clone3,fork,vfork,chdir,fchdir";
/// System calls that change files.
const WRITES: &str = "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,\
    renameat2,unlink,unlinkat,rmdir,symlink,symlinkat,link,linkat,chmod,fchmodat,chown,lchown,\
    fchownat,truncate,utime,utimes,utimensat,futimesat,setxattr,lsetxattr,bind";

/// A process that the traced one started itself.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) program: String,
    /// With the program's name as the first.
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) directory: String,
}

/// All that was traced.
pub(crate) struct Trace {
    calls: Vec<(u32, String)>,
}

/// `traced` under strace, which writes to `file`.
pub(crate) fn under_strace(traced: &Command, file: &Utf8Path) -> Command {
    let mut strace = command("strace");
    strace.args(["--seccomp-bpf", "-f", "-v", "-xx", "-qq", "-s", "100000", "-e", "signal=none"]);
    strace.args(["-e", &format!("trace={STARTS},{WRITES}"), "-o", file.as_str(), "--"]);
    strace.arg(traced.get_program()).args(traced.get_args());
    for (name, value) in traced.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.current_dir(traced.get_current_dir().unwrap());
    strace
}

impl Trace {
    pub(crate) fn read(file: &Utf8Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let mut open: BTreeMap<u32, String> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in text.lines() {
            let (pid, call) = line.split_once(' ').unwrap();
            let (pid, call) = (pid.parse().unwrap(), call.trim_start());
            if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
                // A child that shares its parent's memory runs before this returns.
                calls.push((pid, format!("begun {begun}")));
                open.insert(pid, begun.to_owned());
            } else if let Some((_, rest)) = call.split_once(" resumed>") {
                calls.push((pid, open.remove(&pid).unwrap_or_default() + rest));
            } else {
                calls.push((pid, call.to_owned()));
            }
        }
        assert!(!calls.is_empty(), "strace saw nothing");
        Self { calls }
    }

    /// The processes that the first process and its threads started, in order.
    pub(crate) fn children(&self) -> Vec<Started> {
        let mut own = BTreeSet::from([self.calls[0].0]);
        let mut children = BTreeSet::new();
        // Threads of threads: a thread is known before it starts anything, but the
        // call that made it may return later.
        loop {
            let before = (own.len(), children.len());
            for (pid, call) in &self.calls {
                let starts = ["clone", "fork", "vfork"].iter().any(|name| call.starts_with(name));
                if !starts || !own.contains(pid) {
                    continue;
                }
                let Some(new) = returned(call).and_then(|number| u32::try_from(number).ok()) else {
                    continue;
                };
                if call.contains("CLONE_THREAD") {
                    own.insert(new)
                } else {
                    children.insert(new)
                };
            }
            if before == (own.len(), children.len()) {
                break;
            }
        }
        let mut directories: BTreeMap<u32, String> = BTreeMap::new();
        let mut started = Vec::new();
        for (pid, call) in &self.calls {
            if returned(call) != Some(0) || !children.contains(pid) {
                continue;
            }
            let texts = strings(call);
            if call.starts_with("chdir(") {
                directories.insert(*pid, texts[0].clone());
            } else if call.starts_with("execve(") {
                // What replaces itself afterwards is the same child.
                children.remove(pid);
                let count = strings(&call[..call.find("], [").unwrap()]).len();
                let env = texts[count..].iter().filter_map(|text| text.split_once('='));
                started.push(Started {
                    program: texts[0].clone(),
                    args: texts[1..count].to_vec(),
                    env: env.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
                    directory: directories.get(pid).cloned().unwrap_or_default(),
                });
            }
        }
        started
    }

    /// Every call of anybody that changed a file or made one, with its paths.
    pub(crate) fn writes(&self) -> Vec<(String, Vec<Utf8PathBuf>)> {
        let mut found = Vec::new();
        for (_, call) in &self.calls {
            let name = call.split('(').next().unwrap();
            let reads = match name {
                "execve" | "chdir" | "fchdir" | "begun" => true,
                "open" | "openat" | "openat2" => {
                    !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"].iter().any(|f| call.contains(f))
                }
                other => ["clone", "fork", "vfork", "begun "].iter().any(|s| other.starts_with(s)),
            };
            let failed = returned(call).is_none_or(|number| number < 0);
            if reads || failed {
                continue;
            }
            let paths: Vec<Utf8PathBuf> = strings(call).into_iter().map(Into::into).collect();
            let harmless = |path: &Utf8PathBuf| ["/dev/null", "/dev/tty"].contains(&path.as_str());
            // A socket with an abstract name is no file.
            if !call.contains("sun_path=@") && !paths.iter().all(harmless) {
                found.push((name.to_owned(), paths));
            }
        }
        found
    }
}

impl Trace {
    /// Every file that anybody has opened, folders aside, as it was named.
    pub(crate) fn opened(&self) -> Vec<Utf8PathBuf> {
        let is_open = |call: &str| {
            ["open(", "openat(", "openat2("].iter().any(|name| call.starts_with(name))
                && !["O_DIRECTORY", "O_PATH"].iter().any(|flag| call.contains(flag))
                && returned(call).is_some_and(|number| number >= 0)
        };
        let calls = self.calls.iter().filter(|(_, call)| is_open(call));
        calls.flat_map(|(_, call)| strings(call)).map(Utf8PathBuf::from).collect()
    }
}

/// What a call returned.
fn returned(call: &str) -> Option<i64> {
    call.rsplit_once(") = ").or_else(|| call.rsplit_once(" = "))?.1.split(' ').next()?.parse().ok()
}

/// The texts of a call, each written as `"\x2f\x62"`.
fn strings(call: &str) -> Vec<String> {
    let quoted = call.split('"').skip(1).step_by(2);
    let text = |hex: &str| {
        let bytes = hex.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap());
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    };
    quoted.map(text).collect()
}
