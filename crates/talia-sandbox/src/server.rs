//! What makes a droplet the server that it is: its files, as one archive.

use std::fs;

use camino::Utf8Path;
use talia_pipeline::{
    Action, Error, Result, Step,
    templates::{
        Accounts, BackupTimer, BootService, Compose, Nginx, Role, Sshd, Sudoers, authorized_key,
    },
};

use crate::{
    Place, base64,
    facts::{DropletFacts, Facts, REGISTRY_USER, write_private},
    settings::policy,
    tar::Tar,
};

/// The user that the app runs as in its container.
pub(crate) const APP: u32 = 10_001;
const ROOT: u32 = 0;

/// The public name of an environment.
pub(crate) fn host_name(environment: &str) -> String {
    format!("{environment}.talia.test")
}

/// Who uses the n-th environment of a server.
pub(crate) fn accounts(at: usize, environment: &str) -> Accounts {
    if at == 0 { Accounts::first() } else { Accounts::second(environment) }
}

/// The backend's folder and the landing page's live path of the n-th environment of a
/// server; the first one has the plain names.
pub(crate) fn folders(at: usize, environment: &str) -> (String, String) {
    let own = if at == 0 { String::new() } else { format!("-{environment}") };
    (format!("/opt/talia-backend{own}"), format!("/var/www/talia-landing{own}"))
}

/// Writes `provision-NAME.tar` into the sandbox's folder: all files of one droplet.
///
/// - In this process: reads the keys and the certificate beside it.
#[derive(Debug, Clone)]
pub(crate) struct WriteServer {
    place: Place,
    facts: Facts,
    name: String,
}

impl WriteServer {
    pub(crate) fn new(place: &Place, facts: &Facts, name: &str) -> Self {
        Self { place: place.clone(), facts: facts.clone(), name: name.to_owned() }
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.place.file(name);
        fs::read_to_string(&path)
            .map_err(|cause| Error::step(format!("cannot read {path}")).caused_by(cause))
    }

    fn archive(&self) -> Result<Vec<u8>> {
        let mut tar = Tar::default();
        let Some(droplet) = self.facts.droplets.get(&self.name) else {
            return Err(Error::step(format!("there is no droplet {}", self.name)));
        };
        self.ssh(&mut tar)?;
        self.registry(&mut tar);
        tar.folder("/etc/talia", 0o755, ROOT);
        tar.folder("/var/log/talia", 0o755, ROOT);
        tar.folder("/var/lib/talia", 0o755, ROOT);
        let mut users = String::new();
        for (at, environment) in droplet.environments.iter().enumerate() {
            let accounts = accounts(at, environment);
            for role in [Role::Deploy, Role::Admin] {
                let user = accounts.user(role);
                users.push_str(&format!("{user}\n"));
                tar.folder(&format!("/home/{user}"), 0o755, ROOT);
                let public =
                    self.read(&format!("{}.pub", key_name(&self.place, environment, role)))?;
                let keys = authorized_key(&public);
                // sshd reads it with the user's rights.
                tar.file(&format!("/etc/ssh/talia/{user}.keys"), 0o644, ROOT, keys.as_bytes());
            }
            self.environment(&mut tar, droplet, at, environment)?;
        }
        tar.file("/etc/talia/users", 0o644, ROOT, users.as_bytes());
        Ok(tar.finish())
    }

    fn ssh(&self, tar: &mut Tar) -> Result<()> {
        tar.folder("/etc/ssh/talia", 0o755, ROOT);
        let key = host_key(&self.name);
        let (private, public) = (self.read(&key)?, self.read(&format!("{key}.pub"))?);
        tar.file("/etc/ssh/ssh_host_ed25519_key", 0o600, ROOT, private.as_bytes());
        tar.file("/etc/ssh/ssh_host_ed25519_key.pub", 0o644, ROOT, public.as_bytes());
        let settings = "HostKey /etc/ssh/ssh_host_ed25519_key\n\
                        PasswordAuthentication no\n\
                        # Names are asked for at every login else, which takes its time.\n\
                        UseDNS no\n\
                        # Many sessions at once begin at one connection each in a test.\n\
                        MaxStartups 100:30:200\n";
        tar.file("/etc/ssh/sshd_config.d/sandbox.conf", 0o644, ROOT, settings.as_bytes());
        Ok(())
    }

    /// The registry has one name, here and on the machine that pushes to it.
    fn registry(&self, tar: &mut Tar) {
        let units = "/etc/systemd/system";
        let socket = format!(
            "[Unit]\nDescription=The registry's address on this server\n\n\
             [Socket]\nListenStream={}\n\n[Install]\nWantedBy=sockets.target\n",
            self.facts.registry()
        );
        let service = "[Unit]\nDescription=The way to the registry\n\n\
                       [Service]\nExecStart=/lib/systemd/systemd-socket-proxyd registry:5000\n";
        tar.file(&format!("{units}/registry.socket"), 0o644, ROOT, socket.as_bytes());
        tar.file(&format!("{units}/registry.service"), 0o644, ROOT, service.as_bytes());
        tar.folder(&format!("{units}/sockets.target.wants"), 0o755, ROOT);
        tar.link(
            &format!("{units}/sockets.target.wants/registry.socket"),
            &format!("{units}/registry.socket"),
        );
    }

    fn environment(
        &self,
        tar: &mut Tar,
        droplet: &DropletFacts,
        at: usize,
        environment: &str,
    ) -> Result<()> {
        let accounts = accounts(at, environment);
        let etc = format!("/etc/talia/{environment}");
        let (tls_certificate, tls_key) =
            (format!("{etc}/tls/cert.pem"), format!("{etc}/tls/key.pem"));
        let (folder, web) = folders(at, environment);
        let text = |tar: &mut Tar, path: &str, mode: u32, text: String| {
            tar.file(path, mode, ROOT, text.as_bytes());
        };

        let policy = policy(&self.facts, at, environment, "");
        let policy = format!(
            "# What this server lets the environment {environment} do.\n\
             environment = \"{environment}\"\n{policy}"
        );
        text(tar, &format!("{etc}.toml"), 0o644, policy);
        tar.folder(&etc, 0o755, ROOT);
        tar.folder(&format!("{etc}/docker"), 0o700, ROOT);
        text(tar, &format!("{etc}/docker/config.json"), 0o600, self.credential());
        tar.folder(&format!("{etc}/tls"), 0o755, ROOT);
        text(tar, &tls_certificate, 0o644, self.read("tls_cert.pem")?);
        text(tar, &format!("{etc}/tls/ca.pem"), 0o644, self.read("tls_cert.pem")?);
        text(tar, &tls_key, 0o600, self.read("tls_key.pem")?);

        let sshd = Sshd::new(environment, accounts.clone());
        let path = format!("/etc/ssh/sshd_config.d/{}", sshd.file_name());
        text(tar, &path, 0o644, sshd.render());
        let sudoers = Sudoers::new(environment, accounts);
        text(tar, &format!("/etc/sudoers.d/{}", sudoers.file_name()), 0o440, sudoers.render());
        let site = Nginx::new(environment, host_name(environment))
            .web(&web)
            .tls(&tls_certificate, &tls_key);
        let available = format!("/etc/nginx/sites-available/{}", site.file_name());
        text(tar, &available, 0o644, site.render());
        tar.link(&format!("/etc/nginx/sites-enabled/{}", site.file_name()), &available);
        let timer = BackupTimer::new(environment);
        let unit = format!("/etc/systemd/system/{}", timer.name());
        text(tar, &format!("{unit}.service"), 0o644, timer.service());
        text(tar, &format!("{unit}.timer"), 0o644, timer.timer());
        let boot = BootService::new(environment);
        let units = "/etc/systemd/system";
        let unit = format!("{units}/{}", boot.file_name());
        text(tar, &unit, 0o644, boot.render());
        tar.folder(&format!("{units}/multi-user.target.wants"), 0o755, ROOT);
        tar.link(&format!("{units}/multi-user.target.wants/{}", boot.file_name()), &unit);

        tar.folder(&folder, 0o755, ROOT);
        tar.folder(&format!("{folder}/releases"), 0o700, ROOT);
        tar.folder(&format!("{folder}/backups"), 0o700, ROOT);
        let compose = Compose::new(environment, self.facts.repository()).render();
        text(tar, &format!("{folder}/docker-compose.yml"), 0o644, compose);
        text(tar, &format!("{folder}/.env"), 0o600, self.variables());

        let lib = format!("/var/lib/talia/{environment}");
        tar.folder(&lib, 0o755, ROOT);
        tar.folder(&format!("{lib}/state"), 0o700, ROOT);
        tar.folder(&format!("{lib}/sock"), 0o755, ROOT);
        tar.folder(&format!("/var/log/talia/{environment}"), 0o755, ROOT);
        for slot in ["blue", "green"] {
            tar.folder(&format!("{lib}/sock/{slot}"), 0o755, APP);
            tar.folder(&format!("/var/log/talia/{environment}/{slot}"), 0o755, APP);
        }
        tar.link(&format!("{lib}/sock/api.sock"), "blue/api.sock");

        // As somebody has made it by hand: the first release keeps it.
        tar.folder(&web, 0o755, ROOT);
        let page = format!("<!doctype html><title>{environment}</title><p>Nothing yet.\n");
        text(tar, &format!("{web}/index.html"), 0o644, page);
        debug_assert!(droplet.environments.iter().any(|name| name == environment));
        Ok(())
    }

    /// What lets the engine's client pull.
    fn credential(&self) -> String {
        let auth = format!("{REGISTRY_USER}:{}", self.facts.registry_password);
        format!(
            "{{\"auths\": {{\"{}\": {{\"auth\": \"{}\"}}}}}}\n",
            self.facts.registry(),
            base64::encode(auth.as_bytes())
        )
    }

    fn variables(&self) -> String {
        let url = self.facts.database_url();
        format!(
            "DATABASE_URL={url}\nSCRATCH_DATABASE_URL={url}\nTWILIO_AUTH_TOKEN={}\n\
             TALIA_LOG_LEVEL=INFO\n",
            self.facts.twilio_token
        )
    }
}

impl Step for WriteServer {
    type Output = ();

    fn label(&self) -> String {
        format!("write the files of {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.file(&archive_name(&self.name));
        Action::work(format!("write {path}"), move || write_private(&path, &self.archive()?))
    }

    fn assume(&self) {}
}

/// Writes down by which key each droplet is known.
///
/// - In this process: writes `known_hosts` into the sandbox's folder.
#[derive(Debug, Clone)]
pub(crate) struct WriteKnownHosts {
    place: Place,
    facts: Facts,
}

impl WriteKnownHosts {
    pub(crate) fn new(place: &Place, facts: &Facts) -> Self {
        Self { place: place.clone(), facts: facts.clone() }
    }

    fn write(&self, path: &Utf8Path) -> Result<()> {
        let mut text = String::new();
        for (name, droplet) in &self.facts.droplets {
            let public = self.place.file(&format!("{}.pub", host_key(name)));
            let public = fs::read_to_string(&public)
                .map_err(|cause| Error::step(format!("cannot read {public}")).caused_by(cause))?;
            // The comment behind the key is nobody's business.
            let key: Vec<&str> = public.split_whitespace().take(2).collect();
            text.push_str(&format!("[127.0.0.1]:{} {}\n", droplet.ssh_port, key.join(" ")));
        }
        write_private(path, text.as_bytes())
    }
}

impl Step for WriteKnownHosts {
    type Output = ();

    fn label(&self) -> String {
        "pin the host keys".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.file("known_hosts");
        Action::work(format!("write {path}"), move || self.write(&path))
    }

    fn assume(&self) {}
}

/// Writes a file of variables that a container gets.
///
/// - In this process: writes it into the sandbox's folder, for its owner alone.
#[derive(Debug, Clone)]
pub(crate) struct WriteVariables {
    place: Place,
    name: &'static str,
    text: String,
}

impl WriteVariables {
    pub(crate) fn new(place: &Place, name: &'static str, text: String) -> Self {
        Self { place: place.clone(), name, text }
    }
}

impl Step for WriteVariables {
    type Output = ();

    fn label(&self) -> String {
        format!("write {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.place.file(self.name);
        Action::work(format!("write {path}"), move || write_private(&path, self.text.as_bytes()))
    }

    fn assume(&self) {}
}

/// The file of a droplet's host key.
pub(crate) fn host_key(droplet: &str) -> String {
    format!("host_key-{droplet}")
}

/// The archive of a droplet's files.
pub(crate) fn archive_name(droplet: &str) -> String {
    format!("provision-{droplet}.tar")
}

/// The file of the key of a role: `deploy_key`; another environment's has its name.
pub(crate) fn key_name(place: &Place, environment: &str, role: Role) -> String {
    if environment == place.environment() {
        format!("{role}_key")
    } else {
        format!("{role}_key-{environment}")
    }
}
