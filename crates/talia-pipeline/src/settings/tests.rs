use std::{collections::BTreeSet, fs, time::Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Manager, Settings, file::parse_bytes, read::schema};
use crate::error::{Error, ErrorKind};

const OWN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/pipeline.toml"));

fn parse(text: &str) -> Result<Settings, Error> {
    Settings::parse(text, Settings::PATH.into())
}

/// The error as a program prints it: message, then hint.
fn told(error: &Error) -> String {
    assert_eq!(error.kind(), ErrorKind::Usage);
    match error.hint_text() {
        Some(hint) => format!("{error}\n  hint: {hint}\n"),
        None => format!("{error}\n"),
    }
}

/// Compares what is said about this file with its snapshot.
fn check(name: &str, text: &str) {
    check_error(name, &parse(text).expect_err("the file is wrong"));
}

fn check_error(name: &str, error: &Error) {
    let mut insta = insta::Settings::clone_current();
    insta.set_prepend_module_to_snapshot(false);
    insta.set_omit_expression(true);
    insta.bind(|| insta::assert_snapshot!(format!("settings__{name}"), told(error)));
}

macro_rules! mistakes {
    ($($name:ident: $text:expr;)*) => {
        $(#[test] fn $name() { check(stringify!($name), $text); })*
    };
}

mistakes! {
    unknown_key: "[backend.coverage]\nlines = 85\n  linse = 85\n";
    unknown_section: "[backend.imgae]\nrepository = \"a\"\n";
    unknown_top_level: "projekt = 1\n";
    unknown_dotted: "backend.coverage.lins = 85\n";
    unknown_without_likeness: "[landing]\ncolour = \"red\"\n";
    key_of_another_section: "[backend]\nlines = 85\n";
    unknown_manager: "[backend.python]\nmanager = \"poetri\"\n";
    wrong_types: "landing = \"src\"\n[backend.python]\ngroups = \"dev\"\ninterpreter = 3.12\n\
        [backend.coverage]\nlines = \"93.1\"\n[limits]\ngrace_seconds = 2.5\n\
        [[secrets]]\nnames = []\n";
    percent_too_high: "[backend.coverage]\nbranches = 170.5\n";
    percent_exponent: "[backend.coverage]\nbranches = 7e1\n";
    percent_too_exact: "[backend.coverage]\nlines = 93.0123456789\n";
    empty_texts: "[project]\nname = \"\"\n[backend]\nroot = \"\"\n[backend.tests]\narguments = [\"\"]\n";
    paths_outside: "[backend]\nroot = \"infra/backend\"\n[backend.image]\ncontext = \"../..\"\n\
        dockerfile = \"../../../Dockerfile\"\n[landing]\nsource = \"/var/www\"\n\
        [secrets.files]\nA = \"~/.secret\"\n";
    zero_timeouts: "[limits]\nstep_timeout_seconds = 0\ngrace_seconds = -1\n\
        run_timeout_seconds = 99999999999999999999999\n";
    image_names: "[backend.image]\nrepository = \"https://ghcr.io/talia/backend\"\n\
        fallback_base_image = \"Python:3\"\nplatform = \"linux/amd46\"\n";
    repository_with_a_tag: "[backend.image]\nrepository = \"ghcr.io/talia/backend:latest\"\n";
    secret_names: "[secrets]\nnames = [\"DATABASE-URL\", \"A=b\", \"TOKEN\", \"TOKEN\"]\n\
        files = { TOKEN = \"token\" }\n";
    build_secrets: "[backend.image]\nbuild_args = { TOKEN = \"x\", N = 3 }\n\
        build_secrets = [\"TOKEN\", \"NPM\"]\n[secrets]\nnames = [\"TOKEN\"]\n";
    groups_for_pip: "[backend.python]\nmanager = \"pip\"\ngroups = [\"dev\"]\nextras = [\"x\"]\n";
    requirements_for_uv: "[backend.python]\nmanager = \"uv\"\nrequirements = [\"r.txt\"]\n";
    requirements_with_groups: "[backend.python]\ngroups = [\"dev\"]\nrequirements = [\"r.txt\"]\n";
    empty_list: "[backend.coverage]\nsources = []\n";
    hostile_text: "[project]\nname = \"a\\u001b[2J\\u202e\\n名\"\n";
    hostile_key: "\"\\u001b]0;x\\u0007\" = 1\n";
    tabs_and_unicode: "[backend.python]\n\tgroups = [\"日本\", \"dev\"] # ü\n";
    windows_lines: "\u{feff}[limits]\r\ngrace_secs = 5\r\n";
    first_line_after_a_mark: "\u{feff}limit = 5\r\n";
    list_of_several_lines: "[secrets]\nnames = [\n  \"A\",\n  \"1\",\n  \"A\",\n]\n";
    syntax_unquoted: "[backend.python]\nmanager = poetry\n[x]\n";
    syntax_printed_quotes: "[project]\nname = “talia”\n";
    syntax_unit: "[limits]\ngrace_seconds = 5s\n";
    syntax_unclosed_text: "[project]\nname = \"talia\n";
    syntax_unclosed_list: "[secrets]\nnames = [\"A\"\n";
    syntax_no_value: "[project]\nname =\n";
    syntax_duplicate: "[project]\nname = \"a\"\nname = \"b\"\n";
    syntax_end_of_file: "[project";
    syntax_lone_return: "[project]\rname = \"a\"\n";
}

#[test]
fn more_mistakes_than_anyone_reads_are_counted() {
    let text: String = (0..50).map(|n| format!("key_{n:02} = {n}\n")).collect();
    let error = parse(&text).unwrap_err();
    assert_eq!(error.findings().len(), 20);
    assert!(error.to_string().ends_with("and 30 more mistakes"), "{error}");
}

#[test]
fn an_empty_file_says_the_defaults() {
    for text in
        ["", "\u{feff}", "# nothing\r\n", "[backend.image]\n", "[backend.python]\ngroups = []"]
    {
        let mut settings = parse(text).unwrap();
        settings.backend.python.groups = None;
        assert_eq!(settings, Settings::default(), "{text:?}");
    }
}

#[test]
fn the_repositorys_own_file_is_right() {
    let settings = parse(OWN).unwrap();
    assert_eq!(settings.project.name.as_deref(), Some("talia"));
    assert_eq!(settings.backend.root.as_deref(), Some("infra/reference/backend".into()));
    assert_eq!(settings.backend.python.groups, Some(vec!["dev".to_owned()]));
    let branches = settings.backend.coverage.branches.map(|percent| percent.to_string());
    assert_eq!(branches.as_deref(), Some("70.5 %"));
    assert_eq!(settings.backend.tests.timeout.map(|timeout| timeout.as_secs()), Some(600));
}

/// The own file with every key that it names, but for the one that contradicts.
fn own_in_full() -> String {
    let lines = OWN.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(char::is_alphabetic) && !key.starts_with("requirements") => {
            key
        }
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_keys_that_the_own_file_leaves_out_are_right_too() {
    let settings = parse(&own_in_full()).unwrap();
    assert_eq!(settings.backend.python.manager, Some(Manager::Poetry));
    // What it calls a default is one.
    let (given, default) = (&settings, Settings::default());
    assert_eq!(given.limits.step_timeout, default.limits.step_timeout);
    assert_eq!(given.limits.grace, default.limits.grace);
    assert_eq!(given.backend.coverage.base, default.backend.coverage.base);
    assert_eq!(given.backend.coverage.worst, default.backend.coverage.worst);
    assert_eq!(given.backend.image.context, default.backend.image.context);
}

#[test]
fn the_own_file_names_every_key_in_its_section() {
    let mut section = "";
    let mut named = BTreeSet::new();
    // A second environment shows no key for the first time.
    let staging = |section: &str| section.starts_with("environments.staging");
    for line in OWN.lines() {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = header;
            let (path, name) = header.rsplit_once('.').unwrap_or(("", header));
            // Environments are named by whoever writes them.
            if path != "environments" && !staging(section) {
                named.insert((path.to_owned(), name.to_owned()));
            }
        } else if let Some((key, _)) = line.trim_start_matches('#').split_once(" = ")
            && !staging(section)
        {
            named.insert((section.to_owned(), key.to_owned()));
        }
    }
    named.insert((String::new(), "environments".to_owned()));
    let known: BTreeSet<(String, String)> =
        schema().into_iter().map(|(path, key)| (path, key.to_owned())).collect();
    assert_eq!(named, known);
}

#[test]
fn paths_may_climb_within_the_project() {
    let text = "[backend]\nroot = \"a/b\"\n[backend.image]\ncontext = \"../..\"\n";
    assert_eq!(parse(text).unwrap().backend.image.context, "../..");
}

#[test]
fn a_finding_is_the_first_line_of_its_block() {
    let error = parse("x = 1\n[limits]\ngrace_seconds = 0\n").unwrap_err();
    let message = error.to_string();
    let heads: Vec<String> = error.findings().iter().map(ToString::to_string).collect();
    assert_eq!(heads.len(), 2);
    assert!(message.starts_with(&heads[0]) && message.contains(&format!("\n\n{}\n", heads[1])));
}

/// A project's folder for one test, gone afterwards.
struct Folder(Utf8PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let base = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap();
        let folder = base.join(format!("talia-settings-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("infra")).unwrap();
        Self(folder)
    }

    fn path(&self) -> Utf8PathBuf {
        self.0.join(Settings::PATH)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_file_is_read() {
    let folder = Folder::new("read");
    fs::write(folder.path(), "[limits]\ngrace_seconds = 3\n").unwrap();
    let settings = Settings::read(&folder.0).unwrap().unwrap();
    assert_eq!(settings.limits.grace.as_secs(), 3);
}

#[test]
fn no_file_is_no_settings() {
    assert_eq!(Settings::read(&Folder::new("none").0).unwrap(), None);
    assert_eq!(Settings::read(Utf8Path::new("/nowhere")).unwrap(), None);
}

#[test]
fn a_folder_is_no_file() {
    let folder = Folder::new("folder");
    fs::create_dir(folder.path()).unwrap();
    check_error("folder", &Settings::read(&folder.0).unwrap_err());
}

#[test]
fn a_link_to_nothing_is_said() {
    let folder = Folder::new("link");
    std::os::unix::fs::symlink("nowhere", folder.path()).unwrap();
    check_error("link_to_nothing", &Settings::read(&folder.0).unwrap_err());
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().as_str(),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    assert!(Settings::read(&folder.0).unwrap_err().to_string().contains("a device or pipe"));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let folder = Folder::new("huge");
    let file = fs::File::create(folder.path()).unwrap();
    file.set_len(100 * 1024 * 1024).unwrap();
    check_error("huge_file", &Settings::read(&folder.0).unwrap_err());
}

#[test]
fn bytes_that_are_no_utf8_are_pointed_at() {
    let text = b"[project]\r\n# caf\xe9\r\nname = 1\n";
    check_error("no_utf8", &parse_bytes(text, Settings::PATH.into()).unwrap_err());
}

#[test]
fn utf16_is_recognised() {
    let text = b"\xff\xfe[\0a\0]\0";
    check_error("utf16", &parse_bytes(text, Settings::PATH.into()).unwrap_err());
}

#[test]
fn a_key_of_too_many_parts_is_found() {
    check("key_too_deep", &format!("[project]\nname.{}x = 1\n", "a.".repeat(100)));
}

#[test]
fn bombs_are_defused() {
    let many = 250_000;
    let bombs = [
        format!("x = {}", "[".repeat(many)),
        format!("x = {}", "{a=".repeat(many)),
        format!("x = {}1{}", "[".repeat(many), "]".repeat(many)),
        format!("{}a = 1", "a.".repeat(many)),
        format!("[{}a]", "a.".repeat(many)),
        format!("[[{}a]]", "a.".repeat(many)),
        format!("x = {{ {}a = 1 }}", "a.".repeat(many)),
        "[[a]]\n".repeat(many / 2),
        "x=1\n".repeat(many),
        (0..many / 4).map(|n| format!("k{n}=1\n")).collect(),
        (0..many / 4).map(|n| format!("[k{n}]\n")).collect(),
        format!("[secrets]\nnames = [{}]", "\"\",".repeat(many)),
        format!("[secrets]\nnames = [{}]", "\"A\",".repeat(many)),
        format!("[project]\nname = \"{}\"", "é ".repeat(many)),
        "\0".repeat(many),
        "\r".repeat(many),
        "\"".repeat(many),
        "'''".repeat(many / 3 + 1),
    ];
    for bomb in bombs {
        #[expect(clippy::disallowed_methods, reason = "a test measures time")]
        let began = Instant::now();
        let error = parse(&bomb).unwrap_err();
        let shown = &bomb[..bomb.floor_char_boundary(30)];
        assert!(began.elapsed().as_secs() < 20, "{shown} took {:?}", began.elapsed());
        assert!(error.to_string().len() < 20_000, "{shown}");
    }
}

/// A small generator of numbers, the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Changes bytes at a few places.
fn mutate(dice: &mut Dice, text: &mut Vec<u8>) {
    const PIECES: [&[u8]; 30] = [
        b"[",
        b"]",
        b"{",
        b"}",
        b"\"",
        b"'",
        b"'''",
        b"\"\"\"",
        b"=",
        b".",
        b",",
        b"#",
        b"\\",
        b"\n",
        b"\r",
        b"\0",
        b"\t",
        b"\xff",
        b"\xc3",
        "é".as_bytes(),
        "名".as_bytes(),
        "\u{202e}".as_bytes(),
        "\u{feff}".as_bytes(),
        b"-1",
        b"1e9999",
        b"0x",
        b"inf",
        b"1979-05-27T07:32:00Z",
        b"[[a]]\n",
        b"\\uD800",
    ];
    for _ in 0..=dice.below(4) {
        let at = dice.below(text.len() + 1);
        let end = (at + dice.below(12)).min(text.len());
        match dice.below(5) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
            2 => drop(text.splice(at..end, PIECES[dice.below(PIECES.len())].iter().copied())),
            3 => {
                let piece = text[at..end].to_vec();
                let to = dice.below(text.len() + 1);
                drop(text.splice(to..to, piece));
            }
            _ if at < text.len() => text[at] = dice.below(256) as u8,
            _ => text.truncate(dice.below(text.len() + 1)),
        }
    }
}

#[test]
fn no_input_makes_it_panic() {
    let own = own_in_full();
    let terse: String =
        own.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let seeds = [terse.as_str(), "a.b = { c = [1, 2.5, 'x'] }\n[[d]]\ne = \"\"\"\nf\\\n\"\"\"\n"];
    let mut dice = Dice(0x5eed_0f7a_11a0_0001);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..5_000 {
        let mut text = seeds[usize::from(round % 4 == 3)].as_bytes().to_vec();
        mutate(&mut dice, &mut text);
        let Err(error) = parse_bytes(&text, Settings::PATH.into()) else {
            right += 1;
            continue;
        };
        wrong += 1;
        let (message, lines) = (error.to_string(), text.split(|&byte| byte == b'\n').count());
        assert!(!error.findings().is_empty(), "round {round}: {message}");
        for finding in error.findings() {
            let line = finding.line.unwrap() as usize;
            assert!((1..=lines).contains(&line), "round {round}: {message}");
            assert!(message.contains(&finding.to_string()), "round {round}: {message}");
            assert!(!finding.message.contains(char::is_control), "round {round}: {message:?}");
        }
        assert!(!message.contains(|c: char| c.is_control() && c != '\n'), "round {round}");
    }
    // Neither sort is rare, or the mutations test nothing.
    assert!(right > 100 && wrong > 1_000, "{right} right, {wrong} wrong");
}
