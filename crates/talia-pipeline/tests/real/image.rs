//! Images that a real engine builds.

use camino::Utf8Path;
use talia_pipeline::{
    World,
    steps::image::{Builder, ImageBuild, ImageInspect, ImagePresent},
};

use crate::{
    alone, alone_in, failure,
    support::{Images, Temp, command, need_engine, said},
};

const DOCKERFILE: &str = "\
ARG BASE=nowhere.invalid/none
FROM ${BASE} AS first
ARG WHO
RUN echo \"hello $WHO\" > /who
FROM first AS second
RUN echo second > /stage
";

fn build(builder: Builder, folder: &Temp) -> ImageBuild {
    ImageBuild::new(builder, folder.path().join("context"), folder.path().join("id file"))
        .build_arg("BASE", "talia-base:bookworm")
}

/// A file of an image, read without starting anything of it.
fn file_of(image: &str, path: &str) -> String {
    let container = said(command("docker").args(["create", "--", image, "true"]));
    let container = container.trim();
    let copied = command("docker").args(["cp", &format!("{container}:{path}"), "-"]).output();
    said(command("docker").args(["rm", "--", container]));
    // One file of a tar archive: the content stands after a header of 512 bytes.
    let tar = copied.unwrap().stdout;
    String::from_utf8_lossy(tar.get(512..).unwrap_or_default()).trim_end_matches('\0').to_owned()
}

#[test]
fn arguments_targets_tags_and_labels_arrive_with_both_clients() {
    need_engine();
    for builder in [Builder::Buildx, Builder::BuildKit] {
        let (folder, images) = (Temp::new(), Images::new());
        folder.write("context/Dockerfile", DOCKERFILE);
        let tag = format!("{}:one", images.repository());
        let who = format!("it's \"{}\" $HOME", images.repository());
        let step = || {
            build(builder, &folder)
                .tag(&tag)
                .tag(format!("{}:two", images.repository()))
                .image_label("org.opencontainers.image.title", "a b\"c")
                .build_arg("WHO", &who)
                .target(Some("first".into()))
        };
        let finished = alone(folder.path(), step);
        let built = finished.result.unwrap();
        assert!(built.instructions >= 2, "{builder:?} {built:?}");
        let image = alone(folder.path(), || ImageInspect::new(&built.id)).result.unwrap();
        assert_eq!(image.id, built.id);
        let present = alone(folder.path(), || ImagePresent::new(&tag)).result.unwrap();
        assert_eq!(present, built.id);
        let mut tags = images.tags();
        tags.sort();
        assert_eq!(tags, ["one", "two"], "{builder:?}");
        let inspect = ["image", "inspect", "--format", "{{json .Config.Labels}}", "--", &tag];
        assert!(said(command("docker").args(inspect)).contains(r#"a b\"c"#));
        assert_eq!(file_of(&tag, "/who").trim(), format!("hello {who}"), "{builder:?}");
        assert_eq!(file_of(&tag, "/stage"), "", "the second stage is not built: {builder:?}");

        let again = alone(folder.path(), step).result.unwrap();
        assert_eq!(again.id, built.id);
        assert!(again.cached >= 1, "{builder:?} {again:?}");
    }
}

#[test]
fn a_build_secret_is_in_no_layer_history_or_argument() {
    const SECRET: &str = "TALIA_REAL_SECRET";
    need_engine();
    let value = format!("s3cret-{}-canary", crate::support::unique());
    for builder in [Builder::Buildx, Builder::BuildKit] {
        let (folder, images) = (Temp::new(), Images::new());
        // Unique, or an earlier build's layer would answer.
        let dockerfile = format!(
            "ARG BASE\nFROM ${{BASE}}\nRUN --mount=type=secret,id={SECRET} \
             wc -c < /run/secrets/{SECRET} > /size && cat /run/secrets/{SECRET} && tr '\\0' ' ' < /proc/1/cmdline && : {}\n",
            images.repository()
        );
        folder.write("context/Dockerfile", &dockerfile);
        let tag = format!("{}:one", images.repository());
        let world = World::real().unwrap().with(SECRET, value.as_str());
        let step = || build(builder, &folder).tag(&tag).secret(SECRET);
        let finished = alone_in(world, folder.path(), &[SECRET], step);
        assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
        assert_eq!(file_of(&tag, "/size").trim(), value.len().to_string(), "it has arrived");
        let history = ["history", "--no-trunc", "--", &tag];
        assert!(!said(command("docker").args(history)).contains(&value));
        assert!(!is_in_image(&tag, &value, folder.path()), "{builder:?}");
    }
}

/// Whether any layer or the configuration holds a text.
fn is_in_image(image: &str, text: &str, folder: &Utf8Path) -> bool {
    let tar = folder.join("image.tar");
    said(command("docker").args(["save", "--output", tar.as_str(), "--", image]));
    let found = command("grep").args(["-c", "-a", "-F", "--", text, tar.as_str()]).output();
    std::fs::remove_file(&tar).unwrap();
    // 0: found, 1: not found; anything else is an error of grep's.
    match found.unwrap().status.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("grep ended with {other:?}"),
    }
}

#[test]
fn what_is_wrong_with_a_dockerfile_has_its_line() {
    need_engine();
    for builder in [Builder::Buildx, Builder::BuildKit] {
        for (wrong, line, told) in [
            ("FROM talia-base:bookworm\n\nRUNN true\n", 3, "RUNN"),
            (
                "FROM talia-base:bookworm\n# why\nRUN true \\\n && echo on && false\n",
                3,
                "exit code: 1",
            ),
            ("FROM talia-base:bookworm\nCOPY not-there /x\n", 2, "not-there"),
        ] {
            let folder = Temp::new();
            folder.write("context/Dockerfile", wrong);
            let (error, found) = failure(alone(folder.path(), || {
                build(builder, &folder).shown_dockerfile("Dockerfile")
            }));
            assert_eq!(error.to_string(), "the image could not be built");
            let place = format!("Dockerfile:{line}: ");
            assert!(found[0].starts_with(&place), "{builder:?} {wrong:?}: {found:?}");
            assert!(found[0].contains(told), "{builder:?} {wrong:?}: {found:?}");
        }
    }
}
