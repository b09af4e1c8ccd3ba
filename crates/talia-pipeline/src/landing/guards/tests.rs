use crate::{
    ErrorKind,
    landing::{ContentHash, Entry, Filters, LocalIndex, Problems},
    parse::git_status,
};

use super::*;

/// An index of these: a folder ends with `/`, a link has its target behind ` -> `.
fn index(paths: &[&str]) -> LocalIndex {
    let entry = |text: &&str| {
        let (path, entry) = match (text.strip_suffix('/'), text.split_once(" -> ")) {
            (Some(folder), _) => (folder, Entry::folder()),
            (_, Some((link, target))) => (link, Entry::link(target)),
            _ => (*text, Entry::file(1, ContentHash::of(b"x"))),
        };
        (path.parse().unwrap(), entry)
    };
    let tree = paths.iter().map(entry).collect();
    LocalIndex { source: "/srv/repository/site".into(), tree, ..LocalIndex::default() }
}

fn facts(index: &LocalIndex) -> Facts<'_> {
    let repository = Utf8Path::new("/srv/repository");
    Facts { index, repository, uncommitted: &[], deletions: Deletions::default() }
}

/// What is refused, in full.
fn told(guards: &Guards, facts: &Facts<'_>) -> String {
    let told = guards.refusals(facts).into_iter().map(|refused| {
        if let Some(flag) = refused.guard.flag() {
            assert!(refused.hint.contains(flag), "{} names {flag}", refused.hint);
        }
        format!("{}\n  {}\n", refused.what, refused.hint)
    });
    told.collect()
}

fn told_of(paths: &[&str]) -> String {
    told(&Guards::default(), &facts(&index(paths)))
}

/// Guards that let one thing pass.
fn letting(set: impl Fn(&mut Overrides)) -> Guards {
    let mut guards = Guards::default();
    set(&mut guards.overrides);
    guards
}

#[test]
fn an_ordinary_page_passes() {
    let page = index(&["index.html", "a/", "a/.env.example", "a/link -> ../index.html"]);
    assert_eq!(told(&Guards::default(), &facts(&page)), "");
    Guards::default().check(&facts(&page)).unwrap();
}

#[test]
fn an_empty_source() {
    insta::assert_snapshot!(told_of(&["folder/"]), @r"
    there is no file in /srv/repository/site
      build the page, or look why its build has left nothing; `--allow-empty` takes everything off the server
    ");
    let mut hidden = index(&[]);
    hidden.counts.hidden = 3;
    insta::assert_snapshot!(told(&Guards::default(), &facts(&hidden)), @r"
    there is no file in /srv/repository/site, besides what its filters hide
      build the page, or look why its build has left nothing; `--allow-empty` takes everything off the server
    ");
    let guards = letting(|overrides| overrides.empty = true);
    assert_eq!(told(&guards, &facts(&index(&[]))), "");
}

#[test]
fn a_missing_required_file() {
    insta::assert_snapshot!(told_of(&["index.htm", "index.html/"]), @r"
    the landing page's source /srv/repository/site has no required file: `index.html`
      build the page, or change what `[landing]` requires; `--allow-missing` publishes it without
    ");
    let guards = letting(|overrides| overrides.missing = true);
    assert_eq!(told(&guards, &facts(&index(&["a"]))), "");
    assert_eq!(told_of(&["index.html -> a", "a"]), "");
}

#[test]
fn a_required_file_that_a_filter_hides() {
    let filters = Filters::new(["*.html".parse().unwrap()]);
    let index = LocalIndex { filters, ..index(&["a"]) };
    let required = ["index.html", "404.html"].map(|path| path.parse().unwrap()).into();
    let limits = Limits { required, ..Limits::default() };
    let guards = Guards { limits, ..Guards::default() };
    insta::assert_snapshot!(told(&guards, &facts(&index)), @r"
    the landing page's source /srv/repository/site has no required files: `404.html (hidden by a filter)`, `index.html (hidden by a filter)`
      build the page, or change what `[landing]` requires; `--allow-missing` publishes it without
    ");
}

#[test]
fn a_source_outside_of_the_repository() {
    let far = LocalIndex { source: "/srv/repository-2/site".into(), ..index(&["index.html"]) };
    let guards = letting(|overrides| overrides.outside = true);
    assert_eq!(told(&guards, &facts(&far)), "");
    let index = LocalIndex { source: "/srv/repository-2/site".into(), ..index(&["index.html"]) };
    insta::assert_snapshot!(told(&Guards::default(), &facts(&index)), @r"
    the landing page's source /srv/repository-2/site is not in the repository /srv/repository
      name a folder of the repository in `[landing]`, a link in it that leads out is none; `--allow-outside` publishes what no commit has, and marks it
    ");
}

#[test]
fn links_that_leave_the_tree() {
    let paths =
        ["index.html", "a/", "a/x -> ../../secret", "etc -> /etc", "ok -> a", "up -> a\n/x/.."];
    insta::assert_snapshot!(told_of(&paths[..5]), @r"
    the landing page's source /srv/repository/site has links that leave it: `a/x -> ../../secret`, `etc -> /etc`
      make it relative, to something in the source, or hide it in .rsyncignore, or copy what it names; where `links_out` of the server's policy allows it, `--allow-links` publishes it, and it leads elsewhere there
    ");
    assert_eq!(told_of(&["index.html", "up -> a\n/x/.."]), "");
    let guards = letting(|overrides| overrides.links = true);
    assert_eq!(told(&guards, &facts(&index(&paths))), "");
}

#[test]
fn secrets() {
    let paths = [
        "index.html",
        ".env",
        ".env.production",
        ".git/",
        ".git/config",
        "certs/",
        "certs/SITE.KEY",
        "certs/site.pem",
        "id_rsa.pub",
        "data.sqlite",
        ".htpasswd",
        "a.p12",
        "keys.html",
        "env",
        "monkey",
        ".gitignore",
    ];
    insta::assert_snapshot!(told_of(&paths), @r"
    the landing page's source /srv/repository/site has what look like secrets: `.env`, `.env.production`, `.git`, `.htpasswd`, `a.p12`, `certs/SITE.KEY`, `certs/site.pem`, `data.sqlite`, `id_rsa.pub`
      move it away, or hide it in .rsyncignore; if everybody may read it, allow its pattern in `[landing]`, or once: `--allow-secrets`
    ");
    let guards = letting(|overrides| overrides.secrets = true);
    assert_eq!(told(&guards, &facts(&index(&paths))), "");
}

#[test]
fn junk() {
    let paths = [
        "index.html",
        "index.html~",
        ".index.html.swp",
        "#index.html#",
        ".#index.html",
        ".DS_Store",
        "a/",
        "a/Thumbs.db",
        "node_modules/",
        "node_modules/x/",
        "node_modules/x/index.js~",
        "a/#1",
        "swp",
        "a.js.orig",
    ];
    insta::assert_snapshot!(told_of(&paths), @r"
    the landing page's source /srv/repository/site has what nobody means to publish: `#index.html#`, `.#index.html`, `.DS_Store`, `.index.html.swp`, `a.js.orig`, `a/Thumbs.db`, `index.html~`, `node_modules`
      remove it, or hide it in .rsyncignore; or allow its pattern in `[landing]`, or once: `--allow-junk`
    ");
    let guards = letting(|overrides| overrides.junk = true);
    assert_eq!(told(&guards, &facts(&index(&paths))), "");
}

#[test]
fn what_settings_allow_is_neither_secret_nor_junk() {
    let allowed = ["/public.pem", "node_modules/"].map(|text| text.parse().unwrap()).into();
    let guards = Guards { limits: Limits { allowed, ..Limits::default() }, ..Guards::default() };
    let paths =
        ["index.html", "public.pem", "a/", "a/public.pem", "node_modules/", "node_modules/b~"];
    insta::assert_snapshot!(told(&guards, &facts(&index(&paths))), @r"
    the landing page's source /srv/repository/site has what looks like a secret: `a/public.pem`
      move it away, or hide it in .rsyncignore; if everybody may read it, allow its pattern in `[landing]`, or once: `--allow-secrets`
    the landing page's source /srv/repository/site has what nobody means to publish: `node_modules/b~`
      remove it, or hide it in .rsyncignore; or allow its pattern in `[landing]`, or once: `--allow-junk`
    ");
}

#[test]
fn a_file_over_the_limit() {
    let mut page = index(&["index.html"]);
    let video = |size| Entry::file(size, ContentHash::of(b"x"));
    page.tree.insert("film.mp4".parse().unwrap(), video(120_260_000));
    page.tree.insert("just.mp4".parse().unwrap(), video(50_000_000));
    insta::assert_snapshot!(told(&Guards::default(), &facts(&page)), @r"
    the landing page's source /srv/repository/site has a file that is too large: `film.mp4 (120.2 MB, at most 50.0 MB)`
      make it smaller, or hide it in .rsyncignore; or raise the limit in `[landing]`, or once: `--allow-large`
    ");
    assert_eq!(told(&letting(|overrides| overrides.large = true), &facts(&page)), "");
    let limits = Limits { file_bytes: 200_000_000, ..Limits::default() };
    assert_eq!(told(&Guards { limits, ..Guards::default() }, &facts(&page)), "");
}

#[test]
fn more_deletions_than_usual() {
    let page = index(&["index.html"]);
    let told = |guards: &Guards, deleted, of| {
        told(guards, &Facts { deletions: Deletions { deleted, of }, ..facts(&page) })
    };
    let usual = Guards::default();
    let all = [told(&usual, 60, 100), told(&usual, 51, 10_000), told(&usual, 1, 1)].concat();
    insta::assert_snapshot!(all, @r"
    60 of 100 files on the server would be deleted or renamed: more than 30 % and more than 50 files
      look at the plan; if it is meant: `--allow-deletions 60`
    51 of 10000 files on the server would be deleted or renamed: more than 50 files
      look at the plan; if it is meant: `--allow-deletions 51`
    1 of 1 file on the server would be deleted or renamed: more than 30 %
      look at the plan; if it is meant: `--allow-deletions 1`
    ");
    for (deleted, of) in [(0, 0), (0, 10), (3, 10), (30, 100), (50, 1000)] {
        assert_eq!(told(&usual, deleted, of), "", "{deleted} of {of}");
    }
    let guards = letting(|overrides| overrides.deletions = Some(60));
    assert_eq!(told(&guards, 60, 100), "");
    assert_ne!(told(&guards, 61, 100), "");
}

#[test]
fn what_is_not_committed() {
    let filters = Filters::new(["*.map".parse().unwrap()]);
    let page = index(&["index.html", "new.html", "dist/", "dist/a.js", "empty/"]);
    let page = LocalIndex { filters, ..page };
    let status =
        b" M site/index.html\0 D site/gone.html\0?? site/new.html\0?? site/x.map\0 M site/y.map\0\
                   !! site/dist/\0!! site/hidden/\0 M other/x\0!! site/x.map\0";
    let uncommitted = git_status::read(status).unwrap();
    let facts = Facts { uncommitted: &uncommitted, ..facts(&page) };
    insta::assert_snapshot!(told(&Guards::default(), &facts), @r"
    the landing page's source /srv/repository/site would publish what is not committed: `site/dist/ (ignored)`, `site/gone.html (changed)`, `site/index.html (changed)`, `site/new.html (untracked)`
      commit it, or take it back; what git ignores is published with `--allow-dirty`, other changes never are where only commits of a branch go
    ");
    assert_eq!(told(&letting(|overrides| overrides.dirty = true), &facts), "");
    let uncommitted = git_status::read(b"!! site/\0").unwrap();
    let facts = Facts { uncommitted: &uncommitted, ..facts };
    insta::assert_snapshot!(told(&Guards::default(), &facts), @r"
    the landing page's source /srv/repository/site would publish what is not committed: `site/ (ignored)`
      commit it, or take it back; what git ignores is published with `--allow-dirty`, other changes never are where only commits of a branch go
    ");
    // All of the source is in an ignored folder.
    let inner = LocalIndex { source: "/srv/repository/site/dist".into(), ..index(&["index.html"]) };
    let uncommitted = git_status::read(b"!! site/\0 M site/x\0").unwrap();
    let facts = Facts { index: &inner, uncommitted: &uncommitted, ..facts };
    insta::assert_snapshot!(told(&Guards::default(), &facts), @r"
    the landing page's source /srv/repository/site/dist would publish what is not committed: `site/ (ignored)`
      commit it, or take it back; what git ignores is published with `--allow-dirty`, other changes never are where only commits of a branch go
    ");
}

#[test]
fn what_nothing_lets_pass() {
    let problems = Problems {
        special: ["run.sock (a socket)"].into_iter().collect(),
        not_utf8: [r"caf\xe9.html", r"\xff"].into_iter().collect(),
        unreadable: ["a (permission denied)", "b (permission denied)"].into_iter().collect(),
        changed: ["c"].into_iter().collect(),
        too_deep: ["d/d"].into_iter().collect(),
    };
    let page = LocalIndex { problems, ..index(&["index.html"]) };
    let guards = Guards {
        overrides: Overrides {
            deletions: Some(u64::MAX),
            empty: true,
            missing: true,
            large: true,
            secrets: true,
            junk: true,
            links: true,
            dirty: true,
            outside: true,
            unreadable: true,
        },
        ..Guards::default()
    };
    insta::assert_snapshot!(told(&guards, &facts(&page)), @r"
    the landing page's source /srv/repository/site has names that are not UTF-8: `\xff`, `caf\xe9.html`
      rename it in UTF-8; the bytes that are not are shown as `\xff`
    the landing page's source /srv/repository/site has something that is no file: `run.sock (a socket)`
      remove it, or hide it in .rsyncignore
    the landing page's source /srv/repository/site has things that cannot be read: `a (permission denied)`, `b (permission denied)`
      let your user read it (`chmod u+r`, folders `u+rx`), or hide it in .rsyncignore; `--allow-unreadable` leaves it out, and takes it off the server
    the landing page's source /srv/repository/site has a file that changed while it was read: `c`
      wait until the build has ended, and start again
    the landing page's source /srv/repository/site has something that is too deep: `d/d`
      move it up: at most 100 folders, and paths of 3000 bytes, or hide it in .rsyncignore
    ");
}

#[test]
fn every_refusal_is_told_and_the_exit_code_is_4() {
    let page = index(&[".env", "a~", "up -> ..", "index.html"]);
    let error = Guards::default().check(&facts(&page)).unwrap_err();
    assert_eq!((error.kind(), error.exit_code().code()), (ErrorKind::Refused, 4));
    assert_eq!(error.failures().len(), 3);
    assert!(error.failures().iter().all(|failure| failure.hint_text().is_some()));
}
