//! Names that go to a script and come back from one.

use std::time::Duration;

use crate::{
    command_line::{CommandLine, Stdin},
    step::Summary,
};

use super::Connection;

/// Names go to a script as a JSON list in one of psql's variables: it quotes them.
pub(super) fn names_option(line: CommandLine, names: &[String]) -> CommandLine {
    // Serialising a list of strings cannot fail.
    let names = serde_json::to_string(names).unwrap_or_default();
    line.option("--set", format!("names={names}"))
}

pub(super) fn script(connection: &Connection, text: &str) -> CommandLine {
    connection.psql().stdin(Stdin::Text(text.to_owned())).timeout(Duration::from_secs(60))
}

/// Names that a script prints, each as JSON in a line.
pub(super) fn names(text: &str) -> Option<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).ok()).collect()
}

pub(super) fn listed(names: &[String]) -> Summary {
    Summary::line(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_json() {
        assert_eq!(names("\"a\"\n\n\"b\\n\\\"c\"\n").unwrap(), ["a", "b\n\"c"]);
        assert_eq!(names("a"), None);
    }
}
