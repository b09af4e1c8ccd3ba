//! What is published, for whoever asks. Nothing here changes anything.

use crate::{
    context::Context,
    error::Result,
    landing::{ContentHash, LandingStrategy, Tree, TreePath},
    parse::nginx::Site,
    protocol::{
        LandingFile, LandingIndex, LandingRelease, LandingState, LandingTransaction, ReleaseId,
    },
    server::{
        holder,
        landing::{AtWeb, LandingPlace, LandingSeen, Own, Published},
    },
    settings::Policy,
    steps::server::landing::{
        NginxConfiguration, NginxNow, ReadLanding, ReadLandingFile, ReadOpenTransaction,
        ReadPublished, ReadReleaseTree,
    },
};

use super::super::Server;

/// What is published, with what a plan has to know. `known` is the hash of a tree that the
/// client has: where it is what is published, the tree is not told.
///
/// No file is read but those that have changed since the release by what `lstat` says of
/// them; all are where no release is live.
///
/// # Errors
/// When what is published cannot be read.
pub fn index(cx: &Context, server: &Server, known: Option<ContentHash>) -> Result<LandingIndex> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    let transaction = open(cx, server, &place, &seen)?;
    // For the plan of a question nobody has to look twice.
    let published = match ask_published(server, &place, &seen) {
        Some(ask) => cx.run(ask.known(known))?,
        None => Published::default(),
    };
    let hash = hash(&seen, &published);
    let unfinished = seen.records.unfinished().next().map(|record| record.id.clone());
    let notes = notes(cx, server, &place, &seen, &published)?;
    Ok(LandingIndex {
        live: seen.live().map(|live| live.taken()),
        hash,
        tree: (known != Some(hash)).then_some(published.tree),
        drift: published.drift,
        transaction,
        unfinished,
        strategy: server.policy.landing.strategy,
        protected: server.policy.landing.protected.clone(),
        standing: published.standing,
        keeps_assets: server.policy.landing.strategy == LandingStrategy::Release
            && server.policy.landing.keep_assets > 0,
        notes,
    })
}

/// The transaction that is open, if one is.
pub(super) fn open(
    cx: &Context,
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
) -> Result<Option<LandingTransaction>> {
    let ask = |transaction| cx.observe(ReadOpenTransaction::new(place, transaction, server.now_ms));
    seen.transaction.as_ref().map(ask).transpose()
}

/// What is published now. `is_untouched`: nothing was changed before this question.
pub(super) fn published(
    cx: &Context,
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
    is_untouched: bool,
) -> Result<Published> {
    match ask_published(server, place, seen) {
        Some(ask) if is_untouched => cx.observe_once(ask),
        Some(ask) => cx.observe(ask),
        None => Ok(Published::default()),
    }
}

fn ask_published(
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
) -> Option<ReadPublished> {
    let protected = &server.policy.landing.protected;
    Some(ReadPublished::new(place, seen.root(place)?, seen.live(), protected))
}

/// The hash of what is published.
fn hash(seen: &LandingSeen, published: &Published) -> ContentHash {
    match seen.live() {
        Some(live) if published.drift.is_empty() && !published.is_interrupted => live.tree,
        _ => published.tree.hash(),
    }
}

/// What a person should know before a release.
fn notes(
    cx: &Context,
    server: &Server,
    place: &LandingPlace,
    seen: &LandingSeen,
    published: &Published,
) -> Result<Vec<String>> {
    let mut notes: Vec<String> =
        published.odd.iter().map(|odd| format!("not published again: {odd}")).collect();
    if published.is_interrupted {
        notes.push("a release in place has not ended: some of its files are live".to_owned());
    }
    let web = place.web();
    match (&seen.web, server.policy.landing.strategy) {
        (AtWeb::Other(what), _) => notes.push(format!("{what}: no release of talia's")),
        (AtWeb::Folder, LandingStrategy::Release) => notes.push(format!(
            "{web} is a folder: the first release puts a link in its place, and keeps it to go \
             back to"
        )),
        (AtWeb::Release(_), LandingStrategy::InPlace) => {
            notes.push(format!("{web} is a link, and `strategy = \"in-place\"` needs a folder"));
        }
        _ => {}
    }
    let Some(nginx) = cx.probe(NginxConfiguration::new(place.nginx()))? else {
        notes.push("Nginx refuses its own configuration: `nginx -t` tells why".to_owned());
        return Ok(notes);
    };
    if let Some(site) = own_sites(&server.policy, &nginx).find(|site| site.refuses_links) {
        notes.push(format!("{}: `disable_symlinks` is on", site.names.join(" ")));
    }
    if caches_files(&server.policy, &nginx) {
        notes.push("`open_file_cache` is on, so Nginx is reloaded after the switch".to_owned());
    }
    Ok(notes)
}

/// The virtual hosts that serve the landing page: those that name its host, which Nginx
/// takes before any other; where none does, it may be any, by a wildcard, a pattern or
/// because it is the default.
pub(super) fn own_sites<'a>(
    policy: &'a Policy,
    nginx: &'a NginxNow,
) -> impl Iterator<Item = &'a Site> {
    let names_it = |site: &Site| {
        let host = policy.host.as_deref().unwrap_or_default();
        site.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    };
    let is_named = nginx.sites.iter().any(names_it);
    nginx.sites.iter().filter(move |site| !is_named || names_it(site))
}

/// Whether Nginx would serve old files on after a switch.
pub(super) fn caches_files(policy: &Policy, nginx: &NginxNow) -> bool {
    own_sites(policy, nginx).any(|site| site.caches_open_files)
}

/// The landing page in the answer to `status`.
///
/// # Errors
/// When it cannot be looked at.
pub fn state(cx: &Context, server: &Server) -> Result<LandingState> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    Ok(LandingState {
        live: seen.live().map(|live| live.taken()),
        transaction: open(cx, server, &place, &seen)?,
        lock: holder(&place.lock())?,
        unfinished: seen.records.unfinished().next().map(|record| record.id.clone()),
    })
}

/// The releases that are kept, the newest first.
///
/// # Errors
/// When they cannot be listed.
pub fn releases(cx: &Context, server: &Server) -> Result<Vec<LandingRelease>> {
    let seen = cx.observe(ReadLanding::new(&server.layout.landing()))?;
    let live: Option<ReleaseId> = seen.live().map(|live| live.id.clone());
    Ok(seen.records.all.iter().rev().map(|record| record.listed(live.as_ref())).collect())
}

/// What files hold that clients get, each in its turn until the texts are too long
/// together. Of what is the server's own, of what not all may read, and of names with a dot
/// in front that no release has, nothing is told.
///
/// # Errors
/// When one cannot be read.
pub fn read(cx: &Context, server: &Server, paths: &[TreePath]) -> Result<Vec<LandingFile>> {
    let place = server.layout.landing();
    let seen = cx.observe(ReadLanding::new(&place))?;
    let own = Own::beside(&Tree::default(), &server.policy.landing.protected);
    let is_dotted = |path: &TreePath| path.as_str().split('/').any(|name| name.starts_with('.'));
    let is_doubtful = |path: &TreePath| is_dotted(path) || own.has(path);
    let release = match seen.live().filter(|_| paths.iter().any(is_doubtful)) {
        Some(live) => cx.observe(ReadReleaseTree::new(&place, &live.id))?.tree,
        None => Tree::default(),
    };
    let (mut files, mut bytes) = (Vec::new(), 0);
    for path in paths {
        let is_told = !is_doubtful(path) || release.get(path).is_some();
        let file = match seen.root(&place).filter(|_| is_told) {
            Some(root) => cx.observe(ReadLandingFile::new(root, path))?,
            None => LandingFile::Missing,
        };
        bytes += file.text_bytes();
        files.push(file);
        if bytes >= LandingFile::TOGETHER {
            break;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::nginx;

    #[test]
    fn the_host_is_looked_for_where_nginx_would_look() {
        let policy = Policy { host: Some("talia.example".into()), ..Policy::default() };
        let refuses = |servers: &str| {
            let sites = nginx::sites(&format!("http {{ {servers} }}"));
            let hash = ContentHash::of(b"");
            let nginx = NginxNow { sites, hash, has_changed: false };
            own_sites(&policy, &nginx).any(|site| site.refuses_links)
        };
        let other = "server { server_name other.example; disable_symlinks on; }";
        assert!(!refuses(&format!("{other} server {{ server_name Talia.example; }}")));
        for name in ["*.example", "_", "~^talia", ".example", "\"\""] {
            let site = format!("server {{ server_name {name}; disable_symlinks on; }}");
            assert!(refuses(&site), "{name}");
            assert!(!refuses(&format!("{site} server {{ server_name talia.example; }}")));
        }
    }
}
