//! What may happen to a server, one call each.

use talia_pipeline::{Error, Result};

use crate::{
    Droplet, Sandbox,
    steps::{Connected, Exec},
};

/// Space that is taken away; [`Balloon::free`] gives it back.
#[derive(Debug)]
#[must_use = "the disk stays full"]
pub struct Balloon {
    droplet: Droplet,
    path: String,
}

impl Balloon {
    /// Gives the space back.
    ///
    /// # Errors
    /// When the droplet does not run.
    pub fn free(self) -> Result<()> {
        self.droplet.said(["rm", "--force", "--", &self.path]).map(drop)
    }
}

impl Droplet {
    /// Cuts the line to everybody: the registry, the database, this machine.
    ///
    /// # Errors
    /// When it is cut already.
    pub fn partition(&self) -> Result<()> {
        self.connected(false)
    }

    /// Mends the line.
    ///
    /// # Errors
    /// When it is not cut.
    pub fn heal(&self) -> Result<()> {
        self.connected(true)
    }

    fn connected(&self, connected: bool) -> Result<()> {
        let (network, container) = (self.place().network(), self.container());
        self.door().run(&Connected::new(network, container, connected))
    }

    /// Leaves only this many bytes free where `folder` is.
    ///
    /// # Errors
    /// Refused on a droplet whose disk is this machine's own: ask for one with
    /// [`crate::DropletWish::small_disk`].
    pub fn fill_disk(&self, folder: &str, leave: u64) -> Result<Balloon> {
        if !self.has_small_disk() {
            return Err(Error::refused(format!(
                "the disk of {} is this machine's own, which is not to be filled",
                self.name()
            ))
            .hint("ask for a droplet with `DropletWish::small_disk`"));
        }
        let free = self.said(["stat", "--file-system", "--format=%a %S", "--", folder])?;
        let mut numbers = free.split(' ').map(|number| number.parse::<u64>().unwrap_or_default());
        let free = numbers.next().unwrap_or_default() * numbers.next().unwrap_or_default();
        let path = format!("{folder}/.balloon");
        let length = free.saturating_sub(leave);
        if length > 0 {
            self.said(["fallocate", "--length", &length.to_string(), "--", &path])?;
        }
        Ok(Balloon { droplet: self.clone(), path })
    }

    /// Sends at most this many kilobits a second, each packet this much later. 0: no
    /// limit, no delay.
    ///
    /// # Errors
    /// A preflight error where the kernel has no such queue; many have none for delays.
    pub fn slow_network(&self, delay_ms: u32, kilobits: u32) -> Result<()> {
        slow(self, &self.container(), delay_ms, kilobits)
    }

    /// Restarts its engine; with `live-restore`, containers go on.
    ///
    /// # Errors
    /// When the engine does not come up.
    pub fn restart_engine(&self) -> Result<()> {
        self.restart("docker")
    }

    /// Restarts a service: `nginx`, `ssh`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&self, service: &str) -> Result<()> {
        self.said(["systemctl", "restart", "--", service]).map(drop)
    }

    /// Sends a signal to every process of this exact name on the droplet: `KILL`.
    /// Gives how many there were.
    ///
    /// # Errors
    /// When the droplet does not run.
    pub fn kill(&self, process: &str, signal: &str) -> Result<usize> {
        let found = self.exec(["pgrep", "--exact", "--", process])?;
        let found = String::from_utf8_lossy(&found.stdout).lines().count();
        if found > 0 {
            // It may have ended by itself in the meantime.
            self.exec(["pkill", "--exact", "--signal", signal, "--", process])?;
        }
        Ok(found)
    }
}

impl Sandbox {
    /// Lets the registry send at most this many kilobits a second. 0: no limit.
    ///
    /// # Errors
    /// A preflight error where the kernel has no such queue.
    pub fn slow_registry(&self, kilobits: u32) -> Result<()> {
        let droplets = self.droplets();
        let Some(any) = droplets.first() else { return Ok(()) };
        slow(any, &self.place().container("registry"), 0, kilobits)
    }
}

fn slow(droplet: &Droplet, container: &str, delay_ms: u32, kilobits: u32) -> Result<()> {
    let tc = |words: &str| {
        let program = ["tc", "qdisc"].into_iter().chain(words.split(' '));
        droplet.door().run(&Exec::new(container, program).any_exit())
    };
    // What was set before goes; nothing set is fine too.
    tc("del dev eth0 root")?;
    let words = match (delay_ms, kilobits) {
        (0, 0) => return Ok(()),
        (0, rate) => format!("add dev eth0 root tbf rate {rate}kbit burst 16kb latency 400ms"),
        (delay, 0) => format!("add dev eth0 root netem delay {delay}ms"),
        (delay, rate) => format!("add dev eth0 root netem delay {delay}ms rate {rate}kbit"),
    };
    let said = tc(&words)?;
    if said.exit == 0 {
        return Ok(());
    }
    Err(Error::preflight(format!("this kernel cannot slow the network down so: tc qdisc {words}"))
        .tail(said.stderr.lines().map(str::to_owned).collect()))
}
