//! What an admin pushes counts whole or not at all, whatever the agent is killed at.

use talia_pipeline::{protocol::Request, templates::Role};

use crate::{
    kit::{Said, Site, Yard, seen},
    load::{Kind, Mix},
};

/// A site of Nginx's, and what is asked of it.
struct Pushed<'a> {
    site: &'a Site,
    path: String,
    /// As it was found.
    first: String,
}

impl<'a> Pushed<'a> {
    fn new(site: &'a Site) -> Self {
        let path = format!("/etc/nginx/sites-available/talia-{}.conf", site.environment);
        let first = String::from_utf8(site.droplet.read(&path).unwrap()).unwrap();
        Self { site, path, first }
    }

    /// One that answers with this word at `/pushed`.
    fn saying(&self, word: &str) -> String {
        let at = "    location / {";
        assert!(self.first.contains(at), "{}", self.first);
        self.first.replace(at, &format!("    location = /pushed {{ return 200 {word}; }}\n{at}"))
    }

    fn push(&self, content: &str) -> Said {
        self.site.begin(Role::Admin, &Request::SitePush, content.as_bytes()).wait()
    }

    /// The same, and the agent is killed by this fault.
    #[track_caller]
    fn killed(&self, fault: &str, ask: impl Fn() -> Said) {
        self.site.faults(fault);
        let said = ask();
        self.site.no_faults();
        assert_eq!(said.exit, Some(137), "{fault}: {said:#?}");
    }

    fn boot(&self) -> Said {
        self.site.ask(Role::Admin, &Request::Boot)
    }

    fn on_disk(&self) -> String {
        String::from_utf8(self.site.droplet.read(&self.path).unwrap()).unwrap()
    }

    fn is_valid(&self) -> bool {
        self.site.droplet.exec(["nginx", "-t", "-q"]).unwrap().exit == 0
    }

    /// What Nginx answers with now; nothing as long as no push of ours counts.
    fn says(&self) -> String {
        let answer = self.site.target().get("/pushed").unwrap();
        match answer.status {
            200 => String::from_utf8(answer.body).unwrap(),
            _ => String::new(),
        }
    }

    /// This is on the disk, Nginx takes it and answers by it, and nothing is on trial.
    #[track_caller]
    fn is_settled_at(&self, content: &str, word: &str) {
        assert_eq!(self.on_disk(), content);
        assert!(self.is_valid());
        crate::kit::until("Nginx answers by it", std::time::Duration::from_secs(10), || {
            self.says() == word
        });
        let kept = "find /opt /var/lib/talia -name site.before";
        assert_eq!(self.site.droplet.script(kept).unwrap(), "", "a site is still on trial");
        assert!(self.site.status().lock.is_none());
    }
}

pub(crate) fn a_site_push_that_is_killed_at_any_step(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let pushed = Pushed::new(&site);
    // A reload may cost a request on a connection that is kept.
    let load = site.load(Mix::light().without(Kind::KeptAlive).without(Kind::Websocket));
    let mut counts = (pushed.saying("begin"), "begin".to_owned());
    assert_eq!(pushed.push(&counts.0).exit, Some(0));
    let steps = site.last_steps();
    assert!(steps.len() >= 4, "{steps:?}");
    pushed.is_settled_at(&counts.0, "begin");

    let (mut old, mut new) = (0, 0);
    for n in 0..=steps.len() {
        let word = format!("n{n}");
        let content = pushed.saying(&word);
        let fault = if n == 0 { "die before 1".to_owned() } else { format!("die after {n}") };
        pushed.killed(&fault, || pushed.push(&content));
        let left = pushed.on_disk();
        assert!(left == counts.0 || left == content, "{fault}: neither of both:\n{left}");
        assert!(pushed.is_valid(), "{fault}");
        let answers = pushed.says();
        assert!(answers == counts.1 || answers == word, "{fault}: {answers}");
        // Whatever comes next puts it right: the same again, or something else.
        if n % 2 == 0 {
            assert_eq!(pushed.boot().exit, Some(0), "{fault}");
        } else {
            assert_eq!(pushed.push(&content).exit, Some(0), "{fault}");
        }
        let now = pushed.on_disk();
        let is_new = now == content;
        assert!(is_new || now == counts.0 && n % 2 == 0, "{fault}:\n{now}");
        *if is_new { &mut new } else { &mut old } += 1;
        if is_new {
            counts = (content, word);
        }
        pushed.is_settled_at(&counts.0, &counts.1);
        println!("    {fault}: then {}", counts.1);
    }
    seen(
        "21",
        &format!("the agent is killed at each of {} boundaries of `site push`", steps.len() + 1),
        format!(
            "never half a file, `nginx -t` always right; the next request leads to the old bytes {old} \
             times, to the new ones {new} times"
        ),
    );

    // One that Nginx would refuse, and nobody has asked it yet.
    let broken = format!("{}no_such_directive on;\n", pushed.first);
    let nexts: [(&str, &dyn Fn() -> Said); 3] = [
        ("a release", &|| {
            site.release(if site.live().as_ref() == Some(&a.revision) { &b } else { &a })
        }),
        ("boot", &|| pushed.boot()),
        ("boot, killed when the site is restored, and again", &|| {
            pushed.killed("die after \"restore the site\"", || pushed.boot());
            pushed.boot()
        }),
    ];
    for (what, next) in nexts {
        pushed.killed("die after \"try the site\"", || pushed.push(&broken));
        assert!(pushed.on_disk() == broken && !pushed.is_valid(), "{what}: it is not on trial");
        assert_eq!(pushed.says(), counts.1);
        let said = next();
        assert_eq!(said.exit, Some(0), "{what}: {said:#?}");
        pushed.is_settled_at(&counts.0, &counts.1);
    }
    let refused = pushed.push(&broken);
    refused.failed(1, &["Nginx refuses its configuration", "no_such_directive"]);
    pushed.is_settled_at(&counts.0, &counts.1);
    assert_eq!(pushed.push(&pushed.first).exit, Some(0));
    pushed.is_settled_at(&pushed.first, "");
    let told = load.stop();
    told.lost_nothing();
    seen(
        "21",
        "a site that Nginx refuses is on the disk when the agent is killed, and is pushed as well",
        format!(
            "{} ways on, each back to the bytes before; without a kill exit {}; {} requests, {} failed",
            nexts.len(),
            refused.exit.unwrap(),
            told.requests(),
            told.failures(),
        ),
    );
}
