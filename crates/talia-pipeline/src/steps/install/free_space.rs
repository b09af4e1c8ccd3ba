use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    error::Error,
    step::{Action, Step, Summary},
};

/// How many bytes are free where a folder is, and whether they are enough.
///
/// - Command: `df --output=avail --block-size=1 -- FOLDER`.
/// - Exits: 0.
/// - Touches: nothing.
/// - Errors: less is free than is needed.
/// - Source: df(1).
///
/// ```
/// use talia_pipeline::{Step, steps::install::FreeSpace};
///
/// assert_eq!(FreeSpace::new("/var/tmp", 1).label(), "free space in /var/tmp");
/// ```
#[derive(Debug, Clone)]
pub struct FreeSpace {
    folder: Utf8PathBuf,
    needed_bytes: u64,
    way_out: &'static str,
}

impl FreeSpace {
    /// In this folder, which needs so many bytes.
    pub fn new(folder: impl Into<Utf8PathBuf>, needed_bytes: u64) -> Self {
        let way_out = "free some disk space, then start again";
        Self { folder: folder.into(), needed_bytes, way_out }
    }

    /// What to do where less is free, if there is something else to do than to free some.
    #[must_use]
    pub fn way_out(mut self, hint: &'static str) -> Self {
        self.way_out = hint;
        self
    }
}

impl Step for FreeSpace {
    type Output = u64;

    fn label(&self) -> String {
        format!("free space in {}", self.folder)
    }

    fn action(&self) -> Action<'_, u64> {
        let line = CommandLine::new("df")
            .args(["--output=avail", "--block-size=1"])
            .operand(self.folder.as_str())
            .effect(Effect::Read)
            .purpose("see how much space is free");
        Action::command(line, |answer| {
            let said = answer.stdout();
            let number = said.lines().last().and_then(|last| last.trim().parse().ok());
            let free: u64 = number.ok_or_else(|| answer.unreadable("a number of bytes"))?;
            if free < self.needed_bytes {
                return Err(Error::step(format!(
                    "{} has {} MB free, {} MB are needed",
                    self.folder,
                    free / 1_000_000,
                    self.needed_bytes / 1_000_000
                ))
                .hint(self.way_out));
            }
            Ok(free)
        })
    }

    fn assume(&self) -> u64 {
        self.needed_bytes
    }

    fn summary(&self, free: &u64) -> Summary {
        Summary::line(format!("{} MB", free / 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;
    use crate::{Answer, Fake, Pipeline, World};

    const HOSTILE: &str = "-it's \"ü\" $HOME\n";

    #[test]
    fn free_space_minimal() {
        check("free_space__minimal", &FreeSpace::new("/var/tmp", 1));
    }
    #[test]
    fn free_space_much() {
        check("free_space__much", &FreeSpace::new("/", u64::MAX));
    }
    #[test]
    fn free_space_hostile() {
        check("free_space__hostile", &FreeSpace::new(HOSTILE, 0));
    }

    #[test]
    fn too_little_space_is_an_error_with_a_way_out() {
        let pipeline = Pipeline::new("test", "/", World::fixed("/", []));
        let ask = |needed| {
            let fake = Fake::new(|_| Answer::new(0, "   Avail\n52000000\n", ""));
            pipeline.fake(fake, move |cx| cx.observe(FreeSpace::new("/var/tmp", needed))).0
        };
        assert_eq!(ask(52_000_000).unwrap(), 52_000_000);
        let error = ask(700_000_000).unwrap_err();
        assert_eq!(error.to_string(), "/var/tmp has 52 MB free, 700 MB are needed");
        assert_eq!(error.hint_text(), Some("free some disk space, then start again"));
        let fake = Fake::new(|_| Answer::new(0, "   Avail\n1\n", ""));
        let step = || FreeSpace::new("/var/tmp", 2).way_out("leave it");
        let error = pipeline.fake(fake, move |cx| cx.observe(step())).0.unwrap_err();
        assert_eq!(error.hint_text(), Some("leave it"));
    }
}
