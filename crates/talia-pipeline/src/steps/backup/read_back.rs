use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step},
};

use super::failure::read_answer;

/// Reads all of a dump, so that a cut or a changed byte is found. A dump's own list
/// is no proof: it is at the front, and whole where nearly all the rows are missing.
///
/// - Command: `pg_restore --file=/dev/null -- FILE`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing. The time limit is the run's own unless
///   [`ReadBack::timeout`] says otherwise.
/// - Source: pg_restore(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::ReadBack};
///
/// assert_eq!(ReadBack::new("pg_restore", "/srv/7.dump").label(), "read the dump back");
/// ```
#[derive(Debug, Clone)]
pub struct ReadBack {
    pg_restore: String,
    dump: Utf8PathBuf,
    timeout: Option<Duration>,
}

impl ReadBack {
    /// By this program, this dump.
    pub fn new(pg_restore: impl Into<String>, dump: impl Into<Utf8PathBuf>) -> Self {
        Self { pg_restore: pg_restore.into(), dump: dump.into(), timeout: None }
    }

    /// At most this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Step for ReadBack {
    type Output = ();

    fn label(&self) -> String {
        "read the dump back".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = CommandLine::new(&self.pg_restore)
            .option("--file", "/dev/null")
            .operand(self.dump.as_str())
            .effect(Effect::Read)
            .accept([0, 1])
            .purpose("see that every byte of the dump can be read");
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line, |answer| read_answer(answer, "reading the dump back").map(drop))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("read_back__minimal", &ReadBack::new("pg_restore", "/srv/7.dump"));
    }
    #[test]
    fn everything() {
        let step = ReadBack::new("/opt/pg/bin/pg_restore", "/srv/7.dump.partial")
            .timeout(Duration::from_secs(600));
        check("read_back__everything", &step);
    }
    #[test]
    fn hostile() {
        check("read_back__hostile", &ReadBack::new("/it's/pg_restore", "-7 $x\n.dump"));
    }
}
