//! Registries that do not answer as they should, and files that were edited by hand.

use std::{process::Command, time::Duration};

use talia_pipeline::{
    ExitCode,
    flows::{Rollback, look_back, rollback_backend},
    protocol::{Accepted, BackOutlook, Cancelled, ImageAt, Released, Request, Who},
    templates::Role,
};

use crate::{
    kit::{Asking, Behaviour, Site, Version, Yard, said, seen, until},
    load::Mix,
};

/// Long enough for some megabytes at the speed of [`begin_to_pull`].
const SOON: Duration = Duration::from_secs(20);

pub(crate) fn a_login_that_the_registry_refuses(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    let before = site.containers();
    let path = format!("/etc/talia/{}/docker/config.json", site.environment);
    let login = site.droplet.read(&path).unwrap();
    // `talia:wrong`.
    let wrong = String::from_utf8(login.clone()).unwrap();
    let at = wrong.find("\"auth\": \"").unwrap() + 9;
    let end = wrong[at..].find('"').unwrap() + at;
    let secret = wrong[at..end].to_owned();
    let wrong = wrong.replace(&secret, "dGFsaWE6d3Jvbmc=");
    site.droplet.write(&path, wrong.as_bytes(), 0o600).unwrap();
    let said = site.release(&site.images.version("not pulled", Behaviour::Well));
    site.droplet.write(&path, &login, 0o600).unwrap();
    println!("{}", said.failure());
    assert!(matches!(said.exit, Some(1 | 3)), "{said:#?}");
    assert!(said.failure().contains("config.json"), "{}", said.failure());
    let told = format!("{said:?}");
    let shows = ["dGFsaWE6d3Jvbmc", &secret].map(|value| told.matches(value).count());
    assert_eq!(shows, [0, 0], "{told}");
    assert_eq!(site.containers(), before);
    site.is_settled_at(&a);
    seen(
        "11",
        "the registry refuses the server's login",
        format!(
            "{}; the credential's value shown {} times; same container",
            said.brief(),
            shows.iter().sum::<usize>()
        ),
    );
}

pub(crate) fn a_registry_that_is_gone(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let new = site.images.version("pulled later", Behaviour::Well);
    site.released(&b);
    let load = site.load(Mix::light());
    site.sandbox.stop("registry").unwrap();
    let said = site.release(&new);
    println!("{}", said.failure());
    let back = site.rollback(None);
    site.sandbox.start("registry").unwrap();
    assert!(matches!(said.exit, Some(1 | 3)), "{said:#?}");
    // What is on the server already needs no registry.
    let to: Released = back.answer();
    assert_eq!(to.live.revision, a.revision);
    site.is_settled_at(&a);
    site.released(&new);
    site.is_settled_at(&new);
    let served = load.stop().lost_nothing();
    seen(
        "12",
        "the registry is gone before a pull",
        format!("{}; a rollback meanwhile: {}; {served}", said.brief(), back.brief()),
    );
}

/// Starts a release that pulls slowly, and has the registry die when a part of the layer
/// has come. Nobody is told of it: as where a host has gone. Gives what has come, in bytes.
fn dies_while_it_is_pulled(site: &Site, version: &Version) -> (Asking, u64) {
    // A layer of 40 MB takes five seconds.
    site.sandbox.slow_registry(64_000).unwrap();
    let asking = site.begin_release(version);
    let mut has_come = 0;
    until("a part of the layer has come", SOON, || {
        let find = ["find", "/var/lib/docker/tmp", "-name", "GetImageBlob*", "-size", "+4M"];
        let sizes = find.into_iter().chain(["-printf", "%s\\n"]);
        let sizes = site.droplet.said(sizes).unwrap();
        has_come = sizes.lines().filter_map(|size| size.parse().ok()).max().unwrap_or(0);
        has_come > 0
    });
    site.sandbox.stop("registry").unwrap();
    (asking, has_come)
}

/// Megabytes, as people count them.
fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The registry's address answers again or, before that, says that nobody listens there.
fn listens(site: &Site, listens: bool) {
    if listens {
        site.sandbox.start("registry").unwrap();
    }
    let verb = if listens { "start" } else { "stop" };
    site.droplet.said(["systemctl", verb, "registry.socket", "registry.service"]).unwrap();
}

/// How many bytes the registry gave last to one who asked for the rest of a layer.
fn fetched_in_parts(site: &Site) -> u64 {
    let container = site.sandbox.place().container("registry");
    let log = said(Command::new("docker").args(["logs", "--tail=50", &container]));
    let rest = log.lines().rev().find_map(|line| line.split(" HTTP/1.1\" 206 ").nth(1));
    let rest = rest.unwrap_or_else(|| panic!("nobody asked for the rest of a layer: {log}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

pub(crate) fn a_registry_that_dies_in_the_middle_of_a_layer(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    let heavy = site.images.heavy("dies while it is pulled", 40);
    let before = site.containers();
    let load = site.load(Mix::light());

    // A host that has gone says nothing, and whoever waits for it can be ended.
    let (waiting, _) = dies_while_it_is_pulled(&site, &heavy);
    let cancelled = site.ask(Role::Deploy, &Request::Cancel { area: None, whose: None });
    assert_eq!(cancelled.answer::<Cancelled>(), Cancelled::Undone);
    assert!(cancelled.took < Duration::from_secs(10), "{:?}", cancelled.took);
    let waited = waiting.wait();
    waited.failed(130, &[]);
    site.sandbox.start("registry").unwrap();
    site.is_settled_at(&a);
    seen(
        "1",
        "`cancel` while an image is pulled from a registry that says nothing",
        format!(
            "undone within {:.1} s; its client: {}",
            cancelled.took.as_secs_f64(),
            waited.brief()
        ),
    );

    let path = "/etc/docker/daemon.json";
    let engine = site.droplet.read(path).unwrap();
    let set = |content: &[u8]| {
        site.droplet.write(path, content, 0o644).unwrap();
        site.droplet.restart_engine().unwrap();
    };
    // Else the engine itself asks for a minute whether it is back.
    let once = String::from_utf8(engine.clone()).unwrap();
    set(once.replacen('{', "{\"max-download-attempts\": 1,", 1).as_bytes());
    let (asking, had_come) = dies_while_it_is_pulled(&site, &heavy);
    listens(&site, false);
    let failed = asking.wait();
    set(&engine);
    listens(&site, true);
    println!("{:.1} s: {}", failed.took.as_secs_f64(), failed.failure());
    failed.failed(1, &["the release's image", "connection refused"]);
    assert_eq!(site.containers(), before);
    site.is_settled_at(&a);

    // The rerun: one that is back soon is waited for, and goes on where it was.
    let (asking, has_come) = dies_while_it_is_pulled(&site, &heavy);
    listens(&site, false);
    listens(&site, true);
    let said = asking.wait();
    said.answer::<Released>();
    site.is_settled_at(&heavy);
    let rest = fetched_in_parts(&site);
    assert!(rest < 40 << 20, "what had come was fetched again");
    let (served, whole) = (load.stop().lost_nothing(), mb(40 << 20));
    seen(
        "12",
        &format!("the registry dies in mid-layer at {} of {whole}, and stays away", mb(had_come)),
        format!("{}; same container; {served}", failed.brief()),
    );
    seen(
        "12",
        &format!("the rerun: it dies at {} of {whole}, and is back", mb(has_come)),
        format!("{}; it fetched the last {} alone", said.brief(), mb(rest)),
    );
}

/// FAULT 20: where the image of an earlier release is, is said before anything is done.
pub(crate) fn a_rollback_whose_image_has_gone(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (_, b) = site.pair();
    let old = site.images.version("gone later", Behaviour::Well);
    site.released(&old);
    site.released(&b);
    let outlook = || -> BackOutlook {
        let plan = Request::RollbackPlan { to: None, accepted: Accepted::default() };
        let outlook: BackOutlook = site.ask(Role::Deploy, &plan).answer();
        assert_eq!(outlook.state.live.as_ref().unwrap().revision, b.revision);
        assert_eq!(outlook.to.as_ref().unwrap().release.digest, old.digest);
        outlook
    };
    let image = |outlook: &BackOutlook| outlook.to.as_ref().unwrap().image.clone();
    let here = outlook();
    assert_eq!((image(&here), here.refused.as_slice()), (ImageAt::Server, &[][..]));
    assert!(here.text.contains("switch to") && !here.text.contains("pull image"), "{}", here.text);

    let reference = format!("{}@{}", site.images.repository(), old.digest);
    site.droplet.said(["docker", "image", "rm", "--force", "--", &reference]).unwrap();
    let pruned = outlook();
    assert_eq!((image(&pruned), pruned.refused.as_slice()), (ImageAt::Registry, &[][..]));
    assert!(pruned.text.contains("pull image"), "{}", pruned.text);

    let registry = site.sandbox.registry();
    let (login, url) = (
        format!("{}:{}", registry.user, registry.password),
        format!("http://{}/v2/talia/backend/manifests/{}", registry.address, old.digest),
    );
    let delete = ["curl", "--fail", "--silent", "--user", &login, "--request", "DELETE", &url];
    site.droplet.said(delete).unwrap();
    let gone = outlook();
    let ImageAt::Gone(reason) = image(&gone) else { panic!("{gone:#?}") };
    assert!(reason.contains("has no"), "{reason}");
    assert_eq!(gone.refused.iter().map(|one| one.exit_code).collect::<Vec<_>>(), [3]);
    // A client goes no further than that; and the server would not either.
    let by: Who = "test".parse().unwrap();
    let refused = site.as_client(|cx, remote| {
        let order = Rollback { remote, by: by.clone(), to: None, accepted: Accepted::default() };
        let outlook = look_back(cx, &order)?;
        rollback_backend(cx, &order, &outlook)
    });
    println!("{}", refused.result.unwrap_err());
    assert_eq!(refused.exit_code, ExitCode::Preflight);
    let back = site.rollback(None);
    back.failed(3, &["has no", "deploy its revision anew"]);
    site.is_settled_at(&b);
    seen(
        "20",
        "the image of the release before is pruned, then deleted in the registry",
        format!(
            "the plan says: {:?}, then {:?}, then {:?}; a rollback: {}",
            image(&here),
            image(&pruned),
            image(&gone),
            back.brief(),
        ),
    );
}

pub(crate) fn a_file_that_was_edited_by_hand(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let path = format!("{}/docker-compose.yml", site.folder());
    let before = site.droplet.read(&path).unwrap();
    let mut edited = before.clone();
    let env = site.droplet.read(&format!("{}/.env", site.folder())).unwrap();
    let env = String::from_utf8(env).unwrap();
    let url = env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap();
    let url = url.trim_matches(['"', '\'']);
    edited.extend_from_slice(format!("# by hand {url}\n").as_bytes());
    site.droplet.write(&path, &edited, 0o644).unwrap();
    let refused = site.release(&b);
    println!("{}", refused.failure());
    refused.failed(4, &["docker-compose.yml", "--accept-drift", "server compose push FILE"]);
    assert!(site.status().drift.iter().any(|file| file.contains("docker-compose.yml")));
    // A plan shows the edit, and nothing that is secret.
    let plan = Request::Plan {
        digest: Some(b.digest.clone()),
        revision: b.revision.clone(),
        accept_drift: true,
    };
    let told = format!("{:?}", site.ask(Role::Deploy, &plan));
    assert!(told.contains("+# by hand ") && !told.contains(url), "{told}");
    site.is_settled_at(&a);
    let Request::Release { digest, revision, after, by, .. } =
        site.release_request(&b, site.live())
    else {
        unreachable!()
    };
    let request = Request::Release { digest, revision, after, by, run: None, accept_drift: true };
    site.ask(Role::Deploy, &request).answer::<Released>();
    site.is_settled_at(&b);
    assert_eq!(site.status().drift, [""; 0]);
    let kept = site.droplet.read(&path).unwrap();
    assert_eq!(kept, edited);
    seen(
        "24",
        "docker-compose.yml is edited on the server",
        format!(
            "{}; the plan shows the edited line, and its secret {} times; once acknowledged \
             {} is live and the edited copy of {} bytes kept",
            refused.brief(),
            told.matches(url).count(),
            site.live().unwrap().short(),
            kept.len(),
        ),
    );
    let pushed = site.begin(Role::Admin, &Request::ComposePush, &before).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
}

/// Values of `.env` that a shell, Compose or YAML would each read otherwise.
pub(crate) fn values_reach_the_app_byte_for_byte(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let path = format!("{}/.env", site.folder());
    let before = site.droplet.read(&path).unwrap();
    let mut env = before.clone();
    env.extend_from_slice(
        b"ODD_A='5 $ # \"x\" ${HOME} $$'\nODD_B=\"a\\nb\"\nODD_C='  two  '\nODD_D='a: [b, {c}]'\n",
    );
    let pushed = site.begin(Role::Admin, &Request::EnvPush, &env).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
    site.released(&b);
    site.is_settled_at(&b);
    let container = &site.containers()[0].id;
    let tell = "import json, os; print(json.dumps([os.environ[f'ODD_{n}'] for n in 'ABCD']))";
    let told = site.droplet.said(["docker", "exec", container, "python3", "-c", tell]).unwrap();
    let told: Vec<String> = serde_json::from_str(&told).unwrap();
    assert_eq!(told, ["5 $ # \"x\" ${HOME} $$", "a\nb", "  two  ", "a: [b, {c}]"]);
    seen(
        "35",
        "values of `.env` with $, #, quotes, newlines, blanks",
        format!("the app got {told:?}"),
    );
    let pushed = site.begin(Role::Admin, &Request::EnvPush, &before).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
    // The release before it ran with its own file, and does again.
    let back: Released = site.rollback(None).answer();
    assert_eq!(back.live.revision, a.revision);
    site.is_settled_at(&a);
}
