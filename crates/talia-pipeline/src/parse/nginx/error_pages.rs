//! Pages that clients get in place of an error, and by no name of their own.

use super::Directive;

/// A page that an `error_page` names and that an `internal` location may keep to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorPage {
    /// The errors that it stands for: 404, 500, …
    pub codes: Vec<u16>,
    /// Its path in a URL, as it is written: `/404.html`.
    pub path: String,
    /// The beginning of the paths whose errors these are: `/`, `/docs/`; `None` where
    /// that is not known.
    pub below: Option<String>,
}

/// Those of a site's block, where `above` has those of the blocks around it.
pub(super) fn error_pages(block: &[Directive], above: &[ErrorPage]) -> Vec<ErrorPage> {
    let mut named = Vec::new();
    named_in(block, Some("/"), &mut named);
    let own = flat(block).into_iter().any(|one| is(one, "error_page"));
    if !own {
        named.extend_from_slice(above);
    }
    let mut hidden = Vec::new();
    internal(block, &mut hidden);
    named.retain(|page| hidden.iter().any(|location| location.may_mean(&page.path)));
    named
}

/// Those that stand right in a block; its sites have them unless they name others.
pub(super) fn of_block(block: &[Directive]) -> Vec<ErrorPage> {
    flat(block).into_iter().filter_map(|one| page(one, Some("/"))).collect()
}

fn named_in(block: &[Directive], below: Option<&str>, found: &mut Vec<ErrorPage>) {
    for directive in flat(block) {
        found.extend(page(directive, below));
        if is(directive, "location") {
            // What another server answers may be any error: none of these can be asked for.
            let is_passed = flat(&directive.block)
                .into_iter()
                .any(|one| one.words.first().is_some_and(|word| word.ends_with("_pass")));
            let below = Location::of(directive).filter(|_| !is_passed);
            let below = below.and_then(|location| location.folder());
            named_in(&directive.block, below.as_deref(), found);
        } else {
            // Such as an `if`.
            named_in(&directive.block, below, found);
        }
    }
}

fn page(directive: &Directive, below: Option<&str>) -> Option<ErrorPage> {
    let (path, rest) = directive.words.split_last()?;
    let (_, codes) = rest.split_first().filter(|_| is(directive, "error_page"))?;
    let path = path.split('?').next().unwrap_or_default();
    // A named location, another host, or what only a request tells, is no file of ours.
    if !path.starts_with('/') || path.contains('$') {
        return None;
    }
    let codes = codes.iter().filter_map(|code| code.parse().ok()).collect();
    Some(ErrorPage { codes, path: path.to_owned(), below: below.map(str::to_owned) })
}

/// A `location`: which paths it means.
enum Location<'a> {
    Exact(&'a str),
    Prefix(&'a str),
    Pattern,
}

impl<'a> Location<'a> {
    fn of(directive: &'a Directive) -> Option<Self> {
        match directive.words.get(1..)? {
            [modifier, path] if modifier == "=" => Some(Self::Exact(path)),
            [modifier, path] if modifier == "^~" => Some(Self::Prefix(path)),
            [path] if path.starts_with('/') => Some(Self::Prefix(path)),
            [modifier, _] if modifier.starts_with('~') => Some(Self::Pattern),
            // A named one means no path.
            _ => None,
        }
    }

    /// What a path may mean is not read from a pattern: it may be any.
    fn may_mean(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => path == *own,
            Self::Prefix(own) => path.starts_with(own),
            Self::Pattern => true,
        }
    }

    /// A folder all of whose paths it means.
    fn folder(&self) -> Option<String> {
        match self {
            Self::Prefix(own) => Some(format!("{}/", own.trim_end_matches('/'))),
            Self::Exact(_) | Self::Pattern => None,
        }
    }
}

fn internal<'a>(block: &'a [Directive], found: &mut Vec<Location<'a>>) {
    for directive in flat(block) {
        if is(directive, "location")
            && flat(&directive.block).into_iter().any(|one| is(one, "internal"))
        {
            found.extend(Location::of(directive));
        }
        internal(&directive.block, found);
    }
}

fn is(directive: &Directive, name: &str) -> bool {
    directive.words.first().is_some_and(|word| word == name)
}

/// What stands right in a block: an included file is a part of it.
fn flat(block: &[Directive]) -> Vec<&Directive> {
    let mut found = Vec::new();
    for directive in block {
        match is(directive, "include") {
            true => found.extend(flat(&directive.block)),
            false => found.push(directive),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::sites;

    /// The paths that count, each with its first error and where that comes from.
    fn pages(site: &str) -> Vec<(String, u16, Option<String>)> {
        let shown = format!(
            "# configuration file /etc/nginx/nginx.conf:\n\
             http {{ error_page 404 /http.html; error_page 403 @closed; \
             server {{ listen 443 ssl; {site} }} }}\n\
             # configuration file /etc/nginx/snippets/internal.conf:\ninternal;\n"
        );
        let pages = sites(&shown).remove(0).error_pages;
        pages.into_iter().map(|page| (page.path, page.codes[0], page.below)).collect()
    }

    fn at_top(path: &str, code: u16) -> (String, u16, Option<String>) {
        (path.to_owned(), code, Some("/".to_owned()))
    }

    #[test]
    fn a_page_counts_where_a_location_keeps_it() {
        let own = "error_page 404 /404.html; error_page 500 502 =503 /50x.html?a=b;";
        let both = [at_top("/404.html", 404), at_top("/50x.html", 500)];
        for hidden in [
            "location = /404.html { internal; } location = /50x.html { internal; }",
            "location ^~ /404 { internal; } location /5 { include snippets/internal.conf; }",
            "location ~ ^/(404|50x)\\.html$ { internal; }",
            "location / { location ~* x { internal; } }",
        ] {
            assert_eq!(pages(&format!("{own} {hidden}")), both, "{hidden}");
        }
        for open in ["", "location = /404.html { }", "location = /x { internal; }"] {
            assert_eq!(pages(&format!("{own} {open}")), [], "{open}");
        }
        let keeps = "location ~ . { internal; }";
        for elsewhere in ["@named", "https://x.example/404.html", "/$host.html", "=410"] {
            let found = pages(&format!("error_page 404 {elsewhere}; {keeps}"));
            assert_eq!(found, [], "{elsewhere}");
        }
    }

    #[test]
    fn it_is_known_whose_errors_they_are() {
        let keeps = "location ~ . { internal; }";
        assert_eq!(pages(keeps), [at_top("/http.html", 404)], "of the block around it");
        let found = pages(&format!(
            "{keeps} location /docs {{ error_page 404 /d.html; if ($a) {{ error_page 410 /i.html; }} }} \
             location = /x {{ error_page 404 /x.html; }} location ~ y {{ error_page 404 /y.html; }} \
             location /api/ {{ proxy_pass http://a; error_page 404 /a.html; }}"
        ));
        let docs = || Some("/docs/".to_owned());
        let told = |path: &str, code, below| (path.to_owned(), code, below);
        assert_eq!(
            found,
            [
                told("/d.html", 404, docs()),
                told("/i.html", 410, docs()),
                told("/x.html", 404, None),
                told("/y.html", 404, None),
                told("/a.html", 404, None),
                at_top("/http.html", 404),
            ]
        );
    }
}
