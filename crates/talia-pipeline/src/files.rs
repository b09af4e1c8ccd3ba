//! Files: written whole or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
};

use camino::Utf8Path;

/// Writes a file so that a reader sees the old content or the new one, never a
/// part, even after a power cut.
///
/// ```
/// use talia_pipeline::files::write_atomically;
///
/// let dir = std::env::temp_dir().join(format!("talia-doc-{}", std::process::id()));
/// let path = camino::Utf8PathBuf::from_path_buf(dir.join("a/b.txt")).expect("UTF-8");
/// write_atomically(&path, b"hello")?;
/// assert_eq!(std::fs::read(&path)?, b"hello");
/// # std::fs::remove_dir_all(dir)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Whatever the file system says; the old file is then as it was.
pub fn write_atomically(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    write(path, content, None)
}

/// As [`write_atomically`], with these permissions from the first byte on.
///
/// # Errors
/// Whatever the file system says; the old file is then as it was.
pub fn write_atomically_as(path: &Utf8Path, content: &[u8], mode: u32) -> io::Result<()> {
    write(path, content, Some(mode))
}

fn write(path: &Utf8Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default();
    let partial = folder.join(format!(".{name}.{}.partial", std::process::id()));
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    if let Some(mode) = mode {
        // One that a kill has left could be anybody's to read.
        remove_if_there(&partial)?;
        options.mode(mode);
    }
    let written = options
        .open(&partial)
        .and_then(|mut file| {
            // What the caller's umask has taken away.
            mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode)))?;
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        drop(fs::remove_file(&partial));
    }
    written
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
/// Whatever else the file system says.
pub fn remove_if_there(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is free on the file system of a folder: bytes that an ordinary user could
/// write, and how many files; `None` where the file system does not count these.
///
/// # Errors
/// Whatever the file system says.
pub fn free(folder: &Utf8Path) -> io::Result<(u64, Option<u64>)> {
    let found = rustix::fs::statvfs(folder.as_std_path())?;
    let inodes = (found.f_files > 0).then_some(found.f_favail);
    Ok((found.f_bavail.saturating_mul(found.f_frsize), inodes))
}

/// FNV-1a: tells two texts apart and stays the same between versions. It is no
/// proof against intent; nothing that must be one stands on it.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
