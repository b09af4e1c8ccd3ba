//! Roles that a dump names and a scratch server lacks.

use crate::{
    command_line::Effect,
    step::{Action, Step, Summary},
};

use super::{
    Connection,
    failure::read_answer,
    names::{listed, names, names_option, script},
};

const MISSING_ROLES: &str = "\
SELECT to_json(name) FROM json_array_elements_text(:'names'::json) name
WHERE name NOT IN (SELECT rolname FROM pg_catalog.pg_roles) ORDER BY name;
";

/// Asks which of some roles a server lacks.
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
        let line = names_option(script(&self.server, MISSING_ROLES), &self.names)
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

const CREATE_ROLES: &str = "\
SELECT format('CREATE ROLE %I NOLOGIN ROLE CURRENT_USER', name)
FROM json_array_elements_text(:'names'::json) name
\\gexec
";

/// Makes roles that nobody can log in as, so that grants to them can be restored. The user
/// is a member of each: only such a one may set its default privileges.
///
/// - Command: `psql … < SCRIPT`: `CREATE ROLE … NOLOGIN ROLE CURRENT_USER` for each.
/// - Exits: 0; others are read as errors.
/// - Touches: the server. Let [`DropRoles`] be a `finally` of the flow.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, CreateRoles}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(CreateRoles::new(&server, &["a".into()]).label(), "make the roles");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CreateRoles {
    server: Connection,
    names: Vec<String>,
}

impl CreateRoles {
    /// These, on this server.
    pub fn new(server: &Connection, names: &[String]) -> Self {
        Self { server: server.clone(), names: names.to_vec() }
    }
}

impl Step for CreateRoles {
    type Output = ();

    fn label(&self) -> String {
        "make the roles".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = names_option(script(&self.server, CREATE_ROLES), &self.names)
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

const DROP_ROLES: &str = "\
SELECT format('DROP ROLE IF EXISTS %I', name)
FROM json_array_elements_text(:'names'::json) name
WHERE name IN (SELECT rolname FROM pg_catalog.pg_roles)
\\gexec
";

/// Drops the roles that [`CreateRoles`] has made.
///
/// - Command: `psql … < SCRIPT`: `DROP ROLE IF EXISTS …` for each that is there: whoever
///   may not make one may not ask for that either.
/// - Exits: 0; others are read as errors.
/// - Touches: the server.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, DropRoles}};
///
/// let server = Connection::new(&database_url::read("postgresql://talia@db.example/postgres")?);
/// assert_eq!(DropRoles::new(&server, &["a".into()]).label(), "drop the roles");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DropRoles {
    server: Connection,
    names: Vec<String>,
}

impl DropRoles {
    /// These, on this server.
    pub fn new(server: &Connection, names: &[String]) -> Self {
        Self { server: server.clone(), names: names.to_vec() }
    }
}

impl Step for DropRoles {
    type Output = ();

    fn label(&self) -> String {
        "drop the roles".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = names_option(script(&self.server, DROP_ROLES), &self.names)
            .effect(Effect::Remote)
            .purpose("remove the roles that the drill has made");
        Action::command(line, |answer| read_answer(answer, "dropping the drill's roles").map(drop))
    }

    fn assume(&self) {}
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
        check("create_roles__minimal", &CreateRoles::new(&samples::minimal(), &[]));
        check("create_roles__everything", &CreateRoles::new(&samples::full(), &["a".into()]));
        check("create_roles__hostile", &CreateRoles::new(&samples::hostile(), &hostile()));
    }
    #[test]
    fn drop_roles() {
        check("drop_roles__minimal", &DropRoles::new(&samples::minimal(), &[]));
        check("drop_roles__everything", &DropRoles::new(&samples::full(), &["a".into()]));
        check("drop_roles__hostile", &DropRoles::new(&samples::hostile(), &hostile()));
    }
}
