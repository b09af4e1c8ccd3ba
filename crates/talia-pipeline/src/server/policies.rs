//! The policies of all environments of a host.

use std::{fs, io};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    protocol::EnvironmentName,
    settings::{Listen, Policy},
};

/// Every policy in this folder, each with its environment; one that is wrong in itself
/// with why. A folder that is not there has none.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn policies(folder: &Utf8Path) -> Result<Vec<(EnvironmentName, Result<Policy>)>> {
    let cannot = |cause: io::Error| {
        Error::step(format!("the policies in {folder} cannot be read")).caused_by(cause)
    };
    let entries = match folder.read_dir_utf8() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(cannot)?.into_path();
        let Some(name) = path.file_stem().filter(|_| path.extension() == Some("toml")) else {
            continue;
        };
        let Ok(environment) = name.parse() else { continue };
        let text = fs::read_to_string(&path).map_err(cannot)?;
        found.push((environment, Policy::parse(&text, &path).map(|(_, policy)| policy)));
    }
    Ok(found)
}

/// Refuses a policy that shares a folder, a host or a port with another one on the same
/// server: each environment would take what is the other's for its own.
///
/// # Errors
/// Refused, with everything that they share.
pub fn refuse_shared(
    environment: &EnvironmentName,
    policy: &Policy,
    others: &[(EnvironmentName, Result<Policy>)],
) -> Result<()> {
    let meet = |a: &Utf8Path, b: &Utf8Path| a.starts_with(b) || b.starts_with(a);
    let mut shared = Vec::new();
    for (name, other) in others {
        // One that is wrong in itself is refused by its own gate.
        let Ok(other) = other else { continue };
        if name == environment {
            continue;
        }
        let mut share = |what: &str, value: &str| {
            shared.push(format!("{name} has `{what} = \"{value}\"`"));
        };
        if meet(&policy.folder, &other.folder) {
            share("folder", other.folder.as_str());
        }
        if meet(&policy.web, &other.web) {
            share("web", other.web.as_str());
        }
        if let Some(host) = other.host.as_ref().filter(|host| Some(*host) == policy.host.as_ref()) {
            share("host", host);
        }
        let both_have_ports = [policy, other].iter().all(|one| one.listen == Listen::Port);
        if both_have_ports && policy.ports.iter().any(|port| other.ports.contains(port)) {
            let [first, _] = other.ports;
            shared.push(format!("{name} has `first_port = {first}`, and the next one"));
        }
    }
    if shared.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!("{environment} shares what must be its own: {}", shared.join("; ")))
        .hint("give each environment of this server its own, in /etc/talia/<environment>.toml"))
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn two_environments_of_one_host_share_nothing() {
        let root = std::env::temp_dir().join(format!("talia-policies-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        assert!(policies(&root).unwrap().is_empty());
        fs::create_dir_all(&root).unwrap();
        let write = |name: &str, text: &str| {
            fs::write(root.join(format!("{name}.toml")), text).unwrap();
        };
        let judged = |name: &str| {
            let all = policies(&root).unwrap();
            let name: EnvironmentName = name.parse().unwrap();
            let (_, own) = all.iter().find(|(other, _)| *other == name).unwrap();
            refuse_shared(&name, own.as_ref().unwrap(), &all).map_err(|error| error.to_string())
        };
        write("production", "environment = \"production\"\nhost = \"talia.example\"");
        write("staging", "environment = \"staging\"\nhost = \"staging.talia.example\"");
        write("broken", "what");
        fs::write(root.join("users"), "deploy").unwrap();
        assert_eq!((judged("production"), judged("staging")), (Ok(()), Ok(())));
        write(
            "staging",
            "environment = \"staging\"\nhost = \"talia.example\"\n\
             folder = \"/opt/talia-backend/staging\"\nweb = \"/var/www/talia-landing\"",
        );
        let told = judged("production").unwrap_err();
        for part in ["folder = \"/opt/talia-backend/staging\"", "web = ", "host = "] {
            assert!(told.contains(part), "{told}");
        }
        assert!(judged("staging").is_err());

        let on_ports = |name: &str, first: u16| {
            let text = format!("environment = \"{name}\"\nlisten = \"port\"\nfirst_port = {first}");
            write(name, &text);
        };
        on_ports("staging", 8002);
        assert_eq!(judged("production"), Ok(()), "it has no ports");
        on_ports("production", 8001);
        let told = judged("production").unwrap_err();
        assert!(told.contains("staging has `first_port = 8002`"), "{told}");
        on_ports("staging", 8003);
        assert_eq!((judged("production"), judged("staging")), (Ok(()), Ok(())));
        fs::remove_dir_all(root).unwrap();
    }
}
