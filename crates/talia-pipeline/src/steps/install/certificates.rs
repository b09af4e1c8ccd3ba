use std::{collections::BTreeSet, fs, io, os::unix::fs::PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::Error,
    step::{Action, Step, Summary},
};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Puts aside the certificates that this machine trusts and a tree does not know,
/// one a file, as `update-ca-certificates` wants them.
///
/// A machine behind a proxy that opens TLS trusts that proxy's authority; without
/// it nothing inside an image reaches a package index. Images built on a tree that
/// got them trust them too: such a base is for this machine, not for production.
///
/// - In this process: reads the machine's bundle and the tree's, writes
///   `FOLDER/talia-host-001.crt`, ….
/// - Touches: the folder, which it makes.
/// - Gives: how many there are.
/// - Errors: the bundle cannot be read, the folder cannot be written.
/// - Source: update-ca-certificates(8), RFC 7468.
///
/// ```
/// use talia_pipeline::{Step, steps::install::ExtraCertificates};
///
/// let step = ExtraCertificates::new(["/etc/ssl/certs/ca-certificates.crt"], "/t/root", "/t/more");
/// assert_eq!(step.label(), "this machine's own certificates");
/// ```
#[derive(Debug, Clone)]
pub struct ExtraCertificates {
    bundles: Vec<Utf8PathBuf>,
    root: Utf8PathBuf,
    folder: Utf8PathBuf,
}

impl ExtraCertificates {
    /// From the first of these bundles that is there, for the tree at `root`, into
    /// a new folder.
    pub fn new<I: IntoIterator<Item = impl Into<Utf8PathBuf>>>(
        bundles: I,
        root: impl Into<Utf8PathBuf>,
        folder: impl Into<Utf8PathBuf>,
    ) -> Self {
        let bundles = bundles.into_iter().map(Into::into).collect();
        Self { bundles, root: root.into(), folder: folder.into() }
    }

    fn write(&self) -> Result<usize, (Utf8PathBuf, io::Error)> {
        let at = |path: &Utf8Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        let known = self.known();
        let mut extra = BTreeSet::new();
        if let Some(bundle) = self.bundles.iter().find(|bundle| bundle.is_file()) {
            let text = fs::read(bundle).map_err(at(bundle))?;
            extra = certificates(&String::from_utf8_lossy(&text));
            extra.retain(|certificate| !known.contains(certificate));
        }
        fs::create_dir(&self.folder).map_err(at(&self.folder))?;
        set_mode(&self.folder, 0o755).map_err(at(&self.folder))?;
        for (number, certificate) in extra.iter().enumerate() {
            let path = self.folder.join(format!("talia-host-{:03}.crt", number + 1));
            fs::write(&path, pem(certificate)).map_err(at(&path))?;
            set_mode(&path, 0o644).map_err(at(&path))?;
        }
        Ok(extra.len())
    }

    /// What the tree trusts, and what its package has and leaves untrusted: a
    /// certificate that Debian distrusts is not brought back.
    fn known(&self) -> BTreeSet<String> {
        let mut files = vec![self.root.join("etc/ssl/certs/ca-certificates.crt")];
        let mut folders = vec![self.root.join("usr/share/ca-certificates")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = folder.read_dir_utf8() else { continue };
            for entry in entries.flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.into_path()),
                    Ok(kind) if kind.is_file() => files.push(entry.into_path()),
                    _ => {}
                }
            }
        }
        let texts = files.iter().filter_map(|file| fs::read(file).ok());
        texts.flat_map(|text| certificates(&String::from_utf8_lossy(&text))).collect()
    }
}

/// A umask of the caller must not decide what an image's users can read.
fn set_mode(path: &Utf8Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// The certificates of a bundle as base64 without white space, so that line
/// lengths make no difference. What is no base64 is left out.
fn certificates(text: &str) -> BTreeSet<String> {
    let bodies = text.split(BEGIN).skip(1).filter_map(|rest| Some(rest.split_once(END)?.0));
    bodies
        .map(|body| body.split_whitespace().collect::<String>())
        .filter(|body| !body.is_empty() && body.bytes().all(is_base64))
        .collect()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

/// In lines of 64 characters, as RFC 7468 has it.
fn pem(body: &str) -> String {
    let mut text = format!("{BEGIN}\n");
    let mut rest = body;
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(END);
    text.push('\n');
    text
}

impl Step for ExtraCertificates {
    type Output = usize;

    fn label(&self) -> String {
        "this machine's own certificates".into()
    }

    fn action(&self) -> Action<'_, usize> {
        let bundles: Vec<&str> = self.bundles.iter().map(|bundle| bundle.as_str()).collect();
        let what = format!(
            "write the certificates of {} that {} does not know to {}",
            bundles.join(" or "),
            self.root,
            self.folder
        );
        Action::work(what, || {
            self.write().map_err(|(path, cause)| {
                Error::step(format!("{path} cannot be read or written: {cause}"))
                    .caused_by(cause)
                    .hint(
                        "free some disk space, or point SSL_CERT_FILE to a bundle that can be read",
                    )
            })
        })
    }

    fn assume(&self) -> usize {
        0
    }

    fn summary(&self, count: &usize) -> Summary {
        Summary::line(format!("{count} that Debian does not have"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn minimal() {
        check("extra_certificates__minimal", &ExtraCertificates::new(["/a.crt"], "/t", "/t/more"));
    }
    #[test]
    fn everything() {
        let bundles = ["/srv/own.crt", "/etc/ssl/certs/ca-certificates.crt"];
        check("extra_certificates__everything", &ExtraCertificates::new(bundles, "/t", "/u"));
    }
    #[test]
    fn hostile() {
        let step = ExtraCertificates::new(["-it's\n"], "\"ü\" $x", "a b");
        check("extra_certificates__hostile", &step);
    }

    fn bundle(bodies: &[&str]) -> String {
        bodies.iter().map(|body| format!("# x\n{BEGIN}\n{body}\n{END}\n")).collect()
    }

    #[test]
    fn only_what_the_tree_does_not_know_is_put_aside() {
        let base = std::env::temp_dir().join(format!("talia-certificates-{}", std::process::id()));
        let base = Utf8PathBuf::from_path_buf(base).expect("a path of UTF-8");
        let root = base.join("root");
        fs::create_dir_all(root.join("etc/ssl/certs")).unwrap();
        fs::create_dir_all(root.join("usr/share/ca-certificates/mozilla")).unwrap();
        fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), bundle(&["AA\nAA"])).unwrap();
        fs::write(root.join("usr/share/ca-certificates/mozilla/x.crt"), bundle(&["BB"])).unwrap();
        let long = "C".repeat(70);
        let all = bundle(&["AAAA", "BB", &long, &long, "not base64!"]);
        fs::write(base.join("bundle"), all + BEGIN + "\nDD").unwrap();

        let bundles = [base.join("absent"), base.join("bundle")];
        let step = ExtraCertificates::new(bundles, &root, base.join("more"));
        let count = step.write().unwrap();
        let written = fs::read_to_string(base.join("more/talia-host-001.crt")).unwrap();
        fs::remove_dir_all(&base).unwrap();
        assert_eq!(count, 1);
        assert_eq!(written, format!("{BEGIN}\n{}\nCCCCCC\n{END}\n", "C".repeat(64)));
    }
}
