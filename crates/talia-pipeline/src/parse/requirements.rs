//! Which packages a pip requirements file names, and which files it includes.

use super::pyproject::requirement_name;

/// What one requirements file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Requirements {
    /// The packages, normalised, in order.
    pub packages: Vec<String>,
    /// The files included by `-r` or `--requirement`, as written.
    pub includes: Vec<String>,
}

impl Requirements {
    /// Reads the text of a requirements file.
    ///
    /// Source: pip's manual, *Requirements File Format*.
    ///
    /// ```
    /// use talia_pipeline::parse::requirements::Requirements;
    ///
    /// let read = Requirements::parse("-r base.txt\nFastAPI>=0.110  # web\n");
    /// assert_eq!(read.packages, ["fastapi"]);
    /// assert_eq!(read.includes, ["base.txt"]);
    /// ```
    pub fn parse(text: &str) -> Self {
        let mut read = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        // A backslash at the end continues the line, as in a shell.
        for line in text.replace("\\\n", " ").lines() {
            let line = match line.find(" #").or_else(|| line.starts_with('#').then_some(0)) {
                Some(comment) => &line[..comment],
                None => line,
            };
            let line = line.trim();
            let include = ["-r", "--requirement"].iter().find_map(|flag| {
                let rest = line.strip_prefix(flag)?;
                let value = rest.trim_start_matches(['=', ' ', '\t']);
                (!value.is_empty() && (rest.len() > value.len() || *flag == "-r")).then_some(value)
            });
            if let Some(include) = include {
                read.includes.push(include.to_owned());
            } else if !line.starts_with('-') {
                read.packages.extend(requirement_name(line));
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_line_is_read() {
        let read = Requirements::parse(
            "\u{feff}# all\r\n-r base.txt\n--requirement=more.txt\n-rshort.txt\nuvicorn[standard]==0.30 \\\n  --hash=sha256:ab\n\
             -e .\n--index-url x\nhttpx; python_version>'3'\nPyJWT @ file:///x\n",
        );
        assert_eq!(read.includes, ["base.txt", "more.txt", "short.txt"]);
        assert_eq!(read.packages, ["uvicorn", "httpx", "pyjwt"]);
    }
}
