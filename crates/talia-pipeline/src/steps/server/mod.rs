//! What an agent does on its server: one file for each thing.

mod agent;
mod compose;
mod compose_text;
mod container;
mod database;
mod disk;
mod engine;
mod files;
mod front;
mod health;
mod image;
pub mod landing;
mod logs;
mod neighbours;
mod nginx;
mod pause;
mod port;
mod records;
mod site;
mod switch;
mod trial;
mod upkeep;

pub use agent::{AgentVersion, SwapAgent, WriteAgent};
pub use compose::{Compose, ComposeConfig, Judged, Migrate, SlotDown, SlotUp};
pub use compose_text::{ComposeText, RemoveScratch, WriteScratch};
pub use container::{Container, ContainerLog, ContainerOf, ContainerRestarts, Containers};
pub use database::ReadDatabase;
pub use disk::{FreeDisk, Room};
pub use engine::{EngineFacts, EngineInfo};
pub use files::{KeepPushed, PushFile, ReadDrift, ReadFiles, ReadReleaseFiles};
pub use health::{ServedHealth, ServedNow, SlotHealth, SlotNow, SlotStable, Waited};
pub use image::{ImageOffered, ImagePull, ImageRemove};
pub use logs::{AppLog, ReadLogs};
pub use neighbours::ReadNeighbours;
pub use nginx::{
    NginxMaster, NginxReload, NginxReloadOrStart, NginxRenewed, NginxSignalReload, NginxSites,
    NginxTest, NginxWorkers,
};
pub use pause::Pause;
pub use port::{EndPort, RestorePort, TryPort};
pub use records::{MarkRelease, ReadRecords, RemoveRelease, WriteRelease};
pub use site::{EndSite, RestoreSite, TrySite};
pub use switch::{LiveSlot, SwitchSlot};
pub use upkeep::{HoldLock, SetMaintenance};
