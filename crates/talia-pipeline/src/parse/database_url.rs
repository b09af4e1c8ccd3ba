//! The URL of a PostgreSQL database, as SQLAlchemy and libpq write it.
//!
//! `postgresql://`, `postgres://`, and SQLAlchemy's forms with a driver
//! (`postgresql+asyncpg://`, `+psycopg`, `+psycopg2`, …) name the same database.
//! PostgreSQL's own programs know the first two alone and take any other for the
//! name of a database, and what stands in their arguments is shown by `ps`. So a
//! URL is taken apart here, and its parts go to them by `PG…` variables.
//!
//! Source: *Connection URIs* in libpq's manual; *Database URLs* in SQLAlchemy's.

use std::{collections::BTreeMap, fmt};

use crate::{
    error::{Error, Result},
    secret::{Secret, SecretValue},
};

const PORT: u16 = 5432;
/// Supabase's pooler gives each transaction another session there.
const TRANSACTION_PORT: u16 = 6543;

/// A database and how it is reached. Neither `Debug` nor `Display` shows the
/// password.
#[derive(Clone)]
pub struct Database {
    host: Option<String>,
    port: u16,
    user: Option<String>,
    password: Option<SecretValue>,
    name: String,
    settings: BTreeMap<&'static str, String>,
    ignored: Vec<String>,
}

impl Database {
    /// A database of this name, behind the local default socket.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            host: None,
            port: PORT,
            user: None,
            password: None,
            name: name.into(),
            settings: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }

    /// Another database of the same server, reached in the same way.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// At this host: a name, an address, or the folder of a socket.
    #[must_use]
    pub fn at(mut self, host: impl Into<String>, port: u16) -> Self {
        (self.host, self.port) = (Some(host.into()), port);
        self
    }

    /// As this user.
    #[must_use]
    pub fn user_name(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The host, an address without brackets, or a socket's folder; `None` is
    /// libpq's own choice, a local socket.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
    /// The port; 5432 unless given.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// The user; `None` is the user of the operating system.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
    /// The password.
    pub fn password(&self) -> Option<&SecretValue> {
        self.password.as_ref()
    }
    /// The password as a secret of a run, so that all output is masked.
    pub fn secret(&self) -> Option<Secret> {
        let password = self.password.clone()?;
        Some(Secret::given("database password", password))
    }
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// How the connection is protected, such as `require`.
    pub fn sslmode(&self) -> Option<&str> {
        self.settings.get("PGSSLMODE").map(String::as_str)
    }
    /// More of libpq's variables with their values, such as `PGSSLROOTCERT`.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str()))
    }
    /// Names of the URL's parameters that are for the app's driver alone.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Refuses a connection through which `pg_dump` cannot work: it needs one
    /// session from its beginning to its end.
    ///
    /// # Errors
    /// A usage error with the URL to use instead.
    pub fn one_session(&self) -> Result<()> {
        let Some(host) = self.host.as_deref().map(str::to_ascii_lowercase) else { return Ok(()) };
        let is_supabase = [".supabase.com", ".supabase.co"].iter().any(|end| host.ends_with(end));
        if !is_supabase || self.port != TRANSACTION_PORT {
            return Ok(());
        }
        Err(Error::usage(format!(
            "port {TRANSACTION_PORT} of {host} is Supabase's transaction pooler, and pg_dump needs one session"
        ))
        .hint(format!(
            "for backups use port {PORT} of the same host (the session pooler), or the direct host db.<project>.supabase.co:{PORT}"
        )))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => {
                write!(f, "{} at [{host}]:{}", self.name, self.port)
            }
            Some(host) => write!(f, "{} at {host}:{}", self.name, self.port),
            None => write!(f, "{} at the local socket, port {}", self.name, self.port),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The parameters that are libpq's, each with the variable that says the same.
const PARAMETERS: &[(&str, &str)] = &[
    ("hostaddr", "PGHOSTADDR"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcrl", "PGSSLCRL"),
    ("sslsni", "PGSSLSNI"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("gssencmode", "PGGSSENCMODE"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("options", "PGOPTIONS"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
];

/// Reads a URL. No error and no `Debug` has the password, or any part of the URL
/// that might be one.
///
/// ```
/// use talia_pipeline::parse::database_url;
///
/// let url = "postgresql+asyncpg://talia:p%40ss-word@[::1]:5433/app?ssl=require";
/// let database = database_url::read(url)?;
/// assert_eq!(database.to_string(), "app at [::1]:5433");
/// assert_eq!(database.password().map(|value| value.expose()), Some(&b"p@ss-word"[..]));
/// assert_eq!(database.sslmode(), Some("require"));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// A usage error: another kind of database, a part that cannot be read, no name.
pub fn read(url: &str) -> Result<Database> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        Error::usage("no database URL: it does not begin with a scheme such as `postgresql://`")
            .hint("write postgresql://USER:PASSWORD@HOST:PORT/NAME")
    })?;
    scheme_is_ours(scheme)?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    // SQLAlchemy takes all before the last `@` for the user, as a password may
    // hold one that nobody encoded.
    let (who, place) = match authority.rsplit_once('@') {
        Some((who, place)) => (Some(who), place),
        None => (None, authority),
    };
    let mut database = Database::new(decoded(name, "the database's name")?);
    if let Some(who) = who {
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (who, None),
        };
        database.user = filled(decoded(user, "the user")?);
        database.password = password.map(password_of).transpose()?.flatten();
    }
    (database.host, database.port) = place_of(place)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key, "a parameter's name")?;
        parameter(&mut database, &key, value)?;
    }
    if database.name.is_empty() {
        return Err(Error::usage("the database URL names no database")
            .hint("write the name behind the host: postgresql://HOST/NAME"));
    }
    Ok(database)
}

fn scheme_is_ours(scheme: &str) -> Result<()> {
    let base = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
    // What is not made of such letters may be anything, a password too.
    let is_word = |text: &str| {
        text.len() <= 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
    };
    match base.as_str() {
        "postgresql" | "postgres" => Ok(()),
        other if is_word(other) && !other.is_empty() => Err(Error::usage(format!(
            "a {other} database: only PostgreSQL is backed up"
        ))
        .hint("leave the backup out in the settings, or give the URL of a PostgreSQL database")),
        _ => Err(Error::usage("no database URL: its scheme has letters that no scheme has")),
    }
}

fn place_of(place: &str) -> Result<(Option<String>, u16)> {
    if place.contains(',') {
        return Err(Error::usage("the database URL names several hosts")
            .hint("for backups name the one that is to be read"));
    }
    let (host, port) = if let Some(inner) = place.strip_prefix('[') {
        let (host, behind) = inner
            .split_once(']')
            .ok_or_else(|| Error::usage("the database URL has `[` without `]` around its host"))?;
        (host, behind.strip_prefix(':').unwrap_or_default())
    } else {
        place.split_once(':').unwrap_or((place, ""))
    };
    Ok((filled(decoded(host, "the host")?), port_of(port)?))
}

fn port_of(port: &str) -> Result<u16> {
    if port.is_empty() {
        return Ok(PORT);
    }
    // Not quoted: where a `/` or `@` of a password was not encoded, it is a part of one.
    port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
        Error::usage("the database URL's port is no number from 1 to 65535")
            .hint("in a password write `/` as %2F, `?` as %3F, `#` as %23, `@` as %40, `%` as %25")
    })
}

fn parameter(database: &mut Database, key: &str, value: &str) -> Result<()> {
    let text = || decoded(value, "a parameter");
    match key {
        "host" => database.host = filled(text()?),
        "port" => database.port = port_of(&text()?)?,
        "user" => database.user = filled(text()?),
        "dbname" | "database" => database.name = text()?,
        "password" => database.password = password_of(value)?,
        // asyncpg's name of it, where true and false are values too.
        "ssl" => {
            let mode = match text()?.to_ascii_lowercase().as_str() {
                "true" | "1" => "require".to_owned(),
                "false" | "0" => "disable".to_owned(),
                other => other.to_owned(),
            };
            database.settings.insert("PGSSLMODE", known_mode(mode)?);
        }
        "sslmode" => drop(database.settings.insert("PGSSLMODE", known_mode(text()?)?)),
        // The backup's own name is told to the server.
        "application_name" | "fallback_application_name" => {}
        _ => match PARAMETERS.iter().find(|(name, _)| *name == key) {
            Some((_, variable)) => drop(database.settings.insert(variable, text()?)),
            None => database.ignored.push(key.to_owned()),
        },
    }
    Ok(())
}

fn known_mode(mode: String) -> Result<String> {
    let known = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    if known.contains(&mode.as_str()) {
        return Ok(mode);
    }
    Err(Error::usage("the database URL's sslmode is none of PostgreSQL's")
        .hint(format!("use one of {}", known.join(", "))))
}

fn password_of(text: &str) -> Result<Option<SecretValue>> {
    let password = decoded(text, "the password")?;
    if password.contains(['\n', '\r']) {
        return Err(Error::usage("the database's password has a line end")
            .hint("choose one without: a password file cannot hold it"));
    }
    Ok(filled(password).map(SecretValue::new))
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Takes percent encoding away. A `+` means itself, as for both readers.
fn decoded(text: &str, what: &str) -> Result<String> {
    let wrong = || {
        Error::usage(format!("the database URL has a wrong percent encoding in {what}"))
            .hint("write `%` itself as %25")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |at: usize| {
            behind.get(at).and_then(|byte| char::from(*byte).to_digit(16)).ok_or_else(wrong)
        };
        let value = digit(0)? * 16 + digit(1)?;
        bytes.push(u8::try_from(value).map_err(|_| wrong())?);
        rest = &behind[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    if text.contains('\0') {
        return Err(Error::usage(format!("the database URL has a NUL byte in {what}")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
