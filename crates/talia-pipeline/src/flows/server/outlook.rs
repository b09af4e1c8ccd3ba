//! What a release would change, beside the steps that its plan shows.

use crate::{
    context::Context,
    error::Result,
    parse::line_diff,
    protocol::{Difference, ServerState},
    server::ServerFiles,
    steps::server::{ReadFiles, ReadReleaseFiles},
};

use super::{Server, env_names, look::look, status::state};

/// The state of the server, and how its files differ from those that the live release
/// runs with. Changes nothing.
///
/// # Errors
/// When the engine does not answer, or a file is not there.
pub fn difference(cx: &Context, server: &Server) -> Result<(ServerState, Difference)> {
    let seen = look(cx, server)?;
    let state = state(cx, server, &seen)?;
    let now = cx.observe(ReadFiles::new(&server.layout))?;
    let live = match seen.live() {
        Some(live) => {
            cx.probe(ReadReleaseFiles::new(server.layout.release(&live.id)))?.unwrap_or_default()
        }
        None => ServerFiles::default(),
    };
    Ok((state, between(&live, &now)))
}

fn between(live: &ServerFiles, now: &ServerFiles) -> Difference {
    let (before, after) = (env_names(&live.env), env_names(&now.env));
    let missing = |from: &[(String, String)], there: &[(String, String)]| -> Vec<String> {
        let known = |name: &String| there.iter().any(|(other, _)| other == name);
        from.iter().map(|(name, _)| name).filter(|name| !known(name)).cloned().collect()
    };
    let changed = after
        .iter()
        .filter(|(name, value)| before.iter().any(|(n, v)| n == name && v != value))
        .map(|(name, _)| name.clone());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut compose =
        line_diff::unified("docker-compose.yml", &text(&live.compose), &text(&now.compose));
    compose.push_str(&line_diff::unified(
        "compose.override.yml",
        &text(live.extra.as_deref().unwrap_or_default()),
        &text(now.extra.as_deref().unwrap_or_default()),
    ));
    Difference {
        env_added: missing(&after, &before),
        env_removed: missing(&before, &after),
        env_changed: changed.collect(),
        compose_diff: compose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_and_values_are_not() {
        let files = |env: &str, compose: &str| ServerFiles {
            compose: compose.into(),
            env: env.into(),
            ..ServerFiles::default()
        };
        let live = files("A=secret-one\nB=1\nC=2\n", "a\nb\n");
        let now = files("A=secret-two\nC=2\nD=3\n", "a\nc\n");
        let between = between(&live, &now);
        assert_eq!(between.env_added, ["D"]);
        assert_eq!(between.env_removed, ["B"]);
        assert_eq!(between.env_changed, ["A"]);
        assert!(between.compose_diff.contains("\n-b\n+c\n"), "{}", between.compose_diff);
        assert!(!format!("{between:?}").contains("secret"));
    }
}
