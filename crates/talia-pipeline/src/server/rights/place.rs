use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The folders of the host that may be mounted.
#[derive(Debug)]
pub(super) struct Known<'a> {
    folders: &'a [Utf8PathBuf],
}

impl<'a> Known<'a> {
    pub(super) fn new(folders: &'a [Utf8PathBuf]) -> Self {
        Self { folders }
    }

    /// Whether this path leads to one of them or below it, through every link.
    pub(super) fn has(&self, path: &Utf8Path) -> bool {
        let Some(path) = real(path) else { return false };
        self.folders.iter().filter_map(|folder| real(folder)).any(|folder| path.starts_with(folder))
    }
}

/// Whether a path lies in a folder, by its text or through links.
pub(super) fn is_below(path: &Utf8Path, folder: &Utf8Path) -> bool {
    match (real(path), real(folder)) {
        (Some(path), Some(folder)) => path.starts_with(folder),
        _ => path.starts_with(folder),
    }
}

/// Where a path really leads. What is not there yet is taken as it is written, unless
/// it climbs: then it leads nowhere.
fn real(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut there = path;
    loop {
        match there.canonicalize_utf8() {
            Ok(found) => {
                let rest = path.strip_prefix(there).ok()?;
                let climbs = rest.components().any(|part| part == Utf8Component::ParentDir);
                // A link to nothing is there, and would be followed when something is.
                let dangles =
                    rest.components().next().is_some_and(|first| found.join(first).is_symlink());
                return (!climbs && !dangles).then(|| found.join(rest));
            }
            Err(_) => there = there.parent()?,
        }
    }
}
