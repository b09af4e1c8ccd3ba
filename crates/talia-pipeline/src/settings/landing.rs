//! How the landing page is published on its server: `[landing]` of a policy.

use std::time::Duration;

use crate::landing::{LandingStrategy, TreePath};

use super::{
    grammar::{Check, Fault, is_text},
    policy::count,
    read::{In, all, seconds},
};

/// `[landing]`: how the landing page is published on its server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LandingPolicy {
    /// `strategy`: how new files take the place of those that are published. Default:
    /// `"release"`.
    pub strategy: LandingStrategy,
    /// `keep_releases`: how many releases stay on the server. Default: 5.
    pub keep_releases: usize,
    /// `keep_assets`: of how many releases before it a release keeps the files whose
    /// names carry their content's hash, for pages that are open. Default: 3.
    pub keep_assets: usize,
    /// `protected`: what is the server's own in the published folder, such as what a
    /// certificate's client puts there; no release takes it away. Default:
    /// `.well-known`.
    pub protected: Vec<TreePath>,
    /// `reload`: when Nginx is reloaded after a switch.
    pub reload: Reload,
    /// `idle_seconds`: how long a release that has begun may be silent before another one
    /// may take its place. Default: 30.
    pub idle: Duration,
}

/// When Nginx is reloaded after a switch of the landing page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reload {
    /// `"auto"`: where its configuration has changed since the last release. A switch
    /// itself needs none.
    Auto,
    /// `"always"`.
    Always,
}

impl Default for LandingPolicy {
    fn default() -> Self {
        Self {
            strategy: LandingStrategy::Release,
            keep_releases: 5,
            keep_assets: 3,
            protected: ".well-known".parse().into_iter().collect(),
            reload: Reload::Auto,
            idle: Duration::from_secs(30),
        }
    }
}

/// Reads `[landing]` of a policy.
pub(super) fn landing(landing: In<'_, '_, '_, '_>) -> LandingPolicy {
    let default = LandingPolicy::default();
    let strategies = [LandingStrategy::Release, LandingStrategy::InPlace].map(|it| (it.name(), it));
    let protected = all(landing.names("protected", tree_path));
    LandingPolicy {
        strategy: landing
            .choice("strategy", &strategies)
            .map_or(default.strategy, toml::Spanned::into_inner),
        keep_releases: count(landing, "keep_releases", 2..=100, "releases")
            .unwrap_or(default.keep_releases),
        keep_assets: count(landing, "keep_assets", 0..=100, "releases")
            .unwrap_or(default.keep_assets),
        protected: protected.map_or(default.protected, |paths| {
            paths.iter().filter_map(|path| path.parse().ok()).collect()
        }),
        reload: landing
            .choice("reload", &[("auto", Reload::Auto), ("always", Reload::Always)])
            .map_or(default.reload, toml::Spanned::into_inner),
        idle: seconds(landing, "idle_seconds", 3600).unwrap_or(default.idle),
    }
}

/// A place in the published folder.
fn tree_path(text: &str) -> Check {
    let expected = "a path in the published folder, such as `.well-known`";
    match text.parse::<TreePath>() {
        Ok(_) if is_text(text) => Ok(()),
        _ => Err(Fault::new(expected)),
    }
}
