//! A PostgreSQL database: dumped, read back, kept, one action each. The flow that
//! puts them together is [`crate::flows::backup`].

mod backups;
mod checksum;
mod connection;
mod contents;
mod dump;
mod failure;
mod folder;
#[cfg(test)]
mod for_tests;
mod pass_file;
mod place;
mod read_back;
mod record;
mod retention;
#[cfg(test)]
mod samples;
mod schema_hash;
mod seal;
mod version;

pub use backups::{Backups, CheckBackup, Listing};
pub use connection::{Clients, Connection};
pub use contents::{Contents, Extension, TableRows};
pub use dump::Dump;
pub use folder::{MakePlace, RemovePartials, WriteRecord};
pub use pass_file::{PassFile, RemovePassFile};
pub use place::{BackupId, BackupPlace};
pub use read_back::ReadBack;
pub use record::{BackupRecord, Drill, DumpFile};
pub use retention::{Prune, Retention};
pub use schema_hash::schema_hash;
pub use seal::{Seal, Sealed};
pub use version::{AskServer, ClientVersion, PgVersion, Server, compatible};
