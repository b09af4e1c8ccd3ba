//! The database that a service uses, as its `.env` names it.

use std::fs;

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    hole,
    parse::{
        database_url::{self, Database},
        env_file,
    },
    step::{Action, Step, Summary},
};

/// In this process: the database whose URL stands under a name in `.env`.
///
/// No error and no summary has the password, or a part of the URL that may be one.
#[derive(Debug)]
pub struct ReadDatabase {
    env: Utf8PathBuf,
    name: String,
}

impl ReadDatabase {
    /// Of this file, under this name.
    pub fn new(env: impl Into<Utf8PathBuf>, name: impl Into<String>) -> Self {
        Self { env: env.into(), name: name.into() }
    }

    fn read(&self) -> Result<Database> {
        let Self { env, name } = self;
        let bytes = fs::read(env).map_err(|cause| {
            Error::preflight(format!("{env} cannot be read")).caused_by(cause).hint(
                "push one, it counts from the next release on: `cargo xtask server env push FILE`",
            )
        })?;
        let file = env_file::read(&bytes)?;
        let entry = file.effective().into_iter().find(|entry| entry.name() == name);
        let entry = entry.ok_or_else(|| {
            Error::preflight(format!("{env} has no `{name}`, so there is no backup")).hint(format!(
                "add `{name}=postgresql://USER:PASSWORD@HOST/NAME`; where there is no database, \
                 set `database = \"none\"` in [backup] of the server's policy"
            ))
        })?;
        database_url::read(entry.value()).map_err(|error| {
            let told = Error::new(error.kind(), format!("`{name}` in {env}: {error}"));
            match error.hint_text() {
                Some(hint) => told.hint(hint),
                None => told,
            }
        })
    }
}

impl Step for ReadDatabase {
    type Output = Database;

    fn label(&self) -> String {
        format!("database of {}", self.name)
    }

    fn action(&self) -> Action<'_, Database> {
        Action::read(format!("read {} in {}", self.name, self.env), || self.read())
    }

    fn assume(&self) -> Database {
        Database::new(hole::named("database"))
    }

    fn summary(&self, database: &Database) -> Summary {
        Summary::line(database.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn read_database_minimal() {
        let step = ReadDatabase::new("/opt/talia-backend/.env", "DATABASE_URL");
        check("read_database__minimal", &step);
    }

    #[test]
    fn the_url_of_the_name_counts_and_nothing_of_it_is_told() {
        let folder = std::env::temp_dir().join(format!("talia-database-{}", std::process::id()));
        let env = Utf8PathBuf::from_path_buf(folder).unwrap();
        let read = |text: &str| {
            fs::write(&env, text).unwrap();
            ReadDatabase::new(&env, "DATABASE_URL").read()
        };
        let found =
            read("A=1\nDATABASE_URL='postgresql+asyncpg://t:s3cr3t-word@db/app'\n").unwrap();
        assert_eq!(found.to_string(), "app at db:5432");
        for (text, told) in [
            ("A=1\n", "has no `DATABASE_URL`"),
            ("DATABASE_URL=mysql://t:s3cr3t-word@db/app\n", "a mysql database"),
            ("DATABASE_URL=postgresql://t:s3cr3t/word@db/app\n", "the database URL"),
            ("DATABASE_URL='s3cr3t-word\n", ""),
        ] {
            let error = read(text).expect_err(text);
            let all = format!("{error:?} {error} {:?}", error.hint_text());
            assert!(error.to_string().contains(told), "{error}");
            assert!(!all.contains("s3cr3t"), "{all}");
        }
        fs::remove_file(&env).unwrap();
        assert!(ReadDatabase::new(&env, "A").read().is_err());
    }
}
