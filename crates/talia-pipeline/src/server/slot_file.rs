//! What a slot adds to the compose file.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{error::Result, parse::env_file, settings::Policy};

use super::{Endpoint, Layout, Record};

/// Where the app finds its socket's folder inside its container.
const SOCKET_FOLDER: &str = "/run/talia";

/// The compose override of a release: the image by its digest, the folders and the port
/// of its slot, and every value of `.env`, byte for byte. JSON, which is YAML too.
///
/// Compose replaces `$` in an `env_file`; in what it is given here, `$$` is one `$`.
///
/// # Errors
/// When `.env` is not in [its grammar](crate::parse::env_file).
pub fn slot_file(layout: &Layout, policy: &Policy, record: &Record, env: &[u8]) -> Result<String> {
    let env = env_file::read(env)?;
    let mut environment: BTreeMap<&str, String> = env
        .effective()
        .into_iter()
        .map(|entry| (entry.name(), entry.value().replace('$', "$$")))
        .collect();
    let bind = |source: String, target: &str| {
        json!({ "type": "bind", "source": source, "target": target,
                // Made with the right owner beforehand, or not at all.
                "bind": { "create_host_path": false } })
    };
    let mut volumes = vec![bind(layout.logs(record.slot).into_string(), "/var/log/talia")];
    let mut ports = json!([]);
    match Endpoint::of(layout, policy, record.slot) {
        Endpoint::Socket(_) => {
            environment.insert("UVICORN_UDS", format!("{SOCKET_FOLDER}/api.sock"));
            volumes.push(bind(layout.socket_folder(record.slot).into_string(), SOCKET_FOLDER));
        }
        Endpoint::Port(port) => {
            environment.insert("UVICORN_PORT", policy.app_port.to_string());
            ports = json!([{ "target": policy.app_port, "published": port.to_string(),
                             "host_ip": "127.0.0.1", "protocol": "tcp" }]);
        }
    }
    // uvicorn believes what Nginx says of a client only if it believes its peer. On a
    // Unix socket that has no address, and behind a published port it is a gateway of
    // the engine's, so only everybody can be named. By a port that is this server itself,
    // because it is bound to loopback, and what else is in the environment's network.
    environment.entry("FORWARDED_ALLOW_IPS").or_insert_with(|| "*".to_owned());
    let file = json!({ "services": { policy.service.as_str(): {
        "image": record.reference(),
        "labels": {
            "talia.environment": layout.environment().as_str(),
            "talia.slot": record.slot.name(),
            "talia.release": record.id.as_str(),
            "talia.revision": record.revision.as_str(),
        },
        "environment": environment,
        "volumes": volumes,
        "ports": ports,
    } } });
    Ok(format!("{}\n", escaped(&format!("{file:#}"))))
}

/// The same JSON with nothing in it that YAML's readers refuse or fold, such as U+0085;
/// what is beyond U+FFFF stays, because YAML knows no pairs of surrogates.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{ffff}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slot file that this policy and this `.env` give.
    fn file(policy: &str, env: &[u8]) -> Result<String> {
        let (_, policy) = Policy::parse(policy, "policy.toml".into()).unwrap();
        let layout = Layout::new(&"staging".parse().unwrap(), &policy);
        slot_file(&layout, &policy, &record(), env)
    }

    fn record() -> Record {
        serde_json::from_str(
            r#"{"id":"20261124T081500Z-0123456789ab",
            "revision":"0123456789abcdef0123456789abcdef01234567","image":"ghcr.io/talia/backend",
            "digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "slot":"green","by":"ana","began_ms":1,"fate":"begun"}"#,
        )
        .unwrap()
    }

    #[test]
    fn values_are_kept_byte_for_byte() {
        let env = "PRICE='5 $ # \"x\"'\nLINES=\"a\\nb\"\nODD=\u{7f}\u{85}\u{ffff}\u{1f600}\n";
        let text = file("", env.as_bytes()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let api = &read["services"]["api"];
        assert_eq!(api["environment"]["PRICE"], "5 $$ # \"x\"");
        assert_eq!(api["environment"]["LINES"], "a\nb");
        assert_eq!(api["environment"]["ODD"], "\u{7f}\u{85}\u{ffff}\u{1f600}");
        assert!(text.contains("\"\\u007f\\u0085\\uffff\u{1f600}\""), "{text}");
        assert_eq!(api["image"], record().reference());
        assert!(file("", b"A='open").is_err());
        let own = file("", b"FORWARDED_ALLOW_IPS=10.0.0.1").unwrap();
        assert!(own.contains("\"FORWARDED_ALLOW_IPS\": \"10.0.0.1\""), "{own}");
    }

    #[test]
    fn a_slot_has_a_socket_or_a_port() {
        let api = |policy: &str, env: &str| {
            let text = file(policy, env.as_bytes()).unwrap();
            let mut read: serde_json::Value = serde_json::from_str(&text).unwrap();
            read["services"]["api"].take()
        };
        let socket = api("", "");
        assert_eq!(socket["environment"]["UVICORN_UDS"], "/run/talia/api.sock");
        assert_eq!(socket["environment"]["FORWARDED_ALLOW_IPS"], "*");
        assert_eq!(socket["volumes"][1]["source"], "/var/lib/talia/staging/sock/green");
        assert_eq!(socket["ports"], json!([]));

        let port = api("listen = \"port\"\napp_port = 3000", "UVICORN_PORT=9000");
        let published = json!([{ "target": 3000, "published": "8002", "host_ip": "127.0.0.1",
                                 "protocol": "tcp" }]);
        assert_eq!(port["ports"], published);
        assert_eq!(port["environment"]["UVICORN_PORT"], "3000");
        assert_eq!(port["environment"]["FORWARDED_ALLOW_IPS"], "*");
        assert_eq!(port["environment"]["UVICORN_UDS"], serde_json::Value::Null);
        assert_eq!(port["volumes"].as_array().unwrap().len(), 1, "no socket's folder");
    }
}
