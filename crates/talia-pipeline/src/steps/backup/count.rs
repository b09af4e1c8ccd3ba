use std::time::Duration;

use crate::{
    command_line::{Effect, Stdin},
    step::{Action, Step, Summary},
};

use super::{
    Connection, Contents,
    dump::{CAPTURE_BYTES, excluded},
    failure::failed,
};

const SCRIPT: &str =
    concat!(include_str!("sql/session.sql"), include_str!("sql/count.sql"), "COMMIT;\n");

/// Counts the rows of every table, in one snapshot, as [`Dump`](super::Dump) does.
///
/// - Command: `psql … < SCRIPT`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing. The time limit is the run's own unless [`CountRows::timeout`]
///   says otherwise.
/// - Source: psql(1).
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, CountRows}};
///
/// let database = database_url::read("postgresql://talia@db.example/app")?;
/// assert_eq!(CountRows::new(&Connection::new(&database)).label(), "count the rows of app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CountRows {
    connection: Connection,
    excluded: Vec<String>,
    timeout: Option<Duration>,
}

impl CountRows {
    /// Of this database.
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), excluded: Vec::new(), timeout: None }
    }

    /// Not of the tables in these schemas: those that a dump was made without.
    #[must_use]
    pub fn without_schemas<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.excluded = names.into_iter().map(Into::into).collect();
        self
    }

    /// At most this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Step for CountRows {
    type Output = Contents;

    fn label(&self) -> String {
        format!("count the rows of {}", self.connection.database().name())
    }

    fn action(&self) -> Action<'_, Contents> {
        let mut line = self
            .connection
            .psql()
            .option("--set", excluded(&self.excluded))
            .stdin(Stdin::Text(SCRIPT.into()))
            .effect(Effect::Read)
            .capture_bytes(CAPTURE_BYTES)
            .purpose("count the rows of every table");
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line, |answer| {
            if answer.exit() != 0 {
                return Err(failed(answer, "counting the rows"));
            }
            Contents::read(&answer.stdout())
                .filter(|_| !answer.is_truncated())
                .ok_or_else(|| answer.unreadable("counts as JSON lines"))
        })
    }

    fn assume(&self) -> Contents {
        Contents::unknown()
    }

    fn summary(&self, contents: &Contents) -> Summary {
        Summary::line(contents.amount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};

    #[test]
    fn minimal() {
        check("count_rows__minimal", &CountRows::new(&samples::minimal()));
    }
    #[test]
    fn everything() {
        let step = CountRows::new(&samples::full())
            .without_schemas(["auth"])
            .timeout(Duration::from_secs(600));
        check("count_rows__everything", &step);
    }
    #[test]
    fn hostile() {
        let step = CountRows::new(&samples::hostile()).without_schemas(["it's \"$x\" `y`*"]);
        check("count_rows__hostile", &step);
    }
}
