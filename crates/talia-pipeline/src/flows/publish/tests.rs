use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;
use crate::{Answer, CommandLine, ErrorKind, Fake, Pipeline, Step as _, World, settings::Backend};

/// A state folder with the id of a built image in it.
pub(in crate::flows) struct Temp(pub(in crate::flows) Utf8PathBuf);

impl Temp {
    pub(in crate::flows) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("talia-publish-{process}-{count}"));
        fs::create_dir_all(folder.join("reports")).expect("a folder");
        fs::write(folder.join("reports/image-id"), "sha256:1").expect("a file");
        Self(Utf8PathBuf::from_path_buf(folder).expect("UTF-8"))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(in crate::flows) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(in crate::flows) const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

pub(in crate::flows) fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

/// A clone and a registry.
#[derive(Clone, Copy)]
pub(in crate::flows) struct Stage {
    /// What `git status` says.
    pub(in crate::flows) status: &'static str,
    /// Whether the commit is in the branch.
    pub(in crate::flows) in_branch: bool,
    /// The revision that the image in the registry names; `None`: there is none.
    pub(in crate::flows) labelled: Option<&'static str>,
    pub(in crate::flows) driver: &'static str,
    pub(in crate::flows) buildx: bool,
}

pub(in crate::flows) const STAGE: Stage =
    Stage { status: "", in_branch: true, labelled: None, driver: "docker", buildx: true };

pub(in crate::flows) fn answer(stage: Stage, line: &CommandLine) -> Answer {
    let words = line.words();
    let has = |part: &str| words.contains(part);
    let text = match () {
        () if has(" rev-parse --verify") => COMMIT.to_owned(),
        () if has("--show-toplevel") => "/srv/talia\n".to_owned(),
        () if has("--format=%H%n%cI") => format!("{COMMIT}\n2026-11-24T03:36:54+00:00\n"),
        () if has(" status --porcelain") => stage.status.to_owned(),
        () if has("--is-ancestor") => {
            return Answer::new(i32::from(!stage.in_branch), "", "");
        }
        () if has("pyproject.toml") => "[project]\nversion = \"1.2\"\n".to_owned(),
        () if has(" cat-file ") => "FROM x\n".to_owned(),
        () if has(" grep ") => return Answer::new(1, "", ""),
        () if has("buildx version") => {
            return Answer::new(i32::from(!stage.buildx), "buildx v0.13.1", "");
        }
        () if has("buildx inspect") => format!("Name: x\nDriver: {}\n", stage.driver),
        () if has("{{json .Manifest}}") => match stage.labelled {
            None if !stage.driver.starts_with("docker-") || !has("main-") => {
                return Answer::new(1, "", "ERROR: x: not found\n");
            }
            _ => format!("{{\"digest\":\"{}\"}}", digest("a")),
        },
        () if has("manifest inspect --verbose") => {
            return Answer::new(1, "", "no such manifest: x\n");
        }
        () if has("{{json .Image}}") => format!(
            "{{\"config\":{{\"Labels\":{{\"{}\":\"{}\"}}}}}}",
            ImageLabels::REVISION,
            stage.labelled.unwrap_or_default()
        ),
        () if words.starts_with("docker push") => {
            format!("main-x: digest: {} size: 529\n", digest("b"))
        }
        () => String::new(),
    };
    Answer::new(0, text, "")
}

/// The image, and whether it was built.
type Published = (Digest, bool);

fn run(
    name: &str,
    revision: Option<&str>,
    stage: Stage,
) -> (Result<(Chosen, Published)>, Vec<String>) {
    let temp = Temp::new();
    let state = State::new(&temp.0);
    let mut backend = Backend::default();
    backend.image.repository = Some("r.example/talia/backend".into());
    backend.image.dockerfile = Some("Dockerfile".into());
    let mut environment = Environment::named(name);
    environment.registry_user = Some("talia".into());
    environment.registry_password = Some("REGISTRY_TOKEN".into());
    let app = Publish {
        root: "/srv/talia".into(),
        backend: "/srv/talia/backend".into(),
        settings: &backend,
        environment: &environment,
        state: &state,
        revision: revision.map(str::to_owned),
        docker: "/run/x/docker".into(),
        own_docker: None,
    };
    let pipeline = Pipeline::new("publish", "/", World::fixed("/", []));
    let (result, asked) = pipeline.fake(Fake::new(move |line| answer(stage, line)), |cx| {
        let chosen = choose(cx, &app)?;
        let registry = log_in(cx, &app)?;
        let there = find(cx, &chosen, &registry)?;
        let published = match there {
            Some(digest) => (digest, false),
            None => (build(cx, &app, &chosen, &registry)?, true),
        };
        Ok((chosen, published))
    });
    let shown = asked.iter().map(|line| line.words().replace(state.dir().as_str(), "/state"));
    (result, shown.collect())
}

pub(in crate::flows) fn position(asked: &[String], part: &str) -> Option<usize> {
    asked.iter().position(|words| words.contains(part))
}

/// Where these words come, each behind the one before.
#[track_caller]
pub(in crate::flows) fn assert_order(asked: &[String], order: &[&str]) {
    let mut from = 0;
    for part in order {
        let at = position(&asked[from..], part);
        from += at.unwrap_or_else(|| panic!("no {part} behind {from} in {asked:#?}")) + 1;
    }
}

#[track_caller]
pub(in crate::flows) fn assert_none(asked: &[String], parts: &[&str]) {
    for part in parts {
        assert_eq!(position(asked, part), None, "{part} in {asked:#?}");
    }
}

#[test]
fn what_the_registry_has_is_not_built_again() {
    let (result, asked) = run("production", None, Stage { labelled: Some(COMMIT), ..STAGE });
    let (chosen, published) = result.expect("it is there");
    assert_eq!(chosen.revision.as_str(), COMMIT);
    assert_eq!((published.0.to_string(), published.1), (digest("a"), false));
    assert!(position(&asked, "docker login").is_some());
    for absent in ["buildx build", "docker push", " archive "] {
        assert_eq!(position(&asked, absent), None, "{asked:#?}");
    }
}

#[test]
fn what_is_not_there_is_built_from_the_commit_and_pushed() {
    let (result, asked) = run("production", None, STAGE);
    let (_, published) = result.expect("it is built");
    assert_eq!((published.0.to_string(), published.1), (digest("b"), true));
    let order = ["--is-ancestor", "docker login", " archive ", "tar --extract", "buildx build"];
    let at: Vec<_> = order.iter().map(|part| position(&asked, part)).collect();
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{asked:#?}");
    let build = &asked[at[4].expect("it is there")];
    assert!(build.ends_with("/state/export/backend"), "{build}");
    assert!(build.contains(&format!("--tag=r.example/talia/backend:main-{COMMIT}")), "{build}");
    assert!(build.contains(&format!("{}={COMMIT}", ImageLabels::REVISION)), "{build}");
    assert!(build.contains("--load") && build.contains("--build-arg=VERSION=1.2"), "{build}");
    assert!(asked.last().is_some_and(|last| last.starts_with("docker push")), "{asked:#?}");
}

#[test]
fn an_image_that_names_another_commit_is_built_anew() {
    for labelled in [OTHER, ""] {
        let (result, asked) = run("production", None, Stage { labelled: Some(labelled), ..STAGE });
        assert!(result.expect("it is built").1.1);
        assert!(position(&asked, "buildx build").is_some());
    }
}

#[test]
fn without_buildx_no_label_is_told_so_nothing_is_taken_over() {
    let (result, asked) = run("production", None, Stage { buildx: false, ..STAGE });
    assert!(result.expect("it is built").1.1);
    assert!(position(&asked, "docker build ").is_some(), "{asked:#?}");
}

#[test]
fn a_note_names_what_is_missing_and_what_brings_it_in() {
    let tag = ImageTag::of_revision(PREFIX, COMMIT).expect("a tag");
    let names_none =
        "the registry's main-0123456789abcdef0123456789abcdef01234567 names no revision";
    assert!(anew(Builder::Buildx, &tag, None).starts_with(names_none));
    let blind = anew(Builder::BuildKit, &tag, None);
    assert!(!blind.contains("names no revision"), "nobody knows that: {blind}");
    let engines_own = unattested(Some(&BuilderDriver::new().assume()));
    assert!(engines_own.starts_with("the builder `docker` attaches no SBOM"), "{engines_own}");
    for told in [blind, unattested(None)] {
        assert!(told.contains("docker's buildx plugin"), "{told}");
        assert!(told.contains("`cargo xtask ci image --install`"), "{told}");
    }
    assert!(unattested(None).contains("no SBOM and no provenance are made"));
}

#[test]
fn production_takes_clean_commits_of_its_branch_alone() {
    for (stage, says) in [
        (Stage { status: " M app/main.py\n", ..STAGE }, "the working tree differs"),
        (Stage { in_branch: false, ..STAGE }, "is not in origin/main"),
    ] {
        let (result, asked) = run("production", None, stage);
        let error = result.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(position(&asked, "docker"), None, "{asked:#?}");
    }
}

#[test]
fn a_commit_that_is_named_does_not_look_at_the_tree() {
    let (result, asked) =
        run("production", Some("v1.0"), Stage { status: " M app/main.py\n", ..STAGE });
    assert!(!result.expect("it is built").0.revision.is_dirty());
    assert_eq!(position(&asked, " status "), None, "{asked:#?}");
}

#[test]
fn a_sandbox_takes_the_tree_as_it_is_and_marks_it() {
    let stage = Stage { status: "?? new.py\n", in_branch: false, labelled: Some(COMMIT), ..STAGE };
    let (result, asked) = run("sandbox", None, stage);
    let (chosen, published) = result.expect("it is built");
    assert!(chosen.revision.is_dirty() && published.1);
    let build = &asked[position(&asked, "buildx build").expect("it is built")];
    assert!(build.ends_with("/srv/talia/backend"), "{build}");
    assert!(build.contains(&format!("main-{COMMIT}-dirty")), "{build}");
    assert_eq!(position(&asked, " archive "), None);
}

#[test]
fn a_builder_that_attests_pushes_by_itself() {
    let (result, asked) = run("production", None, Stage { driver: "docker-container", ..STAGE });
    // There is an image of this tag already, as far as this registry says: it names nothing.
    assert_eq!(result.expect("it is built").1.0.to_string(), digest("a"));
    let build = &asked[position(&asked, "buildx build").expect("it is built")];
    assert!(build.contains("--push --sbom=true --provenance=mode=max"), "{build}");
    assert_eq!(position(&asked, "docker push"), None);
}
