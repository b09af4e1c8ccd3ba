//! The other environments on the same host.

use camino::Utf8PathBuf;

use crate::{
    error::Result,
    server::{Layout, Record, Records, policies},
    step::{Action, Step, Summary},
};

/// In this process: the images that releases of the other environments on this host
/// need, by their policies.
#[derive(Debug)]
pub struct ReadNeighbours {
    policies: Utf8PathBuf,
    own: Layout,
}

impl ReadNeighbours {
    /// Reads every policy in this folder but that of `own`.
    pub fn new(policies: impl Into<Utf8PathBuf>, own: &Layout) -> Self {
        Self { policies: policies.into(), own: own.clone() }
    }

    fn read(&self) -> Result<Vec<String>> {
        let mut needed = Vec::new();
        for (environment, policy) in policies(&self.policies)? {
            if environment == *self.own.environment() {
                continue;
            }
            let records = Records::read(&Layout::new(&environment, &policy?))?;
            needed.extend(records.all.iter().map(Record::reference));
        }
        Ok(needed)
    }
}

impl Step for ReadNeighbours {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "images of other environments".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let what = format!("read the records of every other policy in {}", self.policies);
        Action::read(what, || self.read())
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, needed: &Vec<String>) -> Summary {
        Summary::line(needed.len().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::Policy, steps::testing::check};

    #[test]
    fn read_neighbours_minimal() {
        let layout = Layout::new(&"production".parse().unwrap(), &Policy::default());
        check("read_neighbours__minimal", &ReadNeighbours::new("/etc/talia", &layout));
    }
}
