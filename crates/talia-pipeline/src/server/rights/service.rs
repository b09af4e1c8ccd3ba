use serde_json::{Map, Value};

use crate::{
    parse::compose::{Project, asks, repository},
    settings::Strategy,
};

use super::{
    Reading,
    judge::{Judge, asked, told},
};

/// Keys of a service that ask nothing of the host but its share.
const FREE: &[&str] = &[
    "attach",
    "cap_drop",
    "command",
    "configs",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "cpus",
    "cpuset",
    "depends_on",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "environment",
    "expose",
    "extra_hosts",
    "healthcheck",
    "hostname",
    "init",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "networks",
    "pids_limit",
    "platform",
    "profiles",
    "read_only",
    "restart",
    "secrets",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "working_dir",
];
const DEPLOY: &[&str] =
    &["labels", "placement", "restart_policy", "rollback_config", "update_config"];
const RESOURCES: &[&str] = &["cpus", "memory", "pids"];
const MOUNT: &[&str] = &["type", "source", "target", "read_only", "consistency", "tmpfs"];
const LOOPBACK: &[&str] = &["127.0.0.1", "::1"];

impl Judge<'_> {
    pub(super) fn service(&self, name: &str, service: &Map<String, Value>) -> Vec<String> {
        let is_released = name == self.policy.service;
        let mut found = Vec::new();
        for (key, value) in service.iter().filter(|(_, value)| asks(value)) {
            let rights = &self.policy.compose;
            match key.as_str() {
                "image" if is_released => found.extend(self.image(value)),
                "image" => {}
                "env_file" => found.extend(list(value).filter_map(|file| self.env_file(file))),
                "container_name" => {
                    if is_released && self.policy.strategy == Strategy::Slots {
                        found.push("has a `container_name`, which two slots cannot share".into());
                    }
                }
                "ports" if is_released => {
                    found.extend(list(value).filter_map(|port| self.released_port(port)));
                }
                "ports" => found.extend(list(value).filter_map(|port| self.port(port))),
                "volumes" => {
                    found.extend(list(value).flat_map(|mount| self.mount(mount, is_released)))
                }
                "cap_add" => {
                    let bare = |name: &str| name.trim_start_matches("CAP_").to_owned();
                    let allowed: Vec<String> =
                        rights.capabilities.iter().map(|name| bare(name)).collect();
                    found.extend(
                        self.texts(value)
                            .filter(|name| !allowed.contains(&bare(name)))
                            .map(|name| format!("adds the capability {name}")),
                    );
                }
                "devices" => {
                    let devices = list(value).map(device).filter(|device| self.is_certain(device));
                    found.extend(
                        devices
                            .filter(|device| {
                                !rights.devices.iter().any(|allowed| allowed.as_str() == device)
                            })
                            .map(|device| format!("uses the device {device}")),
                    );
                }
                "privileged" => {
                    let certain = value.as_bool().is_some() || self.is_certain(&told(value));
                    if certain && !rights.privileged {
                        found.push("is privileged".into());
                    }
                }
                "security_opt" => {
                    let thicker =
                        ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];
                    found.extend(
                        self.texts(value)
                            .filter(|option| {
                                !thicker.contains(&option.as_str()) && !rights.privileged
                            })
                            .map(|option| format!("asks for `security_opt: {option}`")),
                    );
                }
                "network_mode" | "pid" | "ipc" | "uts" | "userns_mode" | "cgroup" => {
                    // What everybody has anyway.
                    let own = ["bridge", "none", "private", "shareable"];
                    if !self.is_one_of(value, &own) && !rights.host_namespaces {
                        found.push(format!("asks for `{key}: {}`", told(value)));
                    }
                }
                "deploy" => found.extend(self.deploy(value, is_released)),
                "scale" => found.extend(self.copies(value, is_released)),
                "logging" => found.extend(self.logging(value)),
                "labels" => found.extend(self.labels(value, is_released)),
                "pull_policy" => {
                    if value.as_str() == Some("build") {
                        found.push("would be built: a server builds nothing".into());
                    }
                }
                key if FREE.contains(&key) || key.starts_with("x-") => {}
                key => found.push(format!("asks for `{key}`, which no service may here")),
            }
        }
        found
    }

    fn image(&self, value: &Value) -> Option<String> {
        let (image, allowed) = (value.as_str()?, self.policy.image.as_deref()?);
        let is_right = !self.is_certain(image) || repository(image) == allowed;
        (!is_right).then(|| format!("runs {image}, and the policy's image is {allowed}"))
    }

    /// `.env` beside it alone: that one is written for Compose, and goes with a release.
    fn env_file(&self, file: &Value) -> Option<String> {
        let path = file.get("path").unwrap_or(file).as_str().unwrap_or_default();
        // What is used is shown with its whole path, and was judged as it is written.
        let is_own = matches!(path, ".env" | "./.env") || self.reading == Reading::AsUsed;
        (!is_own).then(|| format!("reads the `env_file` {path}: it may read `.env` alone"))
    }

    /// It is reached through Nginx alone: with `listen = "port"`, at the one port that
    /// its slot's file says.
    fn released_port(&self, port: &Value) -> Option<String> {
        let says = |name: &str| port.get(name).map(told).unwrap_or_default();
        let is_own = self.own_port.is_some_and(|own| {
            says("published") == own.to_string()
                && says("host_ip") == "127.0.0.1"
                && says("target") == self.policy.app_port.to_string()
        });
        let fault = || format!("publishes {}: it is reached through Nginx alone", shown_port(port));
        (!is_own).then(fault)
    }

    fn port(&self, port: &Value) -> Option<String> {
        let is_right = match port.as_str() {
            // As it is written, where not all of it is known yet.
            Some(text) => !self.is_certain(text),
            None => port.get("host_ip").is_some_and(|ip| self.is_one_of(ip, LOOPBACK)),
        };
        (!is_right).then(|| format!("publishes {}, and not on 127.0.0.1", shown_port(port)))
    }

    /// Volumes of the released service that each slot would have another one of: what is
    /// written there would be gone after the next release, and back after the one after it.
    pub(super) fn volumes_of_slot<'v>(
        &'v self,
        project: &'v Project,
        service: &'v Map<String, Value>,
    ) -> impl Iterator<Item = String> + 'v {
        let mounts = service.get("volumes").into_iter().flat_map(list);
        let volumes = mounts.filter(|mount| mount.get("type") == Some(&"volume".into()));
        let keys = volumes.filter_map(|mount| mount.get("source")?.as_str());
        let is_of_slot = |key: &&str| {
            let volume = project.section("volumes").find(|(name, _)| name == key);
            let Some((_, volume)) = volume else { return false };
            let is_external = volume.get("external").is_some_and(asks);
            let own = format!("{}_{key}", self.project);
            let name = volume.get("name").and_then(Value::as_str);
            !is_external && name.is_none_or(|name| name == own)
        };
        keys.filter(is_of_slot).map(|key| {
            format!(
                "keeps files in the volume {key}, of which each slot would have its own: give it a \
                 name of the environment's, `name: {}_{key}`",
                self.environment
            )
        })
    }

    fn mount(&self, mount: &Value, is_released: bool) -> Vec<String> {
        if mount.as_str().is_some_and(|text| !self.is_certain(text)) {
            return Vec::new();
        }
        let kind = mount.get("type").and_then(Value::as_str).unwrap_or_default();
        let source = mount.get("source").unwrap_or(&Value::Null);
        let own = || self.own_binds.iter().any(|own| source.as_str() == Some(own.as_str()));
        let mut found = Vec::new();
        match kind {
            "bind" if is_released && own() => {}
            "bind" => found.extend(self.bind(source)),
            "volume" | "tmpfs" => {}
            other => found.push(format!("mounts something of the type {other}")),
        }
        for (field, value) in asked(mount) {
            let fine: &[&str] = match field {
                "bind" => &["create_host_path"],
                "volume" => &["nocopy", "subpath"],
                field if MOUNT.contains(&field) => continue,
                _ => &[],
            };
            if !asked(value).all(|(option, _)| fine.contains(&option)) || fine.is_empty() {
                found.push(format!("asks for more than a plain mount with `{field}`"));
            }
        }
        found
    }

    fn deploy(&self, deploy: &Value, is_released: bool) -> Vec<String> {
        let mut found = Vec::new();
        for (field, value) in asked(deploy) {
            match field {
                "replicas" => found.extend(self.copies(value, is_released)),
                "mode" if self.is_one_of(value, &["replicated"]) => {}
                "resources" => {
                    let wanted = asked(value).flat_map(|(_, limits)| asked(limits));
                    let foreign = wanted.filter(|(what, _)| !RESOURCES.contains(what));
                    found.extend(foreign.map(|(what, _)| format!("reserves `{what}`")));
                }
                field if DEPLOY.contains(&field) => {}
                other => found.push(format!("asks for `deploy: {other}`")),
            }
        }
        found
    }

    /// Two that listen on one socket take requests from each other.
    fn copies(&self, count: &Value, is_released: bool) -> Option<String> {
        let is_right = !is_released
            || count.as_u64().is_some_and(|count| count == 1)
            || !self.is_certain(&told(count));
        (!is_right).then(|| format!("would run {} times: a slot runs one", told(count)))
    }

    fn logging(&self, logging: &Value) -> Option<String> {
        let driver = logging.get("driver")?;
        let is_right = self.is_one_of(driver, &["", "json-file", "local", "journald", "none"]);
        (!is_right).then(|| format!("logs through {}", told(driver)))
    }

    /// A slot's containers are known by these, which its own file says.
    fn labels(&self, labels: &Value, is_released: bool) -> Option<String> {
        let mut names = labels
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .chain(list(labels).filter_map(Value::as_str));
        let own = names.find(|name| !is_released && name.starts_with("talia."))?;
        Some(format!("has the label `{own}`"))
    }

    fn texts<'v>(&self, value: &'v Value) -> impl Iterator<Item = String> + use<'_, 'v> {
        list(value).map(told).filter(|text| self.is_certain(text))
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn device(value: &Value) -> String {
    match value.get("source") {
        Some(source) => told(source),
        None => told(value).split(':').next().unwrap_or_default().to_owned(),
    }
}

fn shown_port(port: &Value) -> String {
    let Value::Object(fields) = port else { return told(port) };
    let field = |name: &str| fields.get(name).filter(|value| asks(value)).map(told);
    let ip = field("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
    format!("{ip}:{}", field("published").or_else(|| field("target")).unwrap_or_default())
}
