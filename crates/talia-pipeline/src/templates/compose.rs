/// The backend's compose file: `/opt/talia-backend/docker-compose.yml`.
///
/// One file serves every slot: a release runs the service `api` alone, with an
/// override that names the image by its digest, the socket and the log folder. By
/// hand, `docker compose pull && docker compose up -d --remove-orphans` runs `latest`.
///
/// Source: the Compose Specification.
///
/// ```
/// use talia_pipeline::templates::Compose;
///
/// let text = Compose::new("staging", "ghcr.io/talia/backend").render();
/// assert!(text.contains("name: talia-staging"));
/// ```
#[derive(Debug, Clone)]
pub struct Compose {
    environment: String,
    repository: String,
}

impl Compose {
    /// For this environment and this image, which has no tag.
    pub fn new(environment: impl Into<String>, repository: impl Into<String>) -> Self {
        Self { environment: environment.into(), repository: repository.into() }
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let Self { environment, repository } = self;
        format!(
            r#"# The backend of the environment {environment}.
services:
  api:
    # A release names its own image, by digest.
    image: ${{TALIA_IMAGE:-{repository}:latest}}
    # The image says by itself how it is asked whether it is healthy.
    env_file: .env
    restart: unless-stopped
    # The app ends the requests in flight within 8 s.
    stop_grace_period: 15s
    security_opt: ["no-new-privileges:true"]
    networks: [proxy]
    logging:
      driver: json-file
      options: {{max-size: 10m, max-file: "5"}}

networks:
  proxy:
    name: talia-{environment}
    external: true
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn compose_minimal() {
        check("compose__minimal", &Compose::new("production", "ghcr.io/talia/backend").render());
    }
}
