//! Which slot clients get.
//!
//! With a socket that is one rename. With ports it is a file that Nginx includes and has
//! to read: while the one before is kept, nobody knows whether it has.

use crate::{
    context::Context,
    error::{Error, Result},
    protocol::Slot,
    server::Endpoint,
    settings::Listen,
    steps::server::{
        EndPort, LiveSlot, NginxMaster, NginxReload, NginxRenewed, NginxTest, NginxWorkers,
        RestorePort, SwitchSlot, TryPort,
    },
};

use super::{Server, look::Seen};

/// Makes a slot live. When this is over, every new connection gets that slot.
///
/// Where Nginx refuses its configuration, the file with the port is as it was, byte for
/// byte, and Nginx is told nothing.
pub(super) fn switch(cx: &Context, server: &Server, slot: Slot) -> Result<()> {
    let Endpoint::Port(port) = server.endpoint(slot) else {
        return cx.run(SwitchSlot::new(server.layout.live_socket(), slot));
    };
    let tried = cx.run(TryPort::new(&server.layout, slot, port)).and_then(|()| cx.run(NginxTest));
    tried.or_else(|error| cx.sheltered(|cx| restore_port(cx, server, error)))?;
    reload(cx)?;
    cx.run(EndPort::new(&server.layout))
}

/// Whether clients may get another slot than before, when a switch has failed.
pub(super) fn may_be_switched(server: &Server) -> bool {
    server.policy.listen == Listen::Socket || is_unread(server)
}

/// Whether Nginx may not have read which port is live.
fn is_unread(server: &Server) -> bool {
    server.layout.port_before().exists()
}

/// The file with the port is as it was; fails all the same.
fn restore_port(cx: &Context, server: &Server, error: Error) -> Result<()> {
    Err(match cx.run(RestorePort::new(&server.layout)) {
        Ok(()) => error,
        Err(second) => Error::all(vec![error, second]),
    })
}

/// Has Nginx read its configuration, and waits until it works with it. Requests that are
/// under way end where they are.
fn reload(cx: &Context) -> Result<()> {
    let master = cx.run(NginxMaster)?;
    let before = cx.run(NginxWorkers::of(&master))?;
    cx.run(NginxReload)?;
    cx.run(NginxRenewed::new(master, before))
}

/// Has Nginx read which port is live, where a kill may have come before it had: so the
/// file is what clients get. Nothing is done where a release has ended by itself.
///
/// # Errors
/// When Nginx refuses its configuration or does not run: nobody knows then which slot
/// clients get, and both stay.
pub(super) fn mend_switch(cx: &Context, server: &Server, seen: &Seen) -> Result<()> {
    let is_begun = seen.records.unfinished().next().is_some();
    if server.policy.listen == Listen::Socket || !(is_begun || is_unread(server)) {
        return Ok(());
    }
    cx.group("put right what a switch has left", |cx| {
        cx.note("Nginx may not have read which port is live: it does so now");
        cx.run(NginxTest)?;
        reload(cx)?;
        cx.run(EndPort::new(&server.layout))
    })
}

/// The file with the port, for the first site that includes it: of the slot that a link
/// names, where the service listened on a socket before. `None` where it is there, or is
/// not needed.
pub(super) fn first_port(cx: &Context, server: &Server) -> Result<Option<TryPort>> {
    if server.layout.live_port().exists() {
        return Ok(None);
    }
    let slot = cx.observe(LiveSlot::linked(server.layout.live_socket()))?.unwrap_or(Slot::Blue);
    Ok(match server.endpoint(slot) {
        Endpoint::Socket(_) => None,
        Endpoint::Port(port) => Some(TryPort::new(&server.layout, slot, port)),
    })
}
