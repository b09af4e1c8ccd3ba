//! Extensions: those that are there, those that cannot be had.

use crate::{
    command_line::Effect,
    step::{Action, Step, Summary},
};

use super::{
    Connection,
    failure::read_answer,
    names::{listed, names, names_option, script},
};

const EXTENSIONS: &str = "SELECT to_json(extname) FROM pg_catalog.pg_extension ORDER BY extname;\n";

/// Asks which extensions a database has.
///
/// - Command: `psql … < SCRIPT`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, ExtensionsThere}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// assert_eq!(ExtensionsThere::new(&database).label(), "extensions of app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExtensionsThere {
    database: Connection,
}

impl ExtensionsThere {
    /// In this database.
    pub fn new(database: &Connection) -> Self {
        Self { database: database.clone() }
    }
}

impl Step for ExtensionsThere {
    type Output = Vec<String>;

    fn label(&self) -> String {
        format!("extensions of {}", self.database.database().name())
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = script(&self.database, EXTENSIONS)
            .effect(Effect::Read)
            .purpose("see which extensions are there");
        Action::command(line, |answer| {
            names(&read_answer(answer, "asking for extensions")?)
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

/// One that fails must not keep the others from being tried.
const TRY_EXTENSIONS: &str = "\
\\set ON_ERROR_STOP 0
\\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', name)
FROM json_array_elements_text(:'names'::json) name
\\gexec
SELECT to_json(name) FROM json_array_elements_text(:'names'::json) name
WHERE name NOT IN (SELECT extname FROM pg_catalog.pg_extension) ORDER BY name;
ROLLBACK;
";

/// Tries which extensions cannot be made in a database. Whether one is on the disk
/// is no answer: some want to be loaded at the server's start, or a superuser.
///
/// - Command: `psql … < SCRIPT`: `CREATE EXTENSION` for each, then `ROLLBACK`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing that stays.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, TryExtensions}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/drill")?);
/// let step = TryExtensions::new(&database, &["citext".into()]);
/// assert_eq!(step.label(), "extensions that cannot be had");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TryExtensions {
    database: Connection,
    names: Vec<String>,
}

impl TryExtensions {
    /// In this database, these.
    pub fn new(database: &Connection, names: &[String]) -> Self {
        Self { database: database.clone(), names: names.to_vec() }
    }
}

impl Step for TryExtensions {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "extensions that cannot be had".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = names_option(script(&self.database, TRY_EXTENSIONS), &self.names)
            .effect(Effect::Remote)
            .purpose("see which extensions of the dump the server lacks");
        Action::command(line, |answer| {
            names(&read_answer(answer, "trying the dump's extensions")?)
                .ok_or_else(|| answer.unreadable("names as JSON"))
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, lacking: &Vec<String>) -> Summary {
        listed(lacking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};

    fn hostile() -> Vec<String> {
        ["anon", "it's", "a\"b \\$x"].map(String::from).to_vec()
    }

    #[test]
    fn extensions_there() {
        check("extensions_there__minimal", &ExtensionsThere::new(&samples::minimal()));
        check("extensions_there__hostile", &ExtensionsThere::new(&samples::hostile()));
    }
    #[test]
    fn try_extensions() {
        check("try_extensions__minimal", &TryExtensions::new(&samples::minimal(), &[]));
        check("try_extensions__everything", &TryExtensions::new(&samples::full(), &["a".into()]));
        check("try_extensions__hostile", &TryExtensions::new(&samples::hostile(), &hostile()));
    }
}
