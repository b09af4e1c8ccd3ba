//! Sources as people have them: some dozens of pages that name their assets.

use std::fs;

use camino::Utf8Path;

use super::crawler::asset;

const PAGES: usize = 36;

/// The address of every page.
pub(crate) fn addresses() -> Vec<String> {
    (0..PAGES).map(|n| format!("/{}", name(n).trim_end_matches("index.html"))).collect()
}

fn name(n: usize) -> String {
    match n {
        0 => "index.html".to_owned(),
        n if n % 3 == 0 => format!("about/{n}/index.html"),
        n => format!("guide/part-{n}.html"),
    }
}

/// Makes the source anew, as this version: each page names a style sheet and a script that
/// all share, and a picture of its own. All of them, and their names, are other ones in
/// every version; two files and a picture in nine stay.
pub(crate) fn write(source: &Utf8Path, version: usize) {
    if source.exists() {
        fs::remove_dir_all(source).unwrap();
    }
    let write = |name: &str, content: &[u8]| {
        let path = source.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let put = |stem: &str, extension: &str, content: Vec<u8>| {
        let name = asset(stem, extension, &content);
        write(&name, &content);
        name
    };
    let style = put("app", "css", bytes(version, 20_000));
    let script = put("app", "js", bytes(version + 1_000_000, 90_000));
    for n in 0..PAGES {
        let of = if n % 9 == 0 { 0 } else { version };
        let picture = put(&format!("picture-{n}"), "webp", bytes(of * PAGES + n, 30_000));
        let text = "What we do. ".repeat(500);
        let page = format!(
            "<!doctype html><link href=\"/{style}\"><a href=\"/{script}\"></a>\
             <a href=\"/{picture}\"></a><p>{text}</p><p>{version}</p>\n"
        );
        write(&name(n), page.as_bytes());
    }
    write("robots.txt", b"User-agent: *\n");
    write("favicon.ico", &bytes(0, 4_000));
}

/// So many bytes that nobody can make shorter; the same for the same seed.
pub(crate) fn bytes(seed: usize, length: usize) -> Vec<u8> {
    let mut state = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
