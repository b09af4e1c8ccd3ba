//! Registries that do not answer as they should, and files that were edited by hand.

use talia_pipeline::{
    protocol::{Released, Request},
    templates::Role,
};

use crate::{
    kit::{Behaviour, Yard},
    load::Mix,
};

pub(crate) fn a_login_that_the_registry_refuses(yard: &Yard) {
    let site = yard.site();
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
    assert!(!told.contains("dGFsaWE6d3Jvbmc") && !told.contains(&secret), "{told}");
    assert_eq!(site.containers(), before);
    site.is_settled_at(&a);
}

pub(crate) fn a_registry_that_is_gone(yard: &Yard) {
    let site = yard.site();
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
    let back: Released = back.answer();
    assert_eq!(back.live.revision, a.revision);
    site.is_settled_at(&a);
    site.released(&new);
    site.is_settled_at(&new);
    load.stop().lost_nothing();
}

pub(crate) fn a_file_that_was_edited_by_hand(yard: &Yard) {
    let site = yard.site();
    let (a, b) = site.pair();
    let path = format!("{}/docker-compose.yml", site.folder());
    let before = site.droplet.read(&path).unwrap();
    let mut edited = before.clone();
    edited.extend_from_slice(b"# by hand\n");
    site.droplet.write(&path, &edited, 0o644).unwrap();
    let refused = site.release(&b);
    println!("{}", refused.failure());
    refused.failed(4, &["docker-compose.yml", "--accept-drift", "server compose push FILE"]);
    assert!(site.status().drift.iter().any(|file| file.contains("docker-compose.yml")));
    site.is_settled_at(&a);
    let Request::Release { digest, revision, after, by, .. } =
        site.release_request(&b, site.live())
    else {
        unreachable!()
    };
    let request = Request::Release { digest, revision, after, by, accept_drift: true };
    site.ask(Role::Deploy, &request).answer::<Released>();
    site.is_settled_at(&b);
    assert_eq!(site.status().drift, [""; 0]);
    assert_eq!(site.droplet.read(&path).unwrap(), edited);
    let pushed = site.begin(Role::Admin, &Request::ComposePush, &before).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
}

/// Values of `.env` that a shell, Compose or YAML would each read otherwise.
pub(crate) fn values_reach_the_app_byte_for_byte(yard: &Yard) {
    let site = yard.site();
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
    let pushed = site.begin(Role::Admin, &Request::EnvPush, &before).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
    // The release before it ran with its own file, and does again.
    let back: Released = site.rollback(None).answer();
    assert_eq!(back.live.revision, a.revision);
    site.is_settled_at(&a);
}
