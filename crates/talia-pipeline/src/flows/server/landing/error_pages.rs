//! Pages that Nginx gives in place of an error, and nobody by their own name.

use crate::{
    context::Context,
    error::Result,
    landing::{ContentHash, TreePath},
    parse::nginx::{self, Site},
    protocol::LandingVerified,
    steps::server::landing::NginxConfiguration,
};

use super::{super::Server, look::own_sites};

/// The error that anybody can have: of a path that does not exist.
const NOT_FOUND: u16 = 404;

/// A page of an error that the landing page's site may keep to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorPage {
    /// The file.
    path: TreePath,
    /// The beginning of a URL that does not exist, where its answer would be this page.
    below: Option<String>,
}

impl ErrorPage {
    /// Those that Nginx's configuration has now.
    pub(super) fn all(cx: &Context, server: &Server) -> Result<Vec<Self>> {
        let kept = server.layout.landing().nginx();
        let Some(now) = cx.probe(NginxConfiguration::new(kept))? else { return Ok(Vec::new()) };
        Ok(Self::of_sites(own_sites(&server.policy, &now)))
    }

    /// Those of these sites.
    pub(super) fn of_sites<'a>(sites: impl IntoIterator<Item = &'a Site>) -> Vec<Self> {
        let pages = sites.into_iter().flat_map(|site| &site.error_pages);
        pages.filter_map(Self::new).collect()
    }

    fn new(page: &nginx::ErrorPage) -> Option<Self> {
        let path = page.path.strip_prefix('/')?.parse().ok()?;
        let below = page.below.clone().filter(|_| page.codes.contains(&NOT_FOUND));
        Some(Self { path, below })
    }

    /// The URL of nothing at all, which is answered by the page of this path.
    pub(super) fn url_of_nothing(
        all: &[Self],
        path: &TreePath,
        page: ContentHash,
    ) -> Option<String> {
        let own = all.iter().filter(|one| one.path == *path);
        let below = own.filter_map(|one| one.below.as_ref()).next()?;
        // Named after the page, so that nobody has a file of this name by chance.
        Some(format!("{below}no-such-page-{}", page.short()))
    }

    pub(super) fn is_one(all: &[Self], path: &TreePath) -> bool {
        all.iter().any(|one| one.path == *path)
    }
}

/// Names what nobody could see.
pub(super) fn note_unverified(cx: &Context, verified: &LandingVerified) {
    for page in &verified.unverified {
        cx.note(format!(
            "/{page} is not verified: Nginx gives it in place of an error alone, which nobody \
             could have it give"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_what_does_not_exist_can_be_seen_and_others_cannot() {
        let shown = "server { error_page 404 410 /404.html; error_page 502 /50x.html; \
                     location /docs/ { error_page 404 /docs/404.html; } \
                     location ~ . { internal; } }";
        let all = ErrorPage::of_sites(&nginx::sites(shown));
        let hash = ContentHash::of(b"page");
        let at = |path: &str| ErrorPage::url_of_nothing(&all, &path.parse().unwrap(), hash);
        let name = format!("no-such-page-{}", hash.short());
        assert_eq!(at("404.html"), Some(format!("/{name}")));
        assert_eq!(at("docs/404.html"), Some(format!("/docs/{name}")));
        assert_eq!((at("50x.html"), at("index.html")), (None, None));
        assert!(ErrorPage::is_one(&all, &"50x.html".parse().unwrap()));
    }
}
