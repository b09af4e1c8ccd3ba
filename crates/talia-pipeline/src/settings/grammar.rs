//! What a text must look like, key by key.

use std::net::SocketAddr;

use super::suggest::nearest;

/// Whether a text is what it should be.
pub(super) type Check = Result<(), Fault>;

/// What a text should have been.
#[derive(Debug)]
pub(super) struct Fault {
    /// Goes on after "must be": `a path`.
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(expected: impl Into<String>) -> Self {
        Self { expected: expected.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// `Ok` where it holds, else what was expected.
fn ensure(holds: bool, expected: &str) -> Check {
    if holds { Ok(()) } else { Err(Fault::new(expected)) }
}

/// One line of visible text without blanks around it.
pub(super) fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.trim() == text && !text.chars().any(char::is_control)
}

/// Begins with a letter or digit, goes on with these characters too, and ends with
/// a letter or digit.
fn is_name(text: &str, joints: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|c| is_letter(c) || joints.contains(c))
}

/// A project's name: it becomes part of folder, image and Compose project names,
/// so it is what the strictest of them takes.
pub(super) fn project_name(text: &str) -> Check {
    let lower = text.to_lowercase();
    let is_right = |text: &str| is_name(text, "-_") && text.len() <= 63;
    if is_right(text) && lower == text {
        return Ok(());
    }
    let meant = lower.replace([' ', '.', '/'], "-");
    let expected = "1 to 63 lower-case letters, digits, `-` and `_`";
    let hint = is_right(&meant).then(|| format!("write `{meant}`"));
    Err(Fault::new(expected).hint(hint))
}

/// A program's name or path, without arguments.
pub(super) fn program(text: &str) -> Check {
    let has_arguments = text.contains(' ') && !text.contains('/');
    if is_text(text) && has_arguments {
        let alone = text.split(' ').next().unwrap_or_default();
        return Err(
            Fault::new("one program, without arguments").hint(Some(format!("write `{alone}`")))
        );
    }
    super::path::anywhere(text)?;
    ensure(!text.starts_with('-'), "a program's name or path")
}

/// A dependency group or an extra, as PEP 735 and PEP 685 have it.
pub(super) fn dependency_group(text: &str) -> Check {
    ensure(is_name(text, "-_."), "a name of letters, digits, `-`, `_` and `.`")
}

/// A whole argument. The kernel ends it at a NUL.
pub(super) fn argument(text: &str) -> Check {
    ensure(!text.is_empty() && !text.contains('\0'), "an argument that is not empty")
}

/// A build argument's value, which may be empty.
pub(super) fn build_arg_value(text: &str) -> Check {
    ensure(!text.contains('\0'), "a string without NUL characters")
}

/// One revision in git's words. A range or an option is none.
pub(super) fn revision(text: &str) -> Check {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "?*[\\".contains(c);
    let holds = !text.is_empty()
        && !text.starts_with('-')
        && !text.contains(forbidden)
        && !text.contains("..");
    ensure(holds, "one git revision, such as `origin/main`")
}

/// A package or folder to measure. Coverage.py splits its list at commas.
pub(super) fn coverage_source(text: &str, depth: usize) -> Check {
    super::path::inside(text, depth)?;
    ensure(!text.contains(',') && !text.starts_with('-'), "one package or folder, such as `app`")
}

/// An environment's name: it becomes part of users', folders' and projects' names.
/// `talia-admin-` and it are what a user's name may be at most, 32.
pub(super) fn environment(text: &str) -> Check {
    let holds = text.len() <= 20
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    ensure(holds, "at most 20 lower-case letters, digits and `-`, such as `staging`")
}

/// A host's name or address.
pub(super) fn host(text: &str) -> Check {
    let holds = text.len() <= 253
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == ':')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
    ensure(holds, "a host's name or address, such as `talia.example`")
}

/// An address with a port.
pub(super) fn socket_address(text: &str) -> Check {
    let holds = text.parse::<SocketAddr>().is_ok_and(|address| {
        address.port() != 0 && !matches!(address, SocketAddr::V6(six) if six.scope_id() != 0)
    });
    ensure(holds, "an address and a port, such as `203.0.113.5:443` or `[2001:db8::1]:443`")
}

/// A user's name on a server or in a registry.
pub(super) fn user(text: &str) -> Check {
    let holds = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    ensure(holds, "a user's name, such as `deploy`")
}

/// The path of a URL.
pub(super) fn url_path(text: &str) -> Check {
    let holds = text.starts_with('/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~".contains(c));
    ensure(holds, "a URL's path, such as `/api/health`")
}

/// A name of an environment variable, as POSIX has it.
pub(super) fn variable(text: &str) -> Check {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let holds =
        text.bytes().all(is_word) && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let expected = "a name of letters, digits and `_` that begins with no digit";
    let meant = text.replace(['-', '.', ' '], "_");
    let hint = if text.contains('=') {
        Some("write the name alone, without a value".to_owned())
    } else {
        let is_near = !holds && meant != text && variable(&meant).is_ok();
        is_near.then(|| format!("write `{meant}`"))
    };
    ensure(holds, expected).map_err(|fault| fault.hint(hint))
}

/// A stage of a Dockerfile.
pub(super) fn stage(text: &str) -> Check {
    let holds = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    ensure(holds, "a stage's name: letters, digits, `-`, `_` and `.`")
}

/// One Linux platform in the form of the OCI image specification.
pub(super) fn platform(text: &str) -> Check {
    const ARCHITECTURES: [&str; 9] =
        ["amd64", "arm64", "arm", "386", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"];
    let (system, rest) = text.split_once('/').unwrap_or(("", text));
    let (architecture, variant) = rest.split_once('/').map_or((rest, None), |(a, v)| (a, Some(v)));
    let is_variant = |text: &str| {
        text.strip_prefix('v').is_some_and(|digits| {
            (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let is_known = ARCHITECTURES.contains(&architecture);
    if system == "linux" && is_known && variant.is_none_or(is_variant) {
        return Ok(());
    }
    let common: Vec<String> = ARCHITECTURES.iter().map(|a| format!("linux/{a}")).collect();
    // The kernel's names for what images call amd64 and arm64.
    let meant = match architecture {
        "x86_64" | "x64" => Some("linux/amd64"),
        "aarch64" => Some("linux/arm64"),
        _ => nearest(text, common.iter().map(String::as_str)),
    };
    Err(Fault::new("one platform, such as `linux/amd64`")
        .hint(meant.map(|meant| format!("did you mean `{meant}`?"))))
}

/// Where a build's cache is: `type=registry,ref=…` or an image. Its own grammar is
/// open, so only what cannot be right is refused.
pub(super) fn cache(text: &str) -> Check {
    let holds = is_text(text) && !text.starts_with('-');
    ensure(holds, "a cache, such as `type=registry,ref=ghcr.io/talia/backend:cache`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these are refused.
    fn refused<'a>(check: impl Fn(&str) -> Check, texts: &[&'a str]) -> Vec<&'a str> {
        texts.iter().copied().filter(|text| check(text).is_err()).collect()
    }

    #[test]
    fn project_names() {
        let texts = ["talia", "talia-2_x", "", "Talia", "-a", "a-", "a b", "ä", "a\n"];
        assert_eq!(refused(project_name, &texts), texts[2..]);
    }

    #[test]
    fn programs() {
        let texts = [
            "python3.12",
            "/opt/my python/bin/python",
            "../env/bin/python",
            "",
            "python3 -m",
            "-x",
            "~/bin/python",
            " a",
            "a\0",
        ];
        assert_eq!(refused(program, &texts), texts[3..]);
    }

    #[test]
    fn revisions() {
        let texts = ["origin/main", "HEAD~1", "v1.0^{commit}", "", "-x", "a..b", "a b", "a*"];
        assert_eq!(refused(revision, &texts), texts[3..]);
    }

    #[test]
    fn variables() {
        let texts = ["A", "_a1", "", "1A", "A-B", "A=B", "Ä", "A B", "A\n"];
        assert_eq!(refused(variable, &texts), texts[2..]);
    }

    #[test]
    fn platforms() {
        let texts = [
            "linux/amd64",
            "linux/arm/v7",
            "linux/amd64/v3",
            "",
            "amd64",
            "linux",
            "linux/amd46",
            "windows/amd64",
            "linux/amd64,linux/arm64",
            "linux/arm/7",
            "linux/arm/",
        ];
        assert_eq!(refused(platform, &texts), texts[3..]);
    }

    #[test]
    fn arguments_may_be_anything_that_can_be_passed() {
        let texts = ["-k", "a or b", "ä\n", "", "a\0"];
        assert_eq!(refused(argument, &texts), texts[3..]);
    }

    #[test]
    fn groups_and_stages() {
        let texts = ["dev", "a.b-c_d", "9", "", "-a", "a b", "ä", "a,b"];
        assert_eq!(refused(dependency_group, &texts), texts[3..]);
        assert_eq!(refused(stage, &texts), texts[3..]);
    }
}
