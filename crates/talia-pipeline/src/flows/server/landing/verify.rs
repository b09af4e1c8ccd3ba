//! What clients get after a switch, held against what they should.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    context::Context,
    error::{Error, Result},
    landing::{ContentHash, Entry, Leads, Tree, TreeChanges, TreePath},
    protocol::LandingVerified,
    server::landing::VERSION_FILE,
    settings::Policy,
    steps::server::{
        Pause,
        landing::{Fetch, FetchServed, Served},
    },
};

use super::{
    super::Server,
    checks::{TOLD, some},
    error_pages::{ErrorPage, note_unverified},
};

/// How many paths are asked for with one command, and how many bytes come.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 64 << 20;
/// How often is asked again while Nginx's new workers take over.
const RELOADED_TRIES: usize = 20;
const NAP: Duration = Duration::from_millis(250);
/// How long all of it may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(300);
/// So many deleted paths are asked for; of more, a sample. Each is an answer by an error,
/// and a folder of the release may have been all of it.
const GONE: usize = 500;
/// What a web server is asked for where a folder is.
const PAGE: &str = "index.html";

/// A release as clients should get it.
pub(super) struct Switched<'a> {
    /// What was published before.
    pub(super) before: &'a Tree,
    /// What is published now.
    pub(super) now: &'a Tree,
    /// What of older releases is served still, and the release's own file.
    pub(super) kept: &'a Tree,
    /// What is the server's own.
    pub(super) protected: &'a [TreePath],
    /// Whether Nginx was reloaded just now.
    pub(super) reloaded: bool,
}

/// What the answer for a path should be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// This file.
    File { path: TreePath, hash: ContentHash, size: u64 },
    /// Nothing, or another page of the release in its place.
    Gone { path: TreePath },
    /// This file, because there is nothing; where it replaces another one, not that.
    ErrorPage { path: TreePath, hash: ContentHash, size: u64 },
}

impl Switched<'_> {
    /// Every path that is asked for, as a URL has it; and how many deleted ones are not.
    /// A page of an error that changes is asked for once more, by an error.
    fn expected(&self, pages: &[ErrorPage]) -> (BTreeMap<String, Expected>, u64) {
        let mut all = BTreeMap::new();
        let mut file = |url: String, path: &TreePath| {
            if let Some((hash, size)) = self.served(path) {
                all.insert(url, Expected::File { path: path.clone(), hash, size });
            }
        };
        let changes = TreeChanges::between(self.before, self.now);
        for (path, _) in changes.iter().filter(|(_, entry)| entry.is_some()) {
            file(url(path), path);
        }
        let (page, version) = (PAGE.parse(), VERSION_FILE.parse());
        if let (Ok(page), Ok(version)) = (page, version) {
            file("/".to_owned(), &page);
            file(url(&page), &page);
            file(url(&version), &version);
        }
        for (path, _) in changes.iter().filter(|(_, entry)| entry.is_some()) {
            if let Some((hash, size)) = self.served(path)
                && let Some(url) = ErrorPage::url_of_nothing(pages, path, hash)
            {
                all.insert(url, Expected::ErrorPage { path: path.clone(), hash, size });
            }
        }
        let mut gone = Vec::new();
        for (path, _) in changes.iter().filter(|(_, entry)| entry.is_none()) {
            let was_folder = self.before.get(path).is_some_and(Entry::is_folder);
            let is_own = self.protected.iter().any(|own| path == own || path.is_below(own));
            if !was_folder && !is_own && self.kept.get(path).is_none() {
                gone.push(path);
            }
        }
        if gone.len() > GONE {
            // The same ones each time, and from all over the tree.
            gone.sort_by_cached_key(|path| ContentHash::of(path.as_str().as_bytes()));
        }
        let unasked = gone.len().saturating_sub(GONE) as u64;
        let gone = gone.into_iter().take(GONE);
        all.extend(gone.map(|path| (url(path), Expected::Gone { path: path.clone() })));
        (all, unasked)
    }

    /// What a web server gives for a file, or for a link to one.
    fn served(&self, path: &TreePath) -> Option<(ContentHash, u64)> {
        let Leads::To(path) = self.now.leads(path) else { return None };
        match self.now.get(&path).or_else(|| self.kept.get(&path))? {
            Entry::File { hash, size, .. } => Some((*hash, *size)),
            Entry::Folder { .. } | Entry::Link { .. } => None,
        }
    }

    /// Judges the answer at a URL; why it is wrong, if it is.
    fn judge(
        &self,
        at: &str,
        expected: &Expected,
        served: &Served,
        pages: &[ErrorPage],
        verified: &mut LandingVerified,
    ) -> Result<(), String> {
        let status = served.status;
        // An internal location answers as if there were nothing, or by what is there for that.
        let is_hidden = status == 404 || status == 200 && self.holds(served.hash);
        let is_kept = |path: &TreePath| is_hidden && ErrorPage::is_one(pages, path);
        match expected {
            Expected::File { hash, .. } if status == 200 && served.hash == *hash => {
                verified.files += 1;
                verified.bytes += served.size;
            }
            Expected::File { path, .. } if is_dotted(path) && [403, 404].contains(&status) => {
                verified.hidden.push(path.clone());
            }
            // Nobody gets it by its name: how it is seen otherwise tells.
            Expected::File { path, hash, .. }
                if at != "/"
                    && is_kept(path)
                    && (served.hash == *hash || !self.is_old(path, served.hash)) =>
            {
                if ErrorPage::url_of_nothing(pages, path, *hash).is_none() {
                    verified.unverified.push(path.clone());
                }
            }
            Expected::ErrorPage { hash, .. } if served.hash == *hash => verified.error_pages += 1,
            Expected::ErrorPage { path, .. } if self.is_old(path, served.hash) => {
                return Err(format!("the page {path} as it was before"));
            }
            // Such as a page that every path is answered with.
            Expected::ErrorPage { path, .. } if (1..500).contains(&status) => {
                verified.unverified.push(path.clone());
            }
            Expected::File { .. } if status == 200 => {
                return Err(format!("another content, {} bytes", served.size));
            }
            Expected::Gone { .. } if [403, 404, 410].contains(&status) => verified.gone += 1,
            Expected::Gone { path } if status == 200 && self.answers_for(path, served, pages) => {
                verified.fallback.push(path.clone());
            }
            Expected::Gone { .. } if status == 200 => return Err("it is still served".to_owned()),
            _ if status == 0 => return Err("no answer".to_owned()),
            _ => return Err(format!("status {status}")),
        }
        Ok(())
    }

    /// Whether this is what the file held before.
    fn is_old(&self, path: &TreePath, content: ContentHash) -> bool {
        matches!(self.before.get(path), Some(Entry::File { hash, .. }) if *hash == content)
    }

    /// Whether this is a page of the release that answers for what is not there. What the
    /// place held before is one only where the site has its pages for that: a file that is
    /// elsewhere now and still served there is none.
    fn answers_for(&self, path: &TreePath, served: &Served, pages: &[ErrorPage]) -> bool {
        if !self.is_old(path, served.hash) {
            return self.holds(served.hash);
        }
        let is_it =
            |page: &TreePath| self.served(page).is_some_and(|(hash, _)| hash == served.hash);
        let above = std::iter::successors(path.parent(), TreePath::parent);
        let mut indexes =
            above.map(|folder| format!("{}/{PAGE}", folder.as_str())).chain([PAGE.to_owned()]);
        indexes.any(|index| index.parse().is_ok_and(|index| is_it(&index)))
            || self.now.iter().any(|(page, _)| ErrorPage::is_one(pages, page) && is_it(page))
    }

    /// Whether a file of the release holds this.
    fn holds(&self, content: ContentHash) -> bool {
        let is_it = |entry: &Entry| matches!(entry, Entry::File { hash, .. } if *hash == content);
        self.now.iter().any(|(_, entry)| is_it(entry))
    }

    /// Asks Nginx for every changed file, and for those that are gone, until so many answers
    /// are wrong as are told.
    ///
    /// # Errors
    /// A step error with the answers that are not right, or when all of them take too long.
    pub(super) fn verify(&self, cx: &Context, server: &Server) -> Result<LandingVerified> {
        let skipped = |reason: &str| {
            cx.skip(reason);
            LandingVerified { skipped: Some(reason.to_owned()), ..LandingVerified::default() }
        };
        let Some(host) = &server.policy.host else {
            return Ok(skipped("the policy names no `host`, so what Nginx serves is not asked"));
        };
        if server.layout.maintenance().exists() {
            return Ok(skipped("clients get the maintenance page, so nothing is asked"));
        }
        let pages = ErrorPage::all(cx, server)?;
        let (expected, unasked) = self.expected(&pages);
        let mut open: Vec<(String, Expected)> = expected.into_iter().collect();
        let all = open.len();
        let mut verified = LandingVerified { unasked, ..LandingVerified::default() };
        let mut left = VERIFIED_WITHIN;
        let mut is_shut = true;
        for tries_left in (0..if self.reloaded { RELOADED_TRIES } else { 1 }).rev() {
            let (mut wrong, mut later) = (Vec::new(), Vec::new());
            for batch in batches(open) {
                if wrong.len() >= TOLD {
                    later.extend(batch);
                    continue;
                }
                let fetched = cx.run(self.fetch(server, host, &batch).within(left))?;
                left = left.saturating_sub(fetched.took);
                is_shut &= fetched.served.iter().all(Served::is_shut);
                for ((url, expected), served) in batch.into_iter().zip(&fetched.served) {
                    if let Err(why) = self.judge(&url, &expected, served, &pages, &mut verified) {
                        wrong.push((url, expected, why));
                    }
                }
            }
            if wrong.is_empty() {
                note_unverified(cx, &verified);
                return Ok(verified);
            }
            if tries_left == 0 || left.is_zero() {
                let least = if later.is_empty() { "" } else { "at least " };
                let told = wrong.iter().map(|(url, _, why)| format!("https://{host}{url}: {why}"));
                let error = Error::step(format!(
                    "clients do not get this release: {least}{} of {all} answers are wrong",
                    wrong.len()
                ))
                .tail(some(told));
                return Err(if is_shut { error.hint(shut(&server.policy, host)) } else { error });
            }
            let wrong = wrong.into_iter().map(|(url, expected, _)| (url, expected));
            open = wrong.chain(later).collect();
            cx.run(Pause::new("nginx's new workers take over", NAP))?;
        }
        Ok(verified)
    }

    fn fetch(&self, server: &Server, host: &str, batch: &[(String, Expected)]) -> FetchServed {
        let fetch = |(url, expected): &(String, Expected)| Fetch {
            path: url.clone(),
            hoped: match expected {
                Expected::File { hash, .. } | Expected::ErrorPage { hash, .. } => Some(*hash),
                Expected::Gone { .. } => None,
            },
        };
        let folder = server.layout.landing().fetched();
        FetchServed::new(host, folder, batch.iter().map(fetch).collect())
            .at(server.policy.host_address)
            .authority(server.policy.tls_ca.clone())
    }
}

/// What to do where the server itself gets nothing at all.
fn shut(policy: &Policy, host: &str) -> String {
    format!(
        "this server asks {} for {host}, and no page is answered there: name the address that \
         Nginx serves it at, `host_address` in the policy, or let this machine in without a login \
         (`satisfy any; allow 127.0.0.1;`)",
        policy.host_address
    )
}

fn url(path: &TreePath) -> String {
    format!("/{}", path.encoded())
}

/// Whether servers often keep it to themselves: `.htaccess`, `.git/config`, the release's
/// own file.
fn is_dotted(path: &TreePath) -> bool {
    path.as_str().split('/').any(|name| name.starts_with('.') && name != ".well-known")
}

/// So many at a time that neither the command nor the disk gets too long.
fn batches(all: Vec<(String, Expected)>) -> Vec<Vec<(String, Expected)>> {
    let mut batches: Vec<Vec<(String, Expected)>> = Vec::new();
    let mut bytes = 0;
    for one in all {
        let size = match &one.1 {
            Expected::File { size, .. } | Expected::ErrorPage { size, .. } => *size,
            Expected::Gone { .. } => 0,
        };
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + size <= BATCH_BYTES => {
                bytes += size;
                batch.push(one);
            }
            _ => {
                bytes = size;
                batches.push(vec![one]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, CommandLine, Fake, Pipeline, World, parse::nginx::sites, server::Layout};

    fn file(text: &str) -> Entry {
        Entry::file(text.len() as u64, ContentHash::of(text.as_bytes()))
    }

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect()
    }

    fn urls(expected: &BTreeMap<String, Expected>) -> Vec<String> {
        let told = |(url, expected): (&String, &Expected)| match expected {
            Expected::File { path, .. } => format!("{url} is {path}"),
            Expected::Gone { .. } => format!("{url} is gone"),
            Expected::ErrorPage { path, .. } => format!("{url} shows {path}"),
        };
        expected.iter().map(told).collect()
    }

    #[test]
    fn what_changed_is_asked_for_and_the_page_always() {
        let before = tree(&[
            ("index.html", file("home")),
            ("same.css", file("s")),
            ("changed a.js", file("1")),
            ("gone.html", file("g")),
            ("kept-1a2b3c4d.js", file("k")),
            ("d", Entry::folder()),
            ("d/x", file("x")),
            (".well-known/own", file("o")),
        ]);
        let now = tree(&[
            ("index.html", file("home")),
            ("same.css", file("s")),
            ("changed a.js", file("2")),
            ("link", Entry::link("same.css")),
            ("to a folder", Entry::link(".")),
        ]);
        let kept = tree(&[("kept-1a2b3c4d.js", file("k")), (VERSION_FILE, file("{}"))]);
        let protected = [".well-known".parse().unwrap()];
        let switched = Switched {
            before: &before,
            now: &now,
            kept: &kept,
            protected: &protected,
            reloaded: false,
        };
        assert_eq!(
            urls(&switched.expected(&[]).0),
            [
                "/ is index.html",
                "/.talia-version.json is .talia-version.json",
                "/changed%20a.js is changed a.js",
                "/d/x is gone",
                "/gone.html is gone",
                "/index.html is index.html",
                "/link is link",
            ]
        );
    }

    #[test]
    fn of_very_many_deleted_paths_a_sample_is_asked_for() {
        let named = |count: usize| -> Tree {
            (0..count).map(|n| (format!("{n:04}.html").parse().unwrap(), file("x"))).collect()
        };
        let now = tree(&[("index.html", file("home"))]);
        let none = Tree::default();
        let of = |before: &Tree| {
            let switched =
                Switched { before, now: &now, kept: &none, protected: &[], reloaded: false };
            let (expected, unasked) = switched.expected(&[]);
            let is_gone = |one: &&Expected| matches!(one, Expected::Gone { .. });
            (expected.values().filter(is_gone).count(), unasked, urls(&expected))
        };
        assert_eq!((of(&named(GONE)).0, of(&named(GONE)).1), (GONE, 0));
        let (asked, unasked, urls) = of(&named(2000));
        assert_eq!((asked, unasked), (GONE, 1500));
        assert!(urls.contains(&"/index.html is index.html".to_owned()), "what changed always is");
        assert_eq!(of(&named(2000)).2, urls, "the same ones each time");
        let late = urls.iter().filter(|url| url.as_str() >= "/1000").count();
        assert!((200..300).contains(&late), "{late} of the later half");
    }

    #[test]
    fn an_answer_is_right_in_few_ways() {
        let now = tree(&[("index.html", file("home"))]);
        let none = Tree::default();
        let switched =
            Switched { before: &none, now: &now, kept: &none, protected: &[], reloaded: false };
        let mut verified = LandingVerified::default();
        let mut judge = |expected: &Expected, status: u16, text: &str| {
            let served =
                Served { status, hash: ContentHash::of(text.as_bytes()), size: text.len() as u64 };
            switched.judge("/x", expected, &served, &[], &mut verified)
        };
        let expected = |path: &str| Expected::File {
            path: path.parse().unwrap(),
            hash: ContentHash::of(b"hi"),
            size: 2,
        };
        let gone = Expected::Gone { path: "old".parse().unwrap() };
        assert_eq!(judge(&expected("a"), 200, "hi"), Ok(()));
        for (status, text, why) in [
            (200, "ho!", "another content, 3 bytes"),
            (404, "", "status 404"),
            (0, "", "no answer"),
        ] {
            assert_eq!(judge(&expected("a"), status, text), Err(why.into()));
        }
        assert_eq!(judge(&expected("d/.htaccess"), 403, ""), Ok(()));
        assert_eq!(judge(&expected(VERSION_FILE), 403, ""), Ok(()), "`location ~ /\\.` is common");
        assert!(judge(&expected("d/.htaccess"), 200, "old").is_err());
        assert!(judge(&expected(VERSION_FILE), 200, "old").is_err());
        assert!(judge(&expected(".well-known/x"), 404, "").is_err());
        assert_eq!((judge(&gone, 404, ""), judge(&gone, 410, "")), (Ok(()), Ok(())));
        assert_eq!(judge(&gone, 200, "home"), Ok(()), "a fallback to a page of the release");
        assert_eq!(judge(&gone, 200, "old"), Err("it is still served".into()));
        assert_eq!(judge(&gone, 502, ""), Err("status 502".into()));
        assert_eq!((verified.files, verified.bytes, verified.gone), (1, 2, 2));
        assert_eq!((verified.fallback.len(), verified.hidden.len()), (1, 2));
    }

    #[test]
    fn a_renamed_file_that_is_still_served_where_it_was_has_not_gone() {
        let before =
            tree(&[("old.html", file("page")), ("a", Entry::folder()), ("a/b", file("home"))]);
        let now = tree(&[
            ("new.html", file("page")),
            ("index.html", file("home")),
            ("lost.html", file("lost")),
            ("docs", Entry::folder()),
            ("docs/index.html", file("docs")),
        ]);
        let none = Tree::default();
        let switched =
            Switched { before: &before, now: &now, kept: &none, protected: &[], reloaded: false };
        let shown =
            "server { error_page 404 =200 /lost.html; location = /lost.html { internal; } }";
        let pages = ErrorPage::of_sites(&sites(shown));
        let judge = |before: &Tree, path: &str, text: &str| {
            let switched = Switched { before, ..switched };
            let gone = Expected::Gone { path: path.parse().unwrap() };
            let hash = ContentHash::of(text.as_bytes());
            let served = Served { status: 200, hash, size: text.len() as u64 };
            switched.judge("/x", &gone, &served, &pages, &mut LandingVerified::default())
        };
        assert_eq!(judge(&before, "old.html", "page"), Err("it is still served".into()));
        assert_eq!(judge(&before, "old.html", "home"), Ok(()), "a fallback");
        assert_eq!(judge(&before, "a/b", "home"), Ok(()), "what the fallback is now");
        let old = |path: &str, text: &str| tree(&[(path, file(text))]);
        assert_eq!(judge(&old("x.html", "lost"), "x.html", "lost"), Ok(()));
        assert_eq!(judge(&old("docs/x", "docs"), "docs/x", "docs"), Ok(()));
        assert!(judge(&old("index/x", "docs"), "index/x", "docs").is_err(), "of another folder");
    }

    #[test]
    fn a_page_that_nginx_gives_in_place_of_an_error_alone_is_seen_there() {
        let before = tree(&[("index.html", file("home")), ("404.html", file("old"))]);
        let now = tree(&[
            ("index.html", file("home")),
            ("404.html", file("new")),
            ("50x.html", file("broken")),
        ]);
        let none = Tree::default();
        let switched =
            Switched { before: &before, now: &now, kept: &none, protected: &[], reloaded: false };
        let shown = "server { error_page 404 /404.html; error_page 502 /50x.html; \
                     location ~ x?html { internal; } }";
        let pages = ErrorPage::of_sites(&sites(shown));
        let (expected, _) = switched.expected(&pages);
        let nothing = format!("/no-such-page-{}", ContentHash::of(b"new").short());
        assert_eq!(
            urls(&expected),
            [
                "/ is index.html",
                "/404.html is 404.html",
                "/50x.html is 50x.html",
                "/index.html is index.html",
                &format!("{nothing} shows 404.html"),
            ]
        );
        let judge = |url: &str, status: u16, text: &str| {
            let mut verified = LandingVerified::default();
            let (hash, size) = (ContentHash::of(text.as_bytes()), text.len() as u64);
            let served = Served { status, hash, size };
            let judged = switched.judge(url, &expected[url], &served, &pages, &mut verified);
            let LandingVerified { files, error_pages, unverified, .. } = verified;
            judged.map(|()| (files, error_pages, unverified.len()))
        };
        // By its name it may be had after all: a pattern is not read.
        assert_eq!(judge("/404.html", 200, "new"), Ok((1, 0, 0)));
        assert_eq!(judge("/404.html", 404, "new"), Ok((0, 0, 0)));
        assert_eq!(judge(&nothing, 404, "new"), Ok((0, 1, 0)));
        assert_eq!(judge(&nothing, 200, "home"), Ok((0, 0, 1)), "every path is answered");
        assert_eq!(judge("/50x.html", 404, "new"), Ok((0, 0, 1)));
        for (url, status, text) in [
            ("/404.html", 200, "old"),
            ("/404.html", 404, "old"),
            (nothing.as_str(), 404, "old"),
            (nothing.as_str(), 0, ""),
            ("/50x.html", 0, ""),
            ("/50x.html", 502, "broken"),
            ("/404.html", 500, "oops"),
            ("/404.html", 200, "of others"),
            (nothing.as_str(), 500, "oops"),
            ("/index.html", 404, "new"),
        ] {
            assert!(judge(url, status, text).is_err(), "{url} {status} {text}");
        }
    }

    #[test]
    fn a_batch_is_short_in_paths_and_in_bytes() {
        let one = |size| {
            let (path, hash) = ("a".parse().unwrap(), ContentHash::of(b""));
            (String::new(), Expected::File { path, hash, size })
        };
        let lengths = |all: Vec<(String, Expected)>| -> Vec<usize> {
            batches(all).iter().map(Vec::len).collect()
        };
        assert_eq!(lengths((0..600).map(|_| one(1)).collect()), [256, 256, 88]);
        let big = BATCH_BYTES;
        assert_eq!(lengths(vec![one(1), one(big), one(big - 1), one(1), one(1)]), [1, 1, 2, 1]);
        assert!(batches(Vec::new()).is_empty());
    }

    /// What verifying 600 files comes to where every answer has this status and takes so
    /// long; and how often is asked, with the time that each question has.
    fn refused(status: u16, seconds: u64, reloaded: bool) -> (Error, Vec<Duration>) {
        let now: Tree = (0..600)
            .map(|number| (format!("{number:03}").parse().unwrap(), file(&number.to_string())))
            .collect();
        let none = Tree::default();
        let switched = Switched { before: &none, now: &now, kept: &none, protected: &[], reloaded };
        let host_address = "203.0.113.5:8443".parse().unwrap();
        let policy =
            Policy { host: Some("talia.example".into()), host_address, ..Policy::default() };
        let layout = Layout::new(&"staging".parse().unwrap(), &policy);
        let (run, by) = ("run".to_owned(), "ana".parse().unwrap());
        let server = Server { layout, policy, now_ms: 0, run, by };
        let answers = move |_: &CommandLine| {
            let said: String = (0..BATCH).map(|at| format!("{status:03} {at}\n")).collect();
            Answer::new(0, said, "").lasted(Duration::from_secs(seconds))
        };
        let pipeline = Pipeline::new("verify", "/", World::fixed("/", []));
        let (result, asked) = pipeline.fake(Fake::new(answers), |cx| switched.verify(cx, &server));
        let curls = asked.iter().filter(|line| line.words().starts_with("curl "));
        let curls = curls.inspect(|line| {
            assert!(line.words().contains(" --connect-to ::203.0.113.5:8443 "), "{line}");
        });
        let within = curls.map(|line| line.time_limit().unwrap()).collect();
        (result.unwrap_err(), within)
    }

    #[test]
    fn where_nobody_is_let_in_it_is_said_what_to_do() {
        for status in [0, 401, 403] {
            let error = refused(status, 1, false).0;
            let hint = error.hint_text().unwrap();
            assert!(hint.contains("203.0.113.5:8443 for talia.example"), "{hint}");
            assert!(hint.contains("`host_address`"), "{hint}");
        }
        assert_eq!(refused(404, 1, false).0.hint_text(), None);
    }

    #[test]
    fn what_is_wrong_is_soon_known() {
        let (error, asked) = refused(404, 1, false);
        let error = error.to_string();
        assert!(error.contains("at least 256 of 600 answers are wrong"), "{error}");
        assert_eq!(asked, [VERIFIED_WITHIN]);
        let (error, asked) = refused(404, 200, true);
        assert!(error.to_string().contains("answers are wrong"), "{error}");
        assert_eq!(asked, [VERIFIED_WITHIN, Duration::from_secs(100)]);
    }
}
