//! The schema: which keys there are, what they take, and what they need.

use std::{collections::BTreeMap, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use toml::Spanned;

use crate::error::Result;

use super::{
    environment::environment,
    findings::error,
    grammar,
    image_name::{reference, repository},
    landing::page,
    model::{
        Backend, Coverage, Image, Limits, Manager, Project, Python, SecretSources, Settings, Tests,
    },
    path::{anywhere, depth_of, inside},
    source::Source,
    syntax,
    table::{Reader, Schema, Section},
};

/// No step is waited for longer: a week.
pub(super) const LONGEST: u64 = 7 * 24 * 60 * 60;

pub(super) type In<'a, 'r, 't, 'd> = &'a mut Section<'r, 't, 'd>;

impl Settings {
    /// Reads settings from text. `shown_path` is what errors call the file.
    ///
    /// # Errors
    /// Of kind [`Usage`](crate::ErrorKind::Usage): the first mistake in the syntax,
    /// or every mistake in keys and values, each with line and caret.
    pub fn parse(text: &str, shown_path: &Utf8Path) -> Result<Self> {
        // Some editors begin a file with a byte order mark. It is no column.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source::new(shown_path, text);
        super::file::refuse_long(text.len() as u64, shown_path)?;
        let document = syntax::parse(text).map_err(|mistake| error(&[mistake], 0, &source))?;
        let known = schema();
        let mut reader = Reader::new(text, &known);
        let settings = reader.root(&document, settings);
        reader.findings.into_result(settings, &source)
    }
}

/// All keys, gathered by reading an empty document.
pub(super) fn schema() -> Schema {
    let known = Schema::new();
    let mut reader = Reader::new("", &known);
    reader.root(&syntax::empty(), settings);
    reader.asked
}

fn settings(root: In<'_, '_, '_, '_>) -> Settings {
    let project = root.section("project", |project| Project {
        name: plain(project.text("name", grammar::project_name)),
    });
    let mut build_secrets = Vec::new();
    let backend = root.section("backend", |section| backend(section, &mut build_secrets));
    let landing = root.section("landing", page);
    let environments =
        root.sections("environments", "production", grammar::environment, |section, name| {
            environment(section, name)
        });
    let limits = root.section("limits", limits);
    let secrets = root.section("secrets", secrets);
    for name in build_secrets {
        let is_known =
            secrets.names.contains(name.get_ref()) || secrets.files.contains_key(name.get_ref());
        if !is_known {
            let message = format!("`build_secrets` has `{}`, which is no secret", name.get_ref());
            let hint = "add it to `names` or `files` in [secrets]".to_owned();
            root.refuse(name.span(), message, Some(hint));
        }
    }
    let environments = environments.into_iter().collect();
    Settings { project, backend, landing, environments, limits, secrets }
}

fn backend(backend: In<'_, '_, '_, '_>, build_secrets: &mut Vec<Spanned<String>>) -> Backend {
    let root = path(backend.text("root", |text| inside(text, 0)));
    // A root that is not known, or wrong, gives its own message; nothing may climb.
    let depth = root.as_ref().and_then(|root| depth_of(root.as_str(), 0)).unwrap_or(0);
    Backend {
        python: backend.section("python", |section| python(section, depth)),
        tests: backend.section("tests", |tests| Tests {
            directory: path(tests.text("directory", |text| inside(text, depth))),
            arguments: all(tests.texts("arguments", grammar::argument)).unwrap_or_default(),
            timeout: seconds(tests, "timeout_seconds", LONGEST),
        }),
        coverage: backend.section("coverage", |section| coverage(section, depth)),
        image: backend.section("image", |section| image(section, depth, build_secrets)),
        root,
    }
}

fn python(python: In<'_, '_, '_, '_>, depth: usize) -> Python {
    let managers = [Manager::Poetry, Manager::Uv, Manager::Pip, Manager::Editable];
    let names = managers.map(|manager| manager.to_string());
    let choices: Vec<(&str, Manager)> = names.iter().map(String::as_str).zip(managers).collect();
    let manager = python.choice("manager", &choices).map(Spanned::into_inner);
    let interpreter = plain(python.text("interpreter", grammar::program));
    let groups = python.names("groups", grammar::dependency_group);
    let extras = python.names("extras", grammar::dependency_group);
    let requirements = python.some_names("requirements", |text| inside(text, depth));

    type Knows = fn(Manager) -> bool;
    let lists: [(&str, _, Knows); 3] = [
        ("groups", &groups, Manager::knows_groups),
        ("extras", &extras, Manager::knows_extras),
        ("requirements", &requirements, Manager::knows_requirements),
    ];
    for (key, list, knows) in lists {
        let first = list.as_ref().and_then(|list| list.first());
        if let (Some(manager), Some(first)) = (manager, first)
            && !knows(manager)
        {
            let able: Vec<String> = managers
                .into_iter()
                .filter(|&other| knows(other))
                .map(|other| format!("`{other}`"))
                .collect();
            let message = format!("`{key}` means nothing to the manager `{manager}`");
            let hint = format!("leave it out, or set `manager` to {}", able.join(" or "));
            python.refuse(first.span(), message, Some(hint));
        }
    }
    // Without a manager one is found later, but none could do both.
    let has = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if let (None, Some(first)) = (manager, requirements.as_ref().and_then(|list| list.first()))
        && (has(&groups) || has(&extras))
    {
        let message = "`requirements` is for pip, which knows neither `groups` nor `extras`";
        let hint = "keep `requirements`, or the others".to_owned();
        python.refuse(first.span(), message.to_owned(), Some(hint));
    }
    Python {
        manager,
        interpreter,
        groups: all(groups),
        extras: all(extras),
        requirements: all(requirements).map(|files| files.into_iter().map(Into::into).collect()),
    }
}

fn coverage(coverage: In<'_, '_, '_, '_>, depth: usize) -> Coverage {
    let default = Coverage::default();
    Coverage {
        lines: coverage.percent("lines"),
        branches: coverage.percent("branches"),
        file_lines: coverage.percent("file_lines"),
        changed_lines: coverage.percent("changed_lines"),
        base: plain(coverage.text("base", grammar::revision)).unwrap_or(default.base),
        sources: all(coverage.some_names("sources", |text| grammar::coverage_source(text, depth))),
        worst: coverage
            .whole("worst", 0..=10_000, "files")
            .and_then(|files| usize::try_from(files).ok())
            .unwrap_or(default.worst),
    }
}

fn image(
    image: In<'_, '_, '_, '_>,
    depth: usize,
    build_secrets: &mut Vec<Spanned<String>>,
) -> Image {
    let default = Image::default();
    let repository = plain(image.text("repository", repository));
    let context = path(image.text("context", |text| inside(text, depth)));
    let dockerfile = path(image.text("dockerfile", |text| inside(text, depth)));
    let target = plain(image.text("target", grammar::stage));
    let build_args = image.pairs("build_args", grammar::variable, grammar::build_arg_value);
    let secrets = image.names("build_secrets", grammar::variable).unwrap_or_default();
    let platform = plain(image.text("platform", grammar::platform));
    let cache_from = all(image.texts("cache_from", grammar::cache)).unwrap_or_default();
    let cache_to = all(image.texts("cache_to", grammar::cache)).unwrap_or_default();
    let base_image_arg = plain(image.text("base_image_arg", grammar::variable));
    let fallback = image.text("fallback_base_image", reference);

    for (name, _) in &build_args {
        if secrets.iter().any(|secret| secret.get_ref() == name.get_ref()) {
            let message = format!(
                "`{}` is in `build_args` and in `build_secrets`; an argument's value can be read \
                 from the image",
                name.get_ref()
            );
            image.refuse(name.span(), message, Some("leave it out of `build_args`".to_owned()));
        }
    }
    if let (Some(fallback), None) = (&fallback, &base_image_arg) {
        let message = "`fallback_base_image` needs `base_image_arg`, the build argument to set";
        let hint = "add `base_image_arg = \"BASE_IMAGE\"`".to_owned();
        image.refuse(fallback.span(), message.to_owned(), Some(hint));
    }
    build_secrets.extend(secrets.iter().cloned());
    Image {
        repository,
        context: context.unwrap_or(default.context),
        dockerfile,
        target,
        build_args: build_args
            .into_iter()
            .map(|(name, value)| (name.into_inner(), value))
            .collect(),
        build_secrets: secrets.into_iter().map(Spanned::into_inner).collect(),
        platform,
        cache_from,
        cache_to,
        base_image_arg,
        fallback_base_image: plain(fallback),
    }
}

fn limits(limits: In<'_, '_, '_, '_>) -> Limits {
    let default = Limits::default();
    Limits {
        step_timeout: seconds(limits, "step_timeout_seconds", LONGEST)
            .unwrap_or(default.step_timeout),
        run_timeout: seconds(limits, "run_timeout_seconds", LONGEST),
        grace: seconds(limits, "grace_seconds", 60).unwrap_or(default.grace),
    }
}

fn secrets(secrets: In<'_, '_, '_, '_>) -> SecretSources {
    let names = secrets.names("names", grammar::variable).unwrap_or_default();
    let files = secrets.pairs("files", grammar::variable, anywhere);
    for (file, _) in &files {
        if names.iter().any(|name| name.get_ref() == file.get_ref()) {
            let message = format!("the secret `{}` is in `names` and in `files`", file.get_ref());
            secrets.refuse(file.span(), message, Some("keep one of the two".to_owned()));
        }
    }
    let files: BTreeMap<_, _> =
        files.into_iter().map(|(name, path)| (name.into_inner(), path.into())).collect();
    SecretSources { names: names.into_iter().map(Spanned::into_inner).collect(), files }
}

pub(super) fn seconds(
    section: In<'_, '_, '_, '_>,
    key: &'static str,
    most: u64,
) -> Option<Duration> {
    section.whole(key, 1..=most, "seconds").map(Duration::from_secs)
}

pub(super) fn plain(text: Option<Spanned<String>>) -> Option<String> {
    text.map(Spanned::into_inner)
}

pub(super) fn path(text: Option<Spanned<String>>) -> Option<Utf8PathBuf> {
    plain(text).map(Into::into)
}

pub(super) fn all(texts: Option<Vec<Spanned<String>>>) -> Option<Vec<String>> {
    texts.map(|texts| texts.into_iter().map(Spanned::into_inner).collect())
}
