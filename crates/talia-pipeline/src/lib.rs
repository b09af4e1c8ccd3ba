//! A CI/CD pipeline that is an ordinary Rust function, and whose plan is that same
//! function run without effects: what you read, what you test and what runs are
//! one thing.
//!
//! # A flow in three steps
//!
//! 1. A [`Step`] is one action: it renders a [`CommandLine`] and reads its answer
//!    into a type. Many are in [`steps`]; one of your own is a struct and an `impl`.
//! 2. A flow is a function over a [`Context`]: `cx.run(step)?`, values passed from
//!    one step to the next, `cx.join(a, b)` where two things may happen side by
//!    side. Ordinary `if` and `?` are the control flow.
//! 3. A [`Pipeline`] records the flow as a [`Plan`], looks up what it needs, or
//!    runs it and tells every [`Report`] what happens.
//!
//! ```
//! use talia_pipeline::{Action, CommandLine, Context, Effect, Pipeline, Result, Step, World};
//!
//! /// `uname -s`: the kernel's name.
//! struct Kernel;
//!
//! impl Step for Kernel {
//!     type Output = String;
//!     fn label(&self) -> String {
//!         "kernel".into()
//!     }
//!     fn action(&self) -> Action<'_, String> {
//!         let line = CommandLine::new("uname").arg("-s").effect(Effect::Read);
//!         Action::command(line, |answer| Ok(answer.stdout().trim().to_owned()))
//!     }
//!     fn assume(&self) -> String {
//!         "Linux".into()
//!     }
//! }
//!
//! fn flow(cx: &Context) -> Result<String> {
//!     cx.run(Kernel)
//! }
//!
//! let mut pipeline = Pipeline::new("hello", "/", World::real()?);
//! let plan = pipeline.plan(flow)?;
//! assert_eq!(plan.steps()[0].shell.as_deref(), Some("uname -s"));
//!
//! let finished = pipeline.run(flow);
//! assert!(!finished.result?.is_empty());
//! # Ok::<(), talia_pipeline::Error>(())
//! ```
//!
//! # The modules in reading order
//!
//! * [`command_line`], [`step`], [`context`], [`plan`]: the nouns. [`hole`] is a value
//!   that only a run can know, [`quote`] the text that a shell reads.
//! * [`pipeline`], [`preflight`], [`runner`], [`process`], [`signals`]: how a flow is
//!   recorded, prepared, answered, and ended.
//! * [`event`], [`report`]: what happens, and who tells it.
//! * [`steps`], [`flows`], [`project`], [`settings`]: what is done with all that;
//!   [`templates`]: what stands on a server.
//! * [`parse`], [`coverage`]: what tools write, read into types.
//! * [`landing`]: a static site as a value, and what makes one the other.
//! * [`secret`], [`error`], [`exit_code`], [`diagnostic`], [`state`], [`private`],
//!   [`world`], [`files`], [`digest`], [`pins`]: what the others stand on.

pub mod command_line;
pub mod context;
pub mod coverage;
pub mod diagnostic;
pub mod digest;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod files;
pub mod flows;
pub mod hole;
pub mod landing;
pub mod parse;
pub mod pins;
pub mod pipeline;
pub mod plan;
pub mod preflight;
pub mod private;
pub mod process;
pub mod project;
pub mod protocol;
pub mod quote;
pub mod report;
pub mod runner;
pub mod secret;
pub mod server;
pub mod settings;
pub mod signals;
pub mod state;
pub mod step;
pub mod steps;
pub mod templates;
mod tool;
pub mod world;
mod xshell_compat;

pub use command_line::{CommandLine, Effect, EnvValue, Leaves, Stdin, Stdout};
pub use context::Context;
pub use diagnostic::{Diagnostic, Severity};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Failure, Outcome, Stream};
pub use exit_code::ExitCode;
pub use pipeline::{Finished, Pipeline};
pub use plan::{Plan, Unplanned};
pub use report::Report;
pub use runner::Fake;
pub use state::{State, state_dir};
pub use step::{Action, Answer, Pace, Step, Summary, Touches, Try, Verdict};
pub use world::{System, World};
