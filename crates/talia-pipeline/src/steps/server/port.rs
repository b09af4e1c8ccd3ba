//! The file that names the live slot's port, until Nginx has read it.

use crate::{
    error::Error,
    protocol::Slot,
    server::Layout,
    step::{Action, Step},
};

use super::trial::Trial;

fn trial(layout: &Layout) -> Trial {
    Trial::new(layout.live_port(), layout.port_before(), 0o644)
}

/// In this process: makes the file that Nginx includes name the port of a slot, and keeps
/// the file before until [`EndPort`] or [`RestorePort`]. Clients notice nothing until
/// Nginx reads it.
#[derive(Debug)]
pub struct TryPort {
    trial: Trial,
    slot: Slot,
    content: String,
}

impl TryPort {
    /// Names this port, which is the slot's.
    pub fn new(layout: &Layout, slot: Slot, port: u16) -> Self {
        Self { trial: trial(layout), slot, content: layout.live_port_text(port) }
    }
}

impl Step for TryPort {
    type Output = ();

    fn label(&self) -> String {
        format!("name {}'s port", self.slot)
    }

    fn action(&self) -> Action<'_, ()> {
        let proxy = self.content.lines().last().unwrap_or_default();
        let what = format!("write `{proxy}` into {}, and keep the one before", self.trial.path);
        Action::work(what, || self.trial.begin(self.content.as_bytes()))
    }

    fn assume(&self) {}
}

/// In this process: the file stays: Nginx has read it.
#[derive(Debug)]
pub struct EndPort {
    trial: Trial,
}

impl EndPort {
    /// That of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { trial: trial(layout) }
    }
}

impl Step for EndPort {
    type Output = ();

    fn label(&self) -> String {
        "forget the port before".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("keep {} as it is", self.trial.path), || {
            self.trial.end().map_err(|cause| {
                Error::step(format!("what was before {} stays", self.trial.path)).caused_by(cause)
            })
        })
    }

    fn assume(&self) {}
}

/// In this process: the file is again, byte for byte, what it was before; nothing where
/// Nginx has read it.
#[derive(Debug)]
pub struct RestorePort {
    trial: Trial,
}

impl RestorePort {
    /// That of this environment.
    pub fn new(layout: &Layout) -> Self {
        Self { trial: trial(layout) }
    }
}

impl Step for RestorePort {
    type Output = ();

    fn label(&self) -> String {
        "restore the port before".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {} as it was", self.trial.path), || self.trial.restore())
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use std::fs;

    use camino::Utf8PathBuf;

    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    fn layout() -> Layout {
        Layout::new(&"production".parse().unwrap(), &Policy::default())
    }

    #[test]
    fn try_port_minimal() {
        check("try_port__minimal", &TryPort::new(&layout(), Slot::Green, 8002));
    }

    #[test]
    fn end_port_minimal() {
        check("end_port__minimal", &EndPort::new(&layout()));
    }

    #[test]
    fn restore_port_minimal() {
        check("restore_port__minimal", &RestorePort::new(&layout()));
    }

    #[test]
    fn what_nginx_has_read_last_is_what_is_restored() {
        let root = std::env::temp_dir().join(format!("talia-port-{}", std::process::id()));
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        let layout = layout().below(&root);
        let now = || fs::read_to_string(layout.live_port()).ok();
        let tried = |port| {
            let step = TryPort::new(&layout, Slot::Blue, port);
            step.trial.begin(step.content.as_bytes()).unwrap();
        };
        tried(8001);
        assert!(now().unwrap().ends_with("proxy_pass http://127.0.0.1:8001;\n"));
        trial(&layout).restore().unwrap();
        assert_eq!(now(), None, "there was none");
        tried(8001);
        trial(&layout).end().unwrap();
        let by_hand = "proxy_pass http://127.0.0.1:8001 ;\r\n";
        fs::write(layout.live_port(), by_hand).unwrap();
        // Nginx reads neither of the two.
        tried(8002);
        tried(8001);
        trial(&layout).restore().unwrap();
        assert_eq!(now().as_deref(), Some(by_hand));
        assert!(!layout.port_before().exists());
        fs::remove_dir_all(root).unwrap();
    }
}
