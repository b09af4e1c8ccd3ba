//! The container image of the backend.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    context::Context,
    error::{Error, Result},
    project::Project,
    settings,
    state::State,
    steps::{
        git::{Remote, RevisionOf, WorkingTree},
        image::{Builder, Buildx, Image, ImageBuild, ImageInspect, ImagePresent},
        registry::ImageLabels,
    },
};

/// Builds the image of the working tree and says how large it is.
///
/// Labels name the commit, its time, the repository and the version, so that
/// the same commit gives the same image. A tree that differs from the commit is
/// marked `-dirty`.
///
/// # Errors
/// When there is no Dockerfile, or when the build fails.
pub fn image(
    cx: &Context,
    project: &Project,
    options: &settings::Image,
    state: &State,
) -> Result<Image> {
    let dockerfile = dockerfile(cx, project, options)?;
    let builder = builder(cx)?;
    let name = options.repository.clone().unwrap_or_else(|| local_name(project));
    let text = std::fs::read_to_string(project.root.join(&dockerfile)).unwrap_or_default();
    let recipe = Recipe { folder: project.root.clone(), dockerfile, text };
    let build = prepared(cx, builder, &recipe, options, state)?;
    let build = match cx.probe(RevisionOf::new(&project.root))? {
        Some(revision) => {
            let dirty = cx.probe(WorkingTree::new(&project.root))?.unwrap_or(false);
            let short = &revision.hash[..12.min(revision.hash.len())];
            let suffix = if dirty { "-dirty" } else { "" };
            let origin = Origin {
                revision: format!("{}{suffix}", revision.hash),
                committed_at: revision.committed_at,
                version: project.version.clone(),
            };
            let build = build.tag(format!("{name}:ci-{short}{suffix}"));
            labelled(cx, build, &project.root, &origin)?
        }
        None => {
            cx.note(if cx.find_program("git").is_some() {
                "this is no git repository with a commit, so the image names no revision"
            } else {
                "git is not installed, so the image names no revision"
            });
            build.tag(format!("{name}:dev"))
        }
    };
    let built = cx.run(build)?;
    cx.run(ImageInspect::new(built.id))
}

/// What an image is built from: the tree's files, or those of a commit.
pub(super) struct Recipe {
    /// The backend's folder among them.
    pub(super) folder: Utf8PathBuf,
    /// The Dockerfile, below that folder.
    pub(super) dockerfile: Utf8PathBuf,
    /// What stands in it.
    pub(super) text: String,
}

/// What the labels of an image say of where it comes from.
pub(super) struct Origin {
    /// The commit, marked where the tree differs from it.
    pub(super) revision: String,
    /// When it was made.
    pub(super) committed_at: String,
    /// The project's version.
    pub(super) version: Option<String>,
}

/// Which client builds here.
pub(super) fn builder(cx: &Context) -> Result<Builder> {
    Ok(if cx.probe(Buildx)?.is_some() { Builder::Buildx } else { Builder::BuildKit })
}

/// The Dockerfile that the settings name, or the likeliest one.
pub(super) fn dockerfile(
    cx: &Context,
    project: &Project,
    options: &settings::Image,
) -> Result<Utf8PathBuf> {
    match (&options.dockerfile, project.dockerfiles.as_slice()) {
        (Some(file), _) => Ok(file.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, [first, ..]) => {
            let list: Vec<&str> = project.dockerfiles.iter().map(|file| file.as_str()).collect();
            cx.note(format!(
                "there are several Dockerfiles ({}): {first} is built",
                list.join(", ")
            ));
            Ok(first.clone())
        }
        (None, []) => Err(Error::usage(format!("there is no Dockerfile in {}", project.root))
            .hint("add one, name it with `backend.image.dockerfile`, or leave the image out: `cargo xtask ci lint test coverage`")),
    }
}

/// The build that the settings ask for, without its tag and its labels.
pub(super) fn prepared(
    cx: &Context,
    builder: Builder,
    recipe: &Recipe,
    options: &settings::Image,
    state: &State,
) -> Result<ImageBuild> {
    let context = match options.context.as_str() {
        "." => recipe.folder.clone(),
        folder => recipe.folder.join(folder),
    };
    let mut build = ImageBuild::new(builder, context, state.report("image-id"))
        .dockerfile(recipe.folder.join(&recipe.dockerfile))
        .shown_dockerfile(&recipe.dockerfile)
        .target(options.target.clone())
        .platform(options.platform.clone())
        .cache_from(&options.cache_from)
        .cache_to(&options.cache_to);
    for (name, value) in &options.build_args {
        build = build.build_arg(name, value);
    }
    for secret in &options.build_secrets {
        build = build.secret(secret);
    }
    base_image(cx, build, options, &recipe.text)
}

/// Labels that name the commit, its time, the version, and the repository.
pub(super) fn labelled(
    cx: &Context,
    build: ImageBuild,
    repository: &Utf8Path,
    origin: &Origin,
) -> Result<ImageBuild> {
    const OCI: &str = "org.opencontainers.image";
    let mut build = build
        .image_label(ImageLabels::REVISION, &origin.revision)
        // The commit's time, not now: the same commit gives the same image.
        .image_label(format!("{OCI}.created"), &origin.committed_at)
        .build_arg("REVISION", &origin.revision);
    if let Some(version) = &origin.version {
        build = build.image_label(format!("{OCI}.version"), version).build_arg("VERSION", version);
    }
    if let Some(remote) = cx.probe(Remote::new(repository))? {
        build = build.image_label(format!("{OCI}.source"), remote);
    }
    Ok(build)
}

/// Takes the bootstrapped base image where the Dockerfile's own is not there.
fn base_image(
    cx: &Context,
    build: ImageBuild,
    options: &settings::Image,
    text: &str,
) -> Result<ImageBuild> {
    let (Some(arg), Some(fallback)) = (&options.base_image_arg, &options.fallback_base_image)
    else {
        return Ok(build);
    };
    let prefix = format!("ARG {arg}=");
    let Some(default) = text.lines().find_map(|line| line.trim().strip_prefix(&prefix)) else {
        return Ok(build);
    };
    if options.build_args.contains_key(arg) || cx.probe(ImagePresent::new(default))?.is_some() {
        return Ok(build);
    }
    if cx.probe(ImagePresent::new(fallback))?.is_none() {
        return Ok(build);
    }
    cx.note(format!("the engine has no {default}: the image is built on {fallback}"));
    Ok(build.build_arg(arg, fallback))
}

/// A name that an engine accepts, for a project that names no repository.
fn local_name(project: &Project) -> String {
    let name = project.root.file_name().unwrap_or("app").to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    format!("talia-local/{}", if name.is_empty() { "app" } else { name })
}
