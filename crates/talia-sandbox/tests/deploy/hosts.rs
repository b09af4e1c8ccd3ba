//! What else is on a host, and who else asks.

use std::time::Duration;

use talia_pipeline::{protocol::Request, templates::Role};

use crate::{
    kit::{Site, Yard, seen},
    load::{Kind, Mix},
};

/// What Twilio signs: the URL, then every name and value of the form, sorted.
const SIGN: &str = "\
import base64, hashlib, hmac, sys, urllib.parse
env, url, body = sys.argv[1:]
lines = open(env).read().splitlines()
token = next(line.split('=', 1)[1] for line in lines if line.startswith('TWILIO_AUTH_TOKEN='))
form = urllib.parse.parse_qsl(body, keep_blank_values=True)
signed = url + ''.join(name + value for name, value in sorted(form))
print(base64.b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode())
";

pub(crate) fn webhook_is_answered(site: &Site, revision: &str) {
    let target = site.target();
    let url = format!("https://{}/api/whatsapp?from=test", target.host());
    let body = "Body=When+are+you+open%3F&From=whatsapp%3A%2B491&MessageSid=SM1";
    let env = format!("{}/.env", site.folder());
    let signature = site.droplet.said(["python3", "-c", SIGN, &env, &url, body]).unwrap();
    let post = |signature: &str| {
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", signature),
        ];
        let path = "/api/whatsapp?from=test";
        target.connect().unwrap().request("POST", path, &headers, body.as_bytes()).unwrap()
    };
    let answer = post(&signature);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("<Message>We are open Monday to Friday"), "{text}");
    assert_eq!(answer.revision.as_deref(), Some(revision));
    assert_eq!(post(&signature.to_lowercase()).status, 403);
}

pub(crate) fn a_signed_webhook_is_answered_before_and_after_a_switch(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    webhook_is_answered(&site, a.revision.as_str());
    site.released(&b);
    webhook_is_answered(&site, b.revision.as_str());
}

pub(crate) fn two_environments_share_a_host(yard: &Yard) {
    let (site, staging) = (yard.site().on_one_line(), yard.staging().on_one_line());
    let (a, b) = site.pair();
    // One that was never released to, and one whose key is another one's.
    assert_eq!(staging.live(), None);
    let load = site.load(Mix::light());
    staging.released(&b);
    staging.is_settled_at(&b);
    site.is_settled_at(&a);
    // Both at once: each has a lock of its own.
    let both = [site.begin_release(&b), staging.begin_release(&a)];
    for asking in both {
        let said = asking.wait();
        assert_eq!(said.exit, Some(0), "{}", said.failure());
    }
    site.is_settled_at(&b);
    staging.is_settled_at(&a);
    // What one does not keep, the other may still need.
    assert_eq!(site.ask(Role::Admin, &Request::Prune).exit, Some(0));
    staging.rollback(None).answer::<talia_pipeline::protocol::Released>();
    staging.is_settled_at(&b);
    let told = load.stop();
    told.lost_nothing();
}

pub(crate) fn one_of_two_releases_at_once_wins(yard: &Yard) {
    let site = yard.site().on_one_line();
    let ((_, b), c) = (site.pair(), site.well("c"));
    let load = site.load(Mix::light());
    let live = site.live();
    let begin =
        |version| site.begin(Role::Deploy, &site.release_request(version, live.clone()), &[]);
    let said = [begin(&b), begin(&c)].map(crate::kit::Asking::wait);
    let (won, lost) = match said[0].exit {
        Some(0) => (&said[0], &said[1]),
        _ => (&said[1], &said[0]),
    };
    assert_eq!(won.exit, Some(0), "{won:#?}\n{lost:#?}");
    lost.failed(4, &["test works on this server: release, since", "run "]);
    let winner = if site.live().as_ref() == Some(&b.revision) { &b } else { &c };
    site.is_settled_at(winner);
    // The other one was decided on when another version was live.
    let late = if winner == &b { &c } else { &b };
    let request = site.release_request(late, live);
    let decided = site.ask(Role::Deploy, &request);
    decided.failed(4, &["was decided on"]);
    site.is_settled_at(winner);
    let served = load.stop().lost_nothing();
    seen(
        "7",
        "two releases at once",
        format!(
            "one: {}; the other: {}; asked again: {}; {served}",
            won.brief(),
            lost.brief(),
            decided.brief(),
        ),
    );
}

/// Where a service may not run twice: clients wait, and what fails is put back.
pub(crate) fn a_service_that_may_not_run_twice(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let _strategy = site.policy("strategy", "\"recreate\"");
    let load = site.load(Mix::default().without(Kind::Slow));
    site.released(&b);
    site.is_settled_at(&b);
    let told = load.stop();
    println!("{told}");
    assert!(told.failures() > 0, "it has a gap, which is said");
    assert_eq!(told.revisions(), [a.revision.as_str(), b.revision.as_str()]);

    let fails = site.images.version("health fails", crate::kit::Behaviour::HealthFails);
    let said = site.release(&fails);
    said.failed(1, &["not healthy within"]);
    assert!(said.took < Duration::from_secs(30), "{:?}", said.took);
    site.is_settled_at(&b);
}
