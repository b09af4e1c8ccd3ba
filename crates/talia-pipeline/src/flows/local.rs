//! The backend on this machine, as whoever works on it runs it.

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    error::{Error, Result},
    parse::compose_ps::{ProjectContainer, Published},
    project::Detect,
    settings,
    state::State,
    steps::local::{
        ComposeDown, ComposePs, ComposeUp, ContainersHealthy, FindComposeFiles, LocalHealth,
        LocalProject,
    },
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
    /// The service of the compose file that is the backend, and the port that it listens
    /// on, where there is a choice.
    pub service: (String, u16),
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

/// What [`local_up`] has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalBackend {
    /// Where it answers, `http://127.0.0.1:8000`, and the revision that its health names;
    /// `None` where it has no known port here, and its containers' own health was asked.
    pub answers: Option<(String, String)>,
}

/// Builds the backend, starts it on this machine, and waits until it is healthy.
///
/// # Errors
/// A usage error where there is no compose file; when it does not build, start or
/// answer.
pub fn local_up(cx: &Context, local: &Local<'_>) -> Result<LocalBackend> {
    let (files, are_own) = local.files(cx)?;
    let mut project = LocalProject::new(&local.backend, files);
    if !are_own {
        let detected = cx.observe(Detect::new(&local.backend).options(&local.settings.python))?;
        let built = image(cx, &detected, &local.settings.image, local.state)?;
        project = project.image(built.id);
    }
    let logs = project.logs();
    cx.run(ComposeUp::new(project.clone()))?;
    let hinted = |error: Error| error.hint(format!("`{logs}` shows what it says"));
    let address = match are_own {
        true => published(&cx.run(ComposePs::new(project.clone()))?, &local.service),
        false => Ok(LocalCompose::ADDRESS.to_owned()),
    };
    match address {
        Ok(address) => {
            let health = LocalHealth::new(format!("{address}{}", local.health));
            let revision = cx.run(health).map_err(hinted)?;
            Ok(LocalBackend { answers: Some((address, revision)) })
        }
        Err(reason) => {
            cx.note(format!("{reason}: only the health of its containers is waited for"));
            cx.run(ContainersHealthy::new(project)).map_err(hinted)?;
            Ok(LocalBackend { answers: None })
        }
    }
}

/// Where the backend answers on this machine; else why that is not known.
fn published(
    found: &[ProjectContainer],
    (service, port): &(String, u16),
) -> Result<String, String> {
    let ports = found
        .iter()
        .flat_map(|one| one.published.iter().map(move |port| (one.service == *service, port)));
    let ports: Vec<(bool, &Published)> = ports.collect();
    let fits = |is_it: &dyn Fn(&(bool, &Published)) -> bool| ports.iter().find(|one| is_it(one));
    let own = fits(&|(is_service, one)| *is_service && one.target == *port)
        .or_else(|| fits(&|(is_service, _)| *is_service));
    match (own, ports.as_slice()) {
        (Some((_, own)), _) => Ok(own.address.clone()),
        (None, _) if found.iter().any(|one| one.service == *service) => {
            Err(format!("the service `{service}` publishes no port"))
        }
        // Of a compose file that names its services otherwise.
        (None, [(_, only)]) => Ok(only.address.clone()),
        (None, []) => Err("the compose file publishes no port".to_owned()),
        (None, _) => match fits(&|(_, one)| one.target == *port) {
            Some((_, listens)) => Ok(listens.address.clone()),
            None => Err(format!(
                "the compose file publishes several ports, none of a service `{service}` and none \
                 for port {port} (`service` and `app_port` of [environments.local.server])"
            )),
        },
    }
}

/// Ends what [`local_up`] has started. Volumes stay.
///
/// # Errors
/// When the engine does not answer.
pub fn local_down(cx: &Context, local: &Local<'_>) -> Result<()> {
    let (files, _) = local.files(cx)?;
    cx.run(ComposeDown::new(LocalProject::new(&local.backend, files)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::compose_ps::containers;

    #[test]
    fn the_backend_is_the_service_that_is_named_or_listens_as_it_should_or_is_alone() {
        let own = ("api".to_owned(), 8000);
        let one = |service: &str, target: u16, at: u16| {
            format!(
                r#"{{"Service":"{service}","State":"running","Publishers":[{{"URL":"0.0.0.0",
                "TargetPort":{target},"PublishedPort":{at},"Protocol":"tcp"}}]}}"#
            )
            .replace('\n', "")
        };
        let at = |all: &[String]| published(&containers(&all.join("\n")).unwrap(), &own);
        let (db, api, web, other) =
            (one("db", 5432, 1), one("api", 80, 2), one("web", 8000, 3), one("x", 9, 4));
        for (all, port) in [
            (vec![db.clone(), web.clone(), api.clone()], 2),
            (vec![db.clone(), web, other.clone()], 3),
            (vec![db.clone()], 1),
            (vec![one("api", 9000, 5), one("api", 8000, 6)], 6),
        ] {
            assert_eq!(at(&all), Ok(format!("http://127.0.0.1:{port}")), "{all:?}");
        }
        assert!(at(&[]).unwrap_err().contains("publishes no port"));
        let hidden = r#"{"Service":"api","State":"running","Publishers":[]}"#.to_owned();
        for elsewhere in [&db, &one("store", 8000, 7)] {
            let all = [elsewhere.clone(), hidden.clone()];
            assert_eq!(at(&all).unwrap_err(), "the service `api` publishes no port");
        }
        assert!(at(&[db, other]).unwrap_err().contains("several ports"));
    }
}
