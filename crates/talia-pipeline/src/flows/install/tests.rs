use super::*;
use crate::{Answer, CommandLine, Effect, ErrorKind, Fake, Pipeline, World};

const ALL: &[&str] = &[
    "git",
    "python3",
    "python3-venv",
    "docker",
    "docker-engine",
    "docker-buildx",
    "docker-compose",
    "rsync",
    "strace",
    BASE_IMAGE,
];

fn machine() -> Machine {
    Machine::new(&World::fixed("/srv/app", [("PATH", "/usr/bin")])).with_process(7)
}

/// The flow against a machine that answers like this.
fn run(
    machine: &Machine,
    wanted: &[&str],
    answers: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Result<Installed>, Vec<CommandLine>) {
    let pipeline = Pipeline::new("install", "/srv/app", World::fixed("/srv/app", []));
    let fake = Fake::new(move |line| answers(&line.words()));
    pipeline.fake(fake, |cx| install(cx, machine, wanted))
}

/// A fresh Debian 12 with git and Python, on which all that is tried succeeds.
/// What was installed is not there afterwards, except where the flow asks anew.
fn fresh(words: &str) -> Answer {
    let ok = |text: &str| Answer::new(0, text, "");
    let is = |part: &str| words.contains(part);
    match () {
        () if is("git --version") || is("python3 ") => ok("3.11.2\n"),
        () if is("docker manifest") => {
            Answer::new(1, "", "dial tcp: lookup r.example on 192.0.2.1:53: no such host")
        }
        () if is("image inspect") => Answer::new(1, "[]", "Error: No such image: x"),
        () if is("dpkg-query") => {
            Answer::new(1, "git installed\npython3 installed\n", "no packages")
        }
        () if is("Codename: trixie") => ok(""),
        () if is("Codename: bookworm") => ok("http://archive.example/debian\n"),
        () if is("indextargets") => ok("deb http://archive.example/debian bookworm main\n"),
        () if is("--simulate") => {
            ok("Inst docker-compose (2.26.1-4)\nInst docker-buildx (0.13.1)\n")
        }
        () if is("df ") => ok("Avail\n9000000000\n"),
        () if is("docker import") => ok("sha256:12ab\n"),
        () => ok(""),
    }
}

/// As [`fresh`], whose tools fail until something was installed.
fn missing_until_installed() -> impl Fn(&str) -> Answer + Send + Sync {
    let asked = std::sync::Mutex::new(BTreeSet::new());
    move |words| {
        let tool = ["docker", "rsync ", "strace ", "/usr/sbin/debootstrap --version"];
        let question = words.contains("ersion") && tool.iter().any(|tool| words.starts_with(tool));
        if !question {
            return fresh(words);
        }
        let first = asked.lock().unwrap().insert(words.to_owned());
        if first { Answer::new(127, "", "not found") } else { Answer::new(0, "99.0\n", "") }
    }
}

fn present(words: &str) -> Answer {
    if words.contains("image inspect") {
        Answer::new(0, "sha256:12ab\n", "")
    } else {
        Answer::new(0, "99.0\n", "")
    }
}

fn text(asked: &[CommandLine]) -> String {
    asked.iter().map(|line| format!("{}\n", line.words())).collect()
}

fn snapshot(name: &str, asked: &[CommandLine]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text(asked)));
}

#[test]
fn where_all_is_there_only_questions_are_asked() {
    let (installed, asked) = run(&machine(), ALL, present);
    assert_eq!(installed.unwrap(), Installed::default());
    assert!(asked.iter().all(|line| line.effect_kind() == Effect::Read));
    snapshot("install__all_there", &asked);
}

#[test]
fn a_fresh_machine_gets_everything() {
    let (installed, asked) = run(&machine(), ALL, missing_until_installed());
    let installed = installed.unwrap();
    assert_eq!(
        installed.packages(),
        [
            "docker.io",
            "iptables",
            "rsync",
            "strace",
            "debootstrap",
            "docker-buildx",
            "docker-compose=2.*"
        ]
    );
    assert!(installed.engine().is_some());
    assert_eq!(installed.base_image(), Some("sha256:12ab"));
    snapshot("install__fresh_machine", &asked);
}

#[test]
fn without_root_everything_goes_through_sudo() {
    let machine = machine().with_system(System::Debian { root: false });
    let (installed, asked) =
        run(&machine, &["docker-compose", "docker-buildx"], missing_until_installed());
    installed.unwrap();
    snapshot("install__sudo", &asked);
}

#[test]
fn a_suite_that_is_not_there_leaves_nothing_behind() {
    let answers = missing_until_installed();
    let (installed, asked) = run(&machine(), &["docker-buildx"], move |words| {
        if words.contains("sourcelist") {
            let said = "E: The repository 'http://archive.example trixie Release' does not have a Release file.";
            return Answer::new(100, "", said);
        }
        answers(words)
    });
    let error = installed.unwrap_err();
    assert!(error.hint_text().unwrap_or_default().contains("does not carry this release"));
    let text = text(&asked);
    assert!(!text.contains("/etc/apt/"), "{text}");
    assert!(
        text.ends_with(
            "rm --recursive --force --one-file-system -- /var/tmp/talia-install-7-apt\n"
        )
    );
}

#[test]
fn another_release_must_not_bring_its_c_library() {
    let answers = missing_until_installed();
    let (installed, asked) = run(&machine(), &["docker-buildx"], move |words| {
        if words.contains("--simulate") {
            return Answer::new(0, "Inst libc6 [2.36]\nInst docker-buildx (0.13)\n", "");
        }
        answers(words)
    });
    let error = installed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.to_string(), "apt would also change libc6 to install docker-buildx");
    assert!(!text(&asked).contains("docker-buildx\nmv"));
}

#[test]
fn a_bootstrap_that_fails_is_cleared_away() {
    let answers = missing_until_installed();
    let (installed, asked) = run(&machine(), ALL, move |words| {
        if words.contains("--variant=minbase") {
            return Answer::new(1, "E: Couldn't download packages: python3\n", "");
        }
        answers(words)
    });
    let error = installed.unwrap_err();
    assert!(error.hint_text().unwrap_or_default().contains("cannot be reached"));
    let text = text(&asked);
    let folder = "/var/tmp/talia-install-7-base";
    assert!(text.ends_with(&format!(
        "umount --lazy -- {folder}/root/proc {folder}/root/sys\n\
         rm --recursive --force --one-file-system -- {folder}\n"
    )));
}

#[test]
fn with_a_registry_no_base_image_is_made() {
    let (installed, asked) = run(&machine(), &[BASE_IMAGE], |words| {
        if words.contains("image inspect") {
            Answer::new(1, "", "Error: No such image: talia-base:bookworm")
        } else {
            Answer::new(0, "99.0\n", "")
        }
    });
    assert_eq!(installed.unwrap(), Installed::default());
    assert!(!text(&asked).contains("debootstrap"));
}

#[test]
fn a_self_test_stops_the_engine_that_it_started() {
    let machine = machine().with_engine(crate::steps::install::Engine::private("/var/tmp/e"));
    let wanted = ["docker-engine"];
    let (installed, asked) =
        run(&machine.clone().stop_engine_at_the_end(), &wanted, missing_until_installed());
    assert!(installed.unwrap().engine().is_some_and(|engine| engine.pid().is_none()));
    assert!(asked.last().is_some_and(|line| line.words().contains("--stop")));
    let (_, asked) = run(&machine, &wanted, missing_until_installed());
    assert!(!text(&asked).contains("--stop"));
}

#[test]
fn an_engine_elsewhere_is_not_started_here() {
    let world = World::fixed("/", [("DOCKER_HOST", "tcp://192.0.2.1:2375")]);
    let (installed, asked) =
        run(&Machine::new(&world), &["docker-engine"], missing_until_installed());
    let error = installed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Preflight);
    assert!(!text(&asked).contains("start-stop-daemon"));
}

#[test]
fn other_systems_are_told_what_to_type() {
    let error = |system, wanted: &[&str]| {
        let machine = machine().with_system(system);
        let (installed, asked) = run(&machine, wanted, |words| {
            let there = words.starts_with("git");
            Answer::new(i32::from(!there), "2.40\n", "")
        });
        assert!(asked.iter().all(|line| line.effect_kind() == Effect::Read));
        let error = installed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Preflight);
        format!("{error}\n{}\n", error.hint_text().unwrap_or_default())
    };
    assert_eq!(
        error(System::MacOs, &["git", "rsync", "docker-compose"]),
        "nothing can be installed on this system from here; missing: rsync, docker-compose, docker\n\
         type these, then start again:\nbrew install rsync\nbrew install docker-compose\nbrew install docker\n"
    );
    assert_eq!(
        error(System::Fedora, &["docker", "docker-engine"]),
        "nothing can be installed on this system from here; missing: docker, docker-engine\n\
         type these, then start again:\nsudo dnf install -y moby-engine\n\
         start the engine: `sudo systemctl enable --now docker`, or Docker Desktop\n"
    );
    assert_eq!(
        error(System::Debian { root: false }, &["rsync", "docker-compose"]),
        "sudo gives this user no rights without a password; missing: rsync, docker-compose, docker\n\
         run it as root, or type these, then start again:\n\
         sudo apt-get install -y --no-install-recommends rsync docker.io\n\
         name trixie in /etc/apt/sources.list.d and, at priority 50, in /etc/apt/preferences.d; \
         `sudo apt-get update`\n\
         sudo apt-get install -y --no-install-recommends 'docker-compose=2.*'\n"
    );
}

#[test]
fn a_program_that_nobody_knows_is_named() {
    let (installed, asked) = run(&machine(), &["git"], present);
    assert!(installed.is_ok());
    assert_eq!(asked.len(), 1);
    // Work is not done by a fake: the real search says that it is not there.
    let mut pipeline = Pipeline::new("install", "/", World::fixed("/", []));
    let machine = machine();
    let finished = pipeline.run(|cx| install(cx, &machine, &["no such program"]));
    let error = finished.result.unwrap_err();
    assert_eq!(error.to_string(), "nobody knows which package brings no such program");
}

#[test]
fn packages_follow_the_release() {
    let names = |tools: &[&str], codename: &str, ubuntu| -> Vec<String> {
        let packages = packages::of_tools(tools, &Release::new(codename, ubuntu)).unwrap();
        packages
            .into_iter()
            .map(|package| {
                format!(
                    "{}{}",
                    package.spec,
                    package.from.map(|from| format!("/{from}")).unwrap_or_default()
                )
            })
            .collect()
    };
    let tools = ["docker", "docker-engine", "docker-compose", "docker-buildx", "debootstrap"];
    assert_eq!(
        names(&tools, "bookworm", false),
        [
            "docker.io",
            "iptables",
            "docker-compose=2.*/trixie",
            "docker-buildx/trixie",
            "debootstrap"
        ]
    );
    assert_eq!(
        names(&tools, "trixie", false),
        [
            "docker.io",
            "docker-cli",
            "iptables",
            "docker-compose=2.*",
            "docker-buildx",
            "debootstrap"
        ]
    );
    assert_eq!(
        names(&tools, "noble", true),
        [
            "docker.io",
            "iptables",
            "docker-compose-v2",
            "docker-buildx",
            "debootstrap",
            "debian-archive-keyring"
        ]
    );
    let release = Release::new("bullseye", false);
    assert!(packages::of_tools(&["docker-compose"], &release).is_err());
    assert!(packages::of_tools(&["uv"], &Release::new("bookworm", false)).is_err());
}
