//! What a deploy begins from and how it has ended, for people.

use std::fmt::{self, Display};

use crate::{
    parse::visible,
    protocol::{Outlook, Released, Taken},
};

use super::{Deployed, Latest, Prospect};

/// How many commits are listed.
const COMMITS: usize = 20;

impl Display for Prospect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now_ms = self.outlook.as_ref().map_or(0, |outlook| outlook.state.at_ms);
        match self.live() {
            Some(live) => writeln!(f, "live      {}", taken(live, now_ms))?,
            None if self.outlook.is_some() => writeln!(f, "live      nothing")?,
            None => writeln!(f, "live      not known: the server has no agent")?,
        }
        let revision = &self.chosen.revision;
        match &self.there {
            Some(digest) => writeln!(f, "next      {revision}\n          {digest}")?,
            None => writeln!(f, "next      {revision}\n          ⟨image digest⟩, to be built")?,
        }
        self.commits(f)?;
        match &self.outlook {
            Some(outlook) => self.server(outlook, f),
            None => Ok(()),
        }
    }
}

impl Prospect {
    fn commits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(commits) = &self.commits else { return Ok(()) };
        if commits.is_empty() {
            return writeln!(f, "commits   none");
        }
        for (at, commit) in commits.iter().take(COMMITS).enumerate() {
            let head = if at == 0 { "commits" } else { "" };
            let short = commit.hash.get(..12).unwrap_or(&commit.hash);
            writeln!(f, "{head:<10}{short} {}", visible(&commit.subject))?;
        }
        match commits.len().saturating_sub(COMMITS) {
            0 => Ok(()),
            more => writeln!(f, "          and {more} more"),
        }
    }

    fn server(&self, outlook: &Outlook, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, difference) = (&outlook.state, &outlook.difference);
        let mut names = Vec::new();
        let kinds = [
            ('+', &difference.env_added),
            ('-', &difference.env_removed),
            ('~', &difference.env_changed),
        ];
        for (sign, list) in kinds {
            names.extend(list.iter().map(|name| format!("{sign}{}", visible(name))));
        }
        let names = if names.is_empty() { "no change".to_owned() } else { names.join(" ") };
        writeln!(f, ".env      {names}")?;
        let diff = difference.compose_diff.trim_end();
        writeln!(f, "compose   {}", if diff.is_empty() { "no change" } else { "changes:" })?;
        for line in diff.lines() {
            writeln!(f, "          {}", visible(line))?;
        }
        writeln!(f, "container {}", self.containers(outlook))?;
        writeln!(f, "disk      {:.1} GB free", state.free_bytes as f64 / 1e9)?;
        match &state.backup {
            Some(backup) => {
                let drilled = if backup.drilled_ms.is_some() { ", drilled" } else { "" };
                let age = age(state.at_ms, backup.at_ms);
                writeln!(f, "backup    {}, {age} old{drilled}", visible(&backup.id))?;
            }
            None => writeln!(f, "backup    none yet")?,
        }
        match &state.lock {
            Some(lock) => {
                let age = age(state.at_ms, lock.since_ms);
                writeln!(f, "lock      {} has it for {age}: {}", lock.by, visible(&lock.doing))?;
            }
            None => writeln!(f, "lock      free")?,
        }
        for file in &state.drift {
            writeln!(f, "drift     {}", visible(file))?;
        }
        for reason in &outlook.refused {
            writeln!(f, "refused   {}", visible(reason))?;
        }
        Ok(())
    }

    /// Which containers are made and ended.
    fn containers(&self, outlook: &Outlook) -> String {
        let Some(live) = self.live() else { return "one is started".to_owned() };
        if live.revision == self.chosen.revision && self.there.as_ref() == Some(&live.digest) {
            return "none, where the live one is well".to_owned();
        }
        match live.slot {
            Some(slot) => {
                format!("one is started in {}, then the one in {slot} is ended", slot.other())
            }
            None => format!("{} replaced", outlook.state.slots.len()),
        }
    }
}

impl Deployed {
    /// A few lines for people; `environment` is its name, `seconds` how long it took.
    pub fn told(&self, environment: &impl Display, seconds: f64) -> String {
        let short = self.revision.short();
        let Some(released) = &self.released else {
            return format!(
                "{short} was given to the server of {environment} in {seconds:.1} s; whether it \
                 is well is yours to see: `docker compose ps` there\n{}",
                self.image()
            );
        };
        if released.unchanged {
            let live = &released.live.release;
            let latest = match self.latest {
                Latest::Moved => "; `latest` names it now",
                _ => "",
            };
            return format!(
                "{short} was live on {environment} already ({live}): nothing was done{latest}, \
                 {seconds:.1} s\n"
            );
        }
        format!("{}{}", release_told(released, environment, seconds), self.image())
    }

    fn image(&self) -> String {
        let from = if self.built { "built and pushed" } else { "as the registry had it" };
        let mut text = format!("  image   {} ({from})\n", self.digest);
        match &self.latest {
            Latest::NotOurs => {}
            Latest::Already => text.push_str("  latest  named it already\n"),
            Latest::Moved => text.push_str("  latest  names it now\n"),
            Latest::Stays(reason) => text.push_str(&format!("  latest  stays: {reason}\n")),
        }
        text
    }
}

/// What a release or a rollback has changed, in a few lines for people; `environment`
/// is its name, `seconds` how long it took.
pub fn release_told(released: &Released, environment: &impl Display, seconds: f64) -> String {
    let live = &released.live;
    let mut text =
        format!("{} is live on {environment} after {seconds:.1} s\n", live.revision.short());
    text.push_str(&format!("  release {}\n", live.release));
    match &released.before {
        Some(before) => {
            let (revision, image) = (before.revision.short(), before.digest.short());
            text.push_str(&format!("  before  {} ({revision}, image {image})\n", before.release));
        }
        None => text.push_str("  before  nothing\n"),
    }
    text
}

fn taken(live: &Taken, now_ms: u64) -> String {
    format!(
        "{}\n          {}\n          release {}, {} old, by {}",
        live.revision,
        live.digest,
        live.release,
        age(now_ms, live.at_ms),
        live.by
    )
}

/// From then to now, in the largest unit that fits.
fn age(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
