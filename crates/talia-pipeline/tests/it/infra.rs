//! The reference project's server files under `infra/` are what the templates give.
//! `UPDATE_INFRA=1 cargo test --test it infra` writes them.

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    World,
    files::write_atomically_as,
    templates::{
        Accounts, BackupTimer, BootService, Compose, DeployScript, LocalCompose, Nginx, Sshd,
        Sudoers,
    },
};

const ENVIRONMENT: &str = "production";

fn infra() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra")
}

/// Every rendered file, by its path below `infra/`.
fn rendered() -> Vec<(String, String)> {
    let sshd = Sshd::new(ENVIRONMENT, Accounts::first());
    let sudoers = Sudoers::new(ENVIRONMENT, Accounts::first());
    let nginx = Nginx::new(ENVIRONMENT, "talia.example");
    let compose = Compose::new(ENVIRONMENT, "ghcr.io/talia/backend");
    let timer = BackupTimer::new(ENVIRONMENT);
    let boot = BootService::new(ENVIRONMENT);
    vec![
        (format!("sshd/{}", sshd.file_name()), sshd.render()),
        (format!("sshd/sudoers.d/{}", sudoers.file_name()), sudoers.render()),
        (format!("nginx/{}", nginx.file_name()), nginx.render()),
        ("compose/docker-compose.yml".into(), compose.render()),
        ("compose/local.yml".into(), LocalCompose::new("talia").render()),
        ("deploy.sh".into(), DeployScript::new(ENVIRONMENT).render()),
        (format!("systemd/{}.service", timer.name()), timer.service()),
        (format!("systemd/{}.timer", timer.name()), timer.timer()),
        (format!("systemd/{}", boot.file_name()), boot.render()),
    ]
}

#[test]
fn infra_holds_what_the_templates_give() {
    let update = World::real().unwrap().variable("UPDATE_INFRA") == Some("1");
    let mut different = Vec::new();
    for (name, text) in rendered() {
        let path = infra().join(&name);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(&text) {
            continue;
        }
        if update {
            let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
            write_atomically_as(&path, text.as_bytes(), mode).unwrap();
        } else {
            different.push(format!("infra/{name}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} differ from their templates: `UPDATE_INFRA=1 cargo test --package talia-pipeline \
         --test it infra` writes them",
        different.join(", ")
    );
}

#[test]
fn infra_holds_no_file_that_no_template_gives() {
    let known: Vec<String> = rendered().into_iter().map(|(name, _)| name).collect();
    for folder in ["sshd", "nginx", "compose", "systemd"] {
        let mut open = vec![infra().join(folder)];
        while let Some(folder) = open.pop() {
            for entry in folder.read_dir_utf8().into_iter().flatten() {
                let path = entry.unwrap().into_path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(infra()).unwrap().as_str();
                assert!(known.iter().any(|known| known == name), "infra/{name}");
            }
        }
    }
}
