//! Which slot clients get, where Nginx reads its port from a file: what is done with the
//! file, and what Nginx is told.

use std::fs;

use camino::Utf8PathBuf;
use talia_pipeline::{
    Context, Pipeline, Result, World,
    flows::server::{push, settle_all},
    server::PushedFile,
};

use crate::{
    compose::{Here, in_front},
    support::write,
};

/// A server on ports whose Nginx is a script: its configuration is right unless a file
/// says otherwise, and it has another worker after each reload.
struct Ports {
    here: Here,
    reloads: Utf8PathBuf,
    wrong: Utf8PathBuf,
}

impl Ports {
    fn new() -> Self {
        let here = Here::new("listen = \"port\"");
        let folder = here.root.path();
        let (reloads, wrong) = (folder.join("reloads"), folder.join("wrong"));
        Self { here, reloads, wrong }
    }

    fn world(&self) -> World {
        let (reloads, wrong) = (&self.reloads, &self.wrong);
        let nginx = format!("if [ -e '{wrong}' ]; then echo 'no: wrong' >&2; exit 1; fi");
        let systemctl =
            format!("if [ \"$1\" = show ]; then echo 7; else echo \"$@\" >> '{reloads}'; fi");
        let pgrep = format!("cat '{reloads}' 2> /dev/null | wc -l");
        let scripts = [
            ("nginx", nginx.as_str()),
            ("systemctl", &systemctl),
            ("pgrep", &pgrep),
            ("docker", ""),
        ];
        in_front(&self.here.root.path().join("bin"), &scripts)
    }

    fn run(&self, flow: impl Fn(&Context) -> Result<()>) -> Result<(), String> {
        let mut pipeline = Pipeline::new("try", self.here.root.path(), self.world());
        pipeline.run(flow).result.map_err(|error| error.to_string())
    }

    fn push_site(&self) -> Result<(), String> {
        let site = b"server { listen 80; }".to_vec();
        self.run(|cx| push(cx, &self.here.server, PushedFile::Site, site.clone()))
    }

    fn settle(&self) -> Result<(), String> {
        self.run(|cx| settle_all(cx, &self.here.server))
    }

    fn is_wrong(&self, wrong: bool) {
        if wrong {
            write(&self.wrong, "");
        } else {
            fs::remove_file(&self.wrong).unwrap();
        }
    }

    fn reloads(&self) -> usize {
        fs::read_to_string(&self.reloads).unwrap_or_default().lines().count()
    }

    /// The last line of the file, and whether one before it is kept.
    fn named(&self) -> (Option<String>, bool) {
        let layout = &self.here.server.layout;
        let text = fs::read_to_string(layout.live_port()).ok();
        let last = text.and_then(|text| text.lines().last().map(str::to_owned));
        (last, layout.port_before().exists())
    }
}

const BLUE: &str = "proxy_pass http://127.0.0.1:8001;";
const GREEN: &str = "proxy_pass http://127.0.0.1:8002;";

#[test]
fn the_first_site_finds_a_port_to_include() {
    let ports = Ports::new();
    ports.is_wrong(true);
    assert!(ports.push_site().unwrap_err().contains("Nginx refuses"));
    assert_eq!((ports.named(), ports.reloads()), ((None, false), 0), "it is as it was");
    ports.is_wrong(false);
    ports.push_site().unwrap();
    assert_eq!((ports.named(), ports.reloads()), ((Some(BLUE.to_owned()), false), 1));

    // Where the service listened on a socket, its slot is the one that clients get.
    let ports = Ports::new();
    let link = ports.here.server.layout.live_socket();
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("green/api.sock", &link).unwrap();
    ports.push_site().unwrap();
    assert_eq!(ports.named().0.as_deref(), Some(GREEN));
}

/// A kill between the file and Nginx's word: as long as Nginx refuses to read it, nobody
/// knows which slot clients get.
#[test]
fn what_nginx_may_not_have_read_is_read_first() {
    let ports = Ports::new();
    let layout = &ports.here.server.layout;
    ports.settle().unwrap();
    assert_eq!(ports.reloads(), 0, "nothing was left");
    write(&layout.live_port(), &layout.live_port_text(8002));
    write(&layout.port_before(), &format!("there\n{}", layout.live_port_text(8001)));
    ports.is_wrong(true);
    assert!(ports.settle().unwrap_err().contains("Nginx refuses its configuration"));
    assert_eq!((ports.named(), ports.reloads()), ((Some(GREEN.to_owned()), true), 0));
    ports.is_wrong(false);
    ports.settle().unwrap();
    assert_eq!((ports.named(), ports.reloads()), ((Some(GREEN.to_owned()), false), 1));
    ports.settle().unwrap();
    assert_eq!(ports.reloads(), 1);
}

#[test]
fn a_file_that_names_no_slot_stops_everything() {
    let ports = Ports::new();
    write(&ports.here.server.layout.live_port(), "proxy_pass http://127.0.0.1:9000;\n");
    let told = ports.settle().unwrap_err();
    assert!(told.contains("names no slot's port, which are 8001 and 8002"), "{told}");
    assert_eq!(ports.reloads(), 0);
}
