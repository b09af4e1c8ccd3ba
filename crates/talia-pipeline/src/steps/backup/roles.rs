//! Roles that a dump names and a scratch server lacks.

use crate::{
    command_line::{CommandLine, Effect},
    step::{Action, Step, Summary},
};

use super::{
    Connection,
    failure::read_answer,
    names::{listed, names, names_option, script},
};

/// By this comment a drill knows its roles again, also those that a killed one has left.
const MARK: &str = "made by a drill of talia-pipeline, which drops it again";

fn marked(line: CommandLine) -> CommandLine {
    line.option("--set", format!("mark={MARK}"))
}

const MISSING_ROLES: &str = "\
SELECT to_json(name) FROM json_array_elements_text(:'names'::json) name
WHERE name NOT IN (
  SELECT rolname FROM pg_catalog.pg_roles
  WHERE pg_catalog.shobj_description(oid, 'pg_authid') IS DISTINCT FROM :'mark')
ORDER BY name;
";

/// Asks which of some roles a server lacks, or has of a drill's making: another one may
/// drop those at any time.
///
/// - Command: `psql … < SCRIPT`.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, MissingRoles}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(MissingRoles::new(&server, &["a".into()]).label(), "roles that are not there");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MissingRoles {
    server: Connection,
    names: Vec<String>,
}

impl MissingRoles {
    /// Of these, on this server.
    pub fn new(server: &Connection, names: &[String]) -> Self {
        Self { server: server.clone(), names: names.to_vec() }
    }
}

impl Step for MissingRoles {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "roles that are not there".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = names_option(marked(script(&self.server, MISSING_ROLES)), &self.names)
            .effect(Effect::Read)
            .purpose("see which roles of the dump the server lacks");
        Action::command(line, |answer| {
            names(&read_answer(answer, "asking for roles")?)
                .ok_or_else(|| answer.unreadable("names as JSON"))
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, missing: &Vec<String>) -> Summary {
        listed(missing)
    }
}

/// A role comes with its mark, and with a right in the drill's database: no other drill can
/// drop it while that is there. Another one may make or drop it in the same moment.
const CREATE_ROLES: &str = "\
SELECT format('DO %L', format($do$
DECLARE
  tries int := 0;
BEGIN
  LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %1$L) THEN
        CREATE ROLE %1$I NOLOGIN ROLE CURRENT_USER;
        COMMENT ON ROLE %1$I IS %2$L;
      END IF;
      GRANT CONNECT ON DATABASE %3$I TO %1$I;
      EXIT;
    EXCEPTION WHEN duplicate_object OR unique_violation OR undefined_object THEN
      tries := tries + 1;
      IF tries = 100 THEN
        RAISE;
      END IF;
    END;
  END LOOP;
END
$do$, name, :'mark', :'database'))
FROM json_array_elements_text(:'names'::json) name
\\gexec
";

/// Makes roles that nobody can log in as, so that grants to them can be restored. The user
/// is a member of each: only such a one may set its default privileges. Those that another
/// drill has made are shared with it.
///
/// - Command: `psql … < SCRIPT`: `CREATE ROLE … NOLOGIN ROLE CURRENT_USER` for each that is
///   not there, `GRANT CONNECT ON DATABASE … TO …` for each.
/// - Exits: 0; others are read as errors.
/// - Touches: the server. Let [`DropRoles`] be a `finally` of the flow.
/// - Source: *DROP ROLE* in PostgreSQL's manual: not while it has a right in any database.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, CreateRoles}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// let step = CreateRoles::new(&server, &["a".into()], "talia_drill");
/// assert_eq!(step.label(), "make the roles");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CreateRoles {
    server: Connection,
    names: Vec<String>,
    database: String,
}

impl CreateRoles {
    /// These, on this server, for as long as this database is there.
    pub fn new(server: &Connection, names: &[String], database: impl Into<String>) -> Self {
        Self { server: server.clone(), names: names.to_vec(), database: database.into() }
    }
}

impl Step for CreateRoles {
    type Output = ();

    fn label(&self) -> String {
        "make the roles".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = names_option(marked(script(&self.server, CREATE_ROLES)), &self.names)
            .option("--set", format!("database={}", self.database))
            .effect(Effect::Remote)
            .purpose("make the roles that the dump names");
        Action::command(line, |answer| {
            read_answer(answer, "making the roles that the dump names").map(drop)
        })
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        listed(&self.names)
    }
}

/// One that cannot be dropped is in use by another drill, or another user's.
const DROP_ROLES: &str = "\
SELECT format('DO %L', format($do$
BEGIN
  DROP ROLE IF EXISTS %I;
EXCEPTION WHEN OTHERS THEN
  NULL;
END
$do$, rolname))
FROM pg_catalog.pg_roles WHERE pg_catalog.shobj_description(oid, 'pg_authid') = :'mark'
\\gexec
SELECT to_json(rolname) FROM pg_catalog.pg_roles
WHERE pg_catalog.shobj_description(oid, 'pg_authid') = :'mark' ORDER BY rolname;
";

/// Drops the roles that [`CreateRoles`] has made, in this drill or in one that was killed,
/// and tells which stay: those whose database is still there, and those of other users.
///
/// - Command: `psql … < SCRIPT`: `DROP ROLE IF EXISTS …` for each that has a drill's mark.
/// - Exits: 0; others are read as errors.
/// - Touches: the server.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, DropRoles}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(DropRoles::new(&server).label(), "drop the roles of drills");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DropRoles {
    server: Connection,
}

impl DropRoles {
    /// On this server.
    pub fn new(server: &Connection) -> Self {
        Self { server: server.clone() }
    }
}

impl Step for DropRoles {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "drop the roles of drills".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = marked(script(&self.server, DROP_ROLES))
            .effect(Effect::Remote)
            .purpose("remove the roles that drills have made and none needs any more");
        Action::command(line, |answer| {
            names(&read_answer(answer, "dropping the drill's roles")?)
                .ok_or_else(|| answer.unreadable("names as JSON"))
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, left: &Vec<String>) -> Summary {
        Summary::line(match left.as_slice() {
            [] => "none stays".to_owned(),
            left => format!("another drill's, so they stay: {}", left.join(", ")),
        })
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
    fn missing_roles() {
        check("missing_roles__minimal", &MissingRoles::new(&samples::minimal(), &[]));
        check("missing_roles__everything", &MissingRoles::new(&samples::full(), &["a".into()]));
        check("missing_roles__hostile", &MissingRoles::new(&samples::hostile(), &hostile()));
    }
    #[test]
    fn create_roles() {
        let new = |connection, names: &[String], name| CreateRoles::new(&connection, names, name);
        check("create_roles__minimal", &new(samples::minimal(), &[], "drill"));
        check("create_roles__everything", &new(samples::full(), &["a".into()], "drill"));
        check("create_roles__hostile", &new(samples::hostile(), &hostile(), "it's \"x\" $do$"));
    }
    #[test]
    fn drop_roles() {
        check("drop_roles__minimal", &DropRoles::new(&samples::minimal()));
        check("drop_roles__everything", &DropRoles::new(&samples::full()));
        check("drop_roles__hostile", &DropRoles::new(&samples::hostile()));
    }
}
