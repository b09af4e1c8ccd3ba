//! `cargo xtask logs`.

use clap::{Arg, ArgMatches, Command};
use talia_pipeline::{
    ErrorKind, Event, ExitCode, Report, Result, World,
    parse::app_log,
    process::Cancel,
    protocol::{LogQuery, Role},
    report::console,
};

use crate::{
    cli::{self, harmless},
    environment::{Target, env},
};

pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("logs")
        .about("Show the app's own records, of both slots")
        .arg(env())
        .arg(cli::flag("follow", "Go on as records come, until Ctrl-C").short('f'))
        .arg(text("since", "TIME", "No older ones: 90s, 15m, 2h, 3d"))
        .arg(text("request-id", "ID", "Those of this request alone"))
        .arg(cli::flag("raw", "Each as the app wrote it"))
        .after_help(
            "Examples:\n  \
             cargo xtask logs --env production --since 15m\n  \
             cargo xtask logs --env sandbox -f",
        )
}

pub(crate) fn run(matches: &ArgMatches, world: World) -> Result<ExitCode> {
    let query = LogQuery {
        follow: matches.get_flag("follow"),
        since: cli::text(matches, "since").map(str::parse).transpose()?,
        request_id: cli::text(matches, "request-id").map(str::parse).transpose()?,
    };
    let is_raw = matches.get_flag("raw");
    let target = Target::open(matches, world, Role::Deploy)?;
    let records = Records { is_raw, reading: target.session.signals.clone() };
    let pipeline = target.session.pipeline("logs", matches, false)?.report(records);
    let mut pipeline = target.session.guard(pipeline)?;
    if !query.follow {
        let records = pipeline.run(|cx| target.opened(cx, |cx, remote| remote.logs(cx, &query)));
        let told = records.result?.iter().map(|record| told(record, is_raw)).collect::<String>();
        console::print(&told);
        return Ok(ExitCode::Success);
    }
    let finished =
        pipeline.run(|cx| target.opened(cx, |cx, remote| remote.follow_logs(cx, &query)));
    match finished.result {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        _ => Ok(finished.exit_code),
    }
}

/// Prints records as they come, and what is said of them where no other program reads it
/// for one.
struct Records {
    is_raw: bool,
    /// Ended when nobody reads on, as with `| head`.
    reading: Cancel,
}

impl Report for Records {
    fn event(&mut self, event: &Event) {
        let Event::Remote { told: event, .. } = event else { return };
        match event.as_ref() {
            Event::Output { text, .. } if console::try_print(&told(text, self.is_raw)).is_err() => {
                self.reading.interrupt();
            }
            Event::Note { text } => console::print_error(&format!("note: {}\n", harmless(text))),
            _ => {}
        }
    }
}

/// A record as people read it: when, how bad, what, and for which request.
fn told(line: &str, is_raw: bool) -> String {
    let record = app_log::read(line);
    let Some(message) = record.message.as_ref().filter(|_| !is_raw) else {
        return format!("{}\n", harmless(line));
    };
    let (others, id) = (record.others(), record.request_id.as_ref());
    let id = id.map(|id| format!("[{id}]"));
    let words =
        [record.time.as_ref(), record.level.as_ref(), Some(message), Some(&others), id.as_ref()];
    let words = words.into_iter().flatten().filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(|word| harmless(word)).collect();
    // What goes on in a line of its own is no record of its own.
    format!("{}\n", words.join(" ").replace('\n', "\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_and_what_is_none_stays_as_it_is() {
        let line = r#"{"time":"2026-11-24T08:15:00Z","level":"INFO","message":"a\nb","request_id":"7","status":200,"path":"/x"}"#;
        assert_eq!(
            told(line, false),
            "2026-11-24T08:15:00Z INFO a\n    b path=/x status=200 [7]\n"
        );
        assert_eq!(told("a traceback", false), "a traceback\n");
        assert_eq!(told(line, true), format!("{line}\n"));
    }
}
