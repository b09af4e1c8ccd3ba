//! Names of container images, after the grammar of the distribution project's
//! `reference` package and of the OCI distribution specification.

use super::grammar::{Check, Fault};

/// The longest name that registries take.
const LONGEST: usize = 255;

/// A repository without tag and digest: `ghcr.io/talia/backend`.
pub(super) fn repository(text: &str) -> Check {
    const SHAPE: &str = "an image repository without a tag, such as `ghcr.io/talia/backend`";
    if is_repository(text) {
        return Ok(());
    }
    Err(Fault::new(SHAPE).hint(repository_hint(text)))
}

/// A repository with or without tag and digest: `python:3.12-slim`.
pub(super) fn reference(text: &str) -> Check {
    const SHAPE: &str = "an image, such as `python:3.12-slim-bookworm`";
    let (name, digest) = text.split_once('@').map_or((text, None), |(n, d)| (n, Some(d)));
    let (repository, tag) = split_tag(name);
    if is_repository(repository) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest) {
        return Ok(());
    }
    Err(Fault::new(SHAPE).hint(address_hint(text)))
}

fn repository_hint(text: &str) -> Option<String> {
    let name = text.split('@').next().unwrap_or(text);
    let (without, tag) = split_tag(name);
    if (tag.is_some() || name != text) && is_repository(without) {
        return Some(format!("write `{without}`: the pipeline chooses tags by itself"));
    }
    address_hint(text)
}

fn address_hint(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://")
        && is_repository(rest)
    {
        return Some(format!("write `{rest}`: an image's name is no URL"));
    }
    let lower = text.to_lowercase();
    (lower != text && is_repository(&lower)).then(|| format!("write `{lower}`: in lower case"))
}

/// A colon after the last slash begins a tag; one before it, a port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

fn is_repository(text: &str) -> bool {
    let path = match text.split_once('/') {
        // The first part is a host when it looks like one, as Docker has it.
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            if !is_host(host) {
                return false;
            }
            path
        }
        _ => text,
    };
    text.len() <= LONGEST && path.split('/').all(is_component)
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_name = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    is_name && port.is_none_or(|port| is_digits(port) && port.parse::<u16>().is_ok())
}

/// Letters and digits, joined by one dot, one or two underscores, or dashes.
fn is_component(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.split(is_letter).all(|joint| {
            matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hash| {
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_known() {
        let right = [
            "ghcr.io/talia/backend",
            "backend",
            "talia/backend",
            "localhost:5000/a",
            "a.b/c__d/e-f",
            "127.0.0.1:5000/x",
            "[::1]:5000/x",
            "registry.example/a--b",
            "Host.Example/a",
        ];
        for text in right {
            assert!(repository(text).is_ok(), "{text}");
        }
        let wrong = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "Backend",
            "a:1",
            "a@sha256:0",
            "a b",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "https://ghcr.io/a",
            "host.io:x/a",
            "host.io:99999/a",
            "a\n",
            "ä",
            "host.io",
            "host.io/",
            "[::1/x",
            ":/a",
            ".",
        ];
        for text in wrong {
            let is_short_name = text == "host.io";
            assert_eq!(repository(text).is_ok(), is_short_name, "{text}");
        }
        assert!(repository(&"a".repeat(256)).is_err());
    }

    #[test]
    fn references_may_have_a_tag_and_a_digest() {
        let digest = format!("python:3.12@sha256:{}", "0a".repeat(32));
        for text in ["talia-base:bookworm", "python", "localhost:5000/a:b", &digest] {
            assert!(reference(text).is_ok(), "{text}");
        }
        for text in ["a:", "a:-b", "a@sha256:0", "a@", "a:b:c", "a b", "", ":x"] {
            assert!(reference(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hints_give_the_name_that_was_meant() {
        let hint = |text| repository(text).err().and_then(|fault| fault.hint);
        assert!(hint("ghcr.io/a/b:latest").is_some_and(|hint| hint.contains("`ghcr.io/a/b`")));
        assert!(hint("https://ghcr.io/a").is_some_and(|hint| hint.contains("`ghcr.io/a`")));
        assert!(hint("Talia/Backend").is_some_and(|hint| hint.contains("`talia/backend`")));
        assert_eq!(hint("a b"), None);
    }
}
