//! The flows: what the commands run. Each is an ordinary function of a context.

mod backup;
mod ci;
mod commit;
mod deploy_backend;
mod deploy_landing;
mod diff_landing;
mod drill;
mod image;
pub mod install;
mod interpreter;
mod local;
pub mod publish;
mod python_env;
mod remote;
mod restore;
mod rollback_backend;
mod selftest;
pub mod server;

pub use backup::{BackupOrder, backup};
pub use ci::{Ci, CiReport, Part, ci, coverage};
pub use commit::{Chosen, Wish};
pub use deploy_backend::{Deploy, Deployed, Latest, Prospect, deploy_backend, look_ahead};
pub use deploy_landing::{
    LandingDeploy, LandingDeployed, LandingDryRun, LandingProspect, LandingRollback, ToldChange,
    deploy_landing, landing_source, look_at_landing, look_back_at_landing, rollback_landing,
};
pub use diff_landing::{FileDiff, diff_landing};
pub use drill::{DrillOrder, DrillPlace, drill};
pub use image::image;
pub use interpreter::interpreter;
pub use local::{Local, LocalBackend, local_down, local_up};
pub use python_env::{python_env, tool_env};
pub use remote::Remote;
pub use restore::{Dependents, RestoreOutlook, RestoreReport, restore, restore_outlook};
pub use rollback_backend::{Rollback, look_back, rollback_backend};
pub use selftest::{SelftestReport, selftest, soak};
