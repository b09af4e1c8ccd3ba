//! Why ssh itself has failed, read from what it says.

use crate::{
    error::{Error, ErrorKind},
    quote,
    step::Answer,
};

use super::connection::{Connection, Key};

/// The exit of ssh's own failures. A program on the server must not use it.
pub(crate) const OWN_FAILURE: i32 = 255;

/// The error for an answer with exit 255.
///
/// ssh says nothing at all at this log level when an open connection breaks; so
/// what has no known reason counts as broken, and nobody knows what the request did.
pub(crate) fn failure(server: &Connection, answer: &Answer) -> Error {
    let said = answer.stderr();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (file, name) = (server.known_hosts(), server.known_name());
    let error = if has(&["REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key for "]) {
        Error::refused(format!(
            "the host key of {server} is another one than {file} has: nothing was sent"
        ))
        .hint(format!(
            "if the server was set up anew: `ssh-keygen -R {name} -f {}`, then pin its new key as \
             for a new server; if not, somebody may be answering in its place",
            quote::quote(file.as_str()),
            name = quote::quote(&name),
        ))
    } else if has(&[
        "host key is known for",
        "Host key verification failed",
        "No matching host key",
    ]) {
        Error::refused(format!("{file} has no key of {server}: nothing was sent")).hint(format!(
            "compare what `ssh-keyscan -p {} -- {} | ssh-keygen -lf -` shows with `ssh-keygen -lf \
             /etc/ssh/ssh_host_ed25519_key.pub` on the server, then add the line of ssh-keyscan to {file}",
            server.port_number(),
            quote::quote(server.host()),
        ))
    } else if has(&["Permission denied (", "Too many authentication failures"]) {
        refused_key(server, &has)
    } else if has(&[
        "Could not resolve hostname",
        "ssh: connect to host",
        "banner exchange",
        "kex_exchange_identification",
        "Connection refused",
        "No route to host",
        "Network is unreachable",
    ]) {
        Error::preflight(format!("{server} cannot be reached")).hint(format!(
            "see whether `ssh-keyscan -p {} -- {}` gets an answer",
            server.port_number(),
            quote::quote(server.host()),
        ))
    } else if has(&["Bad configuration option", "bad configuration option", "Bad owner or permis"])
    {
        Error::usage("ssh does not accept its configuration")
    } else {
        Error::new(
            ErrorKind::Unknown,
            format!("the connection to {server} was lost: nobody here knows what the request did"),
        )
        .hint("ask the server once it is back: `cargo xtask status --env ENV`")
    };
    // ssh speaks on standard error alone, and its banner of at-signs says nothing that
    // is not said already.
    let told = said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('@'));
    let told: Vec<String> = told.map(str::to_owned).collect();
    error.tail(told[told.len().saturating_sub(20)..].to_vec())
}

fn refused_key(server: &Connection, has: &dyn Fn(&[&str]) -> bool) -> Error {
    let name = server.key().name();
    let Key::File { path, .. } = server.key() else {
        return Error::preflight(format!("{server} accepts none of {name}"))
            .hint("`ssh-add -l` lists them; `ssh-add FILE` adds the one that the server knows");
    };
    if has(&["are too open", "bad permissions"]) {
        return Error::preflight(format!("others may read the key {name}, so ssh does not use it"))
            .hint(format!("`chmod 600 -- {}`", quote::quote(path.as_str())));
    }
    // ssh says nothing of it at this log level.
    if !path.exists() {
        return Error::preflight(format!("there is no key {name}: {path} does not exist"));
    }
    if has(&["Load key "]) {
        return Error::preflight(format!("{name} is no private key that ssh can read"))
            .hint("give all of its lines, from -----BEGIN to -----END, and no passphrase");
    }
    Error::preflight(format!("{server} does not accept the key {name}"))
        .hint("have its public half added to that user's keys on the server")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(said: &str) -> (ErrorKind, String) {
        let server = Connection::new("h", "deploy", "/pins", "/s").port(2222);
        let error =
            failure(&server.key_file("/dev/null", "DEPLOY_KEY"), &Answer::new(255, "", said));
        (error.kind(), error.to_string())
    }

    #[test]
    fn what_ssh_says_is_told_apart() {
        use ErrorKind::{Preflight, Refused, Unknown, Usage};
        for (said, expected, says) in [
            (
                "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key for [h]:2222 has changed and you have requested strict checking.\nHost key verification failed.\n",
                Refused,
                "another one than /pins has",
            ),
            (
                "No ED25519 host key is known for [h]:2222 and you have requested strict checking.\nHost key verification failed.\n",
                Refused,
                "/pins has no key of deploy@h:2222",
            ),
            (
                "deploy@h: Permission denied (publickey).\n",
                Preflight,
                "does not accept the key DEPLOY_KEY",
            ),
            (
                "Load key \"/k\": error in libcrypto\ndeploy@h: Permission denied (publickey).\n",
                Preflight,
                "DEPLOY_KEY is no private key",
            ),
            (
                "Permissions 0644 for '/k' are too open.\nLoad key \"/k\": bad permissions\ndeploy@h: Permission denied (publickey).\n",
                Preflight,
                "others may read the key DEPLOY_KEY",
            ),
            (
                "ssh: connect to host h port 2222: Connection refused\n",
                Preflight,
                "cannot be reached",
            ),
            (
                "ssh: Could not resolve hostname h: Name or service not known\n",
                Preflight,
                "cannot be reached",
            ),
            ("Connection timed out during banner exchange\n", Preflight, "cannot be reached"),
            (
                "kex_exchange_identification: read: Connection reset by peer\n",
                Preflight,
                "cannot be reached",
            ),
            ("command-line: line 0: Bad configuration option: x\n", Usage, "configuration"),
            ("", Unknown, "was lost"),
            ("Timeout, server h not responding.\n", Unknown, "was lost"),
            ("client_loop: send disconnect: Broken pipe\n", Unknown, "was lost"),
        ] {
            let (kind, message) = kind(said);
            assert_eq!(kind, expected, "{said}");
            assert!(message.contains(says), "{said}: {message}");
        }
    }
}
