//! Which slot clients get.

use std::{fs, io, os::unix::fs::symlink};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Result},
    parse::nginx::proxied_port,
    protocol::Slot,
    server::Layout,
    settings::{Listen, Policy},
    step::{Action, Step, Summary},
};

/// In this process: the slot that the live link names, or whose port is named in the file
/// that Nginx includes; `None` where neither is there.
#[derive(Debug)]
pub struct LiveSlot {
    named: Named,
}

/// What names the live slot.
#[derive(Debug)]
enum Named {
    Link(Utf8PathBuf),
    /// A file, and the slots' ports.
    File(Utf8PathBuf, [u16; 2]),
}

impl LiveSlot {
    /// Reads what the policy has Nginx read.
    pub fn new(layout: &Layout, policy: &Policy) -> Self {
        match policy.listen {
            Listen::Socket => Self::linked(layout.live_socket()),
            Listen::Port => Self { named: Named::File(layout.live_port(), policy.ports) },
        }
    }

    /// Reads this link.
    pub fn linked(link: impl Into<Utf8PathBuf>) -> Self {
        Self { named: Named::Link(link.into()) }
    }

    fn read(&self) -> Result<Option<Slot>> {
        match &self.named {
            Named::Link(link) => linked(link),
            Named::File(path, ports) => named(path, *ports),
        }
    }
}

fn named(path: &Utf8Path, ports: [u16; 2]) -> Result<Option<Slot>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            return Err(Error::step(format!("{path} cannot be read")).caused_by(cause));
        }
    };
    let port = proxied_port(&text);
    let slot = ports.iter().zip(Slot::BOTH).find(|(own, _)| Some(**own) == port);
    slot.map(|(_, slot)| Some(slot)).ok_or_else(|| {
        let [blue, green] = ports;
        Error::step(format!("{path} names no slot's port, which are {blue} and {green}")).hint(
            format!(
                "is `first_port` what it was? The file says `proxy_pass http://127.0.0.1:{blue};` \
                 or the other one, and nothing else"
            ),
        )
    })
}

fn linked(link: &Utf8Path) -> Result<Option<Slot>> {
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
        let what = match &self.named {
            Named::Link(link) => format!("read the link {link}"),
            Named::File(path, _) => format!("read {path}"),
        };
        Action::read(what, || self.read())
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
        check("live_slot__minimal", &LiveSlot::linked(LINK));
    }

    #[test]
    fn live_slot_on_port() {
        let policy = Policy { listen: Listen::Port, ..Policy::default() };
        let layout = Layout::new(&"staging".parse().unwrap(), &policy);
        check("live_slot__on_port", &LiveSlot::new(&layout, &policy));
    }

    #[test]
    fn switch_slot_minimal() {
        check("switch_slot__minimal", &SwitchSlot::new(LINK, Slot::Green));
    }

    #[test]
    fn a_file_names_a_slots_port_or_is_wrong() {
        let file = std::env::temp_dir().join(format!("talia-named-{}", std::process::id()));
        let file = Utf8PathBuf::from_path_buf(file).unwrap();
        assert_eq!(named(&file, [8001, 8002]).unwrap(), None);
        for (port, slot) in [(8001, Some(Slot::Blue)), (8002, Some(Slot::Green)), (8003, None)] {
            fs::write(&file, format!("# A\nproxy_pass http://127.0.0.1:{port};\n")).unwrap();
            assert_eq!(named(&file, [8001, 8002]).ok().flatten(), slot, "{port}");
        }
        let error = named(&file, [8001, 8002]).unwrap_err();
        assert!(error.to_string().contains("8001 and 8002"), "{error}");
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_switch_is_read_back_and_a_leftover_is_no_hindrance() {
        let folder = std::env::temp_dir().join(format!("talia switch {}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("api.sock");
        assert_eq!(linked(&link).unwrap(), None);
        fs::write(folder.join(".api.sock.new"), "left by a kill").unwrap();
        for slot in [Slot::Blue, Slot::Green, Slot::Green] {
            SwitchSlot::new(&link, slot).switch().unwrap();
            assert_eq!(linked(&link).unwrap(), Some(slot));
        }
        fs::remove_file(&link).unwrap();
        symlink("/tmp/elsewhere.sock", &link).unwrap();
        assert!(linked(&link).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
