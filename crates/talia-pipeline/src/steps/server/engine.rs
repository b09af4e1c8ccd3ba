//! The engine and Compose on the server.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
    tool::version_in,
};

/// What matters of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineFacts {
    /// Its version: `20.10.24`.
    pub version: String,
    /// Where it keeps images.
    pub data: Utf8PathBuf,
    /// Whether containers outlive a restart of the engine.
    pub live_restore: bool,
    /// The version of Compose, if the plugin is there: major, minor, patch.
    pub compose: Option<Vec<u64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    server_version: String,
    docker_root_dir: Utf8PathBuf,
    #[serde(default)]
    live_restore_enabled: bool,
    #[serde(default)]
    client_info: Option<Client>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Client {
    #[serde(default)]
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plugin {
    name: String,
    #[serde(default)]
    version: String,
}

/// `docker info --format={{json .}}`: the engine, where its images are, and the
/// Compose plugin.
///
/// Accepts exit 0; the engine must answer.
#[derive(Debug)]
pub struct EngineInfo;

impl Step for EngineInfo {
    type Output = EngineFacts;

    fn label(&self) -> String {
        "engine".into()
    }

    fn action(&self) -> Action<'_, EngineFacts> {
        let line = CommandLine::new("docker")
            .args(["info", "--format={{json .}}"])
            .effect(Effect::Read)
            .requires("docker-engine")
            .stdout_is_data()
            .timeout(Duration::from_secs(30))
            .purpose("the engine and its plugins");
        Action::command(line, |answer| {
            let said: Said = serde_json::from_slice(answer.stdout_bytes())
                .map_err(|_| answer.unreadable("the engine's facts as JSON"))?;
            let plugins = said.client_info.map(|client| client.plugins).unwrap_or_default();
            let compose = plugins.into_iter().find(|plugin| plugin.name == "compose");
            Ok(EngineFacts {
                version: said.server_version,
                data: said.docker_root_dir,
                live_restore: said.live_restore_enabled,
                compose: compose.and_then(|plugin| version_in(&plugin.version)),
            })
        })
    }

    fn assume(&self) -> EngineFacts {
        EngineFacts {
            version: "20.10".to_owned(),
            data: "/var/lib/docker".into(),
            live_restore: true,
            compose: Some(vec![2, 26]),
        }
    }

    fn summary(&self, facts: &EngineFacts) -> Summary {
        let compose = facts.compose.as_ref().map_or("no compose".to_owned(), |version| {
            let version: Vec<String> = version.iter().map(u64::to_string).collect();
            format!("compose {}", version.join("."))
        });
        Summary::line(format!("engine {}, {compose}", facts.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{step::Answer, steps::testing::check};

    #[test]
    fn engine_info_minimal() {
        check("engine_info__minimal", &EngineInfo);
    }

    #[test]
    fn what_the_engine_says_is_read() {
        let said = r#"{"ServerVersion":"20.10.24+dfsg1","DockerRootDir":"/var/lib/docker",
            "LiveRestoreEnabled":true,"Plugins":{},"ClientInfo":{"Plugins":[
            {"Name":"buildx","Version":"0.13.1"},{"Name":"compose","Version":"2.26.1-4"}]}}"#;
        let Action::Command { read, .. } = EngineInfo.action() else { unreachable!("a command") };
        let facts = read(&Answer::new(0, said, "")).unwrap();
        assert_eq!(facts.compose, Some(vec![2, 26, 1]));
        assert!(facts.live_restore);
        let Action::Command { read, .. } = EngineInfo.action() else { unreachable!("a command") };
        assert!(read(&Answer::new(0, "not json", "")).is_err());
    }
}
