use std::time::Duration;

use camino::Utf8PathBuf;
use talia_pipeline::{Action, CommandLine, Step};

/// Makes a key pair for SSH, without a passphrase.
///
/// - Command: `ssh-keygen -q -t ed25519 -N '' -C COMMENT -f PATH`; it has no long
///   options.
/// - Exits: 0.
/// - Touches: `PATH` (0600) and `PATH.pub`, which must not be there.
/// - Source: ssh-keygen(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::KeyMade;
///
/// assert_eq!(KeyMade::new("/srv/x/deploy_key", "ci").label(), "make the key deploy_key");
/// ```
#[derive(Debug, Clone)]
pub struct KeyMade {
    path: Utf8PathBuf,
    comment: String,
}

impl KeyMade {
    /// At this path, with this comment.
    pub fn new(path: impl Into<Utf8PathBuf>, comment: impl Into<String>) -> Self {
        Self { path: path.into(), comment: comment.into() }
    }
}

impl Step for KeyMade {
    type Output = ();

    fn label(&self) -> String {
        format!("make the key {}", self.path.file_name().unwrap_or_default())
    }

    fn action(&self) -> Action<'_, ()> {
        let line = CommandLine::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", ""])
            .args(["-C", &self.comment])
            .args(["-f", self.path.as_str()])
            .timeout(Duration::from_secs(30))
            .purpose("a key of the sandbox's own");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Makes a certificate that is signed by its own key, so that it is its own CA.
///
/// - Command: `openssl req -x509 -newkey ec … -subj /CN=HOST -addext subjectAltName=…
///   -keyout KEY -out CERTIFICATE`; it has no long options.
/// - Exits: 0.
/// - Touches: the two files.
/// - Source: openssl-req(1).
///
/// ```
/// use talia_pipeline::Step;
/// use talia_sandbox::steps::CertificateMade;
///
/// let step = CertificateMade::new(["a.test"], "/srv/x/cert.pem", "/srv/x/key.pem");
/// assert_eq!(step.label(), "make a certificate for a.test");
/// ```
#[derive(Debug, Clone)]
pub struct CertificateMade {
    hosts: Vec<String>,
    certificate: Utf8PathBuf,
    key: Utf8PathBuf,
}

impl CertificateMade {
    /// For these hosts, into these files.
    pub fn new(
        hosts: impl IntoIterator<Item = impl Into<String>>,
        certificate: impl Into<Utf8PathBuf>,
        key: impl Into<Utf8PathBuf>,
    ) -> Self {
        let hosts = hosts.into_iter().map(Into::into).collect();
        Self { hosts, certificate: certificate.into(), key: key.into() }
    }
}

impl Step for CertificateMade {
    type Output = ();

    fn label(&self) -> String {
        format!("make a certificate for {}", self.hosts.join(" and "))
    }

    fn action(&self) -> Action<'_, ()> {
        let first = self.hosts.first().map(String::as_str).unwrap_or_default();
        let names: Vec<String> = self.hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let line = CommandLine::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "3650"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-subj", &format!("/CN={first}")])
            .args(["-addext", &format!("subjectAltName={}", names.join(","))])
            .args(["-keyout", self.key.as_str()])
            .args(["-out", self.certificate.as_str()])
            .timeout(Duration::from_secs(30))
            .purpose("TLS for the sandbox's public names");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn key_minimal() {
        check("key_made__minimal", &KeyMade::new("/srv/x/deploy_key", ""));
    }
    #[test]
    fn key_everything() {
        check("key_made__everything", &KeyMade::new("/srv/x/deploy_key", "deploy of a sandbox"));
    }
    #[test]
    fn key_hostile() {
        check("key_made__hostile", &KeyMade::new("-it's \"a\"\nü", "-c $(id)"));
    }
    #[test]
    fn certificate_minimal() {
        check("certificate_made__minimal", &CertificateMade::new(["a.test"], "/x/c", "/x/k"));
    }
    #[test]
    fn certificate_everything() {
        let step = CertificateMade::new(["a.test", "b.test"], "/x/cert.pem", "/x/key.pem");
        check("certificate_made__everything", &step);
    }
    #[test]
    fn certificate_hostile() {
        check("certificate_made__hostile", &CertificateMade::new(["it's"], "-c\nü", "/x y/k"));
    }
}
