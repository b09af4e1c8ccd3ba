use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files::remove_if_there,
    secret::SecretValue,
    step::{Action, Step},
};

/// Writes a password file for libpq, which only its owner can read.
///
/// - In this process: makes the file with mode 0600; one that is there is replaced.
///   It has one line, `*:*:*:*:PASSWORD` with `:` and `\` escaped: the file is for
///   one connection alone, whose host and user are in its variables.
/// - Touches: the file. Let [`RemovePassFile`] be a `finally` of the flow.
/// - Errors: the folder is not there or cannot be written.
/// - Source: *The Password File* in libpq's manual.
///
/// ```
/// use talia_pipeline::{Step, secret::SecretValue, steps::backup::PassFile};
///
/// let step = PassFile::new("/srv/7.pgpass.partial", &SecretValue::new("s3cr3t-word"));
/// assert_eq!(step.label(), "write the password file");
/// assert!(!format!("{step:?}").contains("s3cr3t"));
/// ```
#[derive(Debug, Clone)]
pub struct PassFile {
    path: Utf8PathBuf,
    password: SecretValue,
}

impl PassFile {
    /// This password into this file.
    pub fn new(path: impl Into<Utf8PathBuf>, password: &SecretValue) -> Self {
        Self { path: path.into(), password: password.clone() }
    }

    fn write(&self) -> Result<()> {
        let cannot = |cause: io::Error| {
            Error::step(format!("the password file {} cannot be written", self.path))
                .caused_by(cause)
        };
        remove_if_there(&self.path).map_err(cannot)?;
        let mut options = fs::OpenOptions::new();
        // New, so that nobody else's link or mode is taken over.
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(&self.path).map_err(cannot)?;
        file.write_all(&line(self.password.expose())).map_err(cannot)
    }
}

fn line(password: &[u8]) -> Vec<u8> {
    let mut line = b"*:*:*:*:".to_vec();
    for byte in password {
        if matches!(byte, b':' | b'\\') {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    line.push(b'\n');
    line
}

impl Step for PassFile {
    type Output = ();

    fn label(&self) -> String {
        "write the password file".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}, for its owner alone", self.path), || self.write())
    }

    fn assume(&self) {}
}

/// Removes a password file; one that is not there is removed already.
///
/// - In this process.
/// - Touches: the file.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::RemovePassFile};
///
/// assert_eq!(RemovePassFile::new("/srv/7.pgpass").label(), "remove the password file");
/// ```
#[derive(Debug, Clone)]
pub struct RemovePassFile {
    path: Utf8PathBuf,
}

impl RemovePassFile {
    /// This file.
    pub fn new(path: impl Into<Utf8PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Step for RemovePassFile {
    type Output = ();

    fn label(&self) -> String {
        "remove the password file".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("remove {}", self.path), || {
            remove_if_there(&self.path).map_err(|cause| {
                Error::step(format!("the password file {} cannot be removed", self.path))
                    .caused_by(cause)
                    .hint(format!("remove it by hand: `rm -- {}`", self.path))
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::steps::{backup::for_tests::Folder, testing::check};

    #[test]
    fn pass_file_hostile() {
        let password = SecretValue::new("s3cr3t-word");
        check("pass_file__hostile", &PassFile::new("/srv/it's $x\n/7.pgpass", &password));
    }
    #[test]
    fn remove_pass_file_hostile() {
        check("remove_pass_file__hostile", &RemovePassFile::new("/srv/it's $x\n/7.pgpass"));
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(line(b"a:b\\c \xc3\xbc"), b"*:*:*:*:a\\:b\\\\c \xc3\xbc\n");
    }

    #[test]
    fn the_file_is_for_its_owner_alone_and_goes_again() {
        let folder = Folder::new("pass-file");
        let path = folder.path().join("7.pgpass");
        fs::write(&path, "what a dead run has left").unwrap();
        PassFile::new(&path, &SecretValue::new("s3cr3t-word")).write().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"*:*:*:*:s3cr3t-word\n");
        let remove = || {
            let step = RemovePassFile::new(&path);
            let Action::Work { work, .. } = step.action() else { unreachable!("it is work") };
            work()
        };
        remove().unwrap();
        remove().unwrap();
        assert!(!path.exists());
    }
}
