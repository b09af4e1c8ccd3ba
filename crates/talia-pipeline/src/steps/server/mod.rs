//! What an agent does on its server: one file for each thing.

mod compose;
mod container;
mod database;
mod disk;
mod engine;
mod files;
mod health;
mod image;
mod logs;
mod neighbours;
mod nginx;
mod pause;
mod records;
mod switch;
mod upkeep;

pub use compose::{Compose, ComposeConfig, Migrate, SlotDown, SlotUp};
pub use container::{Container, ContainerLog, ContainerOf, ContainerRestarts, Containers};
pub use database::ReadDatabase;
pub use disk::{FreeDisk, Room};
pub use engine::{EngineFacts, EngineInfo};
pub use files::{KeepPushed, PushFile, ReadDrift, ReadFiles, ReadReleaseFiles, RestoreFile};
pub use health::{ServedHealth, ServedNow, SlotHealth, SlotNow, SlotStable, Waited};
pub use image::{ImageOffered, ImagePull, ImageRemove};
pub use logs::{AppLog, ReadLogs};
pub use neighbours::ReadNeighbours;
pub use nginx::{NginxReload, NginxSites, NginxTest};
pub use pause::Pause;
pub use records::{MarkRelease, ReadRecords, RemoveRelease, WriteRelease};
pub use switch::{LiveSlot, SwitchSlot};
pub use upkeep::{HoldLock, SetMaintenance};
