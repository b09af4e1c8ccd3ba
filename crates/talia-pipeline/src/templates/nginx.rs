use super::LivePort;

/// Nginx's site for one environment: a file for `/etc/nginx/sites-available/`.
///
/// - `/api/` goes straight to the socket behind the symlink that names the live
///   slot, without an `upstream` block and without connections kept alive: the path
///   is looked up at every connect, so that a switch needs no reload. Or, where the
///   app cannot listen on a socket, to the port that an included file names:
///   [`LivePort`].
/// - `/` is the landing page.
/// - While the file `/var/lib/talia/ENV/maintenance` is there, everything but the
///   health path answers 503 with `Retry-After`.
///
/// Source: ngx_http_proxy_module, ngx_http_headers_module.
///
/// ```
/// use talia_pipeline::templates::Nginx;
///
/// let text = Nginx::new("staging", "staging.talia.example").render();
/// assert!(text.contains("proxy_pass http://unix:/var/lib/talia/staging/sock/api.sock:;"));
/// ```
#[derive(Debug, Clone)]
pub struct Nginx {
    environment: String,
    host: String,
    health: String,
    web: String,
    certificate: String,
    key: String,
    is_on_port: bool,
}

impl Nginx {
    /// For this environment and this public host name. Certificates are looked for
    /// where Let's Encrypt's client puts them.
    pub fn new(environment: impl Into<String>, host: impl Into<String>) -> Self {
        let host = host.into();
        Self {
            environment: environment.into(),
            health: "/api/health".into(),
            web: "/var/www/talia-landing".into(),
            certificate: format!("/etc/letsencrypt/live/{host}/fullchain.pem"),
            key: format!("/etc/letsencrypt/live/{host}/privkey.pem"),
            host,
            is_on_port: false,
        }
    }

    /// The path that stays open during maintenance; `/api/health` unless set.
    #[must_use]
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.health = path.into();
        self
    }

    /// The landing page's live folder; `/var/www/talia-landing` unless set.
    #[must_use]
    pub fn web(mut self, folder: impl Into<String>) -> Self {
        self.web = folder.into();
        self
    }

    /// The certificate and its key, as paths on the server.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        (self.certificate, self.key) = (certificate.into(), key.into());
        self
    }

    /// For an app that listens on a port: `listen = "port"`.
    #[must_use]
    pub fn on_port(mut self) -> Self {
        self.is_on_port = true;
        self
    }

    /// The file's name in `/etc/nginx/sites-available/`.
    pub fn file_name(&self) -> String {
        format!("talia-{}.conf", self.environment)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let Self { environment, host, health, web, certificate, key, is_on_port } = self;
        // A variable's name has no dashes.
        let word = environment.replace('-', "_");
        let to_app = if *is_on_port {
            format!("include {};", LivePort::path(environment))
        } else {
            format!("proxy_pass http://unix:/var/lib/talia/{environment}/sock/api.sock:;")
        };
        let closed = format!("if (-f /var/lib/talia/{environment}/maintenance) {{ return 503; }}");
        format!(
            r#"# The public host of the environment {environment}.

# A websocket asks to go on; any other request ends its connection to the app, so that
# the next one finds the slot that is live by then.
map $http_upgrade $talia_{word}_connection {{
    default upgrade;
    ""      close;
}}

server {{
    listen 80;
    server_name {host};
    location /.well-known/acme-challenge/ {{ root /var/www/letsencrypt; }}
    location / {{ return 301 https://$host$request_uri; }}
}}

server {{
    listen 443 ssl http2;
    server_name {host};

    ssl_certificate     {certificate};
    ssl_certificate_key {key};
    ssl_protocols       TLSv1.2 TLSv1.3;
    ssl_session_cache   shared:talia_{word}:2m;

    # `add_header` in a location would drop all of these there.
    add_header Strict-Transport-Security "max-age=31536000" always;
    add_header Content-Security-Policy "default-src 'self'; frame-ancestors 'none'" always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy strict-origin-when-cross-origin always;

    client_max_body_size 10m;
    server_tokens off;
    error_page 503 @closed;

    proxy_http_version 1.1;
    proxy_set_header Host              $host;
    # Nothing is in front of this server: what a client says about itself is dropped.
    proxy_set_header X-Real-IP         $remote_addr;
    proxy_set_header X-Forwarded-For   $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade           $http_upgrade;
    proxy_set_header Connection        $talia_{word}_connection;
    proxy_connect_timeout 5s;
    proxy_read_timeout    120s;
    proxy_send_timeout    120s;
    # A request is sent once.
    proxy_next_upstream   off;

    location = {health} {{
        {to_app}
    }}

    location /api/ {{
        {closed}
        {to_app}
    }}

    location / {{
        {closed}
        root {web};
        index index.html;
        try_files $uri $uri/ =404;
    }}

    location @closed {{
        add_header Strict-Transport-Security "max-age=31536000" always;
        add_header Content-Security-Policy "default-src 'self'; frame-ancestors 'none'" always;
        add_header X-Content-Type-Options nosniff always;
        add_header Retry-After 120 always;
        default_type text/plain;
        return 503 "Down for maintenance. Please try again in a few minutes.\n";
    }}
}}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn nginx_minimal() {
        check("nginx__minimal", &Nginx::new("production", "talia.example").render());
    }

    #[test]
    fn nginx_on_port() {
        check("nginx__on_port", &Nginx::new("production", "talia.example").on_port().render());
    }

    #[test]
    fn nginx_everything() {
        let site = Nginx::new("sandbox-two", "sandbox.talia.test")
            .health("/api/ready")
            .web("/var/www/talia-landing-two")
            .tls("/etc/talia/sandbox-two/tls/cert.pem", "/etc/talia/sandbox-two/tls/key.pem");
        check("nginx__everything", &site.render());
    }
}
