use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::{
    parse::compose::{Project, asks},
    protocol::Slot,
    settings::Policy,
};

use super::{
    super::{Endpoint, Layout},
    place::{self, Known},
};

/// How a project was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As it is written: paths as they are, `${NAME}` not replaced, what no service uses
    /// and no profile starts too. A value with `$` in it may become anything.
    AsWritten,
    /// As it is used: with every value.
    AsUsed,
}

/// Judges what projects ask for, by one server's policy.
#[derive(Debug)]
pub struct Judge<'a> {
    pub(super) policy: &'a Policy,
    pub(super) reading: Reading,
    /// What the file of the project's slot adds.
    pub(super) own_binds: Vec<Utf8PathBuf>,
    pub(super) own_port: Option<u16>,
    known: Known<'a>,
    pub(super) environment: String,
    pub(super) project: String,
    folder: Utf8PathBuf,
}

/// Keys at the top; those of extensions, `x-…`, ask for nothing.
const TOP: &[&str] = &["name", "version", "services", "networks", "volumes", "secrets", "configs"];
const NETWORK: &[&str] =
    &["name", "external", "internal", "attachable", "labels", "enable_ipv6", "enable_ipv4"];
const VOLUME: &[&str] = &["name", "external", "labels"];
const SECRET: &[&str] = &["name", "environment", "content", "labels"];

impl<'a> Judge<'a> {
    /// Judges the project of this name, which was read from files in `folder`.
    pub fn new(
        layout: &Layout,
        policy: &'a Policy,
        project: &str,
        folder: &Utf8Path,
        reading: Reading,
    ) -> Self {
        let (mut own_binds, mut own_port) = (Vec::new(), None);
        if let Some(slot) = Slot::BOTH.into_iter().find(|slot| layout.project(*slot) == project) {
            own_binds.push(layout.logs(slot));
            match Endpoint::of(layout, policy, slot) {
                Endpoint::Socket(_) => own_binds.push(layout.socket_folder(slot)),
                Endpoint::Port(port) => own_port = Some(port),
            }
        }
        Self {
            policy,
            reading,
            own_binds,
            own_port,
            known: Known::new(&policy.compose.binds),
            environment: format!("talia-{}", layout.environment()),
            project: project.to_owned(),
            folder: folder.to_owned(),
        }
    }

    /// Why the project is refused; nothing where it is not.
    pub fn refusals(&self, project: &Project) -> Vec<String> {
        let mut found = Vec::new();
        for key in project.keys() {
            if !TOP.contains(&key) && !key.starts_with("x-") {
                found.push(format!("asks for `{key}`, which no compose file may here"));
            }
        }
        if !project.services().any(|(name, _)| name == self.policy.service) {
            found.push(format!("has no service `{}`", self.policy.service));
        }
        for (name, service) in project.services() {
            let faults = self.service(name, service);
            found.extend(faults.into_iter().map(|fault| format!("`{name}` {fault}")));
            if name == self.policy.service {
                let lost = self.volumes_of_slot(project, service);
                found.extend(lost.map(|fault| format!("`{name}` {fault}")));
            }
        }
        type Check<'j, 'a> = fn(&'j Judge<'a>, &str, &Value) -> Vec<String>;
        let sections: [(&str, Check<'_, 'a>); 4] = [
            ("networks", Self::network),
            ("volumes", Self::volume),
            ("secrets", Self::secret),
            ("configs", Self::secret),
        ];
        for (section, check) in sections {
            for (name, value) in project.section(section) {
                let faults = check(self, name, value);
                let told = |fault| format!("`{name}` of `{section}` {fault}");
                found.extend(faults.into_iter().map(told));
            }
        }
        found
    }

    fn network(&self, key: &str, network: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (field, value) in asked(network) {
            match field {
                "driver" if self.is_one_of(value, &["bridge", "default"]) => {}
                "driver" => found.push(format!("wants the driver {}", told(value))),
                // Subnets of its own could take the place of somebody else's.
                "ipam" if asked(value).all(|(field, _)| field == "driver") => {}
                field if NETWORK.contains(&field) => {}
                other => found.push(format!("asks for `{other}`")),
            }
        }
        if let Some(name) = self.foreign_name(key, network)
            && !self.policy.compose.networks.iter().any(|allowed| allowed == name)
        {
            found.push(format!("is the network {name}, which the policy does not name"));
        }
        found
    }

    fn volume(&self, key: &str, volume: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (field, value) in asked(volume) {
            match field {
                "driver" if self.is_one_of(value, &["local"]) => {}
                "driver" => found.push(format!("wants the driver {}", told(value))),
                field if VOLUME.contains(&field) => {}
                // `driver_opts` mounts any folder of the host, under a volume's name.
                other => found.push(format!("asks for `{other}`")),
            }
        }
        if let Some(name) = self.foreign_name(key, volume) {
            found.push(format!("is the volume {name}, which is not this environment's"));
        }
        found
    }

    fn secret(&self, _: &str, secret: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for (field, value) in asked(secret) {
            match field {
                "file" => found.extend(self.bind(value)),
                field if SECRET.contains(&field) => {}
                other => found.push(format!("asks for `{other}`")),
            }
        }
        found
    }

    /// The name of something that another project, or nobody's, may have as well.
    fn foreign_name<'v>(&self, key: &str, value: &'v Value) -> Option<&'v str> {
        let name = value.get("name").and_then(Value::as_str)?;
        let of_environment = name
            .strip_prefix(self.environment.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        let is_own = of_environment || name == format!("{}_{key}", self.project);
        (!is_own && self.is_certain(name)).then_some(name)
    }

    /// Why this folder or file of the host may not be mounted, if so.
    pub(super) fn bind(&self, source: &Value) -> Option<String> {
        let Some(source) = source.as_str() else { return Some("mounts something".to_owned()) };
        if !self.is_certain(source) {
            return None;
        }
        let path = Utf8Path::new(source);
        if !path.is_absolute() || place::is_below(path, &self.folder) {
            return Some(format!(
                "mounts {source}, which would be another folder at each release: name it in full"
            ));
        }
        (!self.known.has(path))
            .then(|| format!("mounts {source}, which the policy does not name in `binds`"))
    }

    /// Whether a text stays what it is.
    pub(super) fn is_certain(&self, text: &str) -> bool {
        self.reading == Reading::AsUsed || !text.contains('$')
    }

    /// Whether it is one of these, or may yet become one.
    pub(super) fn is_one_of(&self, value: &Value, allowed: &[&str]) -> bool {
        value.as_str().is_some_and(|text| allowed.contains(&text) || !self.is_certain(text))
    }
}

/// The fields of an object that ask for something, extensions aside.
pub(super) fn asked(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| asks(value) && !key.starts_with("x-"))
        .map(|(key, value)| (key.as_str(), value))
}

/// A value as it is shown.
pub(super) fn told(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
