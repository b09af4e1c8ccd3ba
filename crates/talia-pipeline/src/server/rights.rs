//! What a compose file may ask of the host.

use camino::Utf8Path;

use crate::{
    parse::compose::Service,
    settings::{ComposeRights, Policy, Strategy},
};

/// Why a release's compose file is refused; nothing where it is not.
///
/// A compose file is as good as root on its host, so it gets what the server's policy
/// names and nothing more.
pub fn refusals(services: &[Service], policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    if !services.iter().any(|service| service.name == policy.service) {
        found.push(format!("it has no service `{}`", policy.service));
    }
    for service in services {
        let is_released = service.name == policy.service;
        let faults = faults(service, &policy.compose);
        found.extend(faults.into_iter().map(|fault| format!("`{}` {fault}", service.name)));
        if is_released && service.container_name.is_some() && policy.strategy == Strategy::Slots {
            found.push(format!(
                "`{}` has a `container_name`, which two slots cannot share",
                service.name
            ));
        }
        // Both slots would want it, and it would go round Nginx.
        if is_released && !service.ports.is_empty() {
            found.push(format!(
                "`{}` publishes {}: it is reached through Nginx alone",
                service.name,
                service.ports.join(", ")
            ));
        }
    }
    found
}

fn faults(service: &Service, rights: &ComposeRights) -> Vec<String> {
    let mut found = Vec::new();
    for bind in &service.binds {
        if !rights.binds.iter().any(|folder| is_below(bind, folder)) {
            found.push(format!("mounts {bind}, which the policy does not name in `binds`"));
        }
    }
    for capability in &service.capabilities {
        let bare = |name: &str| name.trim_start_matches("CAP_").to_owned();
        if !rights.capabilities.iter().any(|allowed| bare(allowed) == bare(capability)) {
            found.push(format!("adds the capability {capability}"));
        }
    }
    for device in &service.devices {
        if !rights.devices.iter().any(|allowed| allowed == device.as_str()) {
            found.push(format!("uses the device {device}"));
        }
    }
    if service.privileged && !rights.privileged {
        found.push("is privileged".to_owned());
    }
    if !rights.host_namespaces {
        let weak = service.namespaces.iter().chain(&service.weakened);
        found.extend(weak.map(|what| format!("asks for `{what}`")));
    }
    found
}

/// Whether a path lies in a folder. What climbs lies nowhere.
fn is_below(path: &str, folder: &Utf8Path) -> bool {
    let path = Utf8Path::new(path);
    let climbs = path.components().any(|part| part == camino::Utf8Component::ParentDir);
    path.is_absolute() && !climbs && path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::compose;

    fn refused(api: &str, rights: ComposeRights) -> Vec<String> {
        let json = format!(r#"{{"services":{{"api":{api}}}}}"#);
        let policy = Policy { compose: rights, ..Policy::default() };
        refusals(&compose::services(json.as_bytes()).unwrap(), &policy)
    }

    #[test]
    fn what_reaches_into_the_host_is_refused() {
        for bad in [
            r#"{"volumes":[{"type":"bind","source":"/","target":"/host"}]}"#,
            r#"{"volumes":[{"type":"bind","source":"/var/run/docker.sock","target":"/s"}]}"#,
            r#"{"cap_add":["SYS_ADMIN"]}"#,
            r#"{"devices":["/dev/sda:/dev/sda:rwm"]}"#,
            r#"{"privileged":true}"#,
            r#"{"network_mode":"host"}"#,
            r#"{"pid":"host"}"#,
            r#"{"security_opt":["seccomp=unconfined"]}"#,
            r#"{"ports":[{"target":8000,"published":"8000"}]}"#,
            r#"{"container_name":"api"}"#,
        ] {
            assert_eq!(refused(bad, ComposeRights::default()).len(), 1, "{bad}");
        }
        assert!(refused(r#"{"image":"x"}"#, ComposeRights::default()).is_empty());
        assert_eq!(refusals(&[], &Policy::default()).len(), 1, "there is no `api`");
    }

    #[test]
    fn a_named_folder_is_allowed_with_what_is_below_it_alone() {
        let rights = || ComposeRights { binds: vec!["/srv/media".into()], ..Default::default() };
        let bind = |source: &str| {
            let api = format!(r#"{{"volumes":[{{"type":"bind","source":"{source}"}}]}}"#);
            refused(&api, rights()).len()
        };
        assert_eq!((bind("/srv/media"), bind("/srv/media/a")), (0, 0));
        assert_eq!((bind("/srv/media2"), bind("/srv/media/../x"), bind("srv/media")), (1, 1, 1));
    }
}
