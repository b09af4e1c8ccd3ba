//! The sandbox's environment, as a server and a client read it.

use talia_pipeline::{Action, Step, templates::Role};

use crate::{
    Place,
    facts::{DropletFacts, Facts, REGISTRY_USER, write_private},
    server::{APP, accounts, folders, host_name, key_name},
};

/// The file with the environment's settings in the sandbox's folder.
pub(crate) const FILE: &str = "settings.toml";

/// What a server lets an environment do, with short times: nobody waits for a
/// stranger's load. `within` is what its sections are below: nothing, or a path and a
/// dot.
pub(crate) fn policy(facts: &Facts, at: usize, environment: &str, within: &str) -> String {
    let (folder, web) = folders(at, environment);
    format!(
        "image = \"{}\"\n\
         folder = \"{folder}\"\n\
         web = \"{web}\"\n\
         host = \"{}\"\n\
         tls_ca = \"/etc/talia/{environment}/tls/ca.pem\"\n\
         app_uid = {APP}\n\
         drain_seconds = 2\n\
         keep_releases = 5\n\
         \n\
         [{within}health]\n\
         path = \"/api/health\"\n\
         answers = 3\n\
         interval_ms = 200\n\
         timeout_ms = 2000\n\
         deadline_seconds = 60\n\
         stability_seconds = 2\n\
         \n\
         [{within}backup]\n\
         database = \"DATABASE_URL\"\n\
         keep = 7\n\
         keep_days = 14\n\
         scratch = \"SCRATCH_DATABASE_URL\"\n\
         \n\
         [{within}landing]\n\
         keep_releases = 5\n\
         keep_assets = 3\n\
         idle_seconds = 30\n",
        facts.repository(),
        host_name(environment),
    )
}

/// Writes `settings.toml`: the sandbox's environment, as `infra/pipeline.toml` would
/// have it.
///
/// - In this process: writes it into the sandbox's folder, for its owner alone.
#[derive(Debug, Clone)]
pub(crate) struct WriteSettings {
    place: Place,
    facts: Facts,
}

impl WriteSettings {
    pub(crate) fn new(place: &Place, facts: &Facts) -> Self {
        Self { place: place.clone(), facts: facts.clone() }
    }

    fn text(&self) -> String {
        let environment = self.place.environment();
        let serves = |droplet: &DropletFacts| {
            let at = droplet.environments.iter().position(|name| *name == environment)?;
            Some((droplet.ssh_port.clone(), at))
        };
        let Some((port, at)) = self.facts.droplets.values().find_map(serves) else {
            return format!("# No server of this sandbox serves {environment}.\n");
        };
        let accounts = accounts(at, &environment);
        let file = |name: &str| quoted(self.place.file(name).as_str());
        let key = |role| file(&key_name(&self.place, &environment, role));
        format!(
            "# Written by `cargo xtask sandbox up`.\n\
             [environments.{environment}]\n\
             address = \"127.0.0.1\"\n\
             port = {port}\n\
             user = \"{}\"\n\
             key = \"SANDBOX_DEPLOY_KEY\"\n\
             admin_user = \"{}\"\n\
             admin_key = \"SANDBOX_ADMIN_KEY\"\n\
             known_hosts = {}\n\
             registry_user = \"{REGISTRY_USER}\"\n\
             registry_password = \"SANDBOX_REGISTRY_PASSWORD\"\n\
             \n\
             [environments.{environment}.server]\n\
             {}\n\
             [secrets.files]\n\
             SANDBOX_DEPLOY_KEY = {}\n\
             SANDBOX_ADMIN_KEY = {}\n\
             SANDBOX_REGISTRY_PASSWORD = {}\n",
            accounts.user(Role::Deploy),
            accounts.user(Role::Admin),
            file("known_hosts"),
            policy(&self.facts, at, &environment, &format!("environments.{environment}.server.")),
            key(Role::Deploy),
            key(Role::Admin),
            file("registry_password"),
        )
    }
}

impl Step for WriteSettings {
    type Output = ();

    fn label(&self) -> String {
        format!("write the settings of {}", self.place.environment())
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.file(FILE);
        Action::work(format!("write {path}"), move || write_private(&path, self.text().as_bytes()))
    }

    fn assume(&self) {}
}

/// As TOML has a text.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use talia_pipeline::{
        Result, State,
        settings::{Policy, Settings},
    };

    use super::*;
    use crate::{DropletWish, Wish};

    fn facts(place: &Place, wish: &Wish) -> Result<Facts> {
        let mut port = 10_000;
        let mut next = |_: &str| {
            port += 1;
            Ok(port.to_string())
        };
        Facts::new(wish.all(), &mut next, &mut |_| Ok("0123456789abcdef".into())).inspect(|facts| {
            assert!(facts.droplets.values().any(|d| d.environments.contains(&place.environment())));
        })
    }

    #[test]
    fn a_client_and_the_server_read_one_policy() -> Result<()> {
        let state = State::new("/srv/my \"app\"/target/talia");
        for (name, plain) in [(Place::DEFAULT, true), ("two", true), ("three", false)] {
            let place = Place::new(&state, name)?;
            let environment = place.environment();
            let mut wish = Wish::new(&place);
            if !plain {
                let shared = DropletWish::new("a").environment("first").environment(&environment);
                wish = wish.droplets([shared]);
            }
            let facts = facts(&place, &wish)?;
            let settings =
                Settings::parse(&WriteSettings::new(&place, &facts).text(), FILE.into())?;
            let client = &settings.environments[&environment];
            let user = if plain { "deploy".to_owned() } else { format!("deploy-{environment}") };
            assert_eq!((client.user.as_str(), client.agent), (user.as_str(), client.agent));
            assert_eq!(client.known_hosts, place.file("known_hosts"));
            assert_eq!(settings.secrets.files.len(), 3);

            let at = usize::from(!plain);
            let text = format!(
                "environment = \"{environment}\"\n{}",
                policy(&facts, at, &environment, "")
            );
            let (named, server) = Policy::parse(&text, "/etc/talia/x.toml".into())?;
            assert_eq!(named.as_deref(), Some(environment.as_str()));
            assert_eq!(server, client.server);
            let registry = &facts.registry_port;
            let image = format!("127.0.0.1:{registry}/talia/backend");
            assert_eq!(server.image.as_deref(), Some(image.as_str()));
        }
        Ok(())
    }
}
