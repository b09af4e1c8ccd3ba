//! Many releases under load, and the field's literal command beside them. These are
//! measurements: `cargo xtask selftest --soak` runs them, no other test does.

use std::time::{Duration, Instant};

use talia_pipeline::protocol::Released;

use crate::{
    kit::{Site, Version, Yard, until},
    load::{Kind, Mix},
};

const UPGRADES: usize = 20;
const ROLLBACKS: usize = 5;
const LITERAL_UPGRADES: usize = 5;
/// Longer than all of it takes.
const LIMIT: Duration = Duration::from_secs(1800);

/// 20 upgrades and 5 rollbacks under every kind of load lose no request.
pub(crate) fn upgrades_and_rollbacks(yard: &Yard) {
    let site = yard.site();
    let versions = [site.well("a"), site.well("b")];
    let _kept = site.policy("keep_releases", "30");
    site.have(&versions[0]);
    let load = site.load(Mix::default().lasting(LIMIT));
    let mut took = Vec::new();
    for n in 1..=UPGRADES {
        let said = site.release(&versions[n % 2]);
        let released: Released = said.answer();
        assert_eq!(released.live.revision, versions[n % 2].revision);
        took.push(said.took);
    }
    println!("{UPGRADES} upgrades, each in {}", spread(&mut took));
    let mut took = Vec::new();
    for _ in 0..ROLLBACKS {
        let said = site.rollback(None);
        let _back: Released = said.answer();
        took.push(said.took);
    }
    println!("{ROLLBACKS} rollbacks, each in {}", spread(&mut took));
    let told = load.stop();
    println!("{told}");
    told.lost_nothing();
    // As many steps back as forward: the fifth from the last upgrade, an odd one.
    site.is_settled_at(&versions[(UPGRADES - ROLLBACKS) % 2]);
}

fn spread(took: &mut [Duration]) -> String {
    took.sort();
    let at = |n: usize| took[n].as_secs_f64();
    format!(
        "{:.1} s at least, {:.1} s median, {:.1} s at most",
        at(0),
        at(took.len() / 2),
        at(took.len() - 1)
    )
}

/// `docker compose pull` and `up -d --remove-orphans` on the same droplet, a published
/// port behind the same Nginx, under the same load: what it loses is told.
pub(crate) fn the_literal_command(yard: &Yard) {
    let site = yard.staging();
    let versions = [site.well("a"), site.well("b")];
    let literal = Literal::start(&site, &versions[0]);
    // Websockets could not tell a lost word from a closed connection here.
    let load = site.load(Mix::default().without(Kind::Websocket).lasting(LIMIT));
    let mut took = Vec::new();
    for n in 1..=LITERAL_UPGRADES {
        let began = Instant::now();
        literal.compose(&versions[n % 2], "pull --quiet");
        literal.compose(&versions[n % 2], "up --detach --remove-orphans");
        took.push(began.elapsed());
        until("the literal one answers", Duration::from_secs(30), || {
            literal.answers() == Some(versions[n % 2].revision.as_str().to_owned())
        });
    }
    let told = load.stop();
    println!("{LITERAL_UPGRADES} times the literal command, each in {}", spread(&mut took));
    println!("{told}");
    let mut took = Vec::new();
    for version in [&versions[0], &versions[1], &versions[0]] {
        let began = Instant::now();
        literal.compose(version, "pull --quiet");
        literal.compose(version, "up --detach --wait --remove-orphans");
        took.push(began.elapsed());
    }
    println!("with --wait, each in {}", spread(&mut took));
    assert!(told.requests() > 0, "nothing was asked");
}

/// The backend as one compose project with a published port; taken away when dropped.
struct Literal<'a> {
    site: &'a Site,
}

const FOLDER: &str = "/root/literal";
const PORT: u16 = 8765;

impl<'a> Literal<'a> {
    fn start(site: &'a Site, version: &Version) -> Self {
        let literal = Self { site };
        let compose = format!(
            "services:\n  api:\n    image: ${{IMAGE}}\n    env_file: {}/.env\n    restart: unless-stopped\n    \
             ports: [\"127.0.0.1:{PORT}:8000\"]\n",
            site.folder()
        );
        literal.script(&format!("mkdir -p {FOLDER}"));
        let path = format!("{FOLDER}/docker-compose.yml");
        site.droplet.write(&path, compose.as_bytes(), 0o644).unwrap();
        literal.compose(version, "up --detach");
        literal.script(&format!(
            "cp {0} {FOLDER}/site.before; \
             sed -i 's#proxy_pass http://unix:[^;]*;#proxy_pass http://127.0.0.1:{PORT};#' {0}; \
             nginx -t -q && systemctl reload nginx",
            literal.nginx_site()
        ));
        until("the literal one answers", Duration::from_secs(30), || literal.answers().is_some());
        literal
    }

    fn nginx_site(&self) -> String {
        format!("/etc/nginx/sites-available/talia-{}.conf", self.site.environment)
    }

    fn script(&self, script: &str) {
        self.site.droplet.script(script).unwrap();
    }

    fn compose(&self, version: &Version, words: &str) {
        let image = format!("{}@{}", self.site.images.repository(), version.digest);
        let environment = &self.site.environment;
        self.script(&format!(
            "cd {FOLDER} && IMAGE={image} DOCKER_CONFIG=/etc/talia/{environment}/docker \
             docker compose --progress quiet {words}"
        ));
    }

    fn answers(&self) -> Option<String> {
        let mut connection = self.site.target().connect().ok()?;
        let answer = connection.request("GET", "/api/health", &[], &[]).ok()?;
        answer.revision.filter(|_| answer.status == 200)
    }
}

impl Drop for Literal<'_> {
    fn drop(&mut self) {
        let script = format!(
            "cd {FOLDER} && IMAGE=x docker compose --progress quiet down --timeout 2; \
             cp {FOLDER}/site.before {}; systemctl reload nginx; rm -r {FOLDER}",
            self.nginx_site()
        );
        drop(self.site.droplet.script(&script));
    }
}
