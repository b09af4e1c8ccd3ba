//! A PostgreSQL server of a test's own: on a socket and a free port of the loopback
//! interface, with passwords, gone when dropped.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    process::{Child, Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::parse::database_url::{self, Database};

use crate::support::{Temp, command, output, said, unique};

const INSTALL: &str = "`cargo xtask selftest --install` brings it in";

/// The app's user and its password, which has what a password file must escape. The
/// superuser `postgres` has the same one.
pub(crate) const USER: &str = "o'wner $u";
pub(crate) const PASSWORD: &str = "can:ary\\9f31 '\"$p";
/// The same for a URL.
const URL_USER: &str = "o%27wner%20%24u";
const URL_PASSWORD: &str = "can%3Aary%5C9f31%20%27%22%24p";

/// The folder of the server's own programs, the newest where there are several.
pub(crate) fn bin() -> Utf8PathBuf {
    let root = Utf8Path::new("/usr/lib/postgresql");
    let mut found: Vec<(u32, Utf8PathBuf)> = Vec::new();
    for entry in root.read_dir_utf8().into_iter().flatten().flatten() {
        let bin = entry.path().join("bin");
        if let (Ok(major), true) = (entry.file_name().parse(), bin.join("initdb").is_file()) {
            found.push((major, bin));
        }
    }
    found.sort();
    if let Some((_, bin)) = found.pop() {
        return bin;
    }
    let told = output(command("sh").args(["-c", "command -v initdb"])).stdout;
    let initdb = Utf8PathBuf::from(String::from_utf8(told).unwrap().trim());
    assert!(initdb.is_file(), "there is no PostgreSQL server to start: {INSTALL}");
    initdb.parent().unwrap().to_owned()
}

/// Whom the server runs as: it refuses root.
pub(crate) fn as_user() -> Option<(&'static str, u32)> {
    let id = |args: &[&str]| {
        let told = output(command("id").args(args));
        told.status
            .success()
            .then(|| String::from_utf8(told.stdout).unwrap().trim().parse().unwrap())
    };
    if id(&["--user"]) != Some(0_u32) {
        return None;
    }
    let user = if id(&["--user", "postgres"]).is_some() { "postgres" } else { "nobody" };
    Some((user, id(&["--user", user]).unwrap()))
}

pub(crate) struct Postgres {
    folder: Temp,
    port: u16,
}

impl Postgres {
    /// A running server that knows the app's user.
    pub(crate) fn start() -> Self {
        let server = Self::with_superuser_alone();
        let password = PASSWORD.replace('\'', "''");
        server.admin("postgres", &format!("CREATE ROLE \"{USER}\" LOGIN PASSWORD '{password}'"));
        server
    }

    /// A running server that knows nobody else.
    pub(crate) fn with_superuser_alone() -> Self {
        let server = Self { folder: Temp::new(), port: free_port() };
        let (data, sock) = (server.data(), server.sock());
        for folder in [&data, &sock] {
            fs::create_dir(folder).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
            if let Some((_, uid)) = as_user() {
                chown(folder, Some(uid), None).unwrap();
            }
        }
        // For the clients of the tests, whoever runs them.
        fs::set_permissions(&sock, fs::Permissions::from_mode(0o755)).unwrap();
        let password = server.folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        said(
            server
                .program("initdb")
                .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
                .arg("--username=postgres")
                .arg(format!("--pwfile={password}"))
                .arg(format!("--pgdata={data}")),
        );
        fs::remove_file(password).unwrap();
        let settings = format!(
            "listen_addresses='127.0.0.1'\nport={}\nunix_socket_directories='{sock}'\nfsync=off\n",
            server.port
        );
        fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
        server.control(&["start", "--wait", "--timeout=30"]);
        server
    }

    fn data(&self) -> Utf8PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn sock(&self) -> Utf8PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// One of the server's own programs, as the user whom it runs as.
    fn program(&self, name: &str) -> Command {
        let program = bin().join(name);
        let Some((user, _)) = as_user() else { return command(program.as_str()) };
        let mut command = command("setpriv");
        command.args([&format!("--reuid={user}"), "--clear-groups", "--"]).arg(program);
        command.current_dir("/");
        command
    }

    fn control(&self, args: &[&str]) {
        let log = self.data().join("log");
        let mut control = self.program("pg_ctl");
        control.args(args).arg(format!("--pgdata={}", self.data())).arg(format!("--log={log}"));
        // The server would keep a pipe open.
        let status = control.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let log = || fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "{control:?}\n{}", log());
    }

    /// Ends it at once, as a kill would.
    pub(crate) fn stop_at_once(&self) {
        self.control(&["stop", "--mode=immediate", "--wait"]);
    }

    /// The URL of one of its databases, as an app has it, over the port.
    pub(crate) fn url(&self, encoded_name: &str) -> String {
        format!(
            "postgresql+asyncpg://{URL_USER}:{URL_PASSWORD}@127.0.0.1:{}/{encoded_name}?ssl=disable",
            self.port
        )
    }

    /// The same over the socket, whose folder has a blank in its name.
    pub(crate) fn socket_url(&self, encoded_name: &str) -> String {
        format!(
            "postgresql://{URL_USER}:{URL_PASSWORD}@/{encoded_name}?host={}&port={}",
            self.sock().as_str().replace(' ', "%20"),
            self.port
        )
    }

    pub(crate) fn database(&self, encoded_name: &str) -> Database {
        database_url::read(&self.url(encoded_name)).unwrap()
    }

    /// `psql` to a database.
    fn psql(&self, user: &str, database: &str) -> Command {
        let mut psql = command("psql");
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
        ])
        .env("PGHOST", self.sock().as_str())
        .env("PGPORT", self.port.to_string())
        .env("PGUSER", user)
        .env("PGPASSWORD", PASSWORD)
        .env("PGDATABASE", database);
        psql
    }

    /// By a file, as what stands in arguments is seen by the search for passwords.
    fn tell(&self, user: &str, database: &str, sql: &str) -> String {
        let script = self.folder.path().join(format!("{}.sql", unique()));
        fs::write(&script, sql).unwrap();
        let told = said(self.psql(user, database).arg("--file").arg(&script));
        fs::remove_file(script).unwrap();
        told.trim_end().to_owned()
    }

    /// What a command says to the app's user.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        self.tell(USER, database, sql)
    }

    /// What a command says to the superuser.
    pub(crate) fn admin(&self, database: &str, sql: &str) -> String {
        self.tell("postgres", database, sql)
    }

    /// Runs a command again and again until it is dropped.
    pub(crate) fn again_and_again(&self, database: &str, sql: &str) -> Running {
        let mut psql = self.psql(USER, database);
        let script = self.folder.path().join("again.sql");
        fs::write(&script, format!("{sql} \\watch 0.01\n")).unwrap();
        psql.arg("--file").arg(&script).stdout(Stdio::null());
        Running(psql.spawn().unwrap())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut control = self.program("pg_ctl");
        control.args(["stop", "--mode=immediate", "--wait"]);
        control.arg(format!("--pgdata={}", self.data()));
        drop(control.output());
    }
}

/// A process that ends when this is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// One that does nothing and has this among its arguments.
    pub(crate) fn sleeping(argument: &str) -> Self {
        let mut shell = command("sh");
        shell.args(["-c", "sleep 60; :", "sh", argument]);
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A port that nobody listens on just now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
