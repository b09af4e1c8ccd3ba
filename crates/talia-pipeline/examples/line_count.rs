//! A small tool of somebody else's: it imports the library, defines a step and a
//! flow of its own, shows the plan, and runs it.
//!
//!     cargo run --example line_count

use std::process::ExitCode;

use talia_pipeline::{
    Action, CommandLine, Context, Effect, Pipeline, Result, Step, Summary, World,
    report::{Console, Plain},
};

/// `wc -l -- FILE`: how many lines a file has.
struct LineCount {
    file: String,
}

impl LineCount {
    fn new(file: impl Into<String>) -> Self {
        Self { file: file.into() }
    }
}

impl Step for LineCount {
    type Output = u64;

    fn label(&self) -> String {
        format!("count {}", self.file)
    }

    fn action(&self) -> Action<'_, u64> {
        let line = CommandLine::new("wc").arg("-l").operand(&self.file).effect(Effect::Read);
        Action::command(line, |answer| {
            let said = answer.stdout();
            let number = said.split_whitespace().next().and_then(|word| word.parse().ok());
            number.ok_or_else(|| answer.unreadable("a number"))
        })
    }

    fn assume(&self) -> u64 {
        0
    }

    fn summary(&self, lines: &u64) -> Summary {
        Summary::line(format!("{lines} lines"))
    }
}

/// Counts two files side by side and adds them up.
fn flow(cx: &Context) -> Result<u64> {
    let (manifest, lock) = cx.join(
        |cx| cx.run(LineCount::new("Cargo.toml")),
        |cx| cx.run(LineCount::new("README.md")),
    )?;
    Ok(manifest + lock)
}

fn main() -> Result<ExitCode> {
    let world = World::real()?;
    let root = world.directory().to_owned();
    let mut console = Console::stdout();
    let pipeline = Pipeline::new("line-count", root, world);
    console.print(&format!("{}\n", pipeline.plan(flow)?));
    let mut pipeline = pipeline.report(Plain::new(Console::stdout(), false));
    let finished = pipeline.run(flow);
    if let Ok(lines) = &finished.result {
        console.print(&format!("{lines} lines in all\n"));
    }
    Ok(finished.exit_code.into())
}
