/// A compose file for the backend on this machine, for a project that has none:
/// `infra/compose/local.yml`.
///
/// It runs the image that `cargo xtask up` has built, at 127.0.0.1:8000, without a
/// database unless the app's own `.env` names one.
///
/// Source: the Compose Specification; `required` needs Compose 2.24.
///
/// ```
/// use talia_pipeline::templates::LocalCompose;
///
/// assert!(LocalCompose::new("talia").render().contains("name: talia-local"));
/// ```
#[derive(Debug, Clone)]
pub struct LocalCompose {
    project: String,
}

impl LocalCompose {
    /// Below this folder of the project's root.
    pub const PATH: &str = "infra/compose/local.yml";
    /// Where the backend answers.
    pub const ADDRESS: &str = "http://127.0.0.1:8000";

    /// For the project of this name.
    pub fn new(project: impl Into<String>) -> Self {
        Self { project: project.into() }
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let project = &self.project;
        format!(
            r#"# The backend on this machine: `cargo xtask up` builds its image and starts it.
name: {project}-local
services:
  api:
    # The image that was just built.
    image: ${{TALIA_IMAGE:-{project}-local}}
    pull_policy: never
    # The app's own, where it has one: without it there is no database.
    env_file: [{{path: .env, required: false}}]
    ports: ["127.0.0.1:8000:8000"]
    stop_grace_period: 15s
    security_opt: ["no-new-privileges:true"]
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn local_compose_minimal() {
        check("local_compose__minimal", &LocalCompose::new("talia").render());
    }
}
