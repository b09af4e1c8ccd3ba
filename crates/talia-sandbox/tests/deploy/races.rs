//! Pipelines that race, and a `latest` that others move: real clients of one repository,
//! each in a clone of its own, and what the registry itself says meanwhile.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use talia_pipeline::{protocol::Request, templates::Role};

use crate::{
    kit::{Behaviour, Project, Ran, Registry, Site, Yard, said, seen, until, words},
    load::{Kind, Mix},
    support::Temp,
};

/// Long enough for a build and a release beside another one.
const SOON: Duration = Duration::from_secs(90);

/// Where a client's docker waits until it is let go.
#[derive(Clone, Copy)]
enum At {
    /// When the image is pushed, and the server was not asked for anything yet.
    Pushed,
    /// When the server has released it, and `latest` is about to be moved.
    Moving,
}

impl At {
    fn script(self, folder: &str, docker: &str) -> String {
        let wait = format!(
            ": > '{folder}/held'\n\
             until test -e '{folder}/go'; do test ! -e '{folder}/over' || exit 1; sleep 0.05; done"
        );
        match self {
            Self::Pushed => format!(
                "#!/bin/sh\nif test \"$1\" != push; then exec {docker} \"$@\"; fi\n\
                 {docker} \"$@\" || exit\n{wait}\n"
            ),
            Self::Moving => format!(
                "#!/bin/sh\ncase \"$*\" in\n*--help*) ;;\n*'imagetools create'*)\n{wait}\nesac\n\
                 exec {docker} \"$@\"\n"
            ),
        }
    }
}

/// A client that comes to one place and no further.
struct Held {
    folder: Temp,
    client: Option<Child>,
}

impl Held {
    fn start(project: &Project, deploy: &[&str], at: At) -> Self {
        let folder = Temp::new();
        let docker = said(Command::new("sh").args(["-c", "command -v docker"]));
        let program = folder.path().join("docker");
        fs::write(&program, at.script(folder.path().as_str(), &docker)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut xtask = project.xtask(deploy);
        let path = std::env::var("PATH").unwrap();
        xtask.env("PATH", format!("{}:{path}", folder.path()));
        xtask.stdout(Stdio::piped()).stderr(Stdio::piped());
        let client = xtask.spawn().unwrap();
        let held = Self { folder, client: Some(client) };
        until("the client is where it is held", SOON, || held.folder.path().join("held").exists());
        held
    }

    /// Waits for the client's own end.
    #[track_caller]
    fn ended(mut self) -> Ran {
        Ran::by(self.client.take().unwrap().wait_with_output().unwrap())
    }

    #[track_caller]
    fn go(self) -> Ran {
        self.folder.write("go", "");
        self.ended()
    }
}

/// One that is still there is killed, as a machine that goes away ends it.
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mut client) = self.client.take() {
            drop(client.kill());
            drop(client.wait());
        }
        // What it has started may live on for a moment.
        drop(fs::write(self.folder.path().join("over"), ""));
        thread::sleep(Duration::from_millis(200));
    }
}

/// A repository whose environment moves `latest`, and the commit that is live.
fn begun(site: &Site, registry: &Registry) -> (Project, String) {
    site.empty();
    // Another test's repository is none of this one's.
    registry.forget("latest");
    let own = site.sandbox.place().folder().join("settings.toml");
    let settings = fs::read_to_string(own).unwrap();
    // As a production environment is by itself.
    let kept = settings
        .replace("drain_seconds", "moves_latest = true\ndrain_seconds")
        .replace("admin_user", "branch = \"origin/main\"\nadmin_user");
    let project = Project::shared(site, &kept);
    let first = project.commit("the first one");
    project.run(&deploy(site)).ended(0);
    is_at(site, registry, &first);
    (project, first)
}

/// What the project's own backend answers.
fn real() -> Mix {
    Mix::light().without(Kind::Post).without(Kind::Websocket)
}

fn deploy(site: &Site) -> [&str; 4] {
    ["deploy", "backend", "--env", &site.environment]
}

/// Both the server and `latest` have got to this commit, and nobody holds the lock.
#[track_caller]
fn is_at(site: &Site, registry: &Registry, commit: &str) {
    let state = site.status();
    assert_eq!(state.lock, None);
    assert_eq!(state.served.as_ref().map(|served| served.as_str()), Ok(commit));
    assert_eq!(latest(registry), commit);
}

fn latest(registry: &Registry) -> String {
    registry.revision(&registry.digest("latest").unwrap())
}

/// The digest that the engine runs.
fn runs(site: &Site) -> String {
    let [only] = &site.containers()[..] else { panic!("{:#?}", site.containers()) };
    let image = ["docker", "inspect", "--format={{.Image}}", &only.id];
    let image = site.droplet.said(image).unwrap();
    let digests = ["docker", "image", "inspect", "--format={{join .RepoDigests \" \"}}", &image];
    let digests = site.droplet.said(digests).unwrap();
    let prefix = format!("{}@", site.images.repository());
    let own = digests.split(' ').find_map(|digest| digest.strip_prefix(&prefix));
    own.unwrap_or_else(|| panic!("{prefix} is not in {digests}")).to_owned()
}

fn tag(commit: &str) -> String {
    format!("main-{commit}")
}

fn short(commit: &str) -> &str {
    &commit[..8]
}

/// FAULT 9, without any race: an explicit rollback is the one way back.
pub(crate) fn an_older_commit_is_refused(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let watch = registry.watch("latest");
    let (project, first) = begun(&site, &registry);
    let never = project.commit("never deployed");
    let second = project.commit("the second one");
    project.run(&deploy(&site)).ended(0);
    is_at(&site, &registry, &second);

    let load = site.load(real());
    let (containers, moves) = (site.containers(), registry.moves("latest"));
    let mut answers = Vec::new();
    for older in [&first, &never] {
        for more in [&["--plan"][..], &[]] {
            let command = [&deploy(&site)[..], &["--revision", older], more].concat();
            let refused = project.run(&command).ended(4);
            let told = refused.told();
            assert!(told.contains("is older than"), "{told}");
            assert!(told.contains("`cargo xtask rollback backend --env"), "{told}");
            answers.push(refused.exit.unwrap());
        }
    }
    assert_eq!(site.containers(), containers);
    assert_eq!(registry.digest(&tag(&never)), None, "it was built nevertheless");
    is_at(&site, &registry, &second);
    seen(
        "9",
        "an older commit after a newer one, one that was live and one that never was",
        format!(
            "4 deploys and plans → exits {answers:?}; {} stays live, same container, `latest` the same",
            short(&second)
        ),
    );

    let back = project.run(&["rollback", "backend", "--env", &site.environment]).ended(0);
    assert_eq!(site.live().unwrap().as_str(), first, "{}", back.stdout);
    assert_eq!(latest(&registry), second, "a rollback is no reason for `latest` to go back");
    assert_eq!(registry.moves("latest"), moves);
    project.run(&deploy(&site)).ended(0);
    is_at(&site, &registry, &second);
    let told = load.stop();
    told.lost_nothing();
    let (looks, all) = watch.end();
    assert_eq!(all.iter().rev().take(2).collect::<Vec<_>>(), [&second, &first]);
    seen(
        "9",
        "an explicit rollback, then the newer commit again",
        format!(
            "{} live, then {}; `latest` named {} all the while ({looks} looks); {} requests, {} failed",
            short(&first),
            short(&second),
            short(&second),
            told.requests(),
            told.failures(),
        ),
    );
    site.empty();
}

/// FAULT 9: whoever wins, the other one is refused, and `latest` goes one way.
pub(crate) fn two_pipelines_race(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let (ana, first) = begun(&site, &registry);
    let ben = ana.cloned();
    let moves = registry.moves("latest");
    let watch = registry.watch("latest");
    let load = site.load(real());
    let deploy = deploy(&site);

    // At once.
    let older = ana.commit("the older one");
    ben.pull();
    let newer = ben.commit("the newer one");
    let ran = thread::scope(|scope| {
        [&ana, &ben].map(|who| scope.spawn(|| who.run(&deploy))).map(|run| run.join().unwrap())
    });
    let exits = ran.each_ref().map(|ran| ran.exit.unwrap());
    let told = ran.each_ref().map(Ran::told).join("\n");
    assert!([[0, 4], [4, 0]].contains(&exits), "{exits:?}\n{told}");
    let (won, lost) = if exits[0] == 0 { (&older, 1) } else { (&newer, 0) };
    is_at(&site, &registry, won);
    ben.run(&deploy).ended(0);
    is_at(&site, &registry, &newer);
    // Without the newer one in its clone, the other one cannot know.
    let unknown = ana.run(&deploy).ended(2);
    ana.fetch();
    assert!(ana.run(&deploy).ended(4).told().contains("is older than"));
    is_at(&site, &registry, &newer);
    seen(
        "9",
        "two clients deploy an older and a newer commit at once",
        format!(
            "exits {exits:?}, the one told {}; reruns: the newer one 0, the older one {} ({}), and 4 \
             once it is fetched; {} live, `latest` the same",
            words(&ran[lost].refusal()),
            unknown.exit.unwrap(),
            words(&unknown.refusal()),
            short(&newer),
        ),
    );

    // Another one is released while this one has built already.
    ana.pull();
    let older = ana.commit("built, and late");
    let late = Held::start(&ana, &deploy, At::Pushed);
    ben.pull();
    let newer = ben.commit("first there");
    ben.run(&deploy).ended(0);
    is_at(&site, &registry, &newer);
    let late = late.go().ended(4);
    assert!(late.told().contains("was decided on"), "{}", late.told());
    is_at(&site, &registry, &newer);
    assert!(registry.digest(&tag(&older)).is_some(), "its image is there");
    seen(
        "9",
        "an older commit is built, a newer one released before its release is asked for",
        format!("exit 4, {}; {} stays live", words(&late.refusal()), short(&newer)),
    );

    // One client is gone between its release and its move of `latest`.
    ana.pull();
    let missed = ana.commit("without its move");
    let gone = Held::start(&ana, &deploy, At::Moving);
    ben.pull();
    let next = ben.commit("the next one");
    let holder = site.status().lock.unwrap();
    assert!(holder.doing.starts_with("wait until `latest` is moved to "), "{holder:?}");
    assert_eq!((site.live().unwrap().as_str(), latest(&registry)), (&*missed, newer.clone()));
    let refused = ben.run(&deploy).ended(4);
    assert!(refused.told().contains(&holder.doing), "{}", refused.told());
    drop(gone);
    assert_eq!(latest(&registry), newer);
    assert!(site.status().lock.is_some(), "it is held for the one that may still move it");
    site.ask(Role::Admin, &Request::Unlock).answer::<Vec<u32>>();
    let mended = ana.run(&deploy).ended(0);
    assert!(mended.told().contains("nothing to do; `latest` names it now"), "{}", mended.told());
    is_at(&site, &registry, &missed);
    ben.run(&deploy).ended(0);
    is_at(&site, &registry, &next);
    seen(
        "9",
        "SIGKILL of the client between its release and its move of `latest`",
        format!(
            "`latest` stays {}, a second client is refused: {}; the next deploy moves it to {}, the \
             one after to {}",
            short(&newer),
            words(&refused.refusal()),
            short(&missed),
            short(&next),
        ),
    );

    let told = load.stop();
    told.lost_nothing();
    let (looks, all) = watch.end();
    let all_moves = registry.moves("latest") - moves;
    for pair in all.windows(2) {
        assert!(ben.is_before(&pair[0], &pair[1]), "`latest` went back: {all:#?}");
    }
    assert_eq!((all[0].as_str(), all.last()), (&*first, Some(&next)));
    // Every move is a release's own: nobody else has asked for one.
    assert_eq!(all_moves, all.len() - 1, "{all:#?}");
    seen(
        "9",
        "`latest` all the while, as the registry tells it",
        format!(
            "{looks} looks, {all_moves} moves, each to a descendant: {}; {} requests, {} failed",
            all.iter().map(|one| short(one)).collect::<Vec<_>>().join(" → "),
            told.requests(),
            told.failures(),
        ),
    );
    site.empty();
}

/// FAULT 9: a client whose registry hangs gives up before the server stops waiting for it,
/// so that it can never move `latest` when another one has been released.
pub(crate) fn a_move_of_latest_that_hangs(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let (project, first) = begun(&site, &registry);
    let second = project.commit("whose move hangs");
    let mut hangs = Held::start(&project, &deploy(&site), At::Moving);
    let (client, began) = (hangs.client.take().unwrap(), Instant::now());
    let (ended, held_for, freed) = thread::scope(|scope| {
        let ended = scope.spawn(|| Ran::by(client.wait_with_output().unwrap()));
        let (mut held_for, mut freed) = (Duration::ZERO, None);
        while !ended.is_finished() {
            let is_held = site.status().lock.is_some();
            // It may have ended while the server was asked.
            if !is_held && !ended.is_finished() {
                freed.get_or_insert(began.elapsed());
            }
            held_for = began.elapsed();
            thread::sleep(Duration::from_millis(500));
        }
        (ended.join().unwrap(), held_for, freed)
    });
    // Whoever still waits there would move it now.
    hangs.folder.write("go", "");
    // Between the client's last word to the server and its own end is a moment.
    let early = freed.map(|freed| held_for.saturating_sub(freed));
    assert!(early.is_none_or(|early| early < Duration::from_secs(3)), "freed {early:?} too early");
    let ended = ended.ended(0);
    assert!(ended.told().contains("`latest` was not moved"), "{}", ended.told());
    assert_eq!(site.status().lock, None);
    assert_eq!((site.live().unwrap().as_str(), latest(&registry)), (&*second, first.clone()));
    let mended = project.run(&deploy(&site)).ended(0);
    is_at(&site, &registry, &second);
    assert!(mended.told().contains("`latest` names it now"), "{}", mended.told());
    seen(
        "9",
        "the registry hangs when `latest` is moved",
        format!(
            "exit 0 after {:.0} s, the lock held until then, `latest` stays {}; the next deploy moves \
             it to {}",
            held_for.as_secs_f64(),
            short(&first),
            short(&second),
        ),
    );
    site.empty();
}

/// FAULT 10: what was planned runs, whatever `latest` names meanwhile.
pub(crate) fn latest_that_somebody_else_moves(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let (project, first) = begun(&site, &registry);
    let load = site.load(real());
    // One that no clone knows, and one that is older than what is deployed.
    let strange = site.images.version("nobody's", Behaviour::Well);
    let old = registry.image(&registry.digest(&tag(&first)).unwrap());
    let cases =
        [("a commit of nobody's", strange.digest.as_str(), false), ("an older commit", &old, true)];
    for (what, moved_to, moves_on) in cases {
        let commit = project.commit(what);
        let held = Held::start(&project, &deploy(&site), At::Pushed);
        let planned = registry.image(&registry.digest(&tag(&commit)).unwrap());
        registry.point("latest", moved_to);
        let ran = held.go().ended(0);
        assert_eq!(runs(&site), planned, "{}", ran.told());
        assert_eq!(site.live().unwrap().as_str(), commit);
        assert_ne!(planned, moved_to);
        let now = registry.image(&registry.digest("latest").unwrap());
        if moves_on {
            assert_eq!(now, planned);
        } else {
            // It is not known which of the two is newer.
            assert_eq!(now, moved_to);
            assert!(ran.told().contains("which this clone does not have"), "{}", ran.told());
        }
        let end = |digest: &str| digest["sha256:".len()..][..8].to_owned();
        seen(
            "10",
            &format!("`latest` moved to {what} ({}) between push and release", end(moved_to)),
            format!(
                "the engine runs {} as planned ({}); `latest` at the end: {}",
                end(&runs(&site)),
                end(&planned),
                end(&now),
            ),
        );
    }
    load.stop().lost_nothing();
    site.empty();
}
