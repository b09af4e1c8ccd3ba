//! From a revision to an image in the registry, built once.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    context::Context,
    digest::Digest,
    error::{Error, Result},
    parse::pyproject::Pyproject,
    project::Detect,
    protocol::RevisionId,
    settings::{self, Environment},
    state::State,
    steps::{
        git::{CommittedFile, FreshFolder, GitArchive, LeftOut, RepositoryRoot, Unpack},
        image::Builder,
        registry::{
            BuilderDriver, DockerConfig, Driver, ImageLabels, ImagePush, ImageTag, Manifest,
            PushedDigest, RegistryImage, RegistryLogin, RemoveDockerConfig, registry_of,
        },
    },
};

use super::{
    commit::{Chosen, Wish},
    image::{Origin, Recipe, builder, dockerfile, labelled, prepared},
};

/// What the tags of commits begin with.
const PREFIX: &str = "main";
/// How the buildx plugin is installed.
const PLUGIN: &str = "`cargo xtask ci image --install` brings it in";

/// What is to be published.
#[derive(Debug, Clone)]
pub struct Publish<'a> {
    /// The folder that holds `infra/`.
    pub root: Utf8PathBuf,
    /// The backend's folder.
    pub backend: Utf8PathBuf,
    /// The backend's settings.
    pub settings: &'a settings::Backend,
    /// Where the image is for.
    pub environment: &'a Environment,
    /// Where the commit's files and the image's id go.
    pub state: &'a State,
    /// The commit, named in any of git's ways; without it, what is checked out.
    pub revision: Option<String>,
    /// The folder for this run's own login, inside a
    /// [`PrivateFolder`](crate::private::PrivateFolder).
    pub docker: Utf8PathBuf,
    /// The user's own docker configuration; see [`DockerConfig::of_user`].
    pub own_docker: Option<Utf8PathBuf>,
}

/// The way into the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Registry and name of the image, without a tag.
    pub repository: String,
    /// Which client asks.
    pub client: Builder,
    /// The folder with the login; `None` for the user's own.
    pub config: Option<Utf8PathBuf>,
    /// The name of the password.
    pub credential: Option<String>,
}

impl Registry {
    fn look(&self, reference: &str) -> RegistryImage {
        let step = RegistryImage::new(self.client, reference);
        self.with_login(step, RegistryImage::config, RegistryImage::credential)
    }

    fn labels(&self, reference: &str) -> ImageLabels {
        let step = ImageLabels::new(reference);
        self.with_login(step, ImageLabels::config, ImageLabels::credential)
    }

    /// Gives a step the login.
    pub(super) fn with_login<S>(
        &self,
        step: S,
        config: impl Fn(S, Utf8PathBuf) -> S,
        credential: impl Fn(S, String) -> S,
    ) -> S {
        let step = match &self.config {
            Some(folder) => config(step, folder.clone()),
            None => step,
        };
        match &self.credential {
            Some(name) => credential(step, name.clone()),
            None => step,
        }
    }

    /// What the registry has under a tag: its digest, and the commit that it names.
    pub(super) fn tagged(&self, cx: &Context, tag: &ImageTag) -> Result<Option<Tagged>> {
        let manifest = cx.observe(self.look(&tag.of(&self.repository)))?;
        self.labelled(cx, manifest)
    }

    /// The same as it is by now, for a tag that others move.
    pub(super) fn tagged_now(&self, cx: &Context, tag: &ImageTag) -> Result<Option<Tagged>> {
        let manifest = cx.observe_anew(self.look(&tag.of(&self.repository)))?;
        self.labelled(cx, manifest)
    }

    /// With the commit that it names; what a digest names stays the same.
    fn labelled(&self, cx: &Context, manifest: Option<Manifest>) -> Result<Option<Tagged>> {
        let Some(manifest) = manifest else { return Ok(None) };
        let revision = match self.client {
            Builder::Buildx => {
                let labels = cx.observe(self.labels(&manifest.digest.of(&self.repository)))?;
                labels.get(ImageLabels::REVISION).and_then(|revision| revision.parse().ok())
            }
            // This client tells no labels.
            Builder::BuildKit => None,
        };
        Ok(Some(Tagged { manifest, revision }))
    }
}

/// An image under a tag.
pub(super) struct Tagged {
    pub(super) manifest: Manifest,
    /// The commit that its label names.
    pub(super) revision: Option<RevisionId>,
}

/// Tells which commit is meant, and whether it may go to this environment; see
/// [`Wish::choose`].
///
/// # Errors
/// As [`Wish::choose`].
pub fn choose(cx: &Context, app: &Publish<'_>) -> Result<Chosen> {
    let wish = Wish::new(&app.root, app.watched()).named(app.revision.as_deref());
    wish.branch(app.environment.branch.as_deref()).choose(cx)
}

impl Publish<'_> {
    /// Whether the build sees files outside the backend's folder.
    fn leads_out(&self) -> bool {
        let image = &self.settings.image;
        let paths = [Some(&image.context), image.dockerfile.as_ref()];
        paths.into_iter().flatten().any(|path| path.as_str().starts_with(".."))
    }

    /// The folder whose files make the image.
    fn watched(&self) -> &Utf8Path {
        if self.leads_out() { &self.root } else { &self.backend }
    }

    /// Registry and name of the image.
    ///
    /// # Errors
    /// A usage error when the settings name none.
    pub fn repository(&self) -> Result<&str> {
        let named = self.environment.server.image.as_ref();
        named.or(self.settings.image.repository.as_ref()).map(String::as_str).ok_or_else(|| {
            Error::usage("the settings name no repository for the image")
                .hint("set `repository` in [backend.image]: `ghcr.io/talia/backend`")
        })
    }
}

/// Logs in to the registry, as the environment's settings say, into a folder that is
/// removed when the flow that `cx` belongs to ends. Without a user in the settings,
/// the engine's own login is used.
///
/// # Errors
/// When the registry does not accept the credential, or cannot be reached.
pub fn log_in(cx: &Context, app: &Publish<'_>) -> Result<Registry> {
    let repository = app.repository()?.to_owned();
    let client = builder(cx)?;
    let environment = app.environment;
    let registry = registry_of(&repository);
    let (Some(user), Some(secret)) = (&environment.registry_user, &environment.registry_password)
    else {
        return Ok(Registry { repository, client, config: None, credential: None });
    };
    cx.finally(RemoveDockerConfig::new(&app.docker));
    let make = DockerConfig::new(&app.docker, registry).carries(app.own_docker.clone());
    let config = cx.observe(make)?;
    cx.observe(RegistryLogin::new(&config, registry, user, secret))?;
    Ok(Registry { repository, client, config: Some(config), credential: Some(secret.clone()) })
}

/// The image of a commit, where the registry has it under the commit's own tag
/// `main-<sha>`. It is taken as it is: a commit is built once. A tree that differs
/// from its commit is never there.
///
/// # Errors
/// When the registry does not answer.
pub fn find(cx: &Context, chosen: &Chosen, registry: &Registry) -> Result<Option<Digest>> {
    let revision = &chosen.revision;
    if revision.is_dirty() {
        return Ok(None);
    }
    let tag = tag_of(chosen)?;
    let Some(there) = registry.tagged(cx, &tag)? else { return Ok(None) };
    if there.revision.as_ref() == Some(revision) {
        cx.note(format!("the registry has {} already: it is not built again", revision.short()));
        return Ok(Some(there.manifest.digest));
    }
    cx.note(anew(registry.client, &tag, there.revision.as_ref()));
    Ok(None)
}

/// Why an image that is there is not taken.
fn anew(client: Builder, tag: &ImageTag, names: Option<&RevisionId>) -> String {
    match (client, names) {
        (_, Some(other)) => format!("the registry's {tag} names {other}: it is built anew"),
        (Builder::Buildx, None) => {
            format!("the registry's {tag} names no revision: it is built anew")
        }
        (Builder::BuildKit, None) => format!(
            "without docker's buildx plugin nobody can tell which revision the registry's {tag} \
             names: it is built anew; {PLUGIN}"
        ),
    }
}

/// Builds the image of a commit from the commit's own files, or from a tree that
/// differs from it, and pushes it.
///
/// # Errors
/// When a step fails.
pub fn build(
    cx: &Context,
    app: &Publish<'_>,
    chosen: &Chosen,
    registry: &Registry,
) -> Result<Digest> {
    let reference = tag_of(chosen)?.of(&registry.repository);
    cx.group("publish", |cx| build_and_push(cx, app, chosen, registry, &reference))
}

fn tag_of(chosen: &Chosen) -> Result<ImageTag> {
    ImageTag::of_revision(PREFIX, chosen.revision.as_str())
}

fn build_and_push(
    cx: &Context,
    app: &Publish<'_>,
    chosen: &Chosen,
    registry: &Registry,
    reference: &str,
) -> Result<Digest> {
    let options = &app.settings.image;
    let project = cx.observe(Detect::new(&app.backend).options(&app.settings.python))?;
    let dockerfile = dockerfile(cx, &project, options)?;
    let (recipe, version) = if chosen.revision.is_dirty() {
        cx.note("the tree differs from its commit: it is built as it is, and marked");
        let text = std::fs::read_to_string(app.backend.join(&dockerfile)).unwrap_or_default();
        (Recipe { folder: app.backend.clone(), dockerfile, text }, project.version)
    } else {
        export(cx, app, chosen.revision.commit(), dockerfile)?
    };
    let origin = Origin {
        revision: chosen.revision.to_string(),
        committed_at: chosen.committed_at.clone(),
        version,
    };
    let attests = attests(cx, registry)?;
    let build = prepared(cx, registry.client, &recipe, options, app.state)?;
    let mut build = labelled(cx, build.tag(reference), &app.root, &origin)?;
    if let Some(config) = &registry.config {
        build = build.config(config);
    }
    cx.run(build.attested_and_pushed(attests))?;
    if attests {
        let step = PushedDigest::new(registry.client, reference);
        return cx.run(registry.with_login(step, PushedDigest::config, PushedDigest::credential));
    }
    let push = ImagePush::new(reference);
    cx.run(registry.with_login(push, ImagePush::config, ImagePush::credential))
}

/// Whether the list of packages and the provenance can be attached.
fn attests(cx: &Context, registry: &Registry) -> Result<bool> {
    let driver = match registry.client {
        Builder::Buildx => {
            let ask = BuilderDriver::new();
            let ask = match &registry.config {
                Some(config) => ask.config(config),
                None => ask,
            };
            Some(cx.observe(ask)?)
        }
        Builder::BuildKit => None,
    };
    if driver.as_ref().is_some_and(Driver::attests) {
        return Ok(true);
    }
    cx.note(unattested(driver.as_ref()));
    Ok(false)
}

/// What is not made, and what it needs; without a driver there is no plugin.
fn unattested(driver: Option<&Driver>) -> String {
    match driver {
        Some(driver) => format!(
            "the builder `{}` attaches no SBOM and no provenance; `docker buildx create --use` \
             makes one that does",
            driver.name()
        ),
        None => format!(
            "docker's buildx plugin is not there, so no SBOM and no provenance are made; {PLUGIN}, \
             then `docker buildx create --use` makes a builder that attaches them"
        ),
    }
}

/// Puts the commit's files into a folder of their own.
fn export(
    cx: &Context,
    app: &Publish<'_>,
    commit: &str,
    dockerfile: Utf8PathBuf,
) -> Result<(Recipe, Option<String>)> {
    let top = cx.observe(RepositoryRoot::new(&app.root))?;
    let below = |folder: &Utf8Path| {
        folder.strip_prefix(&top).map(Utf8Path::to_owned).map_err(|cause| {
            Error::usage(format!("{folder} is not below the repository's folder {top}"))
                .caused_by(cause)
        })
    };
    let file = |name: &Utf8Path| cx.observe(CommittedFile::new(&app.backend, commit, name));
    let text = file(&dockerfile)?.ok_or_else(|| {
        Error::usage(format!("the commit {commit} has no {dockerfile}"))
            .hint("commit it, or name another one with `backend.image.dockerfile`")
    })?;
    let version = match file("pyproject.toml".into())? {
        Some(text) => Pyproject::parse(&text, "pyproject.toml")?.version,
        None => None,
    };
    let gaps = cx.observe(LeftOut::new(&top, commit))?;
    if gaps.submodules {
        cx.note("submodules are not part of what is built: they are empty folders there");
    }
    if gaps.lfs {
        cx.note("files in LFS are pointers in what is built, unless this clone has the LFS filter");
    }
    let folder = app.state.export();
    let tar = folder.with_extension("tar");
    let mut archive = GitArchive::new(&top, commit, &tar);
    let watched = below(app.watched())?;
    if !watched.as_str().is_empty() {
        archive = archive.path(watched);
    }
    cx.run(FreshFolder::new(&folder))?;
    cx.run(archive)?;
    cx.run(Unpack::new(&tar, &folder))?;
    Ok((Recipe { folder: folder.join(below(&app.backend)?), dockerfile, text }, version))
}

#[cfg(test)]
pub(in crate::flows) mod tests;
