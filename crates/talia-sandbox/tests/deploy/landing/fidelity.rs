//! What the client does is what the plan shows, and a plan does nothing.

use camino::Utf8PathBuf;

use super::client::{BY_HAND, Client};
use crate::{
    fidelity::{executes_its_plan, would_tell_one_more_or_less},
    gate::state_of,
    kit::{Ran, Yard},
    trace::{Trace, under_strace},
};

pub(crate) fn a_landing_deploy_executes_its_plan(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    let deploy = ["deploy", "landing", "--env", &site.environment, "--allow-deletions", "2"];
    client.first();
    let first = executes_its_plan(&client.project, &deploy, "first deploy");
    client.second();
    let changed = executes_its_plan(&client.project, &deploy, "changes");
    let nothing = executes_its_plan(&client.project, &deploy, "nothing to do");
    // Opened, filled, published; and rsync is looked up before.
    assert_eq!(changed, nothing + 4);
    assert!(first + 1 == changed && nothing > 5, "{first}: no live commit to ask git about");
    would_tell_one_more_or_less(&client.project, &deploy);
}

pub(crate) fn a_landing_plan_changes_nothing(yard: &Yard) {
    let site = yard.ports();
    let client = Client::new(&site, "talia");
    client.page.by_hand(BY_HAND);
    client.first();
    let env = ["--env", &site.environment];
    client.project.run(&[&["deploy", "landing"], &env[..]].concat()).ended(0);
    client.second();
    let before = state_of(&site);
    let (web, trees, own) = (client.page.web(), client.page.trees(), client.page.own());
    for folder in [&web, &trees, &own, "/etc/nginx"] {
        assert!(before.contains(&format!("\n{folder}")), "{folder} is not watched");
    }
    let file = client.project.target().join("trace");
    for command in [
        &["deploy", "landing", "--plan"][..],
        &["deploy", "landing", "--plan=json"],
        &["diff", "landing"],
        &["rollback", "landing", "--plan"],
    ] {
        let command = [command, &env].concat();
        Ran::of(&mut under_strace(&client.project.xtask(&command), &file)).ended(0);
        // Its sockets and its key are its own, and go with it.
        let is_own = |path: &Utf8PathBuf| path.as_str().contains("/talia-0");
        let mut left = Trace::read(&file).writes();
        left.retain(|(call, paths)| {
            let is_key = call == "unlinkat" && paths == &["deploy-key"];
            !is_key && !paths.iter().any(is_own)
        });
        assert_eq!(left, [], "{command:?}");
        assert_eq!(state_of(&site), before, "{command:?} has changed the server");
    }
    println!("    server: {} lines of its state are the same", before.lines().count());
    // The least change would have been seen.
    let mut last = before;
    for touched in [format!("{web}/index.html"), trees, own, "/etc/nginx/nginx.conf".to_owned()] {
        client.page.script(&format!("touch {touched}"));
        let now = state_of(&site);
        assert_ne!(now, last, "{touched}");
        last = now;
    }
}
