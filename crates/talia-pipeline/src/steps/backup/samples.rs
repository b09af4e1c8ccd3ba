//! Connections for the snapshots of steps.

use crate::parse::database_url;

use super::{Clients, Connection};

pub(super) fn minimal() -> Connection {
    let database = database_url::read("postgresql:///app").expect("it is a URL");
    Connection::new(&database)
}

pub(super) fn full() -> Connection {
    let url = "postgresql+asyncpg://talia:s3cr3t-word@db.example:6000/app?ssl=verify-full&sslrootcert=/etc/ca.pem";
    let database = database_url::read(url).expect("it is a URL");
    Connection::new(&database)
        .pass_file("/srv/backups/7.pgpass.partial")
        .clients(&Clients::in_folder("/opt/pg/bin"))
}

pub(super) fn hostile() -> Connection {
    let url =
        "postgres://it%27s%20%24u:s3cr3t-word@/a%20%27b%27%20host=x%5C%0A?host=/run/it%27s%20$x";
    let database = database_url::read(url).expect("it is a URL");
    Connection::new(&database).pass_file("/srv/it's $x/7.pgpass.partial")
}
