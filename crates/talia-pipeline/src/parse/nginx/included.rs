//! The files that `nginx -T` shows one after the other, each where it is included.

use camino::Utf8Path;

use super::{Directive, block, words};

/// How deep files may include each other; a file may not include itself.
const DEEPEST: usize = 16;

/// What stands in front of each file, on a line of its own, behind its name a colon.
const MARK: &str = "# configuration file ";

/// A file, and what it says.
struct File<'a> {
    path: &'a str,
    says: Vec<Directive>,
}

/// All directives: in place of each `include`, one for each file that it means, with
/// what the file says as its block. What nothing includes stands at the end.
pub(super) fn whole(shown: &str) -> Vec<Directive> {
    let files = files(shown);
    let Some(main) = files.first() else { return Vec::new() };
    // What is relative counts from the folder of the first one.
    let folder = Utf8Path::new(main.path).parent().unwrap_or(Utf8Path::new(""));
    let mut known = Known { files: &files, folder, used: vec![false; files.len()] };
    let mut tree = known.expanded(&main.says, 0);
    for (file, _) in files.iter().zip(known.used).skip(1).filter(|(_, used)| !used) {
        tree.extend(file.says.iter().cloned());
    }
    tree
}

fn files(shown: &str) -> Vec<File<'_>> {
    let mut found: Vec<(&str, String)> = vec![("", String::new())];
    for line in shown.lines() {
        let path = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(':'));
        match (path, found.last_mut()) {
            (Some(path), _) => found.push((path, String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    let files = found.into_iter().map(|(path, text)| {
        let says = block(&mut words(&text).into_iter());
        File { path, says }
    });
    // Before the first mark there is nothing, or all of it where there is no mark.
    files.filter(|file| !file.path.is_empty() || !file.says.is_empty()).collect()
}

struct Known<'a> {
    files: &'a [File<'a>],
    folder: &'a Utf8Path,
    used: Vec<bool>,
}

impl Known<'_> {
    fn expanded(&mut self, block: &[Directive], depth: usize) -> Vec<Directive> {
        let mut found = Vec::new();
        for directive in block {
            let pattern = match directive.words.as_slice() {
                [name, pattern] if name == "include" && depth < DEEPEST => pattern,
                _ => {
                    let words = directive.words.clone();
                    found.push(Directive { words, block: self.expanded(&directive.block, depth) });
                    continue;
                }
            };
            let pattern = self.folder.join(pattern);
            for (at, file) in self.files.iter().enumerate() {
                if is_like(file.path, pattern.as_str()) {
                    self.used[at] = true;
                    let words = vec!["include".to_owned(), file.path.to_owned()];
                    let says = &self.files[at].says;
                    found.push(Directive { words, block: self.expanded(says, depth + 1) });
                }
            }
        }
        found
    }
}

/// Whether a path is meant by a pattern, where `*` and `?` stand for anything in a name.
fn is_like(path: &str, pattern: &str) -> bool {
    let (mut path, mut pattern) = (path.split('/'), pattern.split('/'));
    loop {
        match (path.next(), pattern.next()) {
            (None, None) => return true,
            (Some(name), Some(like)) if is_name_like(name.as_bytes(), like.as_bytes()) => {}
            _ => return false,
        }
    }
}

fn is_name_like(name: &[u8], like: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where the last `*` stands, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match like.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[at] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((stood, taken)) = star else { return false };
                star = Some((stood, taken + 1));
                at = taken + 1;
                of = stood + 1;
            }
        }
    }
    like[of..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::super::{Site, Way, sites};
    use super::*;

    const PORT: &str = "/etc/nginx/talia/production-port.conf";

    /// As Nginx shows it: each file once, whoever includes it.
    fn shown(site: &str, extra: &str) -> Vec<Site> {
        let shown = format!(
            "# configuration file /etc/nginx/nginx.conf:\n\
             user www-data;\ninclude modules-enabled/*.conf;\n\
             http {{ include mime.types; include conf.d/*.conf; include sites-enabled/*; }}\n\n\
             # configuration file /etc/nginx/mime.types:\ntypes {{ text/html html; }}\n\
             # configuration file /etc/nginx/conf.d/cache.conf:\nopen_file_cache max=10;\n\
             # configuration file /etc/nginx/sites-enabled/talia-production.conf:\n\
             server {{ listen 443 ssl; server_name talia.example; {site} }}\n\
             # configuration file {PORT}:\n# blue\nproxy_pass http://127.0.0.1:8001;\n{extra}"
        );
        sites(&shown)
    }

    #[test]
    fn a_site_goes_where_its_included_file_says() {
        let goes = |site: &str, extra: &str| {
            let found = shown(site, extra);
            assert_eq!(found.len(), 1, "{found:#?}");
            assert_eq!(found[0].names, ["talia.example"]);
            let way = Way::File(PORT);
            let only = found[0].proxies(way) && found[0].proxies_elsewhere(way).next().is_none();
            found[0].has_tls() && only
        };
        let file = format!("include {PORT};");
        assert!(goes(&format!("location /api/ {{ if ($a) {{ return 503; }} {file} }}"), ""));
        assert!(goes("location /api/ { include talia/production-port.conf; }", ""));
        assert!(goes("location /api/ { include talia/*-port.conf; }", ""));
        let both = format!("location /a {{ {file} }} location /b {{ {file} }}");
        assert!(goes(&both, ""), "twice");
        assert!(!goes("location /api/ { proxy_pass http://127.0.0.1:8001; }", ""), "itself");
        assert!(!goes("location /api/ { include talia/other.conf; }", ""), "nothing of it");
        let other = "# configuration file /etc/nginx/snippets/x.conf:\nproxy_pass http://api;\n";
        let both = format!("location /a {{ {file} }} location /b {{ include snippets/x.conf; }}");
        assert!(!goes(&both, other), "another file as well");
        let nested = "# configuration file /etc/nginx/snippets/x.conf:\n\
                      include /etc/nginx/talia/production-port.conf;\n";
        assert!(goes("location /b { include snippets/x.conf; }", nested), "by way of another");
    }

    #[test]
    fn what_an_included_file_says_holds_where_it_is_included() {
        let found = shown("root /var/www;", "");
        assert!(found[0].caches_open_files, "conf.d is a part of http");
        assert!(!shown("open_file_cache off;", "")[0].caches_open_files);
        let elsewhere = shown(
            "include snippets/*.conf;",
            "\n# configuration file \
             /etc/nginx/snippets/a.conf:\nlocation / { proxy_pass http://unix:/s/api.sock:; }\n",
        );
        assert!(elsewhere[0].proxies(Way::Socket("/s/api.sock")));
        assert_eq!(elsewhere[0].proxies[0].file.as_deref(), Some("/etc/nginx/snippets/a.conf"));
    }

    #[test]
    fn files_that_include_each_other_or_that_nothing_includes_are_no_trap() {
        let mark = "# configuration file /etc/nginx/a.conf:\n";
        assert!(!sites(&format!("{mark}include a.conf; server {{ listen 80; }}")).is_empty());
        let lost = format!(
            "{mark}http {{ include [a-z].conf; }}\n{}server {{ listen 81; }}",
            mark.replace('a', "b")
        );
        assert_eq!(sites(&lost).len(), 1, "{lost}");
        assert_eq!(sites("\n"), []);
    }

    #[test]
    fn a_pattern_means_names_of_one_folder() {
        for (pattern, path) in [
            ("/e/*", "/e/a"),
            ("/e/*.conf", "/e/a.b.conf"),
            ("/?/a*b*c", "/e/aXbXbc"),
            ("/e", "/e"),
        ] {
            assert!(is_like(path, pattern), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/e/*", "/e/a/b"),
            ("/e/*.conf", "/e/a.con"),
            ("/e/?", "/e/ab"),
            ("/e/*", "/f/a"),
            ("/e", "/e/"),
        ] {
            assert!(!is_like(path, pattern), "{pattern} {path}");
        }
    }
}
