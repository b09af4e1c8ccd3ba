//! From the caller's words to a request: nothing of the caller's reaches further.

use std::{fs, os::unix::fs::MetadataExt as _, time::Duration};

use camino::Utf8Path;
use talia_pipeline::{
    Error, ExitCode, Result, World,
    protocol::{EnvironmentName, Request, Role, Version},
    report::{Feed, console},
    server::{Layout, landing::Owner, policies, refuse_shared},
    settings::Policy,
    signals,
};

use crate::{
    answer::refused,
    serve::{Site, serve},
};

/// How long a client may take to read the end of an answer.
const FLUSH: Duration = Duration::from_secs(5);

/// Who asks what, about which environment.
struct Asked {
    environment: EnvironmentName,
    role: Role,
    request: String,
    caller: Option<Owner>,
}

/// Answers the request of this process.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words == ["version"] {
        console::print(&format!("talia-agent {}\n", Version::own()));
        return ExitCode::Success;
    }
    // A client that has gone ends nothing: the work is finished without it.
    let feed = Feed::new(std::io::stdout(), || {});
    let result = asked(&words).and_then(|(asked, world)| answer(asked, world, &feed));
    let code = result.unwrap_or_else(|error| {
        feed.tell(&refused("request", &error));
        error.exit_code()
    });
    feed.finish(FLUSH);
    code
}

fn asked(words: &[&str]) -> Result<(Asked, World)> {
    let world = World::real()?;
    let (environment, role, request) = match words {
        ["gate", environment, role] => {
            let request = world.variable_os("SSH_ORIGINAL_COMMAND").ok_or_else(|| {
                Error::refused("this key takes requests, and gives no shell")
                    .hint("ask with `cargo xtask`, such as `cargo xtask status --env …`")
            })?;
            let request = request
                .into_string()
                .map_err(|_| Error::usage("a request is one line of printable ASCII"))?;
            (*environment, role.parse()?, request)
        }
        ["ask", environment, request @ ..] if !request.is_empty() => {
            (*environment, Role::Admin, request.join(" "))
        }
        _ => {
            return Err(Error::usage(
                "expected `gate ENVIRONMENT ROLE`, `ask ENVIRONMENT REQUEST` or `version`",
            ));
        }
    };
    let number = |name: &str| world.variable(name).and_then(|value| value.parse().ok());
    let caller = number("SUDO_UID").zip(number("SUDO_GID"));
    let caller = caller.map(|(user, group)| Owner { user, group });
    let asked = Asked { environment: environment.parse()?, role, request, caller };
    Ok((asked, world.cleared()))
}

fn answer(asked: Asked, world: World, feed: &Feed) -> Result<ExitCode> {
    let request: Request = asked.request.parse()?;
    request.allowed_to(asked.role)?;
    let policy = policy(&asked.environment)?;
    #[cfg(feature = "fault-injection")]
    faults(&asked.environment)?;
    let layout = Layout::new(&asked.environment, &policy);
    let signals = signals::listen_gently()?;
    let site = Site { layout, policy, world, role: asked.role, signals, caller: asked.caller };
    serve(&site, request, feed)
}

/// The server's own policy, which only root may have written.
fn policy(environment: &EnvironmentName) -> Result<Policy> {
    let path = Layout::policy(environment);
    only_roots(&path)?;
    let text = fs::read_to_string(&path).map_err(|cause| {
        Error::preflight(format!("the policy {path} cannot be read")).caused_by(cause)
    })?;
    let (named, policy) = Policy::parse(&text, &path)?;
    if named.as_deref() != Some(environment.as_str()) {
        return Err(Error::preflight(format!(
            "{path} does not say `environment = \"{environment}\"`"
        )));
    }
    refuse_shared(environment, &policy, &policies(Layout::POLICIES.into())?)?;
    Ok(policy)
}

/// What is to go wrong, as root has written it for a test.
#[cfg(feature = "fault-injection")]
fn faults(environment: &EnvironmentName) -> Result<()> {
    let path = Layout::policy(environment).with_extension("faults");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    only_roots(&path)?;
    talia_pipeline::runner::faults::order(&text)
}

/// Refuses a file that, or a folder above it that, anybody but root may change.
fn only_roots(path: &Utf8Path) -> Result<()> {
    for part in path.ancestors() {
        let data = fs::symlink_metadata(part).map_err(|cause| {
            Error::preflight(format!("{part} cannot be looked at"))
                .caused_by(cause)
                .hint("the server has no policy for this environment; an admin puts it there")
        })?;
        if data.uid() != 0 || data.mode() & 0o022 != 0 || data.is_symlink() {
            return Err(Error::refused(format!("{part} can be changed by others than root")));
        }
    }
    Ok(())
}
