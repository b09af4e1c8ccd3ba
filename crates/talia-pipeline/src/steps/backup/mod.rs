//! A PostgreSQL database: dumped, read back, kept, tried, restored, one action each.
//! The flows that put them together are [`crate::flows::backup`],
//! [`crate::flows::drill`] and [`crate::flows::restore`].

mod archive;
mod backups;
mod checksum;
mod cluster;
mod connection;
mod contents;
mod count;
mod drops;
mod dump;
mod extensions;
mod failure;
mod folder;
#[cfg(test)]
mod for_tests;
mod names;
mod pass_file;
mod place;
mod read_back;
mod record;
mod restore;
mod retention;
mod roles;
#[cfg(test)]
mod samples;
mod schema_hash;
mod schemas;
mod scratch;
mod seal;
mod server_folders;
mod sessions;
mod version;

pub use archive::{Archive, Entry, ListArchive};
pub use backups::{Backups, CheckBackup, Listing};
pub use cluster::{
    Cluster, InitCluster, MakeClusterFolders, StartCluster, StopCluster, TuneCluster,
};
pub use connection::{Clients, Connection};
pub use contents::{Contents, Extension, TableRows, WithoutSchemas, amount};
pub use count::CountRows;
pub use drops::{ListDrops, Replaced, RunScript, WriteScript};
pub use dump::Dump;
pub use extensions::{ExtensionsThere, TryExtensions};
pub use folder::{MakePlace, RemovePartials, WriteRecord};
pub use pass_file::{PassFile, RemovePassFile};
pub use place::{BackupId, BackupPlace};
pub use read_back::ReadBack;
pub(crate) use record::TEXT_PER_DUMP;
pub use record::{BackupRecord, Drill, DumpFile};
pub use restore::{PgRestore, Restored};
pub use retention::{Prune, Retention};
pub use roles::{CreateRoles, DropRoles, MissingRoles};
pub use schema_hash::schema_hash;
pub use schemas::SchemasThere;
pub use scratch::{CreateScratch, DropScratch};
pub use seal::{Seal, Sealed};
pub use server_folders::ServerFolders;
pub use sessions::{EndSessions, Sessions};
pub use version::{AskServer, ClientVersion, PgVersion, Server, compatible};
