//! What is published as the landing page, `[landing]`; and how its server does it,
//! `[landing]` of a policy.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::landing::{LandingStrategy, Limits, Pattern, Rule, TreePath};

use super::{
    grammar::{Check, Fault, is_text},
    path::inside,
    policy::count,
    read::{In, all, path, seconds},
};

/// `[landing]`: the static landing page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Landing {
    /// `source`: the folder that is published, below the folder that holds
    /// `infra/`. Without it: the project has no landing page.
    pub source: Option<Utf8PathBuf>,
    /// `filters`: what of it is not published, as rsync's rules; those of the source's own
    /// `.rsyncignore` follow.
    pub filters: Vec<Rule>,
    /// `required`, `largest_file_mb`, `deleted_percent`, `deleted_files`, `allowed`: what
    /// is refused.
    pub limits: Limits,
}

/// Reads `[landing]` of the settings.
pub(super) fn page(landing: In<'_, '_, '_, '_>) -> Landing {
    let default = Limits::default();
    let (rules, allowed) =
        (all(landing.texts("filters", rule)), all(landing.texts("allowed", pattern)));
    let required = all(landing.names("required", tree_path));
    let read = |texts: Option<Vec<String>>| texts.unwrap_or_default();
    Landing {
        source: path(landing.text("source", |text| inside(text, 0))),
        filters: read(rules).iter().filter_map(|rule| rule.parse().ok()).collect(),
        limits: Limits {
            required: required.map_or(default.required, |paths| {
                paths.iter().filter_map(|path| path.parse().ok()).collect()
            }),
            file_bytes: landing
                .whole("largest_file_mb", 1..=1_000_000, "megabytes")
                .map_or(default.file_bytes, |size| size * 1_000_000),
            deleted_percent: landing
                .whole("deleted_percent", 0..=100, "percent")
                .unwrap_or(default.deleted_percent),
            deleted_files: landing
                .whole("deleted_files", 0..=1_000_000_000, "files")
                .unwrap_or(default.deleted_files),
            allowed: read(allowed).iter().filter_map(|pattern| pattern.parse().ok()).collect(),
        },
    }
}

/// One of rsync's rules.
fn rule(text: &str) -> Check {
    match text.parse::<Rule>() {
        Ok(_) if is_text(text) => Ok(()),
        Ok(_) => Err(Fault::new("a rule of rsync, such as `/drafts/`")),
        Err(error) => {
            Err(Fault::new("a rule of rsync, such as `/drafts/`").hint(Some(error.to_string())))
        }
    }
}

/// One of rsync's patterns.
fn pattern(text: &str) -> Check {
    match text.parse::<Pattern>() {
        Ok(_) if is_text(text) => Ok(()),
        _ => Err(Fault::new("a pattern of rsync, such as `/keys/public.pem`")),
    }
}

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
    /// `links_out`: whether links may be published that lead out of the folder, to
    /// elsewhere on the server. Default: no.
    pub links_out: bool,
    /// `reload`: when Nginx is reloaded after a switch.
    pub reload: Reload,
    /// `idle_seconds`: how long a release that has begun may be silent: then it takes no
    /// more files, and another one may take its place. Default: 30.
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
            links_out: false,
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
        links_out: landing.flag("links_out").unwrap_or(default.links_out),
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
