//! A folder that one run has for itself: keys, logins, sockets. Gone with the run.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    process::geteuid,
};

use crate::{
    error::{Error, Result},
    files::fingerprint,
    secret::SecretValue,
    world::World,
};

/// The shortest `sun_path` of the systems that ssh runs on, with its ending zero.
const SOCKET_PATH: usize = 104;
/// What ssh adds to a socket's name while it makes it: a dot and 16 letters.
const SOCKET_SUFFIX: usize = 17;
/// Where it lies when the user has no runtime folder: short, and on every system.
const SHARED: &str = "/tmp";

/// A folder of mode 0700 with a short path, removed when it is dropped. What a
/// killed run has left is removed when the next one makes its own.
///
/// Not a step: like the state's lock it is there before the flow and after it, and
/// a plan has one too. It is `RUNTIME/talia-UID/PROCESS-COUNT`, where `RUNTIME` is
/// `XDG_RUNTIME_DIR`, or `/tmp` where that is not set or too long for a socket's path.
/// Whether a folder is still used is a kernel lock on it, which ends with its process.
///
/// ```no_run
/// use talia_pipeline::{World, private::PrivateFolder, secret::SecretValue};
///
/// let private = PrivateFolder::new(&World::real()?)?;
/// let key = private.file("deploy-key", &SecretValue::new("-----BEGIN …"))?;
/// assert!(key.starts_with(private.path()));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug)]
pub struct PrivateFolder {
    path: Utf8PathBuf,
    _lock: File,
}

impl PrivateFolder {
    /// Makes one, and removes those of runs that are over.
    ///
    /// # Errors
    /// Refused when the place belongs to somebody else or is open to others; a step
    /// error when it cannot be written.
    pub fn new(world: &World) -> Result<Self> {
        let uid = geteuid().as_raw();
        let fits = |folder: &&str| folder.starts_with('/') && folder.len() <= 40;
        let runtime = world.variable("XDG_RUNTIME_DIR").filter(fits).unwrap_or(SHARED);
        Self::below(&Utf8Path::new(runtime).join(format!("talia-{uid}")), uid)
    }

    fn below(parent: &Utf8Path, uid: u32) -> Result<Self> {
        let cannot = |cause: io::Error| {
            Error::step(format!("no private folder can be made in {parent}"))
                .caused_by(cause)
                .hint("free some disk, or set XDG_RUNTIME_DIR to a folder of your own")
        };
        let _place = Place::hold(parent, uid)?;
        for left in parent.read_dir_utf8().map_err(cannot)? {
            let left = left.map_err(cannot)?.into_path();
            // Only a folder that no process holds is one that nobody uses.
            if File::open(&left).is_ok_and(|file| is_free(&file)) {
                drop(fs::remove_dir_all(&left));
            }
        }
        let process = std::process::id();
        for count in 0.. {
            let path = parent.join(format!("{process}-{count}"));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    let lock = made.and_then(|()| File::open(&path)).map_err(cannot)?;
                    let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
                    locked.map_err(|error| cannot(error.into()))?;
                    return Ok(Self { path, _lock: lock });
                }
            }
        }
        unreachable!("some number is not taken")
    }

    /// The folder.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// A path for the socket of one ssh connection, told apart by what `name` says
    /// of it, such as `deploy@host:22`.
    ///
    /// # Errors
    /// A usage error when the folder's path is too long for a socket.
    pub fn socket(&self, name: &str) -> Result<Utf8PathBuf> {
        // The fingerprint is short whatever the host is called.
        let path = self.path.join(format!("{:08x}", fingerprint(name) >> 32));
        if path.as_str().len() + SOCKET_SUFFIX >= SOCKET_PATH {
            return Err(Error::usage(format!("{path} is too long for a socket's path"))
                .hint("set XDG_RUNTIME_DIR to a folder with a shorter path"));
        }
        Ok(path)
    }

    /// Writes a secret into a file of mode 0600, with a newline at its end: without
    /// one ssh does not read a key.
    ///
    /// # Errors
    /// A step error without the value when the file cannot be written.
    pub fn file(&self, name: &str, value: &SecretValue) -> Result<Utf8PathBuf> {
        let path = self.path.join(name);
        let write = || {
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(value.expose())?;
            if value.expose().ends_with(b"\n") { Ok(()) } else { file.write_all(b"\n") }
        };
        write().map_err(|cause| {
            Error::step(format!("the private file {path} cannot be written")).caused_by(cause)
        })?;
        Ok(path)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
        // The last one takes the place with it; others keep it from that.
        if let Some(parent) = self.path.parent()
            && let Ok(_place) = Place::hold(parent, geteuid().as_raw())
        {
            drop(fs::remove_dir(parent));
        }
    }
}

/// The folder of all private folders of a user, held while one is made.
struct Place {
    _lock: File,
}

impl Place {
    fn hold(parent: &Utf8Path, uid: u32) -> Result<Self> {
        let cannot = |cause: io::Error| {
            Error::step(format!("the folder {parent} cannot be used")).caused_by(cause)
        };
        loop {
            match fs::DirBuilder::new().mode(0o700).create(parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(cannot(error));
                }
                _ => {}
            }
            let file = match File::open(parent) {
                // The last user of it has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(cannot)?,
            };
            refuse_foreign(parent, uid)?;
            flock(&file, FlockOperation::LockExclusive).map_err(|error| cannot(error.into()))?;
            let inode = |data: fs::Metadata| (data.dev(), data.ino());
            let held = file.metadata().map(inode).map_err(cannot)?;
            if fs::symlink_metadata(parent).map(inode).is_ok_and(|there| there == held) {
                return Ok(Self { _lock: file });
            }
        }
    }
}

/// Somebody else could have put a folder, or a link to one, where ours should be.
fn refuse_foreign(parent: &Utf8Path, uid: u32) -> Result<()> {
    let Ok(data) = fs::symlink_metadata(parent) else { return Ok(()) };
    let wrong = if data.is_symlink() {
        "is a link"
    } else if !data.is_dir() {
        "is no folder"
    } else if data.uid() != uid {
        "belongs to somebody else"
    } else if data.mode() & 0o077 != 0 {
        "is open to others"
    } else {
        return Ok(());
    };
    Err(Error::refused(format!("{parent} {wrong}, so nothing private is put there"))
        .hint("set XDG_RUNTIME_DIR to a folder of your own, or have it removed"))
}

fn is_free(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    struct Temp(Utf8PathBuf);
    impl Temp {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("talia-{name}-{}", std::process::id()));
            drop(fs::remove_dir_all(&folder));
            fs::create_dir_all(&folder).expect("a folder");
            Self(Utf8PathBuf::from_path_buf(folder).expect("UTF-8"))
        }
        fn private(&self) -> Result<PrivateFolder> {
            PrivateFolder::below(&self.0.join("talia"), geteuid().as_raw())
        }
    }
    impl Drop for Temp {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn mode(path: &Utf8Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn it_is_private_and_gone_afterwards() {
        let temp = Temp::new("private");
        let private = temp.private().expect("it is made");
        assert_eq!(mode(private.path()), 0o700);
        let key = private.file("key", &SecretValue::new("a key\nof two lines")).expect("written");
        assert_eq!(mode(&key), 0o600);
        assert_eq!(fs::read_to_string(&key).expect("it is there"), "a key\nof two lines\n");
        assert!(private.file("key", &SecretValue::new("x")).is_err(), "never twice");
        let second = temp.private().expect("another one");
        assert!(key.is_file(), "one that is used stays");
        drop(second);
        drop(private);
        assert_eq!(temp.0.read_dir_utf8().expect("it is there").count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let temp = Temp::new("private-left");
        let private = temp.private().expect("it is made");
        let left = private.path().with_file_name("1-0");
        fs::create_dir(&left).expect("a folder");
        fs::write(left.join("key"), "x").expect("a file");
        let other = temp.private().expect("another one");
        assert!(!left.exists() && private.path().exists() && other.path().exists());
    }

    #[test]
    fn a_place_of_others_is_refused() {
        let temp = Temp::new("private-foreign");
        let place = temp.0.join("talia");
        let refused = |says: &str| {
            let error = temp.private().expect_err("it must be refused");
            assert_eq!(error.kind(), crate::ErrorKind::Refused);
            assert!(error.to_string().contains(says), "{error}");
        };
        fs::create_dir(temp.0.join("elsewhere")).expect("a folder");
        symlink(temp.0.join("elsewhere"), &place).expect("a link");
        refused("is a link");
        fs::remove_file(&place).expect("it is there");
        fs::create_dir(&place).expect("a folder");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("its own");
        refused("is open to others");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("its own");
        let error = PrivateFolder::below(&place, geteuid().as_raw() + 1).expect_err("refused");
        assert!(error.to_string().contains("somebody else"), "{error}");
        assert!(temp.private().is_ok());
    }

    #[test]
    fn many_at_once_do_not_meet() {
        let temp = Temp::new("private-many");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let private = temp.private().expect("it is made");
                        let key = private.file("key", &SecretValue::new("x")).expect("written");
                        assert!(key.is_file());
                    }
                });
            }
        });
        assert!(!temp.0.join("talia").exists());
    }

    #[test]
    fn a_socket_has_a_short_path_of_its_own() {
        let temp = Temp::new("private-socket");
        let private = temp.private().expect("it is made");
        let socket = private.socket("deploy@a:22").expect("it is short");
        assert_ne!(socket, private.socket("deploy@b:22").expect("it is short"));
        assert_eq!(socket, private.socket("deploy@a:22").expect("it is short"));
        let deep = PrivateFolder::below(&temp.0.join("a".repeat(90)), geteuid().as_raw());
        let error = deep.expect("it is made").socket("x").expect_err("it is too long");
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
    }
}
