//! Why apt, debootstrap or the engine failed, from what they said.

use crate::{error::Error, step::Answer};

/// What they say (lower case) and what to do about it.
const CAUSES: &[(&[&str], &str)] = &[
    (
        &["could not get lock", "unable to acquire the dpkg", "unable to lock"],
        "another package manager is at work: wait until it has ended, then start again",
    ),
    (
        &["no space left on device", "you don't have enough free space", "disk quota exceeded"],
        "free some disk space, then start again",
    ),
    (
        &["dpkg was interrupted", "dpkg --configure -a"],
        "an earlier installation was cut short: run `sudo dpkg --configure -a`, then start again",
    ),
    (
        &["unmet dependencies", "apt --fix-broken install", "held broken packages"],
        "packages of this machine contradict each other: \
         run `sudo apt-get --fix-broken install`, then start again",
    ),
    (
        &["does not have a release file", "no longer has a release file"],
        "the package archive of this machine does not carry this release: \
         name one that does in /etc/apt/sources.list.d, then start again",
    ),
    (
        &["unable to locate package", "has no installation candidate", "' was not found"],
        "no archive that apt knows has this package: \
         add its component (on Ubuntu: `sudo add-apt-repository universe`), then start again",
    ),
    (
        &[
            "could not resolve",
            "temporary failure resolving",
            "could not connect",
            "unable to connect",
            "connection timed out",
            "network is unreachable",
            "failed to fetch",
            "couldn't download",
            "invalid release file",
            "failed getting release file",
        ],
        "the package archive cannot be reached: \
         see to the network or the proxy (`apt-config dump Acquire::http::Proxy`), then start again",
    ),
    (
        &["a password is required", "not in the sudoers", "a terminal is required"],
        "run it as root, or let this user run sudo without a password",
    ),
    (
        &["permission denied", "are you root", "operation not permitted"],
        "it needs root's rights: run it as root, outside of a container that lacks capabilities",
    ),
];

/// The error for a command that ended with an exit that means failure, with its
/// last lines and, where they tell the cause, the way out.
pub(super) fn failed(doing: &str, answer: &Answer) -> Error {
    // The cause may stand on either stream, whichever of them the tail shows.
    let said = format!("{}\n{}", answer.stdout(), answer.stderr());
    let error = Error::step(format!("{doing} ended with exit {}", answer.exit()));
    with_way_out(error.tail(answer.last_lines(20)), &said)
}

/// The same error with the way out, where what was said tells the cause and no
/// hint stands yet.
pub(crate) fn explained(error: Error) -> Error {
    let said = error.last_lines().join("\n");
    if error.hint_text().is_some() { error } else { with_way_out(error, &said) }
}

fn with_way_out(error: Error, said: &str) -> Error {
    match way_out(said) {
        Some(way_out) => error.hint(way_out),
        None => error,
    }
}

/// What to do, where what was said tells the cause.
pub(crate) fn way_out(said: &str) -> Option<&'static str> {
    let said = said.to_lowercase();
    let known = CAUSES.iter().find(|(signs, _)| signs.iter().any(|sign| said.contains(sign)));
    known.map(|(_, way_out)| *way_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(said: &str) -> String {
        let error = failed("apt-get", &Answer::new(100, "", said));
        error.hint_text().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_usual_causes_have_a_way_out() {
        let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (x)\n";
        assert!(hint(lock).contains("wait until it has ended"));
        let disk = "E: Write error - write (28: No space left on device)";
        assert!(hint(disk).contains("free some disk"));
        let network = "W: Failed to fetch http://a/b  Temporary failure resolving 'a'";
        assert!(hint(network).contains("cannot be reached"));
        assert!(hint("E: Unable to locate package docker-buildx").contains("component"));
        assert_eq!(hint("E: something new"), "");
    }

    #[test]
    fn a_hint_that_stands_is_kept() {
        let error = Error::step("x").hint("mine").tail(vec!["No space left on device".into()]);
        assert_eq!(explained(error).hint_text(), Some("mine"));
        let error = Error::step("x").tail(vec!["write: no space left on device".into()]);
        assert!(explained(error).hint_text().is_some());
    }
}
