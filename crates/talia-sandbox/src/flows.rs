//! Up, down, and what there is.

use std::{collections::BTreeSet, fs, time::Duration};

use talia_pipeline::{
    Action, Context, Error, Result, Stdin, Step, Summary,
    steps::install::{Engine, ImageThere},
    templates::Role,
};

use crate::{
    Place, Wish,
    facts::{Completed, DropletFacts, Facts, Forget, MakeFacts, REGISTRY_USER, ReadFacts},
    images::{self, Image},
    server::{
        WriteKnownHosts, WriteServer, WriteVariables, archive_name, host_key, host_name, key_name,
    },
    settings::WriteSettings,
    steps::{
        CertificateMade, ContainerMade, ContainerStarted, Exec, FileCopied, ImageMade, ImagesOf,
        KeyMade, Kind, Labelled, NetworkMade, Removed, Untagged,
    },
};

/// What a server with an engine of its own needs. What would reach the machine itself
/// is not among it: modules, its clock, its reboot, raw devices.
const CAPABILITIES: &[(u32, &str)] = &[
    (0, "CHOWN"),
    (1, "DAC_OVERRIDE"),
    (2, "DAC_READ_SEARCH"),
    (3, "FOWNER"),
    (4, "FSETID"),
    (5, "KILL"),
    (6, "SETGID"),
    (7, "SETUID"),
    (8, "SETPCAP"),
    (9, "LINUX_IMMUTABLE"),
    (10, "NET_BIND_SERVICE"),
    (11, "NET_BROADCAST"),
    (12, "NET_ADMIN"),
    (13, "NET_RAW"),
    (14, "IPC_LOCK"),
    (15, "IPC_OWNER"),
    (18, "SYS_CHROOT"),
    (19, "SYS_PTRACE"),
    (21, "SYS_ADMIN"),
    (23, "SYS_NICE"),
    (24, "SYS_RESOURCE"),
    (26, "SYS_TTY_CONFIG"),
    (27, "MKNOD"),
    (28, "LEASE"),
    (29, "AUDIT_WRITE"),
    (31, "SETFCAP"),
];

/// A part of a sandbox that the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `registry`, `db`, or a droplet's name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Its ports on 127.0.0.1, each with what answers there.
    pub ports: Vec<(&'static str, String)>,
}

/// What there is of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether `up` has come to its end.
    pub complete: bool,
    /// Its containers.
    pub parts: Vec<Part>,
}

/// Everything that carries the sandbox's labels, and what this machine's engine has of
/// its registry.
struct There {
    images: Vec<String>,
    containers: Vec<(String, bool)>,
    networks: Vec<(String, bool)>,
    volumes: Vec<(String, bool)>,
}

fn there(cx: &Context, place: &Place, known: Option<&Facts>) -> Result<There> {
    let ask = |kind| cx.observe(Labelled::new(kind, place.labels()));
    Ok(There {
        images: match known {
            // Deploys build here, and push from here.
            Some(facts) => cx.observe(ImagesOf::new(facts.repository()))?,
            None => Vec::new(),
        },
        containers: ask(Kind::Container)?,
        networks: ask(Kind::Network)?,
        volumes: ask(Kind::Volume)?,
    })
}

/// Brings a sandbox up: makes it, or starts what was stopped of it. What an `up` that
/// was ended in the middle has left is removed first.
///
/// # Errors
/// A missing base image or engine; a droplet that is wished for beside others that are
/// there already; whatever a step says.
pub fn up(cx: &Context, place: &Place, wish: &Wish) -> Result<()> {
    let known = cx.observe(ReadFacts(place.clone()))?;
    let there = there(cx, place, known.as_ref())?;
    if let Some(facts) = known.filter(|facts| facts.complete && is_whole(place, facts, &there)) {
        is_as_wished(place, &facts, wish)?;
        let stopped = there.containers.iter().filter(|(_, runs)| !runs);
        let stopped: Vec<String> = stopped.map(|(name, _)| name.clone()).collect();
        cx.join_all(stopped.into_iter().map(|name| {
            move |cx: &Context| {
                cx.run(ContainerStarted::new(&name))?;
                ready(cx, &name)
            }
        }))?;
        cx.run(WriteSettings::new(place, &facts))?;
        return put_agents(cx, place, wish);
    }
    cx.group("clear", |cx| clear(cx, there))?;
    let facts = cx.run(MakeFacts::new(place, wish))?;
    images(cx, place)?;
    keys(cx, place, &facts)?;
    cx.run(NetworkMade::new(place.network(), place.labels()))?;
    let capabilities = cx.observe(Capabilities)?;
    cx.join3(
        |cx| registry(cx, place, &facts),
        |cx| database(cx, place, &facts),
        |cx| {
            cx.join_all(facts.droplets.iter().map(|(name, droplet)| {
                let (facts, capabilities) = (&facts, &capabilities);
                move |cx: &Context| server(cx, place, facts, name, droplet, capabilities)
            }))
        },
    )?;
    cx.run(WriteSettings::new(place, &facts))?;
    cx.run(Completed::new(place, &facts))?;
    put_agents(cx, place, wish)
}

/// Takes a sandbox down; nothing is left of it, nor of what deploys have built for it here.
///
/// # Errors
/// Whatever a step says.
pub fn down(cx: &Context, place: &Place) -> Result<()> {
    let known = cx.observe(ReadFacts(place.clone()))?;
    let there = there(cx, place, known.as_ref())?;
    clear(cx, there)?;
    cx.run(Forget(place.clone()))
}

/// What there is of a sandbox.
///
/// # Errors
/// When the engine does not answer.
pub fn status(cx: &Context, place: &Place) -> Result<Status> {
    let facts = cx.observe(ReadFacts(place.clone()))?;
    let containers = cx.observe(Labelled::new(Kind::Container, place.labels()))?;
    let ports = |name: &str| -> Vec<(&'static str, String)> {
        let Some(facts) = &facts else { return Vec::new() };
        match (name, facts.droplets.get(name)) {
            ("registry", _) => vec![("registry", facts.registry_port.clone())],
            (_, Some(droplet)) => vec![
                ("ssh", droplet.ssh_port.clone()),
                ("http", droplet.http_port.clone()),
                ("https", droplet.https_port.clone()),
            ],
            _ => Vec::new(),
        }
    };
    let parts = containers.into_iter().map(|(container, running)| {
        let name = place.part(&container).to_owned();
        Part { ports: ports(&name), name, running }
    });
    Ok(Status { complete: facts.as_ref().is_some_and(|f| f.complete), parts: parts.collect() })
}

fn is_whole(place: &Place, facts: &Facts, there: &There) -> bool {
    let has = |part: &str| there.containers.iter().any(|(name, _)| *name == place.container(part));
    ["registry", "db"].into_iter().all(has) && facts.droplets.keys().all(|name| has(name))
}

fn is_as_wished(place: &Place, facts: &Facts, wish: &Wish) -> Result<()> {
    let anew = |what: String| {
        let command = format!("cargo xtask sandbox down --name {}", place.name());
        Err(Error::refused(what).hint(format!("`{command}` removes it with all that is in it")))
    };
    if facts.version != images::version() {
        return anew(format!("the sandbox {} was made from other images", place.name()));
    }
    let missing = wish.all().iter().find(|wish| {
        facts.droplets.get(&wish.name).is_none_or(|droplet| {
            droplet.environments != wish.environments || droplet.small_disk != wish.small_disk
        })
    });
    match missing {
        Some(missing) => anew(format!(
            "the sandbox {} is up without such a droplet {}",
            place.name(),
            missing.name
        )),
        None => Ok(()),
    }
}

fn clear(cx: &Context, there: There) -> Result<()> {
    let names = |found: Vec<(String, bool)>| found.into_iter().map(|(name, _)| name);
    // A network and a volume cannot go while a container is at it.
    for (kind, found) in [
        (Kind::Container, there.containers),
        (Kind::Network, there.networks),
        (Kind::Volume, there.volumes),
    ] {
        if !found.is_empty() {
            cx.run(Removed::new(kind, names(found)))?;
        }
    }
    if there.images.is_empty() { Ok(()) } else { cx.run(Untagged::new(there.images)) }
}

fn images(cx: &Context, place: &Place) -> Result<()> {
    let engine = Engine::system();
    let mut missing = Vec::new();
    for image in Image::ALL {
        if cx.observe(ImageThere::new(&engine, image.name()))?.is_none() {
            missing.push(image);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if cx.observe(ImageThere::new(&engine, images::BASE))?.is_none() {
        return Err(Error::preflight(format!("there is no image {}", images::BASE))
            .hint("`cargo xtask ci image --install` makes it from Debian's packages"));
    }
    cx.group("images", |cx| {
        // The first one makes what the others stand on too.
        for image in missing {
            let made = ImageMade::new(images::RECIPE, image.stage(), image.name());
            cx.run(made.scratch(place.folder()))?;
        }
        Ok(())
    })
}

fn keys(cx: &Context, place: &Place, facts: &Facts) -> Result<()> {
    let droplets = || facts.droplets.iter();
    let environments: BTreeSet<&String> =
        droplets().flat_map(|(_, droplet)| &droplet.environments).collect();
    let hosts: Vec<String> = environments.iter().map(|name| host_name(name)).collect();
    cx.group("keys", |cx| {
        for (name, _) in droplets() {
            cx.run(KeyMade::new(place.file(&host_key(name)), name))?;
        }
        for environment in &environments {
            for role in [Role::Deploy, Role::Admin] {
                let key = place.file(&key_name(place, environment, role));
                cx.run(KeyMade::new(key, format!("{role} of {environment}")))?;
            }
        }
        let (certificate, key) = (place.file("tls_cert.pem"), place.file("tls_key.pem"));
        cx.run(CertificateMade::new(hosts, certificate, key))?;
        cx.run(WriteKnownHosts::new(place, facts))
    })
}

fn registry(cx: &Context, place: &Place, facts: &Facts) -> Result<()> {
    cx.group("registry", |cx| {
        let name = place.container("registry");
        let text = format!(
            "REGISTRY_USER={REGISTRY_USER}\nREGISTRY_PASSWORD={}\n",
            facts.registry_password
        );
        cx.run(WriteVariables::new(place, "registry.env", text))?;
        // For whoever pushes: a secret by file.
        let password = facts.registry_password.clone();
        cx.run(WriteVariables::new(place, "registry_password", password))?;
        let container = ContainerMade::new(&name, Image::Registry.name())
            .labels(place.labels())
            .network(place.network())
            .alias("registry")
            .publish(&facts.registry_port, 5000)
            .variables(place.file("registry.env"))
            // It can be told to be slow.
            .capability("NET_ADMIN")
            .volume("/var/lib/docker-registry", &place.labels());
        cx.run(container)?;
        start(cx, &name)
    })
}

fn database(cx: &Context, place: &Place, facts: &Facts) -> Result<()> {
    cx.group("database", |cx| {
        let name = place.container("db");
        let text = format!("POSTGRES_PASSWORD={}\n", facts.database_password);
        cx.run(WriteVariables::new(place, "database.env", text))?;
        let container = ContainerMade::new(&name, Image::Database.name())
            .labels(place.labels())
            .network(place.network())
            .alias("db")
            .variables(place.file("database.env"));
        cx.run(container)?;
        start(cx, &name)
    })
}

fn server(
    cx: &Context,
    place: &Place,
    facts: &Facts,
    name: &str,
    droplet: &DropletFacts,
    capabilities: &[String],
) -> Result<()> {
    cx.group(&format!("droplet {name}"), |cx| {
        let container = place.container(name);
        let labels = place.labels();
        cx.run(WriteServer::new(place, facts, name))?;
        let made = ContainerMade::new(&container, Image::Droplet.name())
            .labels(&labels)
            .network(place.network())
            .alias(name)
            .host_name(name)
            .publish(&droplet.ssh_port, 22)
            .publish(&droplet.http_port, 80)
            .publish(&droplet.https_port, 443)
            .server(capabilities)
            .memory("/run", "mode=755")
            .memory("/run/lock", "mode=1777")
            .memory("/tmp", "exec,mode=1777")
            .volume("/var/lib/talia", &labels);
        let disks = ["/opt", "/var/lib/docker", "/var/www"].into_iter();
        let made = match droplet.small_disk {
            None => disks.fold(made, |made, folder| made.volume(folder, &labels)),
            Some(megabytes) => disks.fold(made, |made, folder| {
                made.memory(folder, &format!("exec,dev,suid,mode=755,size={megabytes}m"))
            }),
        };
        cx.run(made)?;
        let archive = place.file(&archive_name(name));
        cx.run(FileCopied::new(archive, &container, "/var/lib/provision.tar"))?;
        start(cx, &container)?;
        for environment in &droplet.environments {
            let network = format!("talia-{environment}");
            let create = ["docker", "network", "create", "--", &network];
            cx.run(Exec::new(&container, create).named(format!("make {network} on {name}")))?;
        }
        Ok(())
    })
}

fn start(cx: &Context, container: &str) -> Result<()> {
    cx.run(ContainerStarted::new(container)).map_err(port_taken)?;
    ready(cx, container)
}

fn port_taken(error: Error) -> Error {
    let said = error.last_lines().join("\n");
    if said.contains("address already in use") || said.contains("already allocated") {
        return error.hint("a port was taken meanwhile: start again, which chooses others");
    }
    error
}

/// Waits until a part answers.
pub(crate) fn ready(cx: &Context, container: &str) -> Result<()> {
    let limit = Duration::from_secs(90);
    let wait = Exec::new(container, ["/usr/local/sbin/ready"]).timeout(limit);
    cx.run(wait.named(format!("wait for {container}"))).map(drop)
}

/// Puts the agent that is wished for on every droplet; where none is, nothing is done.
///
/// # Errors
/// When a droplet does not run.
pub fn put_agents(cx: &Context, place: &Place, wish: &Wish) -> Result<()> {
    let Some(agent) = wish.binary() else { return Ok(()) };
    for droplet in wish.all() {
        put_agent(cx, &place.container(&droplet.name), agent)?;
    }
    Ok(())
}

/// Puts the agent in place at once, so that one that runs is not written to.
pub(crate) fn put_agent(cx: &Context, container: &str, agent: &camino::Utf8Path) -> Result<()> {
    let place = talia_pipeline::templates::AGENT;
    let new = format!("{place}.new");
    let install = ["install", "--mode=0755", "--no-target-directory", "--", "/dev/stdin", &new];
    let put = Exec::new(container, install).stdin(Stdin::File(agent.to_owned()));
    cx.run(put.named(format!("copy the agent to {container}")))?;
    cx.run(Exec::new(container, ["mv", "--force", "--", &new, place])).map(drop)
}

/// Which rights a container may be given here: those that this process could have.
///
/// - In this process: reads `/proc/self/status`.
/// - Touches: nothing.
#[derive(Debug, Clone)]
struct Capabilities;

impl Step for Capabilities {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "which capabilities this machine has".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        Action::read("read /proc/self/status", || {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            Ok(capabilities(&status))
        })
    }

    fn assume(&self) -> Vec<String> {
        capabilities("")
    }

    fn summary(&self, names: &Vec<String>) -> Summary {
        Summary::line(format!("{} of {}", names.len(), CAPABILITIES.len()))
    }
}

fn capabilities(status: &str) -> Vec<String> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let set = set.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    // Where nothing is said, the engine is on another machine, which has them all.
    let set = set.unwrap_or(u64::MAX);
    let has = CAPABILITIES.iter().filter(|(bit, _)| set >> bit & 1 == 1);
    has.map(|(_, name)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use talia_pipeline::{Pipeline, State, World};

    use super::*;

    #[test]
    fn a_capability_that_the_machine_lacks_is_not_asked_for() {
        let names = capabilities("Name:\tx\nCapBnd:\t000001fffeffffff\n");
        assert!(!names.contains(&"SYS_RESOURCE".to_owned()));
        assert!(names.contains(&"SYS_ADMIN".to_owned()));
        assert_eq!(capabilities("").len(), CAPABILITIES.len());
    }

    #[test]
    fn what_deploys_have_built_for_a_sandbox_goes_with_it_and_nothing_else() {
        let folder = format!("talia-sandbox-down-{}", std::process::id());
        let folder = camino::Utf8PathBuf::from_path_buf(std::env::temp_dir().join(folder)).unwrap();
        let place = Place::new(&State::new(&folder), "two").unwrap();
        let (bin, log) = (folder.join("bin"), folder.join("log"));
        let engine = format!(
            "#!/bin/sh\necho \"$*\" >> {log}\ncase \"$*\" in\n\
             'image ls '*) for last; do :; done; echo \"$last main-1 <none>\"\n\
             echo 'talia ci-1 <none>' ;;\n--version|version*|info*) echo 20.10.24 ;;\nesac\n"
        );
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("docker"), engine).unwrap();
        fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        let real = World::real().unwrap();
        let path = format!("{bin}:{}", real.variable("PATH").unwrap());
        let world = real.with("PATH", path);
        let asked = || {
            drop(fs::remove_file(&log));
            let mut pipeline = Pipeline::new("down", "/", world.clone());
            pipeline.run(|cx| down(cx, &place)).result.unwrap();
            fs::read_to_string(&log).unwrap()
        };
        let wish = Wish::new(&place);
        let make = MakeFacts::new(&place, &wish);
        let Action::Work { work, .. } = make.action() else { unreachable!("it is work") };
        let own = work().unwrap().repository();
        let with = asked();
        assert!(with.contains(&format!("image rm --force -- {own}:main-1")), "{with}");
        assert!(!with.contains("talia:ci-1"), "{with}");
        // Its port has gone with it: nothing can be said of its images any more.
        let without = asked();
        fs::remove_dir_all(&folder).unwrap();
        assert!(without.contains("container ls") && !without.contains("image"), "{without}");
    }
}
