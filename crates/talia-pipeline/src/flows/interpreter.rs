//! Which Python interpreter a project's environment is made with.

use crate::{
    context::Context,
    error::{Error, Result},
    parse::python_version::satisfies,
    project::Project,
    steps::python::ToolVersion,
};

/// Interpreters that are tried by name, the usual one first.
const NAMES: [&str; 8] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python",
];

/// Finds an interpreter that the project accepts; gives its name and version.
///
/// The one in the settings has no alternative. Else the one that
/// `.python-version` names is preferred, and any that `requires-python` accepts
/// will do. A shim of an interpreter that is not installed is passed over.
///
/// # Errors
/// A preflight error that names what is needed and what was found.
pub fn interpreter(
    cx: &Context,
    project: &Project,
    chosen: Option<&str>,
) -> Result<(String, String)> {
    let accepted = project.pyproject.requires_python.as_deref().unwrap_or_default();
    if let Some(chosen) = chosen {
        let version = cx.observe(ToolVersion::of(chosen))?;
        return Ok((chosen.to_owned(), version));
    }
    let pinned = project.pinned_python.as_deref().filter(|pin| pin.starts_with(char::is_numeric));
    let mut found = Vec::new();
    for name in NAMES {
        if cx.find_program(name).is_none() {
            continue;
        }
        let Some(version) = cx.probe(ToolVersion::of(name))? else { continue };
        let wanted =
            pinned.is_none_or(|pin| version == pin || version.starts_with(&format!("{pin}.")));
        if satisfies(&version, accepted) {
            if wanted {
                return Ok((name.to_owned(), version));
            }
            found.insert(0, (name, version, true));
        } else {
            found.push((name, version, false));
        }
    }
    let list = |found: &[(&str, String, bool)]| {
        found
            .iter()
            .map(|(name, version, _)| format!("{name} {version}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some((name, version, true)) = found.first() {
        cx.note(format!(
            "Python {version} is used: .python-version asks for {}, found {}",
            pinned.unwrap_or_default(),
            list(&found)
        ));
        return Ok(((*name).to_owned(), version.clone()));
    }
    if found.is_empty() {
        // The preflight says that it is missing, and how it is installed.
        return Ok(("python3".to_owned(), "0".to_owned()));
    }
    Err(Error::preflight(format!(
        "the project needs Python {accepted}; found {}",
        list(&found)
    ))
    .hint("install a Python that fits, or name one with `backend.python.interpreter` in the settings"))
}
