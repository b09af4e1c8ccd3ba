//! What a compose file may ask of the host, before Compose does it.

use crate::{
    context::Context,
    error::{Error, Result},
    server::{PushedFile, Record, ServerFiles},
    steps::server::{Compose, ComposeConfig, ComposeText},
};

use super::Server;

/// Why the compose file will be refused, as far as its text tells: read where it lies,
/// before anything is changed, and without a value of `.env`.
///
/// # Errors
/// When Compose cannot read it.
pub(super) fn compose_refusal(
    cx: &Context,
    server: &Server,
    record: &Record,
    files: &ServerFiles,
) -> Result<Option<Error>> {
    let folder = match &record.of {
        Some(of) => server.layout.release(of),
        None => server.layout.folder().to_owned(),
    };
    if record.of.is_some() && !folder.join(PushedFile::Compose.name()).exists() {
        cx.note("that release's own folder is gone: its compose file is judged where it is written anew");
        return Ok(None);
    }
    let mut compose = Compose::new(server.layout.project(record.slot), folder);
    if files.extra.is_some() {
        compose = compose.with(PushedFile::Override.name());
    }
    // Compose is not asked to read what names files of elsewhere.
    let hidden = cx.observe(ComposeText::new(&compose))?;
    if !hidden.is_empty() {
        return Ok(refusal(&hidden));
    }
    let written = ComposeConfig::new(compose, &server.layout, &server.policy).as_written();
    Ok(refusal(&cx.observe(written)?.refused))
}

/// Refuses a compose project that asks for more than the policy allows: with the very
/// files and values that Compose is about to use.
///
/// # Errors
/// Refused, with everything that is; and when Compose cannot read the files.
pub(super) fn refuse_compose(cx: &Context, server: &Server, compose: Compose) -> Result<()> {
    let hidden = cx.run(ComposeText::new(&compose))?;
    if let Some(error) = refusal(&hidden) {
        return Err(error);
    }
    let config = || ComposeConfig::new(compose.clone(), &server.layout, &server.policy);
    let mut refused = cx.run(config().as_written())?.refused;
    let used = cx.run(config())?;
    if !used.others.is_empty() {
        let (names, base) = (used.others.join(" "), server.layout.base_project());
        cx.note(format!(
            "no release starts or ends {names}: the project {base} is for what stays, `docker \
             compose --project-name {base} up --detach {names}` in {} as root; it meets the app on \
             an external network",
            server.layout.folder()
        ));
    }
    for fault in used.refused {
        if !refused.contains(&fault) {
            refused.push(fault);
        }
    }
    refusal(&refused).map_or(Ok(()), Err)
}

fn refusal(refused: &[String]) -> Option<Error> {
    (!refused.is_empty()).then(|| {
        Error::refused(format!("the compose file is refused: {}", refused.join("; ")))
            .hint("leave it out, or allow it in the server's policy, [compose], which is root's")
    })
}
