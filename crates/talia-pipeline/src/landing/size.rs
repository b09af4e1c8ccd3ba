//! Amounts, for people.

use serde::Serialize;

use super::Entry;

/// How many entries of each kind there are, and how many bytes the files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Amount {
    /// Regular files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// The bytes of the files.
    pub bytes: u64,
}

impl Amount {
    /// Counts one more.
    pub(super) fn add(&mut self, entry: &Entry) {
        match entry {
            Entry::File { size, .. } => {
                self.files += 1;
                self.bytes += size;
            }
            Entry::Folder { .. } => self.folders += 1,
            Entry::Link { .. } => self.links += 1,
        }
    }

    /// Counts all of these, too.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.files += other.files;
        self.folders += other.folders;
        self.links += other.links;
        self.bytes += other.bytes;
    }

    /// All entries.
    pub fn entries(&self) -> u64 {
        self.files + self.folders + self.links
    }

    /// `214 files, 1 link`; folders where there is nothing else.
    pub(super) fn text(&self) -> String {
        let parts = [(self.files, "file"), (self.links, "link")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, noun)| counted(count, noun)).collect();
        if parts.is_empty() { counted(self.folders, "folder") } else { parts.join(", ") }
    }

    /// `214 files, 3.1 MB`.
    pub(super) fn text_with_bytes(&self) -> String {
        match self.files {
            0 => self.text(),
            _ => format!("{}, {}", self.text(), size(self.bytes)),
        }
    }
}

/// `1 file`, `2 files`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `312 B`, `4.1 kB`, `431 kB`, `3.1 MB`: decimal units, three figures at most.
///
/// ```
/// assert_eq!(talia_pipeline::landing::size(4_100), "4.1 kB");
/// ```
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 1000_u128;
    let mut names = ["kB", "MB", "GB", "TB", "PB", "EB"].into_iter().peekable();
    let bytes = u128::from(bytes);
    // What would be rounded up to 1000 is 1.0 of the next unit.
    while bytes >= unit * 1000 - unit / 2 {
        unit *= 1000;
        names.next();
    }
    let name = names.next().unwrap_or("EB");
    let tenths = (bytes * 10 + unit / 2) / unit;
    match tenths {
        0..1000 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", (bytes + unit / 2) / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_figures() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (430_499, "430 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (3_100_000, "3.1 MB"),
            (430_000_000, "430 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn amounts_are_told_by_what_matters() {
        let amount = |files, folders, links| Amount { files, folders, links, bytes: 2000 * files };
        assert_eq!(amount(1, 3, 0).text_with_bytes(), "1 file, 2.0 kB");
        assert_eq!(amount(2, 0, 1).text_with_bytes(), "2 files, 1 link, 4.0 kB");
        assert_eq!(amount(0, 1, 0).text_with_bytes(), "1 folder");
        assert_eq!(amount(0, 1, 2).text_with_bytes(), "2 links");
    }
}
