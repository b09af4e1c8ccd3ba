//! What `docker compose config --format=json` shows: what a compose file asks of the
//! host.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: Option<String>,
    /// A fixed name for its container.
    pub container_name: Option<String>,
    /// Folders of the host that it mounts.
    pub binds: Vec<String>,
    /// Capabilities that it adds.
    pub capabilities: Vec<String>,
    /// Devices that it uses.
    pub devices: Vec<String>,
    /// Whether it is privileged.
    pub privileged: bool,
    /// Namespaces of the host, or of another container, that it shares:
    /// `network_mode: host`.
    pub namespaces: Vec<String>,
    /// What else weakens its walls: `security_opt: seccomp=unconfined`.
    pub weakened: Vec<String>,
    /// Ports that it publishes: `0.0.0.0:8000`.
    pub ports: Vec<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    services: BTreeMap<String, SaidService>,
}

#[derive(Deserialize)]
struct SaidService {
    image: Option<String>,
    container_name: Option<String>,
    #[serde(default)]
    volumes: Vec<Volume>,
    #[serde(default)]
    cap_add: Vec<String>,
    #[serde(default)]
    devices: Vec<serde_json::Value>,
    #[serde(default)]
    device_cgroup_rules: Vec<String>,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    security_opt: Vec<String>,
    #[serde(default)]
    cgroup_parent: Option<String>,
    #[serde(default)]
    volumes_from: Vec<String>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Volume {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
struct Port {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    published: serde_json::Value,
}

/// Keys that name a namespace of the host, or of another container.
const NAMESPACES: &[&str] =
    &["network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup", "isolation"];

/// Reads the services.
///
/// # Errors
/// What it should have been.
pub fn services(json: &[u8]) -> Result<Vec<Service>, String> {
    let said: Said =
        serde_json::from_slice(json).map_err(|_| "a compose project as JSON".to_owned())?;
    Ok(said.services.into_iter().map(|(name, said)| service(name, said)).collect())
}

fn service(name: String, said: SaidService) -> Service {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let namespaces = NAMESPACES.iter().filter_map(|key| {
        let value = text(said.rest.get(*key)?);
        // What everybody has anyway.
        let own = ["", "bridge", "none", "private", "shareable", "default"];
        (!own.contains(&value.as_str())).then(|| format!("{key}: {value}"))
    });
    let device = |value: &serde_json::Value| match value {
        serde_json::Value::Object(fields) => fields.get("source").map_or_else(String::new, text),
        other => text(other).split(':').next().unwrap_or_default().to_owned(),
    };
    let weakened = said
        .security_opt
        .iter()
        // This one makes the walls thicker.
        .filter(|option| !option.starts_with("no-new-privileges"))
        .map(|option| format!("security_opt: {option}"))
        .chain(said.cgroup_parent.iter().map(|parent| format!("cgroup_parent: {parent}")))
        .chain(said.volumes_from.iter().map(|from| format!("volumes_from: {from}")))
        .chain(said.device_cgroup_rules.iter().map(|rule| format!("device_cgroup_rules: {rule}")));
    Service {
        namespaces: namespaces.collect(),
        weakened: weakened.collect(),
        binds: said
            .volumes
            .iter()
            .filter(|volume| volume.kind == "bind")
            .map(|volume| volume.source.clone())
            .collect(),
        devices: said.devices.iter().map(device).collect(),
        ports: said
            .ports
            .iter()
            .map(|port| {
                let ip = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
                format!("{ip}:{}", text(&port.published))
            })
            .collect(),
        name,
        image: said.image,
        container_name: said.container_name,
        capabilities: said.cap_add,
        privileged: said.privileged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_the_host_is_seen() {
        let json = br#"{"name":"x","services":{"api":{"image":"a","container_name":"api",
          "volumes":[{"type":"bind","source":"/etc","target":"/x"},{"type":"volume","source":"v"}],
          "cap_add":["NET_ADMIN"],"devices":["/dev/sda:/dev/sda:rwm"],"privileged":true,
          "security_opt":["no-new-privileges:true","apparmor=unconfined"],
          "ports":[{"mode":"ingress","target":80,"published":"8000","protocol":"tcp"}],
          "network_mode":"host","pid":"host","environment":{"A":"b"}},
          "db":{"network_mode":"bridge"}}}"#;
        let services = services(json).unwrap();
        let api = &services[0];
        assert_eq!((api.name.as_str(), api.privileged), ("api", true));
        assert_eq!(api.binds, ["/etc"]);
        assert_eq!(api.devices, ["/dev/sda"]);
        assert_eq!(api.namespaces, ["network_mode: host", "pid: host"]);
        assert_eq!(api.weakened, ["security_opt: apparmor=unconfined"]);
        assert_eq!(api.ports, ["0.0.0.0:8000"]);
        assert!(services[1].namespaces.is_empty());
        assert!(super::services(b"name: x").is_err());
    }
}
