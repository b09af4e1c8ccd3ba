//! What BuildKit says with `--progress=plain`: steps, cached steps, and why it
//! failed, with the Dockerfile's line where it tells one.

use std::collections::BTreeMap;

/// A build, as its plain progress tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Build {
    /// How many instructions were looked at.
    pub instructions: usize,
    /// How many of them came from the cache.
    pub cached: usize,
    /// Why it failed, in BuildKit's words without their wrapping.
    pub failure: Option<String>,
    /// The instruction that failed, as the Dockerfile has it.
    pub instruction: Option<String>,
    /// The Dockerfile's line that it failed at, counted from 1.
    pub line: Option<u32>,
    /// The last lines that the failed instruction said.
    pub said: Vec<String>,
}

impl Build {
    /// Reads the progress, which BuildKit writes to standard error.
    pub fn parse(progress: &str) -> Self {
        let mut build = Self::default();
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        let mut last_words: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut failed = None;
        for line in progress.lines().map(str::trim_end) {
            if let Some((number, rest)) = vertex(line) {
                if rest.starts_with('[') && !rest.starts_with("[internal]") {
                    // Two names for one number happen when a cached step is told twice.
                    if names.insert(number, rest).is_none() {
                        build.instructions += 1;
                    }
                } else if rest == "CACHED" && names.contains_key(number) {
                    build.cached += 1;
                } else if let Some(error) = rest.strip_prefix("ERROR: ") {
                    failed = Some(number);
                    build.failure.get_or_insert_with(|| shorten(error));
                } else if let Some(said) = timed(rest) {
                    let words = last_words.entry(number).or_default();
                    words.push(said.to_owned());
                    if words.len() > 40 {
                        words.remove(0);
                    }
                }
            } else if let Some(location) = line.strip_prefix("Dockerfile:") {
                build.line = build.line.or(location.parse().ok());
            } else if line.starts_with("ERROR: ") || line.starts_with("failed to ") {
                let error = shorten(line.trim_start_matches("ERROR: "));
                build.line = build.line.or_else(|| parse_error_line(&error));
                build.failure = Some(build.failure.take().unwrap_or(error));
            }
        }
        if let Some(number) = failed {
            build.instruction = names.get(number).map(|name| instruction(name).to_owned());
            build.said = last_words.remove(number).unwrap_or_default();
        }
        build
    }

    /// The Dockerfile's line of the failure: the one that BuildKit told, or where
    /// the failed instruction stands.
    pub fn line_in(&self, dockerfile: &str) -> Option<u32> {
        if self.line.is_some() {
            return self.line;
        }
        let wanted: String =
            self.instruction.as_ref()?.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<&str> = dockerfile.lines().collect();
        (0..lines.len()).find_map(|start| {
            // Continuation lines belong to the instruction that they continue.
            let mut words = Vec::new();
            for line in &lines[start..] {
                let continues = line.trim_end().ends_with('\\');
                words.extend(line.trim_end().trim_end_matches('\\').split_whitespace());
                if !continues {
                    break;
                }
            }
            let text = words.join(" ");
            (!text.is_empty() && text.eq_ignore_ascii_case(&wanted))
                .then(|| u32::try_from(start + 1).ok())?
        })
    }
}

/// `#12 rest` as `("12", "rest")`.
fn vertex(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some((number, rest))
}

/// `0.154 text` as `text`.
fn timed(rest: &str) -> Option<&str> {
    let (time, said) = rest.split_once(' ')?;
    let is_time = time.contains('.') && time.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_time.then_some(said)
}

/// `[builder 2/5] RUN x` as `RUN x`.
fn instruction(name: &str) -> &str {
    name.split_once("] ").map_or(name, |(_, rest)| rest)
}

/// BuildKit wraps the reason in layers of its own names.
fn shorten(error: &str) -> String {
    const WRAPPINGS: [&str; 6] = [
        "failed to solve: ",
        "failed to solve with frontend dockerfile.v0: ",
        "rpc error: code = Unknown desc = ",
        "failed to create LLB definition: ",
        "executor ",
        "failed to compute cache key: ",
    ];
    let mut error = error.trim();
    while let Some(rest) = WRAPPINGS.iter().find_map(|wrapping| error.strip_prefix(wrapping)) {
        error = rest;
    }
    error.to_owned()
}

/// `dockerfile parse error line 2: …`, `dockerfile parse error on line 2: …`.
fn parse_error_line(error: &str) -> Option<u32> {
    let (_, rest) = error.split_once("parse error ")?;
    let rest = rest.trim_start_matches("on ").strip_prefix("line ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_and_built_instructions_are_counted() {
        let build = Build::parse(
            "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\
             #4 [builder 1/2] FROM base\n#5 [builder 2/2] RUN x\n#5 CACHED\n#6 [stage-1 2/2] COPY a b\n#6 DONE 0.1s\n",
        );
        assert_eq!((build.instructions, build.cached, build.failure), (3, 1, None));
    }

    #[test]
    fn a_failed_instruction_is_found_in_the_dockerfile() {
        let build = Build::parse(
            "#5 [2/2] RUN echo start && sh -c 'exit 7'\n#5 0.154 start\n\
             #5 ERROR: executor failed running [/bin/sh -c echo start && sh -c 'exit 7']: exit code: 7\n------\n\
             > [2/2] RUN echo start && sh -c 'exit 7':\n------\nERROR: failed to solve: executor failed running [/bin/sh -c ...]: exit code: 7\n",
        );
        assert_eq!(build.said, ["start"]);
        assert_eq!(
            build.failure.as_deref(),
            Some("failed running [/bin/sh -c echo start && sh -c 'exit 7']: exit code: 7")
        );
        assert_eq!(
            build.line_in("FROM base\n\nRUN echo start \\\n    && sh -c 'exit 7'\n"),
            Some(3)
        );
        assert_eq!(build.line_in("FROM base\n"), None);
    }

    #[test]
    fn a_syntax_error_tells_its_line_in_every_version() {
        for said in [
            "ERROR: failed to solve: rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNN",
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNN",
            "ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN",
        ] {
            let build = Build::parse(said);
            assert_eq!(build.line_in(""), Some(2), "{said}");
            assert!(
                build.failure.is_some_and(|f| f.starts_with("dockerfile parse error")),
                "{said}"
            );
        }
    }

    #[test]
    fn a_newer_buildx_tells_the_place_itself() {
        let build =
            Build::parse("Dockerfile:5\n--------------------\nERROR: failed to solve: process x\n");
        assert_eq!(build.line_in("FROM a"), Some(5));
    }
}
