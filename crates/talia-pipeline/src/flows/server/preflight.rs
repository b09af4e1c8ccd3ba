//! What has to hold before anything on the server is changed.

use crate::{
    context::Context,
    error::{Error, Result},
    parse::{
        env_file,
        nginx::{Site, Way},
    },
    server::{Record, ServerFiles},
    settings::Listen,
    steps::{
        image::ImagePresent,
        server::{EngineInfo, FreeDisk, ImageOffered, NginxSites},
    },
};

use super::{Server, compose_check::compose_refusal, files::refuse_short};

/// The least that must be free for an image's layers that are to come, and for a
/// release's files.
const IMAGE_BYTES: u64 = 1 << 30;
const FOLDER_BYTES: u64 = 64 << 20;
/// The least number of files that must still be possible.
const INODES: u64 = 10_000;

/// Looks at everything that a release needs. Whether its image is there already.
///
/// # Errors
/// With everything that is missing or refused, together.
pub(super) fn preflight(
    cx: &Context,
    server: &Server,
    record: &Record,
    files: &ServerFiles,
) -> Result<bool> {
    let mut wrong = Vec::new();
    let engine = cx.observe(EngineInfo)?;
    match engine.compose.as_deref() {
        Some([major, ..]) if *major >= 2 => {}
        Some(_) => wrong.push(
            Error::preflight("this server's Compose is older than version 2")
                .hint("install the plugin `docker compose`, version 2 or newer"),
        ),
        None => wrong.push(
            Error::preflight("this server has no `docker compose`")
                .hint("install the plugin `docker compose`, version 2 or newer"),
        ),
    }
    if !engine.live_restore {
        cx.note("the engine's `live-restore` is off: a restart of it ends every container");
    }
    let is_there = cx.probe(ImagePresent::new(record.reference()))?.is_some();
    // A rollback on a full disk needs no room for an image that it has.
    let for_image = if is_there { FOLDER_BYTES } else { IMAGE_BYTES };
    for (folder, needed) in
        [(engine.data.clone(), for_image), (server.layout.folder().to_owned(), FOLDER_BYTES)]
    {
        let room = cx.observe(FreeDisk::new(&folder))?;
        if room.bytes < needed {
            wrong.push(Error::preflight(format!(
                "{folder} has {} MB free, a release needs {}",
                room.bytes / 1_000_000,
                needed / 1_000_000
            )));
        }
        if room.inodes.is_some_and(|inodes| inodes < INODES) {
            wrong.push(Error::preflight(format!(
                "the disk of {folder} takes hardly any more files"
            )));
        }
    }
    if server.layout.tried_site().exists() {
        // So in a plan alone: what a killed push has left is put right before this.
        cx.note("a site is being tried: Nginx is asked once that is over");
    } else if let Some(host) = &server.policy.host {
        wrong.extend(unfit(server, host, &cx.observe(NginxSites)?));
    }
    let env = match record.of {
        // What was good then goes back whatever the policy calls a secret now.
        Some(_) => env_file::read(&files.env).map(drop),
        None => refuse_short(&server.policy, &files.env),
    };
    if let Err(error) = env {
        let told = Error::usage(format!("{}: {error}", files.env_path));
        wrong.push(match error.hint_text() {
            Some(hint) => told.hint(hint),
            None => told,
        });
    }
    wrong.extend(compose_refusal(cx, server, record, files)?);
    if !is_there && !record.digest.is_planned() {
        let ask = ImageOffered::new(record.reference(), server.layout.docker_config());
        wrong.extend(cx.observe(ask).err());
    }
    if wrong.is_empty() { Ok(is_there) } else { Err(Error::all(wrong)) }
}

/// Why Nginx does not send this host's requests straight to the live link, or to the port
/// that the live slot's file names; over TLS, and nowhere else that the policy does not know.
fn unfit(server: &Server, host: &str, sites: &[Site]) -> Option<Error> {
    let (socket, file) = (server.layout.live_socket(), server.layout.live_port());
    let (way, says) = match server.policy.listen {
        Listen::Socket => {
            (Way::Socket(socket.as_str()), format!("proxy_pass http://unix:{socket}:;"))
        }
        Listen::Port => (Way::File(file.as_str()), format!("include {file};")),
    };
    let own: Vec<_> =
        sites.iter().filter(|site| site.names.iter().any(|name| name == host)).collect();
    if own.is_empty() {
        return Some(
            Error::preflight(format!("Nginx has no site for {host}"))
                .hint("push one: `cargo xtask server site push`"),
        );
    }
    let may_go = |to: &&str| server.policy.proxies.iter().any(|allowed| allowed == to);
    let mut elsewhere: Vec<&str> =
        own.iter().flat_map(|site| site.proxies_elsewhere(way)).filter(|to| !may_go(to)).collect();
    elsewhere.dedup();
    if !elsewhere.is_empty() {
        return Some(
            Error::preflight(format!("Nginx sends {host} to {} as well", elsewhere.join(", ")))
                .hint(format!(
                    "wherever that host goes to the app it says `{says}`, without an `upstream` \
                     block, which would keep old connections; what goes to another app is named \
                     in `proxies` of the server's policy"
                )),
        );
    }
    if !own.iter().any(|site| site.has_tls() && site.proxies(way)) {
        return Some(
            Error::preflight(format!("Nginx does not send {host} to the live slot over TLS"))
                .hint(format!("in the `server` block that has `listen 443 ssl`: `{says}`")),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse::nginx::sites, server::Layout, settings::Policy};

    #[test]
    fn what_goes_elsewhere_than_to_the_live_slot_is_named_in_the_policy() {
        let refused = |policy: &str, site: &str| {
            let text = format!("environment = \"production\"\n{policy}");
            let (_, policy) = Policy::parse(&text, "/etc/talia/production.toml".into()).unwrap();
            let layout = Layout::new(&"production".parse().unwrap(), &policy);
            let by = "ana".parse().unwrap();
            let server = Server { layout, policy, now_ms: 0, run: "1".into(), by };
            let shown = format!(
                "http {{ server {{ listen 443 ssl; server_name talia.example; {site} }} }}"
            );
            unfit(&server, "talia.example", &sites(&shown)).map(|error| error.to_string())
        };
        let own =
            "location /api/ { proxy_pass http://unix:/var/lib/talia/production/sock/api.sock:; }";
        let both = format!("{own} location /bi/ {{ proxy_pass http://127.0.0.1:3000; }}");
        assert_eq!(refused("", own), None);
        assert!(refused("", &both).unwrap().contains("to http://127.0.0.1:3000 as well"));
        assert_eq!(refused("proxies = [\"http://127.0.0.1:3000\"]\n", &both), None);
        assert!(refused("proxies = [\"http://127.0.0.1:30\"]\n", &both).is_some());
        assert!(refused("", "root /var/www;").unwrap().contains("does not send"));
        assert!(refused("", "} server { listen 80;").unwrap().contains("over TLS"));
    }
}
