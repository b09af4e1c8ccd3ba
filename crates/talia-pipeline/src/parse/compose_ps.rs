//! What `docker compose ps --format=json` says: an object a line, or one list of them.

use serde::Deserialize;

/// One container of a compose project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Row")]
pub struct ProjectContainer {
    /// The service that it is of.
    pub service: String,
    /// `running`, `exited`, …
    pub state: String,
    /// `healthy`, `starting`, `unhealthy`; empty where nothing checks it.
    pub health: String,
    /// What it ended with, where it has.
    pub exit_code: i32,
    /// Its TCP ports that this machine gives out, by the port inside.
    pub published: Vec<Published>,
}

/// A port of a container that this machine gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What the container listens on.
    pub target: u16,
    /// Where it answers on this machine: `http://127.0.0.1:8080`.
    pub address: String,
}

/// As Compose has it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    service: String,
    state: String,
    health: String,
    exit_code: i32,
    /// `null` once it has ended.
    publishers: Option<Vec<Publisher>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publisher {
    #[serde(rename = "URL", default)]
    address: String,
    target_port: u16,
    published_port: u16,
    #[serde(default)]
    protocol: String,
}

impl From<Row> for ProjectContainer {
    fn from(row: Row) -> Self {
        let mut published: Vec<Published> = row
            .publishers
            .iter()
            .flatten()
            // One that is only exposed has no number here.
            .filter(|one| one.published_port > 0 && ["tcp", ""].contains(&one.protocol.as_str()))
            .map(|one| Published { target: one.target_port, address: one.url() })
            .collect();
        published.sort_by_key(|one| one.target);
        published.dedup();
        let Row { service, state, health, exit_code, .. } = row;
        Self { service, state, health, exit_code, published }
    }
}

impl Publisher {
    fn url(&self) -> String {
        let host = match self.address.as_str() {
            // At every address of this machine.
            "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
            six if six.contains(':') => format!("[{six}]"),
            other => other.to_owned(),
        };
        format!("http://{host}:{}", self.published_port)
    }
}

/// The containers of a project.
///
/// ```
/// use talia_pipeline::parse::compose_ps;
///
/// let said = r#"{"Service":"api","State":"running","Publishers":[
///     {"URL":"0.0.0.0","TargetPort":80,"PublishedPort":8080,"Protocol":"tcp"}]}"#;
/// let found = compose_ps::containers(&said.replace('\n', ""))?;
/// assert_eq!(found[0].published[0].address, "http://127.0.0.1:8080");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong with it, for people.
pub fn containers(said: &str) -> Result<Vec<ProjectContainer>, String> {
    let wrong = |error: serde_json::Error| format!("no list of containers: {error}");
    let said = said.trim();
    // Before Compose 2.21.
    if said.starts_with('[') {
        return serde_json::from_str(said).map_err(wrong);
    }
    said.lines().map(|line| serde_json::from_str(line).map_err(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [&str; 2] = [
        r#"{"Service":"db","State":"exited","Health":"","ExitCode":3,"Publishers":null,"x":1}"#,
        r#"{"Service":"api","State":"running","Health":"starting","ExitCode":0,"Publishers":[
            {"URL":"::","TargetPort":9,"PublishedPort":10,"Protocol":"tcp"},
            {"URL":"0.0.0.0","TargetPort":9,"PublishedPort":10,"Protocol":"tcp"},
            {"URL":"","TargetPort":7,"PublishedPort":0,"Protocol":"tcp"},
            {"URL":"0.0.0.0","TargetPort":8,"PublishedPort":8,"Protocol":"udp"},
            {"URL":"::1","TargetPort":5,"PublishedPort":6,"Protocol":"tcp"}]}"#,
    ];

    #[test]
    fn a_list_and_lines_are_the_same() {
        let lines = TWO.map(|one| one.replace('\n', ""));
        let found = containers(&lines.join("\n")).unwrap();
        assert_eq!(containers(&format!("[{}]", lines.join(","))).unwrap(), found);
        assert_eq!(containers("\n"), Ok(Vec::new()));
        assert_eq!((found[0].exit_code, found[0].published.len()), (3, 0));
        let told: Vec<(u16, &str)> =
            found[1].published.iter().map(|one| (one.target, one.address.as_str())).collect();
        assert_eq!(told, [(5, "http://[::1]:6"), (9, "http://127.0.0.1:10")]);
    }

    #[test]
    fn what_is_no_list_is_told_so() {
        for bad in ["NAME IMAGE", "[", "{\"Publishers\":7}", "{}\nx", "{\"State\":"] {
            assert!(containers(bad).is_err(), "{bad}");
        }
    }
}
