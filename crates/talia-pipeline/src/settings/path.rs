//! Paths that must stay inside the project, judged as text.

use camino::{Utf8Component, Utf8Path};

use super::grammar::{Check, Fault, is_text};

/// A path below a folder that lies `depth` folders deep in the project: `..` may
/// climb that far and no farther.
pub(super) fn inside(text: &str, depth: usize) -> Check {
    if !is_text(text) {
        return Err(Fault::new("a path"));
    }
    if text.starts_with('/') {
        return Err(Fault::new("a relative path")
            .hint(Some("begin with a folder's name, without a slash before it".to_owned())));
    }
    not_abbreviated(text)?;
    if text.contains('\\') {
        return Err(Fault::new("a path with `/` between its parts"));
    }
    let leaves = "a path that stays inside the project";
    depth_of(text, depth).map(drop).ok_or_else(|| Fault::new(leaves))
}

/// A path in full on another machine: it is compared as text there.
pub(super) fn absolute(text: &str) -> Check {
    let expected = "a path in full, such as `/opt/talia-backend`";
    let path = Utf8Path::new(text);
    let holds = is_text(text)
        && path.is_absolute()
        && path.components().count() > 1
        && !text.contains("//")
        && !text.ends_with('/')
        && !path.components().any(|part| part == Utf8Component::ParentDir)
        && !text.split('/').any(|part| part == ".");
    if holds { Ok(()) } else { Err(Fault::new(expected)) }
}

/// A path anywhere on this machine.
pub(super) fn anywhere(text: &str) -> Check {
    if !is_text(text) {
        return Err(Fault::new("a path"));
    }
    not_abbreviated(text)
}

fn not_abbreviated(text: &str) -> Check {
    if !text.starts_with('~') {
        return Ok(());
    }
    let hint = "`~` means a home to shells alone; write the folder's name";
    Err(Fault::new("a path in full").hint(Some(hint.to_owned())))
}

/// How deep a path leads, from a folder `depth` deep; `None`: it leaves on its way.
pub(super) fn depth_of(text: &str, depth: usize) -> Option<usize> {
    Utf8Path::new(text).components().try_fold(depth, |depth, component| match component {
        Utf8Component::ParentDir => depth.checked_sub(1),
        Utf8Component::Normal(_) => Some(depth + 1),
        _ => Some(depth),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_climb_as_far_as_the_project() {
        for text in [".", "a/b", "./a", "a/../b", "..", "../../x", "a b", "ä", "-x", "..."] {
            assert!(inside(text, 2).is_ok(), "{text}");
        }
        for text in ["", " ", "/", "/etc", "../../..", "a/../../../..", "~/x", "a\\b", "a\0", "a\n"]
        {
            assert!(inside(text, 2).is_err(), "{text:?}");
        }
    }

    #[test]
    fn it_may_not_leave_and_come_back() {
        assert!(inside("../project/a", 0).is_err());
    }
}
