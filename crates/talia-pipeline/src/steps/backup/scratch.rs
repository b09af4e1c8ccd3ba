//! A database of a drill's own on a server that may hold others.

use crate::{
    command_line::Effect,
    step::{Action, Step},
};

use super::{Connection, failure::read_answer, names::script};

const CREATE_DATABASE: &str = "\
CREATE DATABASE :\"name\" TEMPLATE template0 ENCODING :'encoding' LC_COLLATE 'C' LC_CTYPE 'C';
";

/// Makes an empty database.
///
/// - Command: `psql … < SCRIPT`: `CREATE DATABASE … TEMPLATE template0 ENCODING …`,
///   whose locale is `C`, which every server has.
/// - Exits: 0; others are read as errors.
/// - Touches: the server. Let [`DropScratch`] be a `finally` of the flow.
/// - Errors: no right to make one.
/// - Source: *CREATE DATABASE* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, CreateScratch}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(CreateScratch::new(&server, "drill", "UTF8").label(), "make the database drill");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CreateScratch {
    server: Connection,
    name: String,
    encoding: String,
}

impl CreateScratch {
    /// On this server, of this name and encoding.
    pub fn new(server: &Connection, name: impl Into<String>, encoding: impl Into<String>) -> Self {
        Self { server: server.clone(), name: name.into(), encoding: encoding.into() }
    }
}

impl Step for CreateScratch {
    type Output = ();

    fn label(&self) -> String {
        format!("make the database {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = script(&self.server, CREATE_DATABASE)
            .option("--set", format!("name={}", self.name))
            .option("--set", format!("encoding={}", self.encoding))
            .effect(Effect::Remote)
            .purpose("make a database to try the dump in");
        Action::command(line, |answer| {
            read_answer(answer, "making a database to try the dump in").map(drop)
        })
    }

    fn assume(&self) {}
}

const DROP_DATABASE: &str = "DROP DATABASE IF EXISTS :\"name\" WITH (FORCE);\n";

/// Drops a drill's database; one that is not there is dropped already.
///
/// - Command: `psql … < SCRIPT`: `DROP DATABASE IF EXISTS … WITH (FORCE)`.
/// - Exits: 0; others are read as errors. Needs PostgreSQL 13.
/// - Touches: the server.
/// - Source: *DROP DATABASE* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, DropScratch}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(DropScratch::new(&server, "drill").label(), "drop the database drill");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DropScratch {
    server: Connection,
    name: String,
}

impl DropScratch {
    /// On this server, of this name.
    pub fn new(server: &Connection, name: impl Into<String>) -> Self {
        Self { server: server.clone(), name: name.into() }
    }
}

impl Step for DropScratch {
    type Output = ();

    fn label(&self) -> String {
        format!("drop the database {}", self.name)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = script(&self.server, DROP_DATABASE)
            .option("--set", format!("name={}", self.name))
            .effect(Effect::Remote)
            .purpose("remove what the drill has made");
        Action::command(line, |answer| {
            read_answer(answer, "dropping the drill's database").map(drop)
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};

    #[test]
    fn create_scratch() {
        let new = |connection, name, encoding| CreateScratch::new(&connection, name, encoding);
        check("create_scratch__minimal", &new(samples::minimal(), "drill", "UTF8"));
        check("create_scratch__everything", &new(samples::full(), "drill", "LATIN1"));
        check("create_scratch__hostile", &new(samples::hostile(), "it's \"x\"", "it's"));
    }
    #[test]
    fn drop_scratch() {
        check("drop_scratch__minimal", &DropScratch::new(&samples::minimal(), "drill"));
        check("drop_scratch__everything", &DropScratch::new(&samples::full(), "drill"));
        check("drop_scratch__hostile", &DropScratch::new(&samples::hostile(), "it's \"x\""));
    }
}
