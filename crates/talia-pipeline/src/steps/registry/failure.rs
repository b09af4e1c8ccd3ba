//! What a docker client says of a registry, told apart.

use std::time::Duration;

use camino::Utf8Path;

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    step::Answer,
};

/// How long a question to a registry may take.
pub(super) const QUESTION: Duration = Duration::from_secs(60);

/// A docker command under a private configuration, if there is one.
pub(super) fn docker(config: Option<&Utf8Path>) -> CommandLine {
    let line = CommandLine::new("docker");
    match config {
        Some(folder) => line.env("DOCKER_CONFIG", folder.as_str()),
        None => line,
    }
}

/// A question to a registry; exit 1 is read for its reason.
pub(super) fn question(config: Option<&Utf8Path>) -> CommandLine {
    docker(config).effect(Effect::Read).accept([0, 1]).timeout(QUESTION).stdout_is_data()
}

/// Why a registry did not give what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It has no such image.
    NotFound,
    /// It does not accept the credential, or there is none.
    Unauthorized,
    /// It does not answer, or nobody there speaks its protocol.
    Unreachable,
    /// Something else.
    Other,
}

/// Reads the reason from the client's messages. They differ between clients,
/// engines and registries, so several spellings of each are known.
pub(super) fn reason(said: &str) -> Reason {
    let said = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // A registry answers "denied" for a repository that one may not see, too.
    if has(&[
        "401 unauthorized",
        "403 forbidden",
        "unauthorized:",
        "authentication required",
        "no basic auth credentials",
        "authorization failed",
        "access denied",
        "access to the resource is denied",
        "denied:",
        "incorrect username or password",
        "insufficient_scope",
    ]) {
        return Reason::Unauthorized;
    }
    if has(&[
        "connection refused",
        "no such host",
        "server misbehaving",
        "i/o timeout",
        "handshake timeout",
        "deadline exceeded",
        "client.timeout",
        "connection reset",
        "network is unreachable",
        "no route to host",
        "unexpected eof",
        ": eof",
        "x509:",
        "tls:",
        "server gave http response to https client",
        "502 bad gateway",
        "503 service unavailable",
        "504 gateway timeout",
    ]) {
        return Reason::Unreachable;
    }
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim_end();
    if last.ends_with(": not found")
        || has(&["manifest unknown", "name unknown", "no such manifest", "404 not found"])
    {
        return Reason::NotFound;
    }
    Reason::Other
}

/// The host of a repository or reference; `docker.io` where none is named.
///
/// ```
/// use talia_pipeline::steps::registry::registry_of;
///
/// assert_eq!(registry_of("ghcr.io/talia/backend"), "ghcr.io");
/// ```
pub fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// The error for what a registry has refused; `doing` says what was wanted of it.
pub(super) fn refused(
    answer: &Answer,
    registry: &str,
    credential: Option<&str>,
    doing: &str,
) -> Error {
    let error = match reason(&answer.stderr()) {
        Reason::Unauthorized => {
            let (whose, hint) = match credential {
                Some(name) => (
                    format!("the credential {name}"),
                    format!(
                        "give {name} a token that is valid for {registry} and may read and write \
                         its packages; the user name that belongs to it stands in the settings"
                    ),
                ),
                None => (
                    "the login of this machine".to_owned(),
                    format!("`docker login {registry}`, or name a credential in the settings"),
                ),
            };
            Error::preflight(format!("{registry} does not accept {whose} ({doing})")).hint(hint)
        }
        Reason::Unreachable => {
            Error::preflight(format!("the registry {registry} cannot be reached ({doing})"))
                .hint(format!("see whether `curl --head https://{registry}/v2/` answers"))
        }
        Reason::NotFound => Error::step(format!("{registry} does not have the image ({doing})")),
        Reason::Other => Error::step(format!("the registry {registry} gave no answer ({doing})")),
    };
    error.tail(answer.last_lines(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_is_told_apart() {
        for (said, expected) in [
            ("ERROR: 127.0.0.1:5000/a/b:x: not found\n", Reason::NotFound),
            ("manifest unknown: manifest unknown", Reason::NotFound),
            ("no such manifest: 127.0.0.1:5000/a/b:x", Reason::NotFound),
            (
                "Error response from daemon: login attempt to http://127.0.0.1:5000/v2/ failed with status: 401 Unauthorized",
                Reason::Unauthorized,
            ),
            (
                "ERROR: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
                Reason::Unauthorized,
            ),
            (
                "ERROR: unexpected status from HEAD request to http://127.0.0.1:5000/v2/a/manifests/latest: 401 Unauthorized",
                Reason::Unauthorized,
            ),
            ("denied: permission_denied: write_package", Reason::Unauthorized),
            ("unauthorized: authentication required", Reason::Unauthorized),
            (
                "Error response from daemon: Get \"http://127.0.0.1:5598/v2/\": dial tcp 127.0.0.1:5598: connect: connection refused",
                Reason::Unreachable,
            ),
            (
                "Error response from daemon: Get \"https://nowhere.invalid/v2/\": dial tcp: lookup nowhere.invalid on 192.0.2.1:53: no such host",
                Reason::Unreachable,
            ),
            (
                "ERROR: failed to do request: Head \"https://r.example/v2/a/manifests/b\": EOF",
                Reason::Unreachable,
            ),
            ("docker: 'buildx' is not a docker command.", Reason::Other),
            ("", Reason::Other),
        ] {
            assert_eq!(reason(said), expected, "{said}");
        }
    }

    #[test]
    fn the_host_stands_before_the_first_slash() {
        assert_eq!(registry_of("ghcr.io/talia/backend:x"), "ghcr.io");
        assert_eq!(registry_of("127.0.0.1:5000/a@sha256:1"), "127.0.0.1:5000");
        assert_eq!(registry_of("localhost/a"), "localhost");
        assert_eq!(registry_of("talia/backend"), "docker.io");
        assert_eq!(registry_of("debian:12"), "docker.io");
    }
}
