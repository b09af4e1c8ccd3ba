//! Names that carry a hash of what their files hold.

use super::TreePath;

/// The extensions of documents. People name these, and ask for them by a URL of its own;
/// what is behind a `-` is a word then, whatever it looks like.
const DOCUMENTS: &[&str] = &[
    "html", "htm", "xhtml", "pdf", "txt", "md", "xml", "json", "csv", "rss", "atom", "ics", "vcf",
    "doc", "docx", "odt", "rtf", "xls", "xlsx", "ods", "ppt", "pptx", "odp", "epub",
];

impl TreePath {
    /// Whether its name carries a hash of its content, as bundlers give it: then another
    /// content has another name, and a page that is open may still ask for this one.
    ///
    /// The name is `STEM.HASH.EXTENSION` or `STEM-HASH.EXTENSION`, and something may stand
    /// between the hash and the extension (`main.8e0d2d5b.chunk.js`, `a-8e0d2d5b.js.map`).
    /// `HASH` is either 8 to 64 hexadecimal digits of one case, with a letter and a number
    /// among them; or the last 8 characters before the extension, of `A-Z a-z 0-9 - _`,
    /// with an upper-case letter and something else among them, and no word such as
    /// `Overview`, which has its only upper-case letter in front. A document, such as
    /// `about-TeamPage.html` or `report-Q3Final2.pdf`, never carries one.
    ///
    /// ```
    /// use talia_pipeline::landing::TreePath;
    ///
    /// let is_hashed = |path: &str| path.parse().map(|path: TreePath| path.is_hashed());
    /// assert!(is_hashed("assets/app.1a2b3c4d.css")? && is_hashed("assets/index-DiwrgTda.js")?);
    /// assert!(!is_hashed("report-20261124.pdf")? && !is_hashed("index.html")?);
    /// # Ok::<(), talia_pipeline::Error>(())
    /// ```
    pub fn is_hashed(&self) -> bool {
        let name = self.name();
        let name = name.strip_suffix(".map").unwrap_or(name);
        let Some((before, extension)) = name.rsplit_once('.') else { return false };
        if DOCUMENTS.iter().any(|document| document.eq_ignore_ascii_case(extension)) {
            return false;
        }
        let mut parts = before.split(['.', '-']);
        // A hash stands behind something.
        let stem = parts.next().unwrap_or_default();
        (!stem.is_empty() && parts.any(is_hexadecimal)) || ends_with_base64(before)
    }
}

fn is_hexadecimal(text: &str) -> bool {
    let is_number = |byte: u8| byte.is_ascii_digit();
    let of = |is_letter: fn(u8) -> bool| {
        text.bytes().all(|byte| is_number(byte) || is_letter(byte))
            && text.bytes().any(is_letter)
            && text.bytes().any(is_number)
    };
    let lower = |byte: u8| (b'a'..=b'f').contains(&byte);
    let upper = |byte: u8| (b'A'..=b'F').contains(&byte);
    (8..=64).contains(&text.len()) && (of(lower) || of(upper))
}

/// `STEM-HASH` or `STEM.HASH`, with a hash of eight characters that may hold `-` itself.
fn ends_with_base64(before: &str) -> bool {
    let Some(at) = before.len().checked_sub(8).filter(|at| before.is_char_boundary(*at)) else {
        return false;
    };
    let (stem, hash) = before.split_at(at);
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let has_upper_behind = hash.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let has_upper = hash.bytes().any(|byte| byte.is_ascii_uppercase());
    let has_other = hash.bytes().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let has_number = hash.bytes().any(|byte| byte.is_ascii_digit());
    stem.len() > 1
        && stem.ends_with(['-', '.'])
        && hash.bytes().all(is_of)
        && has_other
        && (has_upper_behind || (has_upper && has_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_hashed(path: &str) -> bool {
        path.parse::<TreePath>().unwrap().is_hashed()
    }

    #[test]
    fn what_bundlers_write_is_known() {
        for path in [
            "assets/app.1a2b3c4d.css",
            "static/js/main.8e0d2d5b.chunk.js",
            "static/js/main.8e0d2d5b.js.map",
            "_next/static/chunks/123-abcdef1234567890.js",
            "assets/index-DiwrgTda.js",
            "assets/index-B-f_2k3a.css",
            "index-5Y3ZQXKD.js",
            "vendor.0123456789ABCDEF.js",
            "font-4f1d2c3b5a697887960a1b2c3d4e5f60.woff2",
        ] {
            assert!(is_hashed(path), "{path}");
        }
    }

    #[test]
    fn what_people_write_is_no_hash() {
        for path in [
            "index.html",
            "report-20261124.pdf",
            "facade-deadbeef.css",
            "photo-gallery1.jpg",
            "1a2b3c4d.css",
            "app.1a2b3c4d",
            ".1a2b3c4d.css",
            "page-Overview.html",
            "about-TeamPage.html",
            "report-Q3Final2.pdf",
            "report-Q3Final2.PDF",
            "notes.1a2b3c4d.txt",
            "feeds/news-1a2b3c4d.xml",
            "manifest.1a2b3c4d.json",
            "data-DiwrgTda.json",
            "x.1a2b3c4d.js.LICENSE.txt",
            "ä-überlang.css",
            "x.1a2b3c4.css",
        ] {
            assert!(!is_hashed(path), "{path}");
        }
    }
}
