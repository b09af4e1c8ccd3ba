//! What `latest` is at when its registry hangs, and when others move it.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    kit::{At, Behaviour, Held, Ran, Registry, Yard, seen},
    races::{begun, deploy, is_at, latest, real, runs, short, tag},
};

/// Longer than a client may take to begin a move of `latest`.
const TOO_LONG: Duration = Duration::from_secs(9);

/// FAULT 9: a client whose registry hangs gives up before the server stops waiting for it,
/// so that it can never move `latest` when another one has been released.
pub(crate) fn a_move_of_latest_that_hangs(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let (project, first) = begun(&site, &registry);
    let second = project.commit("whose move hangs");
    let mut hangs = Held::start(&project, &deploy(&site), At::Moving);
    let (client, began) = (hangs.client.take().unwrap(), Instant::now());
    let (ended, held_for, freed) = thread::scope(|scope| {
        let ended = scope.spawn(|| Ran::by(client.wait_with_output().unwrap()));
        let (mut held_for, mut freed) = (Duration::ZERO, None);
        while !ended.is_finished() {
            let is_held = site.status().lock.is_some();
            // It may have ended while the server was asked.
            if !is_held && !ended.is_finished() {
                freed.get_or_insert(began.elapsed());
            }
            held_for = began.elapsed();
            thread::sleep(Duration::from_millis(500));
        }
        (ended.join().unwrap(), held_for, freed)
    });
    // Whoever still waits there would move it now.
    hangs.folder.write("go", "");
    // Between the client's last word to the server and its own end is a moment.
    let early = freed.map(|freed| held_for.saturating_sub(freed));
    assert!(early.is_none_or(|early| early < Duration::from_secs(3)), "freed {early:?} too early");
    let ended = ended.ended(0);
    assert!(ended.told().contains("`latest` was not moved"), "{}", ended.told());
    assert_eq!(site.status().lock, None);
    let (exit, stays) = (ended.exit.unwrap(), latest(&registry));
    assert_eq!((site.live().unwrap().as_str(), &stays), (&*second, &first));
    let mended = project.run(&deploy(&site)).ended(0);
    is_at(&site, &registry, &second);
    assert!(mended.told().contains("`latest` names it now"), "{}", mended.told());
    seen(
        "9",
        "the registry hangs when `latest` is moved",
        format!(
            "exit {} after {:.0} s, the lock held until {:.1} s before; `latest` stays {}; the next \
             deploy moves it to {}",
            exit,
            held_for.as_secs_f64(),
            early.unwrap_or_default().as_secs_f64(),
            short(&stays),
            short(&latest(&registry)),
        ),
    );

    // It answers in the end, when the time for a move is over.
    let third = project.commit("whose question takes long");
    let slow = Held::start(&project, &deploy(&site), At::Looking);
    let asked = Instant::now();
    thread::sleep(TOO_LONG);
    let ended = slow.go().ended(0);
    let told = ended.told();
    assert!(told.contains("took too long to say what it is at"), "{told}");
    assert_eq!(site.status().lock, None);
    let stays = latest(&registry);
    assert_eq!((site.live().unwrap().as_str(), &stays), (&*third, &second));
    seen(
        "9",
        "the registry takes long to say what `latest` is at",
        format!(
            "exit {} after {:.0} s, {} live, `latest` stays {}",
            ended.exit.unwrap(),
            asked.elapsed().as_secs_f64(),
            short(&third),
            short(&stays),
        ),
    );
    site.empty();
}

/// FAULT 10: what was planned runs, whatever `latest` names meanwhile.
pub(crate) fn one_that_somebody_else_moves(yard: &Yard) {
    let site = yard.site();
    let _moves = site.policy("moves_latest", "true");
    let registry = Registry::of(&site.sandbox);
    let (project, first) = begun(&site, &registry);
    let load = site.load(real());
    // One that no clone knows, and one that is older than what is deployed.
    let strange = site.images.version("nobody's", Behaviour::Well);
    let old = registry.image(&registry.digest(&tag(&first)).unwrap());
    let cases =
        [("a commit of nobody's", strange.digest.as_str(), false), ("an older commit", &old, true)];
    for (what, moved_to, moves_on) in cases {
        let commit = project.commit(what);
        let held = Held::start(&project, &deploy(&site), At::Pushed);
        let planned = registry.image(&registry.digest(&tag(&commit)).unwrap());
        registry.point("latest", moved_to);
        let ran = held.go().ended(0);
        assert_eq!(runs(&site), planned, "{}", ran.told());
        assert_eq!(site.live().unwrap().as_str(), commit);
        assert_ne!(planned, moved_to);
        let now = registry.image(&registry.digest("latest").unwrap());
        if moves_on {
            assert_eq!(now, planned);
        } else {
            // It is not known which of the two is newer.
            assert_eq!(now, moved_to);
            assert!(ran.told().contains("which this clone does not have"), "{}", ran.told());
        }
        let end = |digest: &str| digest["sha256:".len()..][..8].to_owned();
        seen(
            "10",
            &format!("`latest` moved to {what} ({}) between push and release", end(moved_to)),
            format!(
                "the engine runs {} as planned ({}); `latest` at the end: {}",
                end(&runs(&site)),
                end(&planned),
                end(&now),
            ),
        );
    }
    load.stop().lost_nothing();
    site.empty();
}
