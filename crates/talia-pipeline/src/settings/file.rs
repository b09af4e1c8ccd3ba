//! Finds and reads the settings file.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
};

use camino::Utf8Path;

use crate::error::{Error, Result};

use super::{
    Settings,
    findings::{Mistake, error},
    source::Source,
};

/// A longer file is something else under this name.
const LONGEST: u64 = 1024 * 1024;

impl Settings {
    /// Where the settings are, below the project's root.
    pub const PATH: &str = "infra/pipeline.toml";

    /// Reads `infra/pipeline.toml` below this folder; `None` where there is none.
    ///
    /// # Errors
    /// Of kind [`Usage`](crate::ErrorKind::Usage): it cannot be read, is no regular
    /// file of UTF-8 text, or is longer than 1 MiB; and what [`Settings::parse`]
    /// finds in it.
    pub fn read(root: &Utf8Path) -> Result<Option<Self>> {
        let path = root.join(Self::PATH);
        let shown = Utf8Path::new(Self::PATH);
        let cannot =
            |cause| Error::usage(format!("{shown} cannot be read (in {root})")).caused_by(cause);
        // Asked before it is opened: to open a pipe is to wait for its writer.
        let kind = match fs::metadata(&path) {
            Ok(data) => data.file_type(),
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                return match fs::symlink_metadata(&path) {
                    Ok(_) => Err(Error::usage(format!("{shown} is a link to nothing"))
                        .hint("mend the link, or remove it")),
                    Err(_) => Ok(None),
                };
            }
            Err(cause) => return Err(cannot(cause)),
        };
        if !kind.is_file() {
            let what = if kind.is_dir() { "a folder" } else { "a device or pipe" };
            return Err(Error::usage(format!("{shown} is {what}, not a file"))
                .hint("settings are one file of TOML; without it the defaults hold"));
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        refuse_long(length, shown)?;
        // It may grow meanwhile, and some file systems tell no length.
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
        refuse_long(bytes.len() as u64, shown)?;
        parse_bytes(&bytes, shown).map(Some)
    }
}

/// As [`Settings::parse`], from a file's bytes.
pub(super) fn parse_bytes(bytes: &[u8], shown: &Utf8Path) -> Result<Settings> {
    Settings::parse(utf8(bytes, shown)?, shown)
}

/// Refuses what is too long for settings.
pub(super) fn refuse_long(bytes: u64, shown: &Utf8Path) -> Result<()> {
    if bytes <= LONGEST {
        return Ok(());
    }
    Err(Error::usage(format!("{shown} is longer than 1 MiB, which no settings are"))
        .hint("is it another file under this name?"))
}

/// The text, or where it stops being UTF-8.
fn utf8<'b>(bytes: &'b [u8], shown: &Utf8Path) -> Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|cause| {
        let at = cause.valid_up_to();
        // The bytes up to there are the same in the text that can be shown.
        let text = String::from_utf8_lossy(bytes);
        let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let hint = if is_utf16 {
            "it looks like UTF-16: save it as UTF-8"
        } else {
            "save the file as UTF-8"
        };
        let message = match bytes.get(at) {
            Some(byte) => format!("the byte 0x{byte:02x} is no UTF-8"),
            None => "the text is no UTF-8".to_owned(),
        };
        let mistake = Mistake::new(at..at + '\u{fffd}'.len_utf8(), message);
        error(&[mistake.hint(Some(hint.to_owned()))], 0, &Source::new(shown, &text))
    })
}
