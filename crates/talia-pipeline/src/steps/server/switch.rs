//! Which slot clients get.

use std::{fs, io, os::unix::fs::symlink};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    protocol::Slot,
    step::{Action, Step, Summary},
};

/// In this process: the slot that the live link names; `None` where there is no link.
#[derive(Debug)]
pub struct LiveSlot {
    link: Utf8PathBuf,
}

impl LiveSlot {
    /// Reads this link.
    pub fn new(link: impl Into<Utf8PathBuf>) -> Self {
        Self { link: link.into() }
    }
}

fn read(link: &Utf8Path) -> Result<Option<Slot>> {
    let target = match link.read_link_utf8() {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            return Err(Error::step(format!("{link} is no link to a slot's socket"))
                .caused_by(cause)
                .hint("remove it; the next release makes it"));
        }
    };
    let slot = target.parent().and_then(Utf8Path::file_name).and_then(|name| name.parse().ok());
    slot.map(Some).ok_or_else(|| {
        Error::step(format!("{link} leads to {target}, which is no slot's socket"))
            .hint("remove it; the next release makes it")
    })
}

impl Step for LiveSlot {
    type Output = Option<Slot>;

    fn label(&self) -> String {
        "live slot".into()
    }

    fn action(&self) -> Action<'_, Option<Slot>> {
        Action::read(format!("read the link {}", self.link), || read(&self.link))
    }

    fn assume(&self) -> Option<Slot> {
        None
    }

    fn summary(&self, slot: &Option<Slot>) -> Summary {
        Summary::line(slot.map_or("none", Slot::name))
    }
}

/// In this process: one atomic rename that makes the live link name another slot's
/// socket, and its folder's fsync.
///
/// Nginx resolves the path at every connect: new requests go to the new slot, those
/// under way end where they are.
#[derive(Debug)]
pub struct SwitchSlot {
    link: Utf8PathBuf,
    slot: Slot,
}

impl SwitchSlot {
    /// Makes `link` name the socket of `slot`, in the folder beside it.
    pub fn new(link: impl Into<Utf8PathBuf>, slot: Slot) -> Self {
        Self { link: link.into(), slot }
    }

    fn switch(&self) -> io::Result<()> {
        let folder = self.link.parent().unwrap_or(Utf8Path::new("/"));
        let name = self.link.file_name().unwrap_or_default();
        // Relative, so that the tree may be mounted anywhere.
        let target = format!("{}/{name}", self.slot);
        let new = folder.join(format!(".{name}.new"));
        crate::files::remove_if_there(&new)?;
        symlink(target, &new)?;
        fs::rename(&new, &self.link)?;
        fs::File::open(folder)?.sync_all()
    }
}

impl Step for SwitchSlot {
    type Output = ();

    fn label(&self) -> String {
        format!("switch to {}", self.slot)
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("make {} name {}, by one rename", self.link, self.slot);
        Action::work(what, || {
            self.switch().map_err(|cause| {
                Error::step(format!("{} cannot be switched", self.link)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    const LINK: &str = "/var/lib/talia/production/sock/api.sock";

    #[test]
    fn live_slot_minimal() {
        check("live_slot__minimal", &LiveSlot::new(LINK));
    }

    #[test]
    fn switch_slot_minimal() {
        check("switch_slot__minimal", &SwitchSlot::new(LINK, Slot::Green));
    }

    #[test]
    fn a_switch_is_read_back_and_a_leftover_is_no_hindrance() {
        let folder = std::env::temp_dir().join(format!("talia switch {}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("api.sock");
        assert_eq!(read(&link).unwrap(), None);
        fs::write(folder.join(".api.sock.new"), "left by a kill").unwrap();
        for slot in [Slot::Blue, Slot::Green, Slot::Green] {
            SwitchSlot::new(&link, slot).switch().unwrap();
            assert_eq!(read(&link).unwrap(), Some(slot));
        }
        fs::remove_file(&link).unwrap();
        symlink("/tmp/elsewhere.sock", &link).unwrap();
        assert!(read(&link).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
