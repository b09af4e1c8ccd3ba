//! The container image of the backend.

use crate::{
    context::Context,
    error::{Error, Result},
    project::Project,
    settings,
    state::State,
    steps::{
        git::{Remote, Revision, RevisionOf, WorkingTree},
        image::{Builder, Buildx, Image, ImageBuild, ImageInspect, ImagePresent},
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
    let dockerfile = match (&options.dockerfile, project.dockerfiles.as_slice()) {
        (Some(file), _) => file.clone(),
        (None, [only]) => only.clone(),
        (None, [first, ..]) => {
            let list: Vec<&str> = project.dockerfiles.iter().map(|file| file.as_str()).collect();
            cx.note(format!(
                "there are several Dockerfiles ({}): {first} is built",
                list.join(", ")
            ));
            first.clone()
        }
        (None, []) => {
            return Err(Error::usage(format!("there is no Dockerfile in {}", project.root))
                .hint("add one, name it with `backend.image.dockerfile`, or leave the image out: `cargo xtask ci lint test coverage`"));
        }
    };
    let builder = if cx.probe(Buildx)?.is_some() { Builder::Buildx } else { Builder::BuildKit };
    let name = options.repository.clone().unwrap_or_else(|| local_name(project));
    let context = match options.context.as_str() {
        "." => project.root.clone(),
        folder => project.root.join(folder),
    };
    let mut build = ImageBuild::new(builder, context, state.report("image-id"))
        .dockerfile(project.root.join(&dockerfile))
        .shown_dockerfile(&dockerfile)
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
    build = base_image(cx, build, project, options, &dockerfile)?;
    build = match cx.probe(RevisionOf::new(&project.root))? {
        Some(revision) => labelled(cx, build, project, &name, &revision)?,
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

fn labelled(
    cx: &Context,
    build: ImageBuild,
    project: &Project,
    name: &str,
    revision: &Revision,
) -> Result<ImageBuild> {
    const OCI: &str = "org.opencontainers.image";
    let dirty = cx.probe(WorkingTree::new(&project.root))?.unwrap_or(false);
    let short = &revision.hash[..12.min(revision.hash.len())];
    let suffix = if dirty { "-dirty" } else { "" };
    let full = format!("{}{suffix}", revision.hash);
    let mut build = build
        .tag(format!("{name}:ci-{short}{suffix}"))
        .image_label(format!("{OCI}.revision"), &full)
        // The commit's time, not now: the same commit gives the same image.
        .image_label(format!("{OCI}.created"), &revision.committed_at)
        .build_arg("REVISION", &full);
    if let Some(version) = &project.version {
        build = build.image_label(format!("{OCI}.version"), version).build_arg("VERSION", version);
    }
    if let Some(remote) = cx.probe(Remote::new(&project.root))? {
        build = build.image_label(format!("{OCI}.source"), remote);
    }
    Ok(build)
}

/// Takes the bootstrapped base image where the Dockerfile's own is not there.
fn base_image(
    cx: &Context,
    build: ImageBuild,
    project: &Project,
    options: &settings::Image,
    dockerfile: &camino::Utf8Path,
) -> Result<ImageBuild> {
    let (Some(arg), Some(fallback)) = (&options.base_image_arg, &options.fallback_base_image)
    else {
        return Ok(build);
    };
    let text = std::fs::read_to_string(project.root.join(dockerfile)).unwrap_or_default();
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
