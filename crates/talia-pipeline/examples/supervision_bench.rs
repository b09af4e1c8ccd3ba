//! Times what it costs to watch over a command: `true`, a thousand times, by the
//! standard library alone and by the supervisor.
//!
//!     cargo run --example supervision_bench
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

use std::{
    error::Error,
    process::{Command, Stdio},
    time::Instant,
};

use talia_pipeline::process::{Cancel, Limits, RunMark, Spawn, Supervisor};

const RUNS: u32 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    timed("std::process, output", || {
        Command::new("/bin/true").env_clear().stdin(Stdio::null()).output()?;
        Ok(())
    })?;
    let supervisor = Supervisor::new(RunMark::new("bench", &std::env::temp_dir()));
    let supervised = || {
        let spawn = Spawn::new("/bin/true", "bench");
        supervisor.run(spawn, Limits::new(), &Cancel::new(), &mut |_, _| {})?;
        Ok(())
    };
    timed("supervised", supervised)?;
    supervisor.adopt_orphans()?;
    timed("supervised, adopting orphans", supervised)
}

fn timed(
    what: &str,
    mut run: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    for _ in 0..RUNS {
        run()?;
    }
    let each = began.elapsed().as_secs_f64() * 1000.0 / f64::from(RUNS);
    println!("{what}: {each:.3} ms a run");
    Ok(())
}
