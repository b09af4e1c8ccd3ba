//! Files that are put on the server on purpose.

use crate::{
    context::Context,
    error::{Error, Result},
    parse::env_file,
    server::{PushedFile, refusals},
    steps::server::{Compose, ComposeConfig, NginxReload, NginxTest, PushFile, RestoreFile},
};

use super::Server;

/// The names in a `.env`, each with its value; none where it is not in its grammar.
pub fn env_names(env: &[u8]) -> Vec<(String, String)> {
    let Ok(file) = env_file::read(env) else { return Vec::new() };
    let entries = file.effective();
    entries.iter().map(|entry| (entry.name().to_owned(), entry.value().to_owned())).collect()
}

/// Puts a file on the server. It counts from the next release on; a site counts at
/// once, and the old one is back, byte for byte, where Nginx refuses the new one.
///
/// # Errors
/// Refused when it cannot be right: nothing is changed then.
pub fn push(cx: &Context, server: &Server, file: PushedFile, content: Vec<u8>) -> Result<()> {
    if content.is_empty() {
        return Err(Error::usage("nothing came on standard input, so nothing is pushed"));
    }
    if file == PushedFile::Env {
        env_file::read(&content)?;
    }
    let before = std::fs::read(file.path(&server.layout)).ok();
    cx.run(PushFile::new(&server.layout, file, content, server.now_ms))?;
    let judged = match file {
        PushedFile::Site => cx.run(NginxTest).and_then(|()| cx.run(NginxReload)),
        PushedFile::Compose | PushedFile::Override => may_be_used(cx, server),
        PushedFile::Env => Ok(()),
    };
    judged.map_err(|error| {
        let restored = cx.sheltered(|cx| cx.run(RestoreFile::new(&server.layout, file, before)));
        match restored {
            Ok(()) => error,
            Err(second) => Error::all(vec![error, second]),
        }
    })
}

fn may_be_used(cx: &Context, server: &Server) -> Result<()> {
    let mut project = Compose::new("talia-push", server.layout.folder());
    if server.layout.compose_override().exists() {
        project = project.with(PushedFile::Override.name());
    }
    let services = cx.run(ComposeConfig::new(project))?;
    let refused = refusals(&services, &server.policy);
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!("the compose file is refused: {}", refused.join("; ")))
        .hint("leave it out, or allow it in the server's policy, [compose], which is root's"))
}
