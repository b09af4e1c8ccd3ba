//! A command line's text, pasted into a real `sh`, is the same command.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use talia_pipeline::{CommandLine, EnvValue, Stdin};

use crate::kit::{Folder, LOAD, Run, run};

/// Marsaglia's xorshift: the same hostile lines on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 48] = [
            "'",
            "'",
            "\"",
            "\\",
            "$",
            "$HOME",
            "$(id)",
            "`id`",
            "${x}",
            "*",
            "?",
            "[a-z]",
            "~",
            "a:~",
            "\n",
            "\r",
            "\n\n",
            "\t",
            " ",
            "  ",
            "{a,b}",
            "!",
            "!!",
            "#",
            ";",
            "&&",
            "|",
            ">x",
            "<",
            "<<E",
            "--",
            "-n",
            "-e",
            "%s",
            "%",
            "=",
            "A=",
            "+=",
            "\u{e4}",
            "\u{1f600}",
            "\u{a0}",
            "\u{7f}",
            "\u{1}",
            "abc",
            "if",
            "\\n",
            "\\\n",
            "'\\''",
        ];
        (0..self.below(7)).map(|_| self.of(&PIECES)).collect()
    }
}

/// Names that a folder, a file or a program may have.
const NAMES: [&str; 12] = [
    "plain",
    "it's",
    "a b",
    "-dash",
    "--",
    "-",
    "$HOME",
    "new\nline\n",
    "~",
    "*",
    "\u{e4}\"",
    "a;b",
];
/// Programs that a shell could take for something else.
const PROGRAMS: [&str; 8] = ["dump", "if", "time", "it's", "A+=b", "!", "~x", "new\nline"];
/// Variables: `env` has to set those that a shell does not accept.
const VARIABLES: [&str; 6] = ["PLAIN", "_x1", "A.B", "a-b", "with space", "it's"];

/// Everything that a child can see of a line, each part ended by a NUL.
const DUMP: &str = "#!/bin/sh\nprintf '%s\\0' \"$@\" END \"$(pwd -P; echo .)\"\ncat /proc/$$/environ\nprintf 'END\\0'\nexec cat\n";

#[derive(Debug, PartialEq)]
struct Seen {
    args: Vec<String>,
    folder: String,
    variables: BTreeMap<String, String>,
    input: String,
}

/// Reads what one call of the program has dumped.
fn seen(dump: &str) -> Seen {
    let mut parts = dump.split('\0');
    let args = parts.by_ref().take_while(|part| *part != "END").map(str::to_owned).collect();
    let folder = parts.next().unwrap().strip_suffix("\n.").unwrap().to_owned();
    let variables = parts.by_ref().take_while(|part| *part != "END");
    let variables = variables.filter_map(|pair| pair.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Seen { args, folder, variables, input: parts.collect::<Vec<_>>().join("\0") }
}

/// Says what is different from what the line declares.
fn differs(line: &CommandLine, folder: &str, input: &str, seen: &Seen) -> Option<String> {
    if seen.args != line.arguments() || seen.folder != folder || seen.input != input {
        return Some(format!("{seen:?}"));
    }
    line.environment().iter().find_map(|(name, value)| {
        let expected = match value {
            EnvValue::Text(text) => Some(text),
            _ => None,
        };
        (seen.variables.get(name) != expected).then(|| format!("{name}: {seen:?}"))
    })
}

struct Case {
    line: CommandLine,
    folder: String,
    input: String,
}

fn case(random: &mut Random, base: &Folder) -> Case {
    let mut variables = BTreeMap::new();
    for _ in 0..random.below(4) {
        variables.insert(random.of(&VARIABLES), (random.below(4) > 0).then(|| random.text()));
    }
    // `env` takes a name with `=` for a variable, and one with a dash for an
    // option: with these programs it must not be needed.
    let is_plain = |name: &&str| matches!(*name, "PLAIN" | "_x1");
    let needs_env = !variables.iter().all(|(name, value)| is_plain(name) && value.is_some());
    let programs: Vec<&str> =
        PROGRAMS.into_iter().filter(|name| !needs_env || !name.contains('=')).collect();
    let program = random.of(&programs);
    let program = match random.below(2) {
        0 => base.join("bin").join(program).into_string(),
        _ => program.to_owned(),
    };
    let mut line = CommandLine::new(program).args((0..random.below(5)).map(|_| random.text()));
    for (name, value) in variables {
        line = match value {
            Some(value) => line.env(name, value),
            None => line.env_remove(name),
        };
    }
    let mut folder = base.path().to_owned();
    match random.below(3) {
        0 => {}
        kind => {
            let name = random.of(&NAMES);
            folder = base.join(name);
            // Absolute, or from where the runner is.
            line = line.cwd(if kind == 1 { folder.clone() } else { Utf8PathBuf::from(name) });
        }
    }
    let mut input = String::new();
    match random.below(4) {
        0 => {
            input = random.text();
            line = line.stdin(Stdin::Text(input.clone()));
        }
        1 => {
            let name = random.of(&NAMES);
            let path = base.join("files").join(name);
            input = format!("content of {name}");
            line = line.stdin(Stdin::File(path));
        }
        _ => {}
    }
    Case { line, folder: folder.into_string(), input }
}

fn arrange() -> (Folder, Vec<Case>) {
    let base = Folder::named("it's a\nhostile $HOME");
    for program in PROGRAMS {
        base.program(&format!("bin/{program}"), DUMP);
    }
    for name in NAMES {
        std::fs::create_dir(base.join(name)).unwrap();
        base.write(&format!("files/{name}"), &format!("content of {name}"));
    }
    let mut random = Random(0x7a11_a5ee_d000_0002);
    let cases = (0..2000).map(|_| case(&mut random, &base)).collect();
    (base, cases)
}

#[test]
fn thousands_of_hostile_lines_are_the_same_command_in_a_real_shell() {
    let (base, cases) = arrange();
    let mut script = format!("cd {}\n", talia_pipeline::quote::quote(base.path().as_str()));
    for case in &cases {
        script.push_str(&format!("{}\nprintf '\\0END OF CASE\\0'\n", case.line));
    }
    base.write("script", &script);
    let path = format!("{}:/usr/bin:/bin", base.join("bin"));
    let step = Run::new("paste", CommandLine::new("/bin/sh").arg(base.join("script")))
        .with(|line| VARIABLES.iter().fold(line, |line, name| line.env(*name, "the caller's")))
        .with(|line| line.env("PATH", &path).cwd("/").capture_bytes(1 << 28).timeout(LOAD * 10));
    let (code, result, events) = run(|cx| cx.run(step.clone()));
    assert_eq!(code, 0, "{:?}", events.lines().last());
    let said = result.unwrap();
    let dumps: Vec<&str> = said.split_terminator("\0END OF CASE\0").collect();
    assert_eq!(dumps.len(), cases.len());
    for (case, dump) in cases.iter().zip(dumps) {
        let found = differs(&case.line, &case.folder, &case.input, &seen(dump));
        assert!(found.is_none(), "{}\n{found:?}", case.line);
    }
}

#[test]
fn the_runner_gives_a_child_the_same_as_the_shell_does() {
    let (base, cases) = arrange();
    let path = format!("{}:/usr/bin:/bin", base.join("bin"));
    let world = talia_pipeline::World::fixed(base.path(), [("PATH", path.as_str())]);
    let world = VARIABLES.iter().fold(world, |world, name| world.with(name, "the caller's"));
    let mut pipeline = talia_pipeline::Pipeline::new("test", base.path(), world);
    let finished = pipeline.run(|cx| {
        for case in cases.iter().take(200) {
            let Ok(dump) = cx.run(Run::new("run", case.line.clone())) else {
                return Err(talia_pipeline::Error::step(format!("{} fails", case.line)));
            };
            // The plan assumes another answer.
            if dump != "assumed" {
                let found = differs(&case.line, &case.folder, &case.input, &seen(&dump));
                assert!(found.is_none(), "{}\n{found:?}", case.line);
            }
        }
        Ok(())
    });
    assert_eq!(finished.exit_code.code(), 0, "{:?}", finished.result);
}
