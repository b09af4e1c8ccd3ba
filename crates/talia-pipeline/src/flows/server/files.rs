//! Files that are put on the server on purpose.

use crate::{
    context::Context,
    error::{Error, Result},
    parse::{env_file, nginx},
    protocol::Slot,
    secret::MINIMUM_LENGTH,
    server::{PushedFile, ServerFiles},
    settings::Policy,
    steps::server::{
        Compose, EndPort, EndSite, NginxReloadOrStart, NginxTest, PushFile, RemoveScratch,
        RestorePort, RestoreSite, TrySite, WriteScratch,
    },
};

use super::{Server, compose_check::refuse_compose, switch::first_port};

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
    mend_push(cx, server)?;
    match file {
        PushedFile::Site => return push_site(cx, server, content),
        PushedFile::Env => refuse_short(&server.policy, &content)?,
        PushedFile::Compose => may_be_used(cx, server, &content)?,
        PushedFile::Override => {
            return Err(Error::usage("what is added to the compose file comes with the host"));
        }
    }
    cx.run(PushFile::new(&server.layout, file, content, server.now_ms))
}

/// Refuses a `.env` that cannot be read, and one in which what the policy calls a secret is
/// too short to be masked: it would show.
pub(super) fn refuse_short(policy: &Policy, env: &[u8]) -> Result<()> {
    let file = env_file::read(env)?;
    let entries = file.effective();
    let is_short = |name: &&String| {
        let own = entries.iter().find(|entry| entry.name() == name.as_str());
        own.is_some_and(|entry| (1..MINIMUM_LENGTH).contains(&entry.value().len()))
    };
    let Some(name) = policy.secrets.iter().find(is_short) else { return Ok(()) };
    Err(Error::usage(format!(
        "the secret {name} in .env is shorter than {MINIMUM_LENGTH} bytes, so it cannot be masked"
    ))
    .hint(format!(
        "use a value of at least {MINIMUM_LENGTH} bytes, or leave {name} out of `secrets` in the policy"
    )))
}

/// Puts right what a killed push has left: a site that nobody has judged. Nothing is
/// done where nothing was left.
///
/// # Errors
/// When the site before cannot be restored.
pub(super) fn mend_push(cx: &Context, server: &Server) -> Result<()> {
    if !server.layout.tried_site().exists() {
        return Ok(());
    }
    cx.group("put right what a push has left", |cx| {
        cx.note("a push ended before Nginx had taken its site: the one before is back");
        cx.run(RestoreSite::new(&server.layout))?;
        // A site that was never good is no worse than before, and no reason to stop here.
        match cx.run(NginxTest).and_then(|()| cx.run(NginxReloadOrStart)) {
            Err(error) if !cx.is_cancelled() => cx.note(format!("Nginx was not reloaded: {error}")),
            done => done?,
        }
        Ok(())
    })
}

fn push_site(cx: &Context, server: &Server, content: Vec<u8>) -> Result<()> {
    let text = std::str::from_utf8(&content).map_err(|_| Error::usage("the site is not UTF-8"))?;
    let web = server.policy.web.parent().unwrap_or(&server.policy.web);
    let refused = nginx::reaches(text, &["/var/www", "/usr/share/nginx", web.as_str()]);
    if !refused.is_empty() {
        return Err(Error::refused(format!("the site is refused: {}", refused.join("; ")))
            .hint("leave it out; what the whole server needs is for root, in /etc/nginx/conf.d"));
    }
    let port = first_port(cx, server)?;
    let is_first = port.is_some();
    if let Some(port) = port {
        cx.run(port)?;
    }
    cx.run(TrySite::new(&server.layout, content))?;
    let judged = cx.run(NginxTest).and_then(|()| cx.run(NginxReloadOrStart));
    cx.sheltered(|cx| match judged {
        Ok(()) => {
            if is_first {
                cx.run(EndPort::new(&server.layout))?;
            }
            cx.run(EndSite::new(&server.layout, server.now_ms))
        }
        Err(error) => {
            let mut errors = vec![error];
            errors.extend(cx.run(RestoreSite::new(&server.layout)).err());
            if is_first {
                errors.extend(cx.run(RestorePort::new(&server.layout)).err());
            }
            Err(Error::all(errors))
        }
    })
}

/// Tries a compose file where no release takes it from, with everything that belongs
/// to it, before it takes the place of the one that counts.
fn may_be_used(cx: &Context, server: &Server, content: &[u8]) -> Result<()> {
    let now = |file: PushedFile| std::fs::read(file.path(&server.layout)).ok();
    let files = ServerFiles {
        compose: content.to_vec(),
        extra: now(PushedFile::Override),
        env: now(PushedFile::Env).unwrap_or_default(),
        ..ServerFiles::default()
    };
    let folder = server.layout.scratch();
    let mut compose = Compose::new(server.layout.project(Slot::Blue), &folder);
    if files.extra.is_some() {
        compose = compose.with(PushedFile::Override.name());
    }
    cx.group("try the compose file", |cx| {
        cx.finally(RemoveScratch::new(&folder));
        cx.run(WriteScratch::new(&folder, files))?;
        refuse_compose(cx, server, compose)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_policy_calls_a_secret_has_to_be_one_that_can_be_masked() {
        let text = "environment = \"staging\"\nsecrets = [\"PIN\", \"WORD\"]\n";
        let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
        let refused = |env: &str| refuse_short(&policy, env.as_bytes()).err();
        let error = refused("WORD=open-sesame\nPIN=123456\n").unwrap();
        assert!(error.to_string().contains("PIN") && !error.to_string().contains("123456"));
        assert!(error.hint_text().unwrap().contains("8 bytes"), "{error}");
        for env in ["PIN=12345678\n", "PIN=\n", "OTHER=123456\n"] {
            assert!(refused(env).is_none(), "{env}");
        }
    }
}
