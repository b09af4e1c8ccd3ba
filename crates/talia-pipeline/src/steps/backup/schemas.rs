use crate::{
    command_line::Effect,
    step::{Action, Step, Summary},
};

use super::{
    Connection,
    failure::read_answer,
    names::{listed, names, script},
};

const SCHEMAS: &str = "SELECT to_json(nspname) FROM pg_catalog.pg_namespace \
     WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname;\n";

/// Asks which schemas a database has, without PostgreSQL's own.
///
/// - Command: `psql … < SCRIPT`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, SchemasThere}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// assert_eq!(SchemasThere::new(&database).label(), "schemas of app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SchemasThere {
    database: Connection,
}

impl SchemasThere {
    /// In this database.
    pub fn new(database: &Connection) -> Self {
        Self { database: database.clone() }
    }
}

impl Step for SchemasThere {
    type Output = Vec<String>;

    fn label(&self) -> String {
        format!("schemas of {}", self.database.database().name())
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = script(&self.database, SCHEMAS)
            .effect(Effect::Read)
            .purpose("see which schemas are there");
        Action::command(line, |answer| {
            names(&read_answer(answer, "asking for schemas")?)
                .ok_or_else(|| answer.unreadable("names as JSON"))
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, there: &Vec<String>) -> Summary {
        listed(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};

    #[test]
    fn minimal() {
        check("schemas_there__minimal", &SchemasThere::new(&samples::minimal()));
    }
    #[test]
    fn everything() {
        check("schemas_there__everything", &SchemasThere::new(&samples::full()));
    }
    #[test]
    fn hostile() {
        check("schemas_there__hostile", &SchemasThere::new(&samples::hostile()));
    }
}
