//! Descriptors that commands get beside their streams, such as a lock's.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::{Leaves, registry::registry};

/// What every command gets while this is there, and whatever it starts: a lock is free only
/// when nothing of its holder works any more.
///
/// One that leaves something until its flow ends ([`Leaves::UntilFlowEnds`]) does not get
/// it: a server of a flow that was killed works for nobody, and would hold the lock for ever.
#[derive(Debug)]
pub struct Lent {
    number: i32,
}

impl Lent {
    /// Lends a descriptor; that it is open here counts on its own.
    ///
    /// # Errors
    /// When the kernel gives no further one.
    pub fn new(descriptor: impl AsFd) -> io::Result<Self> {
        let lent = fcntl_dupfd_cloexec(descriptor, 0)?;
        fcntl_setfd(&lent, FdFlags::empty())?;
        let number = lent.as_raw_fd();
        registry().lent.push(lent);
        Ok(Self { number })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        registry().lent.retain(|lent| lent.as_raw_fd() != self.number);
    }
}

/// Spawns a command that gets what is lent, unless it may not have it. The registry is locked
/// meanwhile, so no other command is spawned.
pub(super) fn lending<T>(
    lent: &[OwnedFd],
    leaves: Leaves,
    spawn: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if leaves != Leaves::UntilFlowEnds {
        return spawn();
    }
    let set = |flags| lent.iter().try_for_each(|one| fcntl_setfd(one, flags));
    let spawned = set(FdFlags::CLOEXEC).map_err(io::Error::from).and_then(|()| spawn());
    // It was so before, and fails for no open descriptor.
    set(FdFlags::empty())?;
    spawned
}
