//! The backend on this machine, as whoever works on it runs it.

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    error::{Error, Result},
    project::Detect,
    settings,
    state::State,
    steps::local::{ComposeDown, ComposeUp, FindComposeFiles, LocalHealth, LocalProject},
    templates::LocalCompose,
};

use super::image;

/// What [`local_up`] starts.
#[derive(Debug, Clone)]
pub struct Local<'a> {
    /// The folder that holds `infra/`.
    pub root: Utf8PathBuf,
    /// The backend's folder.
    pub backend: Utf8PathBuf,
    /// The backend's settings.
    pub settings: &'a settings::Backend,
    /// What its health is asked by: `/api/health`.
    pub health: String,
    /// Where the image's id goes.
    pub state: &'a State,
}

impl Local<'_> {
    /// Its own compose files; or the one that is rendered for projects without.
    fn files(&self, cx: &Context) -> Result<(Vec<Utf8PathBuf>, bool)> {
        let own = cx.observe(FindComposeFiles::new(&self.backend))?;
        if !own.is_empty() {
            return Ok((own, true));
        }
        let ours = self.root.join(LocalCompose::PATH);
        if ours.is_file() {
            return Ok((vec![ours], false));
        }
        Err(Error::usage(format!("there is no compose file in {}", self.backend))
            .hint(format!("add a docker-compose.yml there, or {}", LocalCompose::PATH)))
    }
}

/// Builds the backend, starts it on this machine, and waits until it is healthy. Gives
/// the revision that it names.
///
/// # Errors
/// A usage error where there is no compose file; when it does not build, start or
/// answer.
pub fn local_up(cx: &Context, local: &Local<'_>) -> Result<String> {
    let (files, are_own) = local.files(cx)?;
    let mut project = LocalProject::new(&local.backend, files);
    if !are_own {
        let detected = cx.observe(Detect::new(&local.backend).options(&local.settings.python))?;
        let built = image(cx, &detected, &local.settings.image, local.state)?;
        project = project.image(built.id);
    }
    let logs = project.logs();
    cx.run(ComposeUp::new(project))?;
    let health = LocalHealth::new(format!("{}{}", LocalCompose::ADDRESS, local.health));
    cx.run(health).map_err(|error| error.hint(format!("`{logs}` shows what it says")))
}

/// Ends what [`local_up`] has started. Volumes stay.
///
/// # Errors
/// When the engine does not answer.
pub fn local_down(cx: &Context, local: &Local<'_>) -> Result<()> {
    let (files, _) = local.files(cx)?;
    cx.run(ComposeDown::new(LocalProject::new(&local.backend, files)))
}
