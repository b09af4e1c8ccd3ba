//! Names that nobody would publish on purpose.

use crate::landing::{Pattern, Places, Tree, TreePath};

/// Names of files and folders with keys and passwords.
const SECRET_NAMES: [&str; 14] = [
    ".env",
    ".git",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".ssh",
    ".aws",
    ".gnupg",
    ".docker",
    ".kube",
    ".svn",
    ".hg",
];
const SECRET_BEGINNINGS: [&str; 6] =
    [".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".git-credentials"];
const SECRET_ENDINGS: [&str; 12] = [
    "key", "pem", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "sqlite", "sqlite3", "dump",
    "tfstate",
];
/// Begin like secrets, and show what one looks like.
const EXAMPLES: [&str; 3] = [".env.example", ".env.sample", ".env.template"];

const JUNK_NAMES: [&str; 7] =
    [".ds_store", "thumbs.db", "desktop.ini", "node_modules", "__pycache__", ".idea", ".vscode"];
const JUNK_ENDINGS: [&str; 6] = ["swp", "swo", "bak", "orig", "rej", "tmp"];

/// Keys, passwords, databases, and folders of version control, which have all that ever
/// was in a repository.
pub(super) fn is_secret(name: &str) -> bool {
    (SECRET_NAMES.contains(&name)
        || SECRET_BEGINNINGS.iter().any(|begins| name.starts_with(begins))
        || has_ending(name, &SECRET_ENDINGS))
        && !EXAMPLES.contains(&name)
}

/// What editors, desktops, and package managers leave.
pub(super) fn is_junk(name: &str) -> bool {
    JUNK_NAMES.contains(&name)
        || name.ends_with('~')
        || name.starts_with(".#")
        || name.starts_with('#') && name.ends_with('#')
        || has_ending(name, &JUNK_ENDINGS)
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// The places with such a name, in capitals too, but for those that are allowed. What is
/// in such a folder is not told as well.
pub(super) fn find(tree: &Tree, allowed: &[Pattern], is_meant: fn(&str) -> bool) -> Places {
    let mut found: Vec<&TreePath> = Vec::new();
    for (path, entry) in tree.iter() {
        let name = path.name();
        let has_capitals = name.bytes().any(|byte| byte.is_ascii_uppercase());
        let is_one =
            if has_capitals { is_meant(&name.to_ascii_lowercase()) } else { is_meant(name) };
        if is_one
            && !allowed.iter().any(|pattern| pattern.matches(path.as_str(), entry.is_folder()))
            && !found.iter().any(|above| path.is_below(above))
        {
            found.push(path);
        }
    }
    found.into_iter().collect()
}
