//! The eleven columns in front of each name.

use std::fmt;

/// What rsync does with an item: the first column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Update {
    /// `<`: its content is sent to another machine.
    Sent,
    /// `>`: its content is received, or copied on this machine.
    Received,
    /// `c`: it is made or changed where it is: a folder, a link, a device.
    Local,
    /// `h`: it becomes a hard link to another item (`--hard-links`).
    HardLink,
    /// `.`: no content moves; attributes may change.
    Nothing,
}

/// What an item is: the second column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `f`: a regular file.
    File,
    /// `d`: a folder.
    Folder,
    /// `L`: a symbolic link.
    Link,
    /// `D`: a device.
    Device,
    /// `S`: a socket or a FIFO.
    Special,
}

/// What differs: columns 3 to 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attributes {
    /// Nine `+`: there was none of its kind before.
    New,
    /// Nine `?`: a very old rsync at the other end does not tell.
    Unknown,
    /// Nine blanks: nothing differs. With [`Update::HardLink`] it is a change all the
    /// same: a file of its own becomes a name of another one.
    Same,
    /// What differs of that which was compared.
    Differ(Differ),
}

/// Which attributes differ. What the flags do not ask for is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Differ {
    /// `c`: a file's content (`--checksum`), or what a link or a device names.
    pub content: bool,
    /// `s`: a file's size.
    pub size: bool,
    /// `t`, `T`: the time of the last change.
    pub time: Time,
    /// `p`: permissions.
    pub permissions: bool,
    /// `o`: the owner.
    pub owner: bool,
    /// `g`: the group.
    pub group: bool,
    /// `u`, `b`: the time of the last access.
    pub accessed: bool,
    /// `n`, `b`: the time of the creation.
    pub created: bool,
    /// `a`: the access control list.
    pub acl: bool,
    /// `x`: extended attributes.
    pub extended: bool,
}

/// What becomes of the time of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Time {
    /// `.`: it stays.
    #[default]
    Same,
    /// `t`: it is set to the source's.
    Source,
    /// `T`: it becomes that of the transfer, as without `--times`.
    Transfer,
}

/// Columns 1 to 11 of an item that is no deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// What rsync does with it.
    pub update: Update,
    /// What it is.
    pub kind: Kind,
    /// What differs.
    pub attributes: Attributes,
}

/// What each of the columns 3 to 11 may hold besides `.`.
const LETTERS: [&[u8]; 9] = [b"c", b"s", b"tT", b"p", b"o", b"g", b"unb", b"a", b"x"];

impl Code {
    /// Whether text begins like an item. No message of rsync's does.
    pub(super) fn begins(line: &[u8]) -> bool {
        matches!(line, [first, second, ..] if update(*first).is_some() && kind(*second).is_some())
    }

    /// Reads exactly these eleven columns.
    pub(super) fn read(columns: [u8; 11]) -> Option<Self> {
        let [first, second, attributes @ ..] = columns;
        let (update, kind) = (update(first)?, kind(second)?);
        let attributes = match &attributes {
            b"+++++++++" => Attributes::New,
            b"?????????" => Attributes::Unknown,
            b"         " if !matches!(update, Update::Sent | Update::Received) => Attributes::Same,
            columns => Attributes::Differ(differ(columns)?),
        };
        Some(Self { update, kind, attributes })
    }

    /// Whether these could be the columns of a changed item, however many there are.
    pub(super) fn could_be(columns: &[u8]) -> bool {
        Self::begins(columns) && columns[2..].iter().all(|byte| b".+?cstTpogunbax".contains(byte))
    }
}

fn update(column: u8) -> Option<Update> {
    Some(match column {
        b'<' => Update::Sent,
        b'>' => Update::Received,
        b'c' => Update::Local,
        b'h' => Update::HardLink,
        b'.' => Update::Nothing,
        _ => return None,
    })
}

fn kind(column: u8) -> Option<Kind> {
    Some(match column {
        b'f' => Kind::File,
        b'd' => Kind::Folder,
        b'L' => Kind::Link,
        b'D' => Kind::Device,
        b'S' => Kind::Special,
        _ => return None,
    })
}

fn differ(columns: &[u8; 9]) -> Option<Differ> {
    let known = |(column, letters): (&u8, &&[u8])| *column == b'.' || letters.contains(column);
    if !columns.iter().zip(&LETTERS).all(known) {
        return None;
    }
    let [content, size, time, permissions, owner, group, times, acl, extended] =
        columns.map(|column| column != b'.');
    Some(Differ {
        content,
        size,
        time: match columns[2] {
            b'T' => Time::Transfer,
            _ if time => Time::Source,
            _ => Time::Same,
        },
        permissions,
        owner,
        group,
        accessed: times && columns[6] != b'n',
        created: times && columns[6] != b'u',
        acl,
        extended,
    })
}

/// As rsync prints it.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.update {
            Update::Sent => "<",
            Update::Received => ">",
            Update::Local => "c",
            Update::HardLink => "h",
            Update::Nothing => ".",
        })?;
        f.write_str(match self.kind {
            Kind::File => "f",
            Kind::Folder => "d",
            Kind::Link => "L",
            Kind::Device => "D",
            Kind::Special => "S",
        })?;
        match self.attributes {
            Attributes::New => f.write_str("+++++++++"),
            Attributes::Unknown => f.write_str("?????????"),
            Attributes::Same => f.write_str("         "),
            Attributes::Differ(differ) => differ.fmt(f),
        }
    }
}

impl fmt::Display for Differ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |is: bool, letter: &'static str| if is { letter } else { "." };
        f.write_str(mark(self.content, "c"))?;
        f.write_str(mark(self.size, "s"))?;
        f.write_str(match self.time {
            Time::Same => ".",
            Time::Source => "t",
            Time::Transfer => "T",
        })?;
        f.write_str(mark(self.permissions, "p"))?;
        f.write_str(mark(self.owner, "o"))?;
        f.write_str(mark(self.group, "g"))?;
        f.write_str(match (self.accessed, self.created) {
            (true, true) => "b",
            (true, false) => "u",
            (false, true) => "n",
            (false, false) => ".",
        })?;
        f.write_str(mark(self.acl, "a"))?;
        f.write_str(mark(self.extended, "x"))
    }
}
