//! What stays on the server although nothing like it is published.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Difference, Entry, Tree, TreePath, difference::pairs};
use crate::error::{Error, Result};

/// Why something stays on the server that is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A rule protects it.
    Protected,
    /// It is in a folder that is protected and not published: rsync does not look there.
    Inside,
    /// It is a folder that would go, and something in it stays.
    Holds,
}

/// What stays, judged as rsync does: a protected folder that is not published stays
/// with all that is in it; in one that is, each entry is judged by itself. `protected` is
/// also told whether the entry is in a folder that would go. `standing` is there too, and
/// `server` has nothing of it: the folders around it stay.
///
/// # Errors
/// Refused when a file or a link would take the place of a folder that has to stay.
pub(super) fn kept(
    server: &Tree,
    local: &Tree,
    standing: &[TreePath],
    protected: impl Fn(&TreePath, &Entry, bool) -> bool,
) -> Result<BTreeMap<TreePath, Kept>> {
    let mut kept: BTreeMap<TreePath, Kept> = BTreeMap::new();
    let mut in_the_way = Vec::new();
    // What is around something that stays does so as well.
    let hold = |kept: &mut BTreeMap<TreePath, Kept>, path: &TreePath| {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !kept.contains_key(folder)) {
            match (local.get(&folder), server.get(&folder)) {
                (None, Some(Entry::Folder { .. })) => {
                    above = folder.parent();
                    kept.insert(folder, Kept::Holds);
                }
                (None | Some(Entry::Folder { .. }), _) => return None,
                (Some(_), _) => return Some(folder),
            }
        }
        None
    };
    // A folder comes before what is in it.
    for Difference { path, before, after } in pairs(server, local) {
        let (Some(entry), None) = (before, after) else { continue };
        let folder = path.parent();
        let why = folder.as_ref().and_then(|folder| kept.get(folder));
        let is_inside = matches!(why, Some(Kept::Protected | Kept::Inside));
        let goes = |folder| !local.get(folder).is_some_and(Entry::is_folder);
        if !is_inside && !protected(path, entry, folder.as_ref().is_some_and(goes)) {
            continue;
        }
        kept.insert(path.clone(), if is_inside { Kept::Inside } else { Kept::Protected });
        in_the_way.extend(hold(&mut kept, path).map(|folder| (folder, path)));
    }
    for path in standing {
        in_the_way.extend(hold(&mut kept, path).map(|folder| (folder, path)));
    }
    let Some((folder, path)) = in_the_way.first() else { return Ok(kept) };
    let others = match in_the_way.len() - 1 {
        0 => String::new(),
        others => format!("; and {others} more such"),
    };
    let message = format!(
        "{folder} is a folder on the server and something else here, and {path} in it is \
         protected{others}"
    );
    Err(Error::refused(message).hint("publish it under another name, or take the protection away"))
}
