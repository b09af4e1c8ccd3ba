//! A tree as the text that its hash is of.

use std::ffi::CStr;

use super::{ContentHash, Entry, Tree};

impl Tree {
    /// All of it as one text, in order of the places. Its hash is the tree's: whoever has
    /// the text and the hash needs no other proof that both are of one tree.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, entry) in self.iter() {
            // Paths have no NUL, nor have links: nothing can be read two ways.
            for word in [path.as_str(), &said(entry)] {
                text.extend_from_slice(word.as_bytes());
                text.push(0);
            }
        }
        text
    }

    /// What [`Tree::text`] gives, read again; `None` for anything else. Most of it is as
    /// in `like`: what is the same there is not read.
    pub fn from_text(text: &[u8], like: &Self) -> Option<Self> {
        let own = like.text();
        let mut known = like.iter().zip(Records(&own)).peekable();
        let mut tree = like.clone();
        let (mut records, mut last) = (Records(text), None);
        for (path, said) in records.by_ref() {
            if last.replace(path).is_some_and(|last| last >= path) {
                return None;
            }
            while let Some(((gone, _), _)) = known.next_if(|(_, (own, _))| *own < path) {
                tree.remove(gone);
            }
            let same = known.next_if(|(_, (own, _))| *own == path);
            if same.is_none_or(|(_, (_, own))| own != said) {
                tree.insert(std::str::from_utf8(path).ok()?.parse().ok()?, entry(said)?);
            }
        }
        for ((gone, _), _) in known {
            tree.remove(gone);
        }
        records.0.is_empty().then(|| tree.hashed(ContentHash::of(text)))
    }
}

/// A text's places, each with what stands there.
struct Records<'t>(&'t [u8]);

impl<'t> Records<'t> {
    fn word(&mut self) -> Option<&'t [u8]> {
        let word = CStr::from_bytes_until_nul(self.0).ok()?.to_bytes();
        self.0 = &self.0[word.len() + 1..];
        Some(word)
    }
}

impl<'t> Iterator for Records<'t> {
    type Item = (&'t [u8], &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // Half of one stays, so that it is seen.
        let mut rest = Self(self.0);
        let record = (rest.word()?, rest.word()?);
        *self = rest;
        Some(record)
    }
}

fn said(entry: &Entry) -> String {
    match entry {
        Entry::Folder { mode } => format!("d {mode:o}"),
        Entry::File { size, hash, mode } => format!("f {mode:o} {size} {hash}"),
        Entry::Link { target } => format!("l {target}"),
    }
}

/// The entry of which this is said, in these very words.
fn entry(text: &[u8]) -> Option<Entry> {
    let text = std::str::from_utf8(text).ok()?;
    let (kind, rest) = text.split_once(' ')?;
    let mode = |text| u32::from_str_radix(text, 8).ok();
    let entry = match kind {
        "d" => Entry::Folder { mode: mode(rest)? },
        "l" => Entry::link(rest),
        "f" => {
            let mut words = rest.split(' ');
            let mode = mode(words.next()?)?;
            let (size, hash) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Entry::File { size, hash, mode }
        }
        _ => return None,
    };
    (said(&entry) == text).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
    }

    #[test]
    fn a_tree_is_read_from_its_text_beside_any_other() {
        let page = |text: &str| Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()));
        let all = [
            tree(&[]),
            tree(&[
                ("a", Entry::folder()),
                ("a/b", page("1")),
                ("a-b", page("")),
                ("c", page("2")),
            ]),
            tree(&[("a", Entry::Folder { mode: 0o700 }), ("a/b", page("22")), ("z", page("1"))]),
            tree(&[("a b/\n\u{fc}", Entry::link(" l 0 ")), ("c", Entry::link("f 644 1 x"))]),
            tree(&[
                ("A", page("1")),
                ("c", Entry::File { size: 1, mode: 0, hash: ContentHash::of(b"") }),
            ]),
        ];
        for one in &all {
            for like in &all {
                assert_eq!(Tree::from_text(&one.text(), like).as_ref(), Some(one));
            }
        }
    }

    #[test]
    fn what_is_no_tree_is_not_read() {
        let tree = tree(&[("a", Entry::folder()), ("b", Entry::link("a"))]);
        let text = tree.text();
        for cut in 1..text.len() {
            let less = Tree::from_text(&text[..cut], &tree);
            assert!(less.is_none_or(|less| less.text() == text[..cut]), "{cut}");
        }
        for wrong in
            [&b"x"[..], b"../x\0d 755\0", b"b\0l a\0a\0d 755\0", b"a\0d 0755\0", b"a\0f 644 1\0"]
        {
            assert_eq!(Tree::from_text(wrong, &tree), None, "{wrong:?}");
        }
    }
}
