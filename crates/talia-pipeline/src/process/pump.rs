//! Moves bytes between a child and us, and sleeps in the meantime.

use std::{
    io::{ErrorKind, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionbio,
};

use super::command::Stream;

/// As much as a pipe holds by default.
const CHUNK: usize = 64 * 1024;

/// Reads of one stream before the other one, the clock and the cancelling flag
/// get their turn: a child that prints without end must not hold them up.
const READS_PER_TURN: usize = 16;

/// The three pipes of a child. Whatever it prints, this needs one chunk.
pub(super) struct Pump {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    stdin: Option<(ChildStdin, Vec<u8>, usize)>,
    chunk: Vec<u8>,
}

impl Pump {
    /// Takes the pipes out of the child.
    pub(super) fn new(child: &mut Child, input: Vec<u8>) -> Self {
        let stdout = child.stdout.take().inspect(unblock);
        let stderr = child.stderr.take().inspect(unblock);
        let stdin = child.stdin.take().inspect(unblock);
        let stdin = stdin.filter(|_| !input.is_empty()).map(|stream| (stream, input, 0));
        Self { stdout, stderr, stdin, chunk: vec![0; CHUNK] }
    }

    /// Whether nobody can print any more.
    pub(super) fn is_dry(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// The command is over: what it did not read it never will.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Sleeps until something can be moved, one of `wakes` is readable or the
    /// time is over; then moves what can be moved. Says whether bytes came.
    pub(super) fn turn(
        &mut self,
        wakes: &[BorrowedFd<'_>],
        wait: Duration,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> bool {
        let mut fds: Vec<PollFd<'_>> =
            wakes.iter().map(|wake| PollFd::from_borrowed_fd(*wake, PollFlags::IN)).collect();
        let first = fds.len();
        fds.extend(self.stdout.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.stderr.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.stdin.as_ref().map(|(fd, ..)| PollFd::new(fd, PollFlags::OUT)));
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        if poll(&mut fds, Some(&wait)).is_err() {
            // Interrupted by a signal. The callers look at their clocks.
            return false;
        }
        let mut ready = fds[first..].iter().map(|fd| !fd.revents().is_empty());
        let stdout = self.stdout.is_some() && ready.next() == Some(true);
        let stderr = self.stderr.is_some() && ready.next() == Some(true);
        let stdin = self.stdin.is_some() && ready.next() == Some(true);
        drop(fds);
        let mut moved = false;
        if stdout {
            moved |=
                drain(&mut self.stdout, &mut self.chunk, &mut |it| on_output(Stream::Stdout, it));
        }
        if stderr {
            moved |=
                drain(&mut self.stderr, &mut self.chunk, &mut |it| on_output(Stream::Stderr, it));
        }
        if stdin {
            self.feed();
        }
        moved
    }

    fn feed(&mut self) {
        let Some((stream, input, at)) = &mut self.stdin else { return };
        let over = match stream.write(&input[*at..]) {
            Ok(written) => {
                *at += written;
                *at == input.len()
            }
            // A child that closes its input has had enough: no error. Rust
            // programs ignore SIGPIPE, so the write fails and nothing else.
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        if over {
            self.stdin = None;
        }
    }
}

fn drain(
    stream: &mut Option<impl Read>,
    chunk: &mut [u8],
    on_output: &mut dyn FnMut(&[u8]),
) -> bool {
    let mut moved = false;
    for _ in 0..READS_PER_TURN {
        let Some(open) = stream else { break };
        match open.read(chunk) {
            Ok(0) => *stream = None,
            Ok(length) => {
                moved = true;
                on_output(&chunk[..length]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => *stream = None,
        }
    }
    moved
}

/// Only our end: the child's end of a pipe has flags of its own.
fn unblock(stream: &impl AsFd) {
    _ = ioctl_fionbio(stream, true);
}
