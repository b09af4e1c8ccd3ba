//! What `--install` does on Debian and Ubuntu, one action each. The flow that
//! puts them together is [`crate::flows::install`].

mod apt;
mod archive;
mod certificates;
mod debootstrap;
mod engine;
mod engine_control;
mod engine_ready;
mod failure;
mod file;
mod free_space;
mod image;
mod packages;
mod pid_file;
mod privilege;
mod probe;
mod release;
mod scratch;
mod tree;

pub use apt::{AptInstall, AptSimulate, AptUpdate};
pub use archive::{ArchiveAddress, ArchiveSources};
pub use certificates::ExtraCertificates;
pub use debootstrap::Debootstrap;
pub use engine::Engine;
pub use engine_control::{EngineEnable, EngineProgram, EngineStart, EngineStop};
pub use engine_ready::{EngineAnswers, EnginePid, LogTail, Readiness};
pub(crate) use failure::{explained, way_out};
pub use file::{FileThere, MoveFile, PutFile};
pub use free_space::FreeSpace;
pub use image::{ImageImport, ImageThere, RegistryAnswers};
pub use packages::PackagesInstalled;
pub use pid_file::{PidFile, PidState};
pub use privilege::Privilege;
pub use probe::{ProgramThere, SudoWorks, SystemdRuns, ToolThere};
pub use release::{OsRelease, Release};
pub use scratch::{LeftBehind, MakeScratch, RemoveTrees, Unmount};
pub use tree::{AptClean, CopyTree, MakeFolders, Pack, UpdateCertificates};
