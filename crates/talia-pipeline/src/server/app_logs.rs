//! The app's log files, read by root although the app may put into their folder
//! whatever it likes: a link to another file, a pipe, a file without an end.

use std::{fs::File, io, os::fd::OwnedFd, os::unix::fs::FileExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};

/// The file that has everything, and what a rotation makes of it: `api.log.1`, …
const NAME: &str = "api.log";
/// No more names of a folder are looked at.
const NAMES: usize = 10_000;
/// No more files of a folder are read, the newest first.
const FILES: usize = 32;
/// No more of a file is read, counted from its end.
const FILE_BYTES: u64 = 16 << 20;
/// No more of it at once while it is followed.
const POLL_BYTES: u64 = 1 << 20;
/// A longer line is cut.
const LINE_BYTES: usize = 64 << 10;

/// One file of the app's log, open.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    /// When it was written last, in milliseconds since 1970.
    pub modified_ms: u64,
    bytes: u64,
    identity: (u64, u64),
}

/// What a folder of the app's has.
#[derive(Debug, Default)]
pub struct LogFolder {
    /// Its log files, the newest first.
    pub files: Vec<LogFile>,
    /// What is named like one and is not read, with the reason.
    pub passed_over: Vec<String>,
}

impl LogFolder {
    /// Opens the log files in this folder; none where there is no folder.
    ///
    /// A file is read when it is an ordinary one, has one name alone, and belongs to
    /// this user or to root.
    ///
    /// # Errors
    /// When the folder cannot be listed, or is a link.
    pub fn open(folder: &Utf8Path, owner: u32) -> io::Result<Self> {
        let mut found = Self::default();
        let Some(opened) = open_folder(folder)? else { return Ok(found) };
        for entry in Dir::read_from(&opened)?.take(NAMES) {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !name.starts_with(NAME) {
                continue;
            }
            match open_file(&opened, name, owner) {
                Ok(file) => found.files.extend(file),
                Err(reason) => {
                    let name = name.escape_debug();
                    found.passed_over.push(format!("{folder}/{name}: {reason}"));
                }
            }
        }
        found.files.sort_by_key(|file| std::cmp::Reverse(file.modified_ms));
        if found.files.len() > FILES {
            found.passed_over.push(format!("{folder}: more than {FILES} files"));
            found.files.truncate(FILES);
        }
        found.passed_over.sort();
        Ok(found)
    }
}

fn open_folder(folder: &Utf8Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(CWD, folder.as_std_path(), flags, Mode::empty()) {
        Ok(opened) => Ok(Some(opened)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a file of this name; `None` where it has gone meanwhile.
fn open_file(folder: &OwnedFd, name: &str, owner: u32) -> Result<Option<LogFile>, String> {
    let said = |error: rustix::io::Errno| error.to_string();
    // First without opening what it is: that alone can block, or do something.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = match openat(folder, name, flags, Mode::empty()) {
        Ok(found) => found,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(said(error)),
    };
    let data = fstat(&found).map_err(said)?;
    match FileType::from_raw_mode(data.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err("a symbolic link".to_owned()),
        _ => return Err("not an ordinary file".to_owned()),
    }
    if data.st_nlink != 1 {
        return Err("a file with another name elsewhere".to_owned());
    }
    if data.st_uid != owner && data.st_uid != 0 {
        return Err(format!("it belongs to user {}, the app is {owner}", data.st_uid));
    }
    // The very one that was looked at, whatever has its name by now.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
    let file = openat(CWD, path, flags, Mode::empty()).map_err(said)?;
    Ok(Some(LogFile {
        file: file.into(),
        modified_ms: u64::try_from(data.st_mtime).unwrap_or(0).saturating_mul(1000),
        bytes: u64::try_from(data.st_size).unwrap_or(0),
        identity: (data.st_dev, data.st_ino),
    }))
}

impl LogFile {
    /// How many bytes at its begin [`LogFile::lines`] leaves out.
    pub fn unread(&self) -> u64 {
        self.bytes.saturating_sub(FILE_BYTES)
    }

    /// Its lines, those of its last 16 MiB where it is longer.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn lines(&self) -> io::Result<Vec<String>> {
        let from = self.unread();
        let mut cut = Lines::behind(from);
        let mut lines = cut.more(&read(&self.file, from, FILE_BYTES)?);
        lines.extend(cut.rest());
        Ok(lines)
    }
}

fn read(file: &File, from: u64, most: u64) -> io::Result<Vec<u8>> {
    const CHUNK: usize = 64 << 10;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while (bytes.len() as u64) < most {
        let wanted = usize::try_from(most - bytes.len() as u64).unwrap_or(CHUNK).min(CHUNK);
        match file.read_at(&mut chunk[..wanted], from + bytes.len() as u64)? {
            0 => break,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(bytes)
}

/// Cuts what comes into lines, and lines that are too long.
#[derive(Debug, Default)]
struct Lines {
    open: Vec<u8>,
    /// How much of the open line is left out.
    left_out: usize,
    /// Whether it began in the middle of a line, which nobody wants.
    inside: bool,
}

impl Lines {
    /// Lines of a file from this place on.
    fn behind(from: u64) -> Self {
        Self { inside: from > 0, ..Self::default() }
    }

    fn more(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            let part = text.unwrap_or(piece);
            let room = LINE_BYTES.saturating_sub(self.open.len()).min(part.len());
            self.open.extend_from_slice(&part[..room]);
            self.left_out += part.len() - room;
            if text.is_some() {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What has no end yet.
    fn rest(&mut self) -> Option<String> {
        let mut line = String::from_utf8_lossy(&self.open).into_owned();
        if self.left_out > 0 {
            line.push_str(&format!("… ({} bytes more)", self.left_out));
        }
        let inside = std::mem::take(self).inside;
        (!inside && !line.is_empty()).then_some(line)
    }
}

/// Reads the app's logs as they grow, whatever is rotated or switched meanwhile.
#[derive(Debug)]
pub struct LogTail {
    owner: u32,
    folders: Vec<(Utf8PathBuf, Option<Followed>)>,
}

#[derive(Debug)]
struct Followed {
    file: LogFile,
    at: u64,
    lines: Lines,
}

impl LogTail {
    /// Follows the logs in these folders of the app, which is this user.
    pub fn new(folders: impl IntoIterator<Item = Utf8PathBuf>, owner: u32) -> Self {
        Self { owner, folders: folders.into_iter().map(|folder| (folder, None)).collect() }
    }

    /// The last lines that are there, `count` of each folder; what comes after them is
    /// [`LogTail::more`]'s.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn last(&mut self, count: usize) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for (folder, followed) in &mut self.folders {
            let Some(file) = current(folder, self.owner)? else { continue };
            let from = file.bytes.saturating_sub(POLL_BYTES);
            let mut new = Followed { at: from, lines: Lines::behind(from), file };
            let lines = new.more()?;
            found.extend(lines.into_iter().rev().take(count).rev());
            *followed = Some(new);
        }
        Ok(found)
    }

    /// What has come since; at most 1 MiB of each folder, the rest comes next time.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn more(&mut self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for (folder, followed) in &mut self.folders {
            if let Some(followed) = followed {
                found.extend(followed.more()?);
            }
            let Some(file) = current(folder, self.owner)? else { continue };
            match followed {
                Some(old) if old.file.identity == file.identity => {
                    // Cut, and written anew.
                    if file.bytes < old.at {
                        (old.at, old.lines) = (0, Lines::default());
                    }
                }
                // Rotated, or there for the first time. The old one is read to its end
                // first.
                Some(old) if old.at < old.file.file.metadata()?.len() => {}
                _ => {
                    let mut new = Followed { file, at: 0, lines: Lines::default() };
                    found.extend(new.more()?);
                    *followed = Some(new);
                }
            }
        }
        Ok(found)
    }
}

impl Followed {
    fn more(&mut self) -> io::Result<Vec<String>> {
        let bytes = read(&self.file.file, self.at, POLL_BYTES)?;
        self.at += bytes.len() as u64;
        Ok(self.lines.more(&bytes))
    }
}

/// The file that is written to now; `None` too where it is none that is read.
fn current(folder: &Utf8Path, owner: u32) -> io::Result<Option<LogFile>> {
    let Some(opened) = open_folder(folder)? else { return Ok(None) };
    Ok(open_file(&opened, NAME, owner).ok().flatten())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        os::unix::fs::{MetadataExt as _, symlink},
    };

    use rustix::fs::mknodat;

    use super::*;

    struct Folder(Utf8PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("talia-app-logs-{test}-{}", std::process::id());
            let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name)).unwrap();
            fs::create_dir_all(folder.join("logs")).unwrap();
            Self(folder)
        }

        fn logs(&self) -> Utf8PathBuf {
            self.0.join("logs")
        }

        fn owner(&self) -> u32 {
            fs::metadata(&self.0).unwrap().uid()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn what_leads_elsewhere_is_not_read() {
        let folder = Folder::new("elsewhere");
        let logs = folder.logs();
        let secret = folder.0.join("secret");
        fs::write(&secret, "root:s3cr3t\n").unwrap();
        fs::write(logs.join("api.log"), "own\n").unwrap();
        symlink("/etc/shadow", logs.join("api.log.1")).unwrap();
        symlink(&secret, logs.join("api.log.2")).unwrap();
        fs::hard_link(&secret, logs.join("api.log.3")).unwrap();
        let pipe = logs.join("api.log.4");
        let mode = Mode::from_raw_mode(0o644);
        mknodat(CWD, pipe.as_std_path(), FileType::Fifo, mode, 0).unwrap();
        fs::create_dir(logs.join("api.log.5")).unwrap();
        fs::write(logs.join("request.log"), "another\n").unwrap();
        let found = LogFolder::open(&logs, folder.owner()).unwrap();
        let lines: Vec<_> = found.files.iter().flat_map(|file| file.lines().unwrap()).collect();
        assert_eq!(lines, ["own"]);
        assert_eq!(found.passed_over.len(), 5, "{:?}", found.passed_over);
        // As little when such a one has the name of the file that is followed.
        for bad in ["api.log.1", "api.log.2", "api.log.3", "api.log.4"] {
            fs::rename(logs.join(bad), logs.join("api.log")).unwrap();
            let mut tail = LogTail::new([logs.clone()], folder.owner());
            assert_eq!(tail.last(9).unwrap(), Vec::<String>::new(), "{bad}");
            assert_eq!(tail.more().unwrap(), Vec::<String>::new(), "{bad}");
        }
        // A folder that is a link is none of ours.
        symlink(&logs, folder.0.join("link")).unwrap();
        assert!(LogFolder::open(&folder.0.join("link"), folder.owner()).is_err());
        assert!(LogFolder::open(&folder.0.join("gone"), 0).unwrap().files.is_empty());
    }

    #[test]
    fn a_file_of_another_user_is_not_read() {
        let folder = Folder::new("owner");
        fs::write(folder.logs().join("api.log"), "own\n").unwrap();
        let found = LogFolder::open(&folder.logs(), folder.owner() + 1).unwrap();
        // What is root's is read; a test as another user sees the other half.
        assert_eq!(found.files.len(), usize::from(folder.owner() == 0));
    }

    #[test]
    fn long_lines_and_long_files_are_cut() {
        let folder = Folder::new("long");
        let path = folder.logs().join("api.log");
        let mut text = vec![b'x'; usize::try_from(FILE_BYTES).unwrap()];
        text.extend(b"\nshort\n");
        text.extend(vec![b'y'; LINE_BYTES + 7]);
        text.extend(b"\n\xff end");
        fs::write(&path, text).unwrap();
        let found = LogFolder::open(&folder.logs(), folder.owner()).unwrap();
        let lines = found.files[0].lines().unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].as_str(), lines[2].as_str()), ("short", "\u{fffd} end"));
        assert!(lines[1].ends_with("y… (7 bytes more)"));
    }

    #[test]
    fn what_comes_is_followed_through_a_rotation_and_a_cut() {
        let folder = Folder::new("follow");
        let path = folder.logs().join("api.log");
        let write = |text: &str| {
            let mut file = File::options().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let other = folder.0.join("other");
        let mut tail = LogTail::new([folder.logs(), other.clone()], folder.owner());
        write("1\n2\n3\nopen");
        assert_eq!(tail.last(2).unwrap(), ["2", "3"]);
        write("ed\n");
        assert_eq!(tail.more().unwrap(), ["opened"]);
        assert!(tail.more().unwrap().is_empty());
        write("last of the old\n");
        fs::rename(&path, folder.logs().join("api.log.1")).unwrap();
        write("first of the new\n");
        assert_eq!(tail.more().unwrap(), ["last of the old", "first of the new"]);
        fs::write(&path, "").unwrap();
        assert!(tail.more().unwrap().is_empty());
        write("cut\n");
        assert_eq!(tail.more().unwrap(), ["cut"]);
        fs::create_dir(&other).unwrap();
        fs::write(other.join("api.log"), "the other slot\n").unwrap();
        assert_eq!(tail.more().unwrap(), ["the other slot"]);
    }
}
