/// What a site includes where requests go to an app that listens on a port: the live
/// slot's, on 127.0.0.1. A switch writes it anew and reloads Nginx.
///
/// Source: ngx_http_proxy_module.
///
/// ```
/// use talia_pipeline::templates::LivePort;
///
/// assert_eq!(LivePort::path("staging"), "/etc/nginx/talia/staging-port.conf");
/// assert!(LivePort::new("staging", 8001).render().ends_with("\nproxy_pass http://127.0.0.1:8001;\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePort {
    environment: String,
    port: u16,
}

impl LivePort {
    /// For this environment, when the slot with this port is live.
    pub fn new(environment: impl Into<String>, port: u16) -> Self {
        Self { environment: environment.into(), port }
    }

    /// Where that of an environment lies.
    pub fn path(environment: &str) -> String {
        format!("/etc/nginx/talia/{environment}-port.conf")
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let Self { environment, port } = self;
        format!(
            "# The live slot of the environment {environment}. Releases write this file.\n\
             proxy_pass http://127.0.0.1:{port};\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn live_port_minimal() {
        check("live_port__minimal", &LivePort::new("production", 8002).render());
    }
}
