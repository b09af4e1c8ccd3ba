//! An Nginx site on trial: the one before is kept until Nginx has taken the new one.

use std::{fs, io};

use crate::{
    error::Error,
    files::write_atomically_as,
    server::{Layout, PushedFile},
    step::{Action, Step},
};

use super::trial::Trial;

const SITE: PushedFile = PushedFile::Site;

fn trial(layout: &Layout) -> Trial {
    Trial::new(SITE.path(layout), layout.tried_site(), SITE.mode())
}

/// In this process: puts an Nginx site in its place, and keeps the one before until
/// [`EndSite`] or [`RestoreSite`]: a kill in between can be put right.
#[derive(Debug)]
pub struct TrySite {
    trial: Trial,
    content: Vec<u8>,
}

impl TrySite {
    /// Writes this content.
    pub fn new(layout: &Layout, content: Vec<u8>) -> Self {
        Self { trial: trial(layout), content }
    }
}

impl Step for TrySite {
    type Output = ();

    fn label(&self) -> String {
        "try the site".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("write {}, and keep the one before", self.trial.path);
        Action::work(what, || self.trial.begin(&self.content))
    }

    fn assume(&self) {}
}

/// In this process: the site that was tried stays. What was there before it is kept
/// among the pushed files.
#[derive(Debug)]
pub struct EndSite {
    layout: Layout,
    now_ms: u64,
}

impl EndSite {
    /// Keeps it; `now_ms` names the copy of what was there.
    pub fn new(layout: &Layout, now_ms: u64) -> Self {
        Self { layout: layout.clone(), now_ms }
    }

    fn end(&self) -> io::Result<()> {
        let trial = trial(&self.layout);
        let now = fs::read(&trial.path)?;
        if let Some(before) = trial.before()?.filter(|before| *before != now) {
            let name = format!("{}.{}", SITE.name(), self.now_ms);
            let kept = self.layout.pushed().join("before").join(name);
            write_atomically_as(&kept, &before, SITE.mode())?;
        }
        write_atomically_as(&SITE.pushed(&self.layout), &now, SITE.mode())?;
        trial.end()
    }
}

impl Step for EndSite {
    type Output = ();

    fn label(&self) -> String {
        "keep the site".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let copy = SITE.pushed(&self.layout);
        Action::work(format!("write {copy}, and forget what was tried"), move || {
            self.end()
                .map_err(|cause| Error::step(format!("{copy} cannot be written")).caused_by(cause))
        })
    }

    fn assume(&self) {}
}

/// In this process: the site is again, byte for byte, what it was before it was tried;
/// nothing where none is being tried.
#[derive(Debug)]
pub struct RestoreSite {
    trial: Trial,
}

impl RestoreSite {
    /// Restores the site of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { trial: trial(layout) }
    }
}

impl Step for RestoreSite {
    type Output = ();

    fn label(&self) -> String {
        "restore the site".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {} as it was", self.trial.path), || self.trial.restore())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    fn layout() -> Layout {
        Layout::new(&"production".parse().unwrap(), &Policy::default())
    }

    #[test]
    fn try_site_minimal() {
        check("try_site__minimal", &TrySite::new(&layout(), b"server {}".to_vec()));
    }

    #[test]
    fn end_site_minimal() {
        check("end_site__minimal", &EndSite::new(&layout(), 1));
    }

    #[test]
    fn restore_site_minimal() {
        check("restore_site__minimal", &RestoreSite::new(&layout()));
    }

    #[test]
    fn what_was_there_is_back_byte_for_byte_and_no_site_is_a_state_too() {
        let root = std::env::temp_dir().join(format!("talia-site-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        let site = layout.nginx_site();
        let now = || fs::read(&site).ok();
        let restore = || trial(&layout).restore().unwrap();
        let tried = |content: &[u8]| trial(&layout).begin(content).unwrap();

        restore();
        tried(b"new");
        restore();
        assert_eq!(now(), None, "there was none");
        let first = b"a\r\n\xff";
        tried(first);
        EndSite::new(&layout, 1).end().unwrap();
        assert_eq!(fs::read(SITE.pushed(&layout)).unwrap(), first);
        assert!(!layout.tried_site().exists());
        // A kill here, and the next push or boot.
        tried(b"broken");
        restore();
        restore();
        assert_eq!(now().as_deref(), Some(first.as_slice()));
        tried(b"second");
        EndSite::new(&layout, 2).end().unwrap();
        let kept = layout.pushed().join("before/site.conf.2");
        assert_eq!(fs::read(kept).unwrap(), first);
        fs::write(layout.tried_site(), "what?").unwrap();
        assert!(trial(&layout).restore().is_err());
        assert_eq!(now().as_deref(), Some(b"second".as_slice()));
        fs::remove_dir_all(root).unwrap();
    }
}
