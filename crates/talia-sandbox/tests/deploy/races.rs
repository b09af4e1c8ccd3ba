//! Pipelines that race, and a `latest` that others move: real clients of one repository,
//! each in a clone of its own, and what the registry itself says meanwhile.

use std::{fs, thread};

use talia_pipeline::{protocol::Request, templates::Role};

use crate::{
    kit::{At, Held, Project, Ran, Registry, Site, Yard, seen, words},
    load::{Kind, Mix},
};

/// A repository whose environment moves `latest`, and the commit that is live.
pub(crate) fn begun(site: &Site, registry: &Registry) -> (Project, String) {
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
pub(crate) fn real() -> Mix {
    Mix::light().without(Kind::Post).without(Kind::Websocket)
}

pub(crate) fn deploy(site: &Site) -> [&str; 4] {
    ["deploy", "backend", "--env", &site.environment]
}

/// Both the server and `latest` have got to this commit, and nobody holds the lock.
#[track_caller]
pub(crate) fn is_at(site: &Site, registry: &Registry, commit: &str) {
    let state = site.status();
    assert_eq!(state.lock, None);
    assert_eq!(state.served.as_ref().map(|served| served.as_str()), Ok(commit));
    assert_eq!(latest(registry), commit);
}

pub(crate) fn latest(registry: &Registry) -> String {
    registry.revision(&registry.digest("latest").unwrap())
}

/// The digest that the engine runs.
pub(crate) fn runs(site: &Site) -> String {
    let [only] = &site.containers()[..] else { panic!("{:#?}", site.containers()) };
    let image = ["docker", "inspect", "--format={{.Image}}", &only.id];
    let image = site.droplet.said(image).unwrap();
    let digests = ["docker", "image", "inspect", "--format={{join .RepoDigests \" \"}}", &image];
    let digests = site.droplet.said(digests).unwrap();
    let prefix = format!("{}@", site.images.repository());
    let own = digests.split(' ').find_map(|digest| digest.strip_prefix(&prefix));
    own.unwrap_or_else(|| panic!("{prefix} is not in {digests}")).to_owned()
}

pub(crate) fn tag(commit: &str) -> String {
    format!("main-{commit}")
}

pub(crate) fn short(commit: &str) -> &str {
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
            "plans and deploys exit with {answers:?}; {} stays live, {} container as before, `latest` at {}",
            short(&second),
            site.containers().len(),
            short(&latest(&registry)),
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
    let unknown = ana.run(&deploy).ended(4);
    assert!(unknown.told().contains("this clone does not have"), "{}", unknown.told());
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
