//! What rsync prints with `--out-format`, read line by line.
//!
//! Made from the manual, rsync(1), *--itemize-changes* and *--out-format*, and from
//! what rsync 3.2.7 and 3.5.0 print.

mod code;
mod name;
#[cfg(test)]
mod tests;

use std::str;

use crate::error::{Error, Result};

pub use code::{Attributes, Code, Differ, Kind, Time, Update};
pub use name::Name;

/// What each line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `%i %l %n`: the code, the length in bytes, the name. Nothing in it can be read
    /// two ways.
    LengthAndName,
    /// `%i %n%L`, which is `--itemize-changes`: the code, the name, and for links what
    /// they name. Which part is which can be unclear: see [`Item::readings`].
    NameAndTarget,
}

impl Format {
    /// The argument for `--out-format`.
    pub fn argument(self) -> &'static str {
        match self {
            Self::LengthAndName => "%i %l %n",
            Self::NameAndTarget => "%i %n%L",
        }
    }
}

/// What one line says of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What happens to it.
    pub event: ItemEvent,
    /// Its name, relative to the root of the transfer, which itself is `.`. A folder's
    /// `/` at the end is not part of it. In [`Format::NameAndTarget`] it is all that
    /// stands behind the code, target included.
    pub name: Name,
    /// The source's length in bytes, where the format has it; of a link that of its
    /// target, of a folder whatever its file system says, of a deletion 0.
    pub length: Option<u64>,
}

/// What happens to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemEvent {
    /// `*deleting`: it goes. No line tells of what is replaced by another kind of file.
    Deleted {
        /// Whether it is a folder. Its content has lines of its own.
        folder: bool,
    },
    /// It is made, changed or left, as the code says.
    Updated(Code),
}

/// One way to read what stands behind a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The item's name.
    pub name: Name,
    /// What a symbolic link names, or which item a hard link is another name of.
    pub target: Option<Name>,
}

/// A line that is about no item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// `cannot delete non-empty directory`: the folder stays, for something in it is
    /// protected. rsync may say it more than once, and a dry run also says of the
    /// same folder that it is deleted.
    NotEmpty(Name),
    /// Anything else, as text to be shown to people.
    Other(String),
}

/// What a whole run of rsync has printed.
///
/// Let rsync write it with `--8-bit-output` and `LC_ALL=C.UTF-8`, then it depends on
/// nothing but the names; and read the bytes, which need not be UTF-8.
///
/// ```
/// use talia_pipeline::parse::itemize::{Format, RsyncItemize};
///
/// let said = b">f+++++++++ 120 a\\#012b.html\n*deleting   0 old/\n";
/// let said = RsyncItemize::parse(said, Format::LengthAndName)?;
/// let [added, deleted] = said.items() else { panic!() };
/// assert_eq!((added.name.as_bytes(), added.length), (&b"a\nb.html"[..], Some(120)));
/// assert!(deleted.is_folder());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RsyncItemize {
    items: Vec<Item>,
    notices: Vec<Notice>,
}

impl RsyncItemize {
    /// Reads what rsync has written to its standard output with `--out-format` set to
    /// this format.
    ///
    /// # Errors
    /// A step error that names the line: one that begins like an item and is none, an
    /// output that ends within a line. Preflight for a code of 9 or 12 columns (an old
    /// rsync, or one with patches) and for another program of the name (openrsync).
    pub fn parse(stdout: &[u8], format: Format) -> Result<Self> {
        let mut said = Self::default();
        for (at, line) in stdout.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let number = at + 1;
            let Some(line) = line.strip_suffix(b"\n") else {
                return Err(wrong(number, "the output ends within a line".into(), line));
            };
            if line.is_empty() {
                continue;
            }
            said.read(line, format).map_err(|what| wrong(number, what, line))?;
        }
        Ok(said)
    }

    fn read(&mut self, line: &[u8], format: Format) -> Result<(), Wrong> {
        match columns(line)? {
            Some(event) => self.items.push(item(event, &line[12..], format)?),
            None => self.notices.push(notice(line)?),
        }
        Ok(())
    }

    /// What happens to items, in the order of the lines.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// All other lines.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

impl Item {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        match self.event {
            ItemEvent::Deleted { folder } => folder,
            ItemEvent::Updated(code) => code.kind == Kind::Folder,
        }
    }

    /// Every way to read the name and the target in a line of
    /// [`Format::NameAndTarget`]: one, unless the line itself cannot tell, as with
    /// `cL+++++++++ a -> b -> c`. In the other format a name is just a name.
    pub fn readings(&self) -> Vec<Reading> {
        let alone = || Reading { name: self.name.clone(), target: None };
        let ItemEvent::Updated(code) = self.event else { return vec![alone()] };
        if self.length.is_some() {
            return vec![alone()];
        }
        let link = (code.kind == Kind::Link).then_some(&b" -> "[..]);
        let leader = (code.update == Update::HardLink).then_some(&b" => "[..]);
        // A hard link that stays one names no leader.
        let may_be_alone = link.is_none() && code.attributes != Attributes::New;
        let name = self.name.as_bytes();
        let split = |separator: &'static [u8]| {
            let starts = name.windows(separator.len()).enumerate();
            let starts = starts.filter(move |(_, text)| *text == separator);
            let parts = starts.map(move |(at, _)| (&name[..at], &name[at + separator.len()..]));
            let parts = parts.filter(|(name, target)| !name.is_empty() && !target.is_empty());
            parts.map(|(name, target)| Reading { name: name.into(), target: Some(target.into()) })
        };
        let mut found: Vec<Reading> = link.into_iter().chain(leader).flat_map(split).collect();
        if found.is_empty() || (may_be_alone && leader.is_some()) {
            found.insert(0, alone());
        }
        found
    }
}

const DELETING: &[u8] = b"*deleting";
const NOT_EMPTY: &[u8] = b"cannot delete non-empty directory: ";

/// Why a line cannot be read.
enum Wrong {
    /// It is none of rsync's.
    Line(&'static str),
    /// It is one of an rsync that cannot be read.
    Program(&'static str),
}

impl From<&'static str> for Wrong {
    fn from(what: &'static str) -> Self {
        Self::Line(what)
    }
}

/// What the columns in front of a name say; `None` if the line is a message.
fn columns(line: &[u8]) -> Result<Option<ItemEvent>, Wrong> {
    if let Some(rest) = line.strip_prefix(DELETING) {
        return match rest {
            [b' ', b' ', b' ', ..] => Ok(Some(ItemEvent::Deleted { folder: line.ends_with(b"/") })),
            [b' ', ..] => {
                Err(Wrong::Program("columns of an rsync before 3.0, which cannot be read"))
            }
            _ => Err("no item of rsync's".into()),
        };
    }
    if !Code::begins(line) {
        if line.starts_with(b"Transfer starting: ") {
            return Err(Wrong::Program("this is openrsync, which cannot be read"));
        }
        return Ok(None);
    }
    let code = line.first_chunk::<11>().copied().and_then(Code::read);
    if let (Some(code), Some(b' ')) = (code, line.get(11)) {
        return Ok(Some(ItemEvent::Updated(code)));
    }
    let has = |columns: usize| line.get(columns) == Some(&b' ') && Code::could_be(&line[..columns]);
    Err(match () {
        () if has(12) => {
            Wrong::Program("12 columns, as an rsync with patches prints: 11 are needed")
        }
        () if has(9) => Wrong::Program("9 columns, as an rsync before 3.0 prints: 11 are needed"),
        () => "no item of rsync's".into(),
    })
}

/// The item whose columns say `event`, and what stands behind them.
fn item(event: ItemEvent, behind: &[u8], format: Format) -> Result<Item, &'static str> {
    let (length, name) = match format {
        Format::NameAndTarget => (None, behind),
        Format::LengthAndName => {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, name) = behind.split_at(digits);
            let length = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            let length: u64 = length.ok_or("no length in front of the name")?;
            (Some(length), name.strip_prefix(b" ").ok_or("no name behind the length")?)
        }
    };
    let name = Name::unescaped(name)?;
    let is_folder = match event {
        ItemEvent::Deleted { folder } => folder,
        ItemEvent::Updated(code) => code.kind == Kind::Folder,
    };
    if !is_folder {
        return Ok(Item { event, name, length });
    }
    match name.without_slash() {
        (name, true) => Ok(Item { event, name, length }),
        (_, false) => Err("a folder whose name does not end with `/`"),
    }
}

fn notice(line: &[u8]) -> Result<Notice, &'static str> {
    Ok(match line.strip_prefix(NOT_EMPTY) {
        Some(name) => Notice::NotEmpty(Name::unescaped(name)?),
        None => Notice::Other(name::shown(line)),
    })
}

fn wrong(number: usize, wrong: Wrong, line: &[u8]) -> Error {
    // A few of its bytes are enough to find it.
    let mut shown = name::shown(&line[..line.len().min(80)]);
    if line.len() > 80 {
        shown.push('…');
    }
    let told = |what| format!("line {number} of rsync's output: {what}: `{shown}`");
    match wrong {
        Wrong::Line(what) => Error::step(told(what)),
        Wrong::Program(what) => Error::preflight(told(what))
            .hint("put an rsync of rsync.samba.org on PATH here, 3.2 or newer"),
    }
}
