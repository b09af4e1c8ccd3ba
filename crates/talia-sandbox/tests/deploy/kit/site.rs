//! One environment on a droplet, asked over ssh as clients ask it.

use std::{process::Command, sync::Arc, time::Duration};

use talia_pipeline::{
    Context, Event, Finished, Pipeline, Result, World,
    flows::Remote,
    private::PrivateFolder,
    process::Cancel,
    protocol::{self, Accepted, ReleaseId, Released, Request, RevisionId, ServerState, Slot},
    secret::SecretValue,
    templates::Role,
};
use talia_sandbox::{Droplet, Sandbox};

use super::{Asking, Behaviour, Images, Said, Version, line::Line};
use crate::load::{Load, Mix, Target};

/// Long enough for a start under load.
const SOON: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) sandbox: Sandbox,
    pub(crate) droplet: Droplet,
    pub(crate) environment: String,
    pub(crate) images: Arc<Images>,
    pub(super) line: Option<Arc<Line>>,
}

/// Puts a file back as it was.
pub(crate) struct Before<'a> {
    site: &'a Site,
    path: String,
    content: Vec<u8>,
}

impl Before<'_> {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for Before<'_> {
    fn drop(&mut self) {
        drop(self.site.droplet.write(&self.path, &self.content, 0o644));
    }
}

impl Site {
    /// What a client of this role is started with; a request is all that is missing.
    pub(crate) fn ssh(&self, role: Role, options: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5"])
            // The default costs both sides ten times the CPU; the real client keeps it.
            .args(["-o", "KexAlgorithms=curve25519-sha256"])
            // A path with blanks is quoted in an option's value.
            .args(["-o", &format!("UserKnownHostsFile=\"{}\"", self.sandbox.known_hosts())])
            .args(["-i", self.sandbox.key(&self.environment, role).as_str()])
            .args(["-p", &self.droplet.ssh_port().to_string()])
            .args(self.line.iter().flat_map(|line| ["-o".to_owned(), line.option(role)]))
            .args(options)
            // The user may be named before: what comes first counts.
            .args(["-l", &self.droplet.user(&self.environment, role), "--", "127.0.0.1"]);
        ssh
    }

    /// The same, asked over one connection by all requests that follow.
    pub(crate) fn on_one_line(&self) -> Self {
        Self { line: Some(Arc::new(Line::open(self))), ..self.clone() }
    }

    /// Starts to ask, and waits for nothing.
    pub(crate) fn begin(&self, role: Role, request: &Request, stdin: &[u8]) -> Asking {
        let mut ssh = self.ssh(role, &[]);
        ssh.arg(request.to_string());
        Asking::start(ssh, stdin)
    }

    #[track_caller]
    pub(crate) fn ask(&self, role: Role, request: &Request) -> Said {
        self.begin(role, request, &[]).wait()
    }

    #[track_caller]
    pub(crate) fn status(&self) -> ServerState {
        self.ask(Role::Deploy, &Request::Status).answer()
    }

    /// What is live now, as the server says.
    #[track_caller]
    pub(crate) fn live(&self) -> Option<RevisionId> {
        self.status().live.map(|live| live.revision)
    }

    /// Asks as the xtask does: by the library, with the sandbox's own settings.
    pub(crate) fn as_client<T: Send>(
        &self,
        flow: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Finished<T> {
        self.interruptible(&Cancel::new(), flow)
    }

    /// The same, until it is cancelled.
    pub(crate) fn interruptible<T: Send>(
        &self,
        cancel: &Cancel,
        flow: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Finished<T> {
        self.as_role(protocol::Role::Deploy, cancel, flow)
    }

    /// As [`Site::as_client`], with the admin's key; has to succeed.
    #[track_caller]
    pub(crate) fn as_admin<T: Send>(&self, flow: impl Fn(&Context, &Remote) -> Result<T>) -> T {
        let finished = self.as_role(protocol::Role::Admin, &Cancel::new(), flow);
        finished.result.unwrap()
    }

    fn as_role<T: Send>(
        &self,
        role: protocol::Role,
        cancel: &Cancel,
        flow: impl Fn(&Context, &Remote) -> Result<T>,
    ) -> Finished<T> {
        let (world, settings) = (World::real().unwrap(), self.sandbox.settings().unwrap());
        let (name, own) = (self.environment.parse().unwrap(), &settings.environments);
        // Of several droplets that serve it, settings have the first one.
        let mut own = own[&self.environment].clone();
        own.port = self.droplet.ssh_port();
        let private = PrivateFolder::new(&world).unwrap();
        let secret = |name: &str| {
            let path = &settings.secrets.files[name];
            Ok(SecretValue::new(std::fs::read(path).unwrap()))
        };
        let root = self.sandbox.place().folder();
        let remote = Remote::new(&name, &own, role, &private, &root, secret).unwrap();
        Pipeline::new("client", root, world).cancel(cancel.clone()).run(|cx| {
            remote.open(cx)?;
            flow(cx, &remote)
        })
    }

    pub(crate) fn release_request(&self, version: &Version, after: Option<RevisionId>) -> Request {
        Request::Release {
            digest: version.digest.clone(),
            revision: version.revision.clone(),
            after,
            by: "test".parse().unwrap(),
            run: None,
            accept_drift: false,
        }
    }

    /// Starts a release whose agent stops itself there, and waits until it has.
    #[track_caller]
    pub(crate) fn stopped(&self, fault: &str, version: &Version) -> Asking {
        self.faults(fault);
        let asking = self.begin_release(version);
        self.agent_has_stopped();
        asking
    }

    /// Waits until an agent has stopped itself; the next one has no faults.
    #[track_caller]
    pub(crate) fn agent_has_stopped(&self) {
        super::until("the agent has stopped itself", SOON, || {
            let find = ["pgrep", "--runstates", "T", "--exact", "talia-agent"];
            self.droplet.exec(find).unwrap().exit == 0
        });
        self.no_faults();
    }

    /// Lets an agent go on that has stopped itself.
    pub(crate) fn go_on(&self) {
        self.droplet.kill("talia-agent", "CONT").unwrap();
    }

    /// Starts to release what comes after the live one.
    #[track_caller]
    pub(crate) fn begin_release(&self, version: &Version) -> Asking {
        let request = self.release_request(version, self.live());
        self.begin(Role::Deploy, &request, &[])
    }

    /// Releases what comes after the live one, whatever comes of it.
    #[track_caller]
    pub(crate) fn release(&self, version: &Version) -> Said {
        self.begin_release(version).wait()
    }

    /// Releases, and has to succeed.
    #[track_caller]
    pub(crate) fn released(&self, version: &Version) -> Released {
        let said = self.release(version);
        assert_eq!(said.exit, Some(0), "{}\n{:#?}", said.failure(), said);
        let released: Released = said.answer();
        assert_eq!(released.live.revision, version.revision);
        released
    }

    #[track_caller]
    pub(crate) fn rollback(&self, to: Option<ReleaseId>) -> Said {
        self.ask(Role::Deploy, &self.rollback_request(to))
    }

    #[track_caller]
    pub(crate) fn rollback_request(&self, to: Option<ReleaseId>) -> Request {
        let by = "test".parse().unwrap();
        let from = self.status().live.unwrap().release;
        Request::Rollback { to, from, by, run: None, accepted: Accepted::default() }
    }

    /// A version that does nothing wrong.
    pub(crate) fn well(&self, name: &str) -> Version {
        self.images.version(name, Behaviour::Well)
    }

    /// Has this version live, by a release if it is not, whatever a test has left.
    #[track_caller]
    pub(crate) fn have(&self, version: &Version) {
        self.no_faults();
        let mut state = self.status();
        if state.lock.is_some() {
            self.ask(Role::Admin, &Request::Unlock);
            state = self.status();
        }
        let is_live = state.live.is_some_and(|live| live.revision == version.revision);
        if !is_live || state.served.as_ref() != Ok(&version.revision) {
            self.released(version);
        }
        self.is_settled_at(version);
    }

    /// Has nothing live, as if nothing was ever released: a clone without the commit
    /// that is live may not replace it.
    #[track_caller]
    pub(crate) fn empty(&self) {
        let script = format!(
            "docker ps --all --quiet --filter label=talia.environment={} \
             | xargs --no-run-if-empty docker rm --force; rm -rf {}/releases/*",
            self.environment,
            self.folder()
        );
        self.droplet.script(&script).unwrap();
        assert_eq!(self.live(), None);
    }

    /// Two versions that do nothing wrong: the first one is live, the other one is not.
    #[track_caller]
    pub(crate) fn pair(&self) -> (Version, Version) {
        let (a, b) = (self.well("a"), self.well("b"));
        let (a, b) = if self.live().as_ref() == Some(&b.revision) { (b, a) } else { (a, b) };
        self.have(&a);
        (a, b)
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(&self.sandbox, &self.droplet, &self.environment)
    }

    /// Load on what is live, once it answers.
    pub(crate) fn load(&self, mix: Mix) -> Load {
        let load = Load::start(&self.target(), mix);
        super::until("clients are answered", Duration::from_secs(10), || load.so_far().0 > 20);
        load
    }

    /// Orders faults for the agents that start from now on.
    pub(crate) fn faults(&self, text: &str) {
        let path = format!("/etc/talia/{}.faults", self.environment);
        self.droplet.write(&path, text.as_bytes(), 0o644).unwrap();
    }

    /// The same for a moment with another time to be stable in: two questions less.
    pub(crate) fn faults_within(&self, seconds: u32, text: &str) {
        let script = format!(
            "sed -i 's/^stability_seconds = .*/stability_seconds = {seconds}/' /etc/talia/{0}.toml; \
             rm -f /etc/talia/{0}.faults; \
             if test -n '{text}'; then echo '{text}' > /etc/talia/{0}.faults; fi",
            self.environment
        );
        self.droplet.script(&script).unwrap();
    }

    pub(crate) fn no_faults(&self) {
        let path = format!("/etc/talia/{}.faults", self.environment);
        self.droplet.said(["rm", "--force", "--", &path]).unwrap();
    }

    /// Sets a key of the server's policy until the result is dropped.
    #[must_use]
    pub(crate) fn policy(&self, key: &str, value: &str) -> Before<'_> {
        let before = self.before(&format!("/etc/talia/{}.toml", self.environment));
        let text = String::from_utf8(before.content.clone()).unwrap();
        let set = format!("{key} = {value}");
        let has = |line: &str| line.split(" = ").next() == Some(key);
        let changed = match text.lines().any(has) {
            true => text.lines().map(|line| if has(line) { &set } else { line }).collect(),
            false => [set.as_str()].into_iter().chain(text.lines()).collect::<Vec<_>>(),
        };
        let changed = format!("{}\n", changed.join("\n"));
        self.droplet.write(&before.path, changed.as_bytes(), 0o644).unwrap();
        before
    }

    /// A file of the server as it is now; it is so again once the result is dropped.
    #[must_use]
    pub(crate) fn before(&self, path: &str) -> Before<'_> {
        let content = self.droplet.read(path).unwrap();
        Before { site: self, path: path.to_owned(), content }
    }

    /// One served version, the lock free, no stray container, nothing unfinished.
    #[track_caller]
    pub(crate) fn is_settled_at(&self, version: &Version) {
        let state = self.status();
        let told = format!("{state:#?}");
        assert_eq!(state.served, Ok(version.revision.clone()), "{told}");
        let live = state.live.unwrap_or_else(|| panic!("nothing is live: {told}"));
        assert_eq!(live.revision, version.revision, "{told}");
        assert_eq!(live.digest, version.digest, "{told}");
        assert!(state.lock.is_none() && state.unfinished.is_none(), "{told}");
        let slot = live.slot.map(Slot::name).unwrap_or_default();
        let there = self.there();
        let [only] = there.containers.as_slice() else { panic!("not one container: {there:#?}") };
        assert_eq!((only.slot.as_str(), only.state.as_str()), (slot, "running"), "{told}");
        assert_eq!(only.revision, version.revision.as_str());
        assert_eq!(there.strays, [""; 0]);
        assert_eq!(there.slot(), slot);
    }

    /// Nginx's processes that take connections, which another configuration has others of.
    pub(crate) fn nginx_workers(&self) -> String {
        self.droplet.said(["pgrep", "--full", "--exact", "nginx: worker process"]).unwrap()
    }

    /// What the journal tells of the last run that changed something.
    pub(crate) fn last_run(&self) -> Vec<Event> {
        let path = format!("{}/journal.jsonl", self.folder());
        let journal = String::from_utf8(self.droplet.read(&path).unwrap()).unwrap();
        let lines = journal.lines().filter(|line| !line.is_empty());
        let events: Vec<Event> = lines.map(Event::parse).collect();
        let is_start = |event: &Event| matches!(event, Event::FlowStarted { .. });
        let start = events.iter().rposition(is_start).unwrap_or_default();
        events[start..].to_vec()
    }

    /// The steps of the last run that changed something, as the journal tells them.
    pub(crate) fn last_steps(&self) -> Vec<String> {
        let step = |event| match event {
            Event::StepStarted { label, .. } => Some(label),
            _ => None,
        };
        self.last_run().into_iter().filter_map(step).collect()
    }

    /// The backend's folder on the droplet.
    pub(crate) fn folder(&self) -> String {
        match self.droplet.environments().iter().position(|name| *name == self.environment) {
            Some(0) => "/opt/talia-backend".to_owned(),
            _ => format!("/opt/talia-backend-{}", self.environment),
        }
    }

    /// How many agents work on the droplet, stopped ones too.
    pub(crate) fn agents(&self) -> usize {
        let said = self.droplet.exec(["pgrep", "--exact", "talia-agent"]).unwrap();
        String::from_utf8_lossy(&said.stdout).lines().count()
    }
}
