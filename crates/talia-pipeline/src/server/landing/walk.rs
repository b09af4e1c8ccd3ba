//! Everything below a folder, without reading what any file holds.

use std::{collections::BTreeMap, ffi::CStr, io};

use camino::Utf8Path;
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use super::beneath::{Folder, Type, type_of};
use crate::{landing::TreePath, parse::visible};

/// How deep folders may lie in each other. Each is a handle while it is walked.
pub const DEEPEST: usize = 128;

/// What `lstat` says of a file or a link: as long as it says the same, nothing there has
/// changed. Of a folder it is the mode alone, because its content is looked at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u64, i64, i64, u64)", into = "(u32, u64, i64, i64, u64)")]
pub struct Stamp {
    mode: u32,
    size: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
}

impl From<(u32, u64, i64, i64, u64)> for Stamp {
    fn from((mode, size, modified_ns, changed_ns, inode): (u32, u64, i64, i64, u64)) -> Self {
        Self { mode, size, modified_ns, changed_ns, inode }
    }
}

impl From<Stamp> for (u32, u64, i64, i64, u64) {
    fn from(stamp: Stamp) -> Self {
        (stamp.mode, stamp.size, stamp.modified_ns, stamp.changed_ns, stamp.inode)
    }
}

impl Stamp {
    #[expect(clippy::unnecessary_cast, reason = "the fields' types differ between machines")]
    pub(super) fn of(stat: &Stat) -> Self {
        let ns =
            |seconds: i64, ns: u64| seconds.wrapping_mul(1_000_000_000).wrapping_add(ns as i64);
        if type_of(stat) == Type::Folder {
            return Self { mode: stat.st_mode, size: 0, modified_ns: 0, changed_ns: 0, inode: 0 };
        }
        Self {
            mode: stat.st_mode,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified_ns: ns(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed_ns: ns(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
            inode: stat.st_ino as u64,
        }
    }

    /// Its permissions.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// The size of a file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which file it is, of all on its file system.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// When anything of it changed last, in nanoseconds since 1970.
    pub fn changed_ns(&self) -> i64 {
        self.changed_ns
    }

    /// Whether it is the same but for the time of its last change, which another name for
    /// the file sets as well.
    pub fn is_but_for_names(&self, other: &Self) -> bool {
        *self == Self { changed_ns: self.changed_ns, ..*other }
    }
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its kind.
    pub kind: Kind,
    /// What tells whether it has changed.
    pub stamp: Stamp,
    /// Whose it is.
    pub user: u32,
}

/// The kinds that are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A link, and what it names.
    Link(String),
}

/// What was found below a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    /// All that can be published, in order of the places.
    pub all: BTreeMap<TreePath, Standing>,
    /// What cannot: a name or a link that is no UTF-8, a device, a socket; the place, as
    /// far as it is text, with why.
    pub odd: Vec<(String, &'static str)>,
}

impl Walked {
    /// Takes places out, odd ones too.
    pub(super) fn leave_out(&mut self, is_out: impl Fn(&TreePath) -> bool) {
        self.all.retain(|path, _| !is_out(path));
        self.odd.retain(|(path, _)| !path.parse().is_ok_and(|path| is_out(&path)));
    }

    /// What cannot be published, for people.
    pub(super) fn told(&self) -> Vec<String> {
        self.odd.iter().map(|(path, why)| format!("{}: {why}", visible(path))).collect()
    }
}

/// Looks at everything below this folder, which is no link itself.
///
/// # Errors
/// Whatever the file system says.
pub fn walk(root: &Utf8Path) -> io::Result<Walked> {
    let mut walked = Walked::default();
    look_into(&Folder::open(root)?, "", 0, &mut walked)?;
    Ok(walked)
}

fn look_into(folder: &Folder, above: &str, depth: usize, walked: &mut Walked) -> io::Result<()> {
    folder.names(|name| {
        let stat = match folder.look(name) {
            // It was taken away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            looked => looked?,
        };
        let Some((path, standing)) = standing(folder, above, name, &stat, walked)? else {
            return Ok(());
        };
        let below = (standing.kind == Kind::Folder).then(|| format!("{}/", path.as_str()));
        walked.all.insert(path, standing);
        let Some(below) = below else { return Ok(()) };
        if depth == DEEPEST {
            walked.odd.push((
                below.trim_end_matches('/').to_owned(),
                "folders lie too deep in each other",
            ));
            return Ok(());
        }
        look_into(&folder.enter(name)?, &below, depth + 1, walked)
    })
}

fn standing(
    folder: &Folder,
    above: &str,
    name: &CStr,
    stat: &Stat,
    walked: &mut Walked,
) -> io::Result<Option<(TreePath, Standing)>> {
    let mut odd = |why| {
        let name = String::from_utf8_lossy(name.to_bytes());
        walked.odd.push((format!("{above}{name}"), why));
        Ok(None)
    };
    let path = name.to_str().ok().and_then(|name| format!("{above}{name}").parse().ok());
    let Some(path) = path else { return odd("its name is no UTF-8") };
    let kind = match type_of(stat) {
        Type::Folder => Kind::Folder,
        Type::File => Kind::File,
        Type::Link => match String::from_utf8(folder.read_link(name)?) {
            Ok(target) => Kind::Link(target),
            Err(_) => return odd("what it links to is no UTF-8"),
        },
        Type::Special => return odd("it is neither file, folder nor link"),
    };
    Ok(Some((path, Standing { kind, stamp: Stamp::of(stat), user: stat.st_uid })))
}
