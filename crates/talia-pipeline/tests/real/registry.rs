//! A real registry, with a password, on this machine.

use std::{
    fs::{self, File},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    Context, ErrorKind, Finished, Pipeline, Result, World,
    digest::Digest,
    private::PrivateFolder,
    secret::Secret,
    steps::{
        image::Builder,
        registry::{
            BuilderDriver, CopiesExactly, DockerConfig, ImageLabels, ImagePush, ImageTag, MoveTag,
            RegistryImage, RegistryLogin, RemoveDockerConfig,
        },
    },
};

use crate::{
    arguments::Arguments,
    support::{
        Temp, command, free_port, need_engine, output, said, started, state_of, unique, wait_until,
        write,
    },
};

const TOKEN: &str = "TALIA_REAL_REGISTRY_TOKEN";

/// A registry of this test's own; it and all it has is gone when dropped.
struct Registry {
    child: Child,
    port: u16,
    password: String,
    folder: Temp,
}

impl Registry {
    fn start() -> Self {
        let folder = Temp::new();
        let password = format!("t0ken-{}-canary", unique());
        let users = output(command("htpasswd").args(["-n", "-b", "-B", "talia", &password]));
        folder.write("users", &String::from_utf8(users.stdout).unwrap());
        // Somebody else may take the port meanwhile.
        for _ in 0..10 {
            let port = free_port();
            let mut child = serve(folder.path(), port);
            let mut is_up = false;
            wait_until(Duration::from_secs(10), || {
                is_up = TcpStream::connect(("127.0.0.1", port)).is_ok();
                is_up || child.try_wait().unwrap().is_some()
            });
            if child.try_wait().unwrap().is_none() {
                assert!(is_up, "the registry does not answer");
                return Self { child, port, password, folder };
            }
        }
        panic!("the registry does not start");
    }

    /// Ends it, and what it has stays.
    fn stop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn repository(&self) -> String {
        format!("{}/talia/backend", self.host())
    }

    /// What the registry itself has noted down for a tag.
    fn digest_of(&self, tag: &str) -> String {
        let tags = "data/docker/registry/v2/repositories/talia/backend/_manifests/tags";
        fs::read_to_string(self.folder.path().join(tags).join(tag).join("current/link")).unwrap()
    }

    fn blobs(&self) -> Utf8PathBuf {
        self.folder.path().join("data/docker/registry/v2/blobs")
    }

    /// A flow with the private folder's path and a password, right or wrong.
    fn run<T: Send>(
        &self,
        world: World,
        password: &str,
        flow: impl Fn(&Context, &Utf8Path) -> Result<T>,
    ) -> Finished<T> {
        let private = PrivateFolder::new(&world).unwrap();
        let world = world.with(TOKEN, password);
        let root = self.folder.path().to_owned();
        let finished = Pipeline::new("registry", root, world)
            .secrets([Secret::variable(TOKEN)])
            .run(|cx| flow(cx, &private.path().join("docker")));
        let (folder, ran) = (private.path().join("docker"), finished.result.is_ok());
        assert!(!ran || !folder.exists(), "the login is gone with the flow");
        drop(private);
        assert!(!folder.exists(), "what a plan has made is gone with the run");
        finished
    }

    /// As a flow does it: logged in, before anything that needs it.
    fn logged_in<T: Send>(&self, flow: impl Fn(&Context, &Utf8Path) -> Result<T>) -> Finished<T> {
        self.run(World::real().unwrap(), &self.password, |cx, folder| {
            let config = log_in(cx, self, folder, None)?;
            flow(cx, &config)
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &Utf8Path, port: u16) -> Child {
    write(&folder.join("config.yml"), &configuration(folder, port));
    let log = File::create(folder.join("log")).unwrap();
    let mut serve = command("docker-registry");
    serve.args(["serve", folder.join("config.yml").as_str()]).stdout(Stdio::null()).stderr(log);
    started(&mut serve)
}

fn configuration(folder: &Utf8Path, port: u16) -> String {
    format!(
        "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: '{folder}/data'}}\n\
         auth:\n  htpasswd: {{realm: talia, path: '{folder}/users'}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
}

fn log_in(
    cx: &Context,
    registry: &Registry,
    folder: &Utf8Path,
    own: Option<Utf8PathBuf>,
) -> Result<Utf8PathBuf> {
    cx.finally(RemoveDockerConfig::new(folder));
    let config = cx.observe(DockerConfig::new(folder, registry.host()).carries(own))?;
    cx.observe(RegistryLogin::new(&config, registry.host(), "talia", TOKEN))?;
    Ok(config)
}

/// A small image under a name of its own; the name is gone when dropped.
struct Image(String);

impl Image {
    fn new(reference: &str, revision: &str) -> Self {
        need_engine();
        let folder = Temp::new();
        folder.write("in/hello", &unique());
        let tar = folder.path().join("image.tar");
        let inner = folder.path().join("in");
        said(command("tar").args(["-C", inner.as_str(), "-cf", tar.as_str(), "."]));
        let label = format!("LABEL {}={revision}", ImageLabels::REVISION);
        said(command("docker").args(["import", "--change", &label, tar.as_str(), reference]));
        Self(reference.to_owned())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        drop(command("docker").args(["image", "rm", "--force", "--", &self.0]).output());
    }
}

#[test]
fn a_pushed_image_has_the_registrys_digest_and_is_not_sent_twice() {
    let registry = Registry::start();
    let revision = "0123456789abcdef0123456789abcdef01234567";
    let tag = ImageTag::of_revision("main", revision).unwrap();
    let reference = tag.of(&registry.repository());
    let _image = Image::new(&reference, revision);
    let push = |config: &Utf8Path| ImagePush::new(&reference).config(config).credential(TOKEN);
    let look = |config: &Utf8Path, reference: &str| {
        RegistryImage::new(Builder::Buildx, reference).config(config).credential(TOKEN)
    };

    let watch = Arguments::watch(&registry.password);
    let first = registry.logged_in(|cx, config| {
        let before = cx.observe(look(config, &reference))?;
        let digest = cx.run(push(config))?;
        let after = cx.run(look(config, &reference))?;
        Ok((before, digest, after))
    });
    assert_eq!(watch.seen(), [""; 0], "the password was in an argument");
    let (before, digest, after) = first.result.unwrap();
    assert_eq!(before, None);
    assert_eq!(digest.as_str(), registry.digest_of(tag.as_str()));
    assert_eq!(after.map(|manifest| manifest.digest), Some(digest.clone()));

    let blobs = state_of(&registry.blobs());
    let second = registry.logged_in(|cx, config| cx.run(push(config))).result.unwrap();
    assert_eq!(second, digest);
    assert_eq!(state_of(&registry.blobs()), blobs, "nothing was sent again");

    // By digest, with both clients; and what is not there.
    let by_digest = digest.of(&registry.repository());
    let nothing = format!("{}:main-other", registry.repository());
    let nowhere = format!("{}/not/there:x", registry.host());
    for client in [Builder::Buildx, Builder::BuildKit] {
        let ask = |reference: &str| {
            let finished = registry.logged_in(|cx, config| {
                cx.observe(RegistryImage::new(client, reference).config(config))
            });
            finished.result.unwrap().map(|manifest| manifest.digest)
        };
        assert_eq!(ask(&reference), Some(digest.clone()), "{client:?}");
        assert_eq!(ask(&by_digest), Some(digest.clone()), "{client:?}");
        assert_eq!(ask(&nothing), None, "{client:?}");
        assert_eq!(ask(&nowhere), None, "{client:?}");
    }
    let labels = registry.logged_in(|cx, config| {
        cx.observe(ImageLabels::new(&by_digest).config(config).credential(TOKEN))
    });
    assert_eq!(
        labels.result.unwrap().get(ImageLabels::REVISION).map(String::as_str),
        Some(revision)
    );
}

#[test]
fn a_tag_is_moved_in_the_registry() {
    let registry = Registry::start();
    let repository = registry.repository();
    let pushed = |name: &str| {
        let reference = format!("{repository}:{name}");
        let _image = Image::new(&reference, name);
        registry
            .logged_in(|cx, config| cx.run(ImagePush::new(&reference).config(config)))
            .result
            .unwrap()
    };
    let (one, two) = (pushed("main-1"), pushed("main-2"));
    assert_ne!(one, two);
    let latest = ImageTag::latest();
    let move_to = |digest: &Digest| {
        let finished = registry.logged_in(|cx, config| {
            let exactly = cx.observe(CopiesExactly)?;
            let step = MoveTag::new(&repository, latest.clone(), digest.clone());
            cx.run(step.exactly(exactly).config(config).credential(TOKEN))?;
            let look = RegistryImage::new(Builder::Buildx, latest.of(&repository));
            Ok((exactly, cx.run(look.config(config))?))
        });
        let (exactly, manifest) = finished.result.unwrap();
        let manifest = manifest.unwrap();
        assert_eq!(manifest.digest.as_str(), registry.digest_of("latest"));
        assert!(!exactly || manifest.digest == *digest);
        manifest
    };
    assert!(move_to(&one).is_or_lists(&one));
    let moved = move_to(&two);
    assert!(moved.is_or_lists(&two) && !moved.is_or_lists(&one));
    assert_eq!(move_to(&two), moved, "again is nothing new");
    assert_eq!(registry.digest_of("main-1"), one.as_str(), "other tags stay");

    let gone = Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
    let failed = registry.logged_in(|cx, config| {
        cx.run(MoveTag::new(&repository, latest.clone(), gone.clone()).config(config))
    });
    assert_eq!(failed.result.unwrap_err().kind(), ErrorKind::Step);
    assert_eq!(registry.digest_of("latest"), moved.digest.as_str());
}

#[test]
fn a_wrong_password_no_password_and_a_registry_that_is_down_are_told_apart() {
    need_engine();
    let mut registry = Registry::start();
    let real = || World::real().unwrap();
    let wrong = "n0t-the-password-canary";
    let watch = Arguments::watch(wrong);
    let finished = registry.run(real(), wrong, |cx, folder| log_in(cx, &registry, folder, None));
    assert_eq!(watch.seen(), [""; 0]);
    assert_eq!(finished.exit_code.code(), 3);
    let error = finished.result.unwrap_err();
    let told = format!("{error} {:?} {:?}", error.hint_text(), error.last_lines());
    assert!(error.to_string().contains("does not accept the credential TALIA_REAL_REGISTRY_TOKEN"));
    assert!(error.to_string().contains(&registry.host()), "{told}");
    assert!(told.contains("401") && !told.contains(wrong), "{told}");

    // Without any login, with both clients.
    let reference = format!("{}:x", registry.repository());
    let look = |registry: &Registry, client: Builder| {
        registry.run(real(), wrong, |cx, folder| {
            let config = cx.observe(DockerConfig::new(folder, registry.host()))?;
            cx.finally(RemoveDockerConfig::new(&config));
            cx.observe(RegistryImage::new(client, &reference).config(config))
        })
    };
    for client in [Builder::Buildx, Builder::BuildKit] {
        let error = look(&registry, client).result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Preflight);
        assert!(error.to_string().contains("does not accept the login of this machine"), "{error}");
    }

    registry.stop();
    let finished = registry.run(real(), wrong, |cx, folder| log_in(cx, &registry, folder, None));
    let error = finished.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Preflight);
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let error = look(&registry, Builder::Buildx).result.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[test]
fn a_login_leaves_the_users_own_configuration_alone_and_keeps_its_plugins_and_context() {
    need_engine();
    let registry = Registry::start();
    let temp = Temp::new();
    let own = temp.path().join("home/.docker");
    let tool = |path: &str, text: &str| {
        temp.write(path, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(temp.path().join(path), mode).unwrap();
    };
    // Helpers that would take a password if they were asked to.
    let called = temp.path().join("called");
    for name in ["docker-credential-secretservice", "docker-credential-pass", "pass"] {
        tool(&format!("bin/{name}"), &format!("#!/bin/sh\necho {name} >> '{called}'\n"));
    }
    tool(
        "home/.docker/cli-plugins/docker-taliatest",
        "#!/bin/sh\ncase \"$1\" in docker-cli-plugin-metadata) echo '{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"t\",\"Version\":\"1\"}';; *) echo plugin;; esac\n",
    );
    let mut context = command("docker");
    context.env("DOCKER_CONFIG", &own).env_remove("DOCKER_HOST");
    let endpoint = "host=unix:///var/run/docker.sock";
    said(context.args(["context", "create", "chosen", "--docker", endpoint]));
    temp.write(
        "home/.docker/config.json",
        r#"{"auths":{"r.example":{"auth":"eDp5"}},"credsStore":"pass","currentContext":"chosen"}"#,
    );
    let before = state_of(&own);
    let path = format!("{}:{}", temp.path().join("bin"), std::env::var("PATH").unwrap());
    let world = World::real().unwrap().with("PATH", path).without("DOCKER_HOST");
    let world = world.with("HOME", temp.path().join("home").as_str()).without("DOCKER_CONFIG");
    let finished = registry.run(world.clone(), &registry.password, |cx, folder| {
        let config = log_in(cx, &registry, folder, DockerConfig::of_user(&world))?;
        let docker = |args: &[&str]| {
            let mut docker = command("docker");
            docker.env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST");
            said(docker.args(args)).trim().to_owned()
        };
        let text = fs::read_to_string(config.join("config.json")).unwrap_or_default();
        let driver = cx.observe(BuilderDriver::new().config(&config))?;
        Ok((docker(&["taliatest"]), docker(&["context", "show"]), text, driver))
    });
    let (plugin, context, text, driver) = finished.result.unwrap();
    assert_eq!((plugin.as_str(), context.as_str()), ("plugin", "chosen"));
    assert!(text.contains(&registry.host()) && !text.contains("eDp5") && !text.contains("creds"));
    assert!(!driver.name().is_empty());
    assert!(!called.exists(), "{}", fs::read_to_string(&called).unwrap_or_default());
    assert_eq!(state_of(&own), before, "the user's own folder is as it was");
}
