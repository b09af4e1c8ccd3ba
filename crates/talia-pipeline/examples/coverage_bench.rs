//! Times the coverage parser on a large generated report.
//!
//! `coverage_bench write FILE [LINES]` writes one of about 46 bytes a line;
//! `coverage_bench read FILE` parses it; `coverage_bench bare FILE` only walks
//! its XML events, for comparison. Each run tells its time, speed and peak memory.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

use std::{
    env, fs,
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    process::ExitCode,
    time::Instant,
};

use camino::Utf8Path;
use quick_xml::{Reader, events::Event};
use talia_pipeline::parse::cobertura::Coverage;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["write", path] => write(path, 2_150_000),
        ["write", path, lines] => write(path, lines.parse().unwrap_or(2_150_000)),
        ["read", path] => timed(path, |file| {
            let coverage = Coverage::read(file, Utf8Path::new(path)).map_err(io::Error::other)?;
            Ok(format!("{:?} in {} files", coverage.lines, coverage.files.len()))
        }),
        ["bare", path] => timed(path, bare),
        _ => Err(io::Error::other("usage: coverage_bench write|read|bare FILE [LINES]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Walks the events as a parser must: into one buffer that is used again.
fn bare(file: File) -> io::Result<String> {
    let mut reader = Reader::from_reader(BufReader::with_capacity(64 * 1024, file));
    let mut buffer = Vec::new();
    let mut tags = 0u64;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(io::Error::other)? {
            Event::Empty(_) | Event::Start(_) => tags += 1,
            Event::Eof => return Ok(format!("{tags} tags")),
            _ => {}
        }
    }
}

fn timed(path: &str, run: impl FnOnce(File) -> io::Result<String>) -> io::Result<()> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let start = Instant::now();
    let said = run(file)?;
    let took = start.elapsed();
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{said}: {megabytes:.1} MB in {:.3} s, {:.0} MB/s, peak memory {peak}",
        took.as_secs_f64(),
        megabytes / took.as_secs_f64()
    );
    Ok(())
}

/// A report as coverage.py lays it out: files of a thousand lines or so, a tenth
/// of them missed, a branch on every twentieth.
fn write(path: &str, lines: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    writeln!(out, "<?xml version=\"1.0\" ?>")?;
    writeln!(out, "<coverage version=\"7.6.12\" timestamp=\"1700000000000\" line-rate=\"0.9\">")?;
    writeln!(out, "\t<sources>\n\t\t<source>/srv/app</source>\n\t</sources>\n\t<packages>")?;
    writeln!(out, "\t\t<package name=\"app\">\n\t\t\t<classes>")?;
    let mut left = lines;
    let mut file = 0;
    while left > 0 {
        let here = left.min(500 + next(1000));
        left -= here;
        writeln!(
            out,
            "\t\t\t\t<class name=\"m{file}.py\" filename=\"app/p{}/m{file}.py\">\n\
             \t\t\t\t\t<methods/>\n\t\t\t\t\t<lines>",
            file % 40
        )?;
        let mut number = 0;
        for _ in 0..here {
            number += 1 + next(3) * next(2);
            let hits = u64::from(next(10) > 0);
            if next(20) == 0 {
                writeln!(
                    out,
                    "\t\t\t\t\t\t\t\t\t\t\t\t\t<line number=\"{number}\" hits=\"{hits}\" branch=\"true\" \
                     condition-coverage=\"50% (1/2)\"/>"
                )?;
            } else {
                writeln!(
                    out,
                    "\t\t\t\t\t\t\t\t\t\t\t\t\t<line number=\"{number}\" hits=\"{hits}\"/>"
                )?;
            }
        }
        writeln!(out, "\t\t\t\t\t</lines>\n\t\t\t\t</class>")?;
        file += 1;
    }
    writeln!(out, "\t\t\t</classes>\n\t\t</package>\n\t</packages>\n</coverage>")?;
    out.flush()
}
