//! An Nginx site on trial: the one before is kept until Nginx has taken the new one.

use std::{fs, io};

use camino::Utf8PathBuf;

use crate::{
    error::{Error, Result},
    files::{remove_if_there, write_atomically_as},
    server::{Layout, PushedFile},
    step::{Action, Step},
};

const SITE: PushedFile = PushedFile::Site;
/// The first line of what is kept: whether there was a site before.
const THERE: &[u8] = b"there\n";
const ABSENT: &[u8] = b"absent\n";

/// In this process: puts an Nginx site in its place, and keeps the one before until
/// [`EndSite`] or [`RestoreSite`]: a kill in between can be put right.
#[derive(Debug)]
pub struct TrySite {
    layout: Layout,
    content: Vec<u8>,
}

impl TrySite {
    /// Writes this content.
    pub fn new(layout: &Layout, content: Vec<u8>) -> Self {
        Self { layout: layout.clone(), content }
    }

    fn write(&self) -> io::Result<()> {
        let path = SITE.path(&self.layout);
        let kept = match fs::read(&path) {
            Ok(before) => [THERE, &before].concat(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => ABSENT.to_vec(),
            Err(error) => return Err(error),
        };
        write_atomically_as(&self.layout.tried_site(), &kept, SITE.mode())?;
        write_atomically_as(&path, &self.content, SITE.mode())
    }
}

impl Step for TrySite {
    type Output = ();

    fn label(&self) -> String {
        "try the site".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = SITE.path(&self.layout);
        Action::work(format!("write {path}, and keep the one before"), move || {
            self.write()
                .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
        })
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
        let pushed = SITE.pushed(&self.layout);
        let now = fs::read(SITE.path(&self.layout))?;
        if let Some(before) = fs::read(self.layout.tried_site())?.strip_prefix(THERE)
            && before != now
        {
            let name = format!("{}.{}", SITE.name(), self.now_ms);
            let kept = self.layout.pushed().join("before").join(name);
            write_atomically_as(&kept, before, SITE.mode())?;
        }
        write_atomically_as(&pushed, &now, SITE.mode())?;
        remove_if_there(&self.layout.tried_site())
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
    path: Utf8PathBuf,
    kept: Utf8PathBuf,
}

impl RestoreSite {
    /// Restores the site of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { path: SITE.path(layout), kept: layout.tried_site() }
    }

    fn restore(&self) -> Result<()> {
        let cannot = |cause: io::Error| {
            Error::step(format!("{} cannot be restored", self.path)).caused_by(cause)
        };
        let kept = match fs::read(&self.kept) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            kept => kept.map_err(cannot)?,
        };
        if let Some(before) = kept.strip_prefix(THERE) {
            write_atomically_as(&self.path, before, SITE.mode()).map_err(cannot)?;
        } else if kept == ABSENT {
            remove_if_there(&self.path).map_err(cannot)?;
        } else {
            return Err(Error::step(format!("{} is not what a push writes", self.kept))
                .hint("look at both files, put the site right by hand, then remove this one"));
        }
        remove_if_there(&self.kept).map_err(cannot)
    }
}

impl Step for RestoreSite {
    type Output = ();

    fn label(&self) -> String {
        "restore the site".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {} as it was", self.path), || self.restore())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
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
        let restore = || RestoreSite::new(&layout).restore().unwrap();
        let tried = |content: &[u8]| TrySite::new(&layout, content.to_vec()).write().unwrap();

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
        assert!(RestoreSite::new(&layout).restore().is_err());
        assert_eq!(now().as_deref(), Some(b"second".as_slice()));
        fs::remove_dir_all(root).unwrap();
    }
}
