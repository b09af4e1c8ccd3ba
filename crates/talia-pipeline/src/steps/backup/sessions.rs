use crate::{
    command_line::Effect,
    step::{Action, Step, Summary},
};

use super::{Connection, failure::read_answer, names::script};

/// Those of users whose rights this one has; a session of another one is only counted.
/// What it is for is not shown of such a one either, so it counts as a client's.
const END_SESSIONS: &str = "\
SELECT count(*) FILTER (WHERE CASE WHEN pg_has_role(usesysid, 'USAGE')
                              THEN pg_terminate_backend(pid) ELSE false END),
       count(*) FILTER (WHERE NOT pg_has_role(usesysid, 'USAGE'))
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend';
";

/// What [`EndSessions`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sessions {
    /// How many were ended.
    pub ended: u64,
    /// How many stay, because they are other users'.
    pub others: u64,
}

/// Ends what others are doing in a database: its open transactions are undone, and
/// clients connect anew.
///
/// - Command: `psql … < SCRIPT`: `pg_terminate_backend` for every session of the
///   database but this one, as far as the user may.
/// - Exits: 0; others are read as errors.
/// - Touches: the sessions of the database.
/// - Source: *Server Signaling Functions* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, EndSessions}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// assert_eq!(EndSessions::new(&database).label(), "end the sessions of app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EndSessions {
    connection: Connection,
}

impl EndSessions {
    /// Of this database.
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Step for EndSessions {
    type Output = Sessions;

    fn label(&self) -> String {
        format!("end the sessions of {}", self.connection.database().name())
    }

    fn action(&self) -> Action<'_, Sessions> {
        let line = script(&self.connection, END_SESSIONS)
            .effect(Effect::Remote)
            .purpose("let nobody's open transaction be waited for");
        Action::command(line, |answer| {
            let said = read_answer(answer, "ending the sessions of the database")?;
            let (ended, others) = said.trim().split_once('|').unwrap_or_default();
            match (ended.parse(), others.parse()) {
                (Ok(ended), Ok(others)) => Ok(Sessions { ended, others }),
                _ => Err(answer.unreadable("two numbers")),
            }
        })
    }

    fn assume(&self) -> Sessions {
        Sessions::default()
    }

    fn summary(&self, sessions: &Sessions) -> Summary {
        let others = match sessions.others {
            0 => String::new(),
            count => format!(", {count} of other users stay"),
        };
        Summary::line(format!("{} ended{others}", sessions.ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Answer, Fake, Pipeline, World,
        steps::{backup::samples, testing::check},
    };

    #[test]
    fn end_sessions_minimal() {
        check("end_sessions__minimal", &EndSessions::new(&samples::minimal()));
    }

    #[test]
    fn end_sessions_hostile() {
        check("end_sessions__hostile", &EndSessions::new(&samples::hostile()));
    }

    #[test]
    fn the_counts_are_read() {
        let read = |said: &'static str| {
            let pipeline = Pipeline::new("x", "/", World::fixed("/", []));
            let fake = Fake::new(move |_| Answer::new(0, said, ""));
            pipeline.fake(fake, |cx| cx.run(EndSessions::new(&samples::minimal()))).0
        };
        assert_eq!(read("3|1\n").unwrap(), Sessions { ended: 3, others: 1 });
        assert!(read("\n").is_err());
    }
}
