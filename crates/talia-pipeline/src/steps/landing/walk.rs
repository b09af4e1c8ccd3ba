//! Everything below a source, as far as it is published.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::FileTypeExt as _},
};

use camino::Utf8Path;
use walkdir::{DirEntry, WalkDir};

use crate::{
    landing::{Entry, Filters, IndexCounts, Problems, TreePath},
    parse::{visible, visible_bytes},
};

/// In how many folders something may be.
const FOLDERS: usize = 100;
/// How long a path may be: a server's own folders come before it, and the system's limit
/// is 4096.
const PATH_BYTES: usize = 3000;

/// What is there, before any file is read.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Folders and links.
    pub(super) entries: Vec<(TreePath, Entry)>,
    pub(super) files: Vec<TreePath>,
    pub(super) problems: Problems,
    pub(super) unreadable: Vec<TreePath>,
    pub(super) counts: IndexCounts,
}

/// Walks through all of it.
pub(super) fn walk(source: &Utf8Path, filters: &Filters) -> Found {
    let mut found = Found::default();
    // The source's own path and the slash behind it.
    let above = source.as_str().trim_end_matches('/').len() + 1;
    // In the order of the names, as a tree has them: that is put together from it quickly.
    // In one folder whole paths have the same order, and are compared at once.
    let in_order = |a: &DirEntry, b: &DirEntry| a.path().as_os_str().cmp(b.path().as_os_str());
    let mut walk = WalkDir::new(source).min_depth(1).sort_by(in_order).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().map(|path| path.as_os_str().as_bytes());
                let place = path.and_then(|path| path.get(above..)).unwrap_or(b".");
                found.cannot_read(place, error.io_error());
                continue;
            }
        };
        let is_folder = entry.file_type().is_dir();
        let bytes = entry.path().as_os_str().as_bytes();
        if !found.add(&entry, bytes.get(above..).unwrap_or_default(), filters) && is_folder {
            walk.skip_current_dir();
        }
    }
    found
}

impl Found {
    /// Adds one; false when what is in it is none of ours.
    fn add(&mut self, entry: &DirEntry, place: &[u8], filters: &Filters) -> bool {
        let kind = entry.file_type();
        if filters.hides_itself(place, kind.is_dir()) {
            self.counts.hidden += 1;
            return false;
        }
        let path = std::str::from_utf8(place).ok().and_then(|text| text.parse::<TreePath>().ok());
        let Some(path) = path else {
            self.problems.not_utf8.add(visible_bytes(place));
            return false;
        };
        if entry.depth() > FOLDERS || place.len() > PATH_BYTES {
            self.problems.too_deep.add(path);
            return false;
        }
        if kind.is_dir() {
            self.counts.folders += 1;
            self.entries.push((path, Entry::folder()));
        } else if kind.is_symlink() {
            match fs::read_link(entry.path()) {
                Ok(target) => match target.to_str() {
                    Some(target) => {
                        self.counts.links += 1;
                        self.entries.push((path, Entry::link(target)));
                    }
                    None => {
                        let target = visible_bytes(target.as_os_str().as_bytes());
                        self.problems.not_utf8.add(format!("{path} -> {target}"));
                    }
                },
                Err(error) => self.cannot_read(place, Some(&error)),
            }
        } else if kind.is_file() {
            self.counts.files += 1;
            self.files.push(path);
        } else {
            let what = if kind.is_socket() {
                "a socket"
            } else if kind.is_fifo() {
                "a named pipe"
            } else {
                "a device"
            };
            self.problems.special.add(format!("{path} ({what})"));
        }
        true
    }

    pub(super) fn cannot_read(&mut self, place: &[u8], error: Option<&io::Error>) {
        let why = match error {
            Some(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "permission denied".to_owned()
            }
            Some(error) => visible(&error.to_string()),
            None => "it cannot be walked through".to_owned(),
        };
        let path = std::str::from_utf8(place).ok().and_then(|text| text.parse::<TreePath>().ok());
        let told = path.as_ref().map_or_else(|| visible_bytes(place), TreePath::to_string);
        self.problems.unreadable.add(format!("{told} ({why})"));
        self.unreadable.extend(path);
    }
}
