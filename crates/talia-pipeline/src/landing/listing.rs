//! A plan for people.

mod outline;

use std::fmt::Write;

use self::outline::{Fold, Node, Outline};
use super::{
    Amount, Change, Entry, RsyncPlan,
    path::shown,
    size::{counted, size},
};

/// So wide at most is the column of the names that sizes stand behind in one line.
const COLUMN: usize = 48;
/// So many characters of one name are shown at most.
const NAME: usize = 96;

/// One line.
struct Row {
    depth: usize,
    mark: char,
    name: String,
    size: Option<u64>,
    note: String,
    /// Whether it stands for rows that are left out.
    collapsed: bool,
}

/// The whole text, each line ended.
pub(super) fn listing(plan: &RsyncPlan, rows: usize) -> String {
    let mut text = heading(plan);
    text.push('\n');
    let mut outline = Outline::of(plan);
    outline.fold(rows);
    let mut lines = Vec::new();
    for node in outline.top() {
        add_rows(&outline, node, 0, &mut lines);
    }
    if lines.is_empty() {
        return text;
    }
    let left_out = lines.len().saturating_sub(rows);
    lines.truncate(rows);
    text.push('\n');
    write_rows(&lines, &mut text);
    let folded = lines.iter().filter(|row| row.collapsed).count() as u64;
    let mut missing = Vec::new();
    if left_out > 0 {
        missing.push(format!("{} more", counted(left_out as u64, "row")));
    }
    if folded > 0 {
        missing.push(format!("{} shown as one row each", counted(folded, "folder")));
    }
    if !missing.is_empty() {
        text.push_str(&format!(
            "\n… {}: the plan as JSON has every change (`--plan=json`)\n",
            missing.join(", ")
        ));
    }
    text
}

/// What happens, in one line.
fn heading(plan: &RsyncPlan) -> String {
    let totals = plan.totals();
    let stays = totals.unchanged.text_with_bytes();
    if plan.is_empty() {
        return match totals.unchanged.entries() {
            0 => "nothing changes: there is nothing on either side".to_owned(),
            _ => format!("nothing changes: {stays}"),
        };
    }
    let changed = totals.different().entries();
    let named = |count: fn(&Amount) -> u64, what: fn(u64) -> String| {
        let counts = [
            (count(&totals.added), "added"),
            (changed, "changed"),
            (count(&totals.renamed), "renamed"),
            (count(&totals.deleted), "deleted"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, done)| format!("{} {done}", what(count))).collect::<Vec<_>>()
    };
    // Folders come and go with what is in them, if anything is.
    let mut parts = named(|amount| amount.files + amount.links, |count| count.to_string());
    if parts.is_empty() {
        parts = named(|amount| amount.folders, |count| counted(count, "folder"));
    }
    let mut line = parts.join(", ");
    let bytes = [(totals.bytes_to_send, "to send"), (totals.bytes_deleted, "to delete")];
    let bytes = bytes.into_iter().filter(|(bytes, _)| *bytes > 0);
    let bytes: Vec<String> = bytes.map(|(bytes, what)| format!("{} {what}", size(bytes))).collect();
    if !bytes.is_empty() {
        line.push_str(&format!(": {}", bytes.join(", ")));
    }
    match totals.unchanged.entries() {
        0 if totals.entries_before() == 0 => line.push_str("; the server has nothing yet"),
        0 => line.push_str("; nothing stays as it is"),
        _ => line.push_str(&format!("; unchanged: {stays}")),
    }
    line
}

/// The rows of a node and of what is in it. A folder that has nothing to tell but one
/// entry stands in front of that one's name.
fn add_rows<'o>(
    outline: &'o Outline<'o>,
    mut node: &'o Node<'o>,
    depth: usize,
    rows: &mut Vec<Row>,
) {
    let mut name = shown(node.name);
    while let Some(only) = outline.only_child(node) {
        name = format!("{name}/{}", shown(only.name));
        node = only;
    }
    rows.push(row(node, depth, name));
    for child in outline.children(node) {
        add_rows(outline, child, depth + 1, rows);
    }
}

fn row(node: &Node<'_>, depth: usize, name: String) -> Row {
    let is_folder = node.is_folder();
    let name = shortened(name) + if is_folder { "/" } else { "" };
    let collapsed = node.fold == Fold::Collapsed;
    let row = |mark, size, note| Row { depth, mark, name, size, note, collapsed };
    let below = &node.below;
    match (&node.fold, node.change) {
        (Fold::Moved(from), _) => {
            let note = format!("{}, was {}/", below.renamed.text(), shortened(from.to_string()));
            row('→', Some(below.renamed.bytes), note)
        }
        (Fold::Whole, Some(Change::Added { .. })) => row_of('+', below.added, row),
        (Fold::Whole, Some(Change::Deleted { .. })) => row_of('-', below.deleted, row),
        (Fold::Whole | Fold::Open, Some(change)) => {
            let (mark, size, mut note) = own(change);
            if node.fold == Fold::Whole {
                let (amount, what) = match change.after() {
                    Some(Entry::Folder { .. }) => (below.added, "added"),
                    _ => (below.deleted, "deleted"),
                };
                let _ = write!(note, "; {} {what}", amount.text_with_bytes());
            }
            row(mark, size, note)
        }
        (Fold::Collapsed, change) => {
            let mark = change.map_or('~', |change| own(change).0);
            row(mark, None, below.text())
        }
        (_, None) => match node.kept {
            Some(kept) if is_folder => row('=', None, format!("protected: {}", kept.text())),
            Some(_) => row('=', None, "protected".to_owned()),
            None => row(' ', None, String::new()),
        },
    }
}

fn row_of(mark: char, amount: Amount, row: impl FnOnce(char, Option<u64>, String) -> Row) -> Row {
    row(mark, (amount.files > 0).then_some(amount.bytes), amount.text())
}

/// The mark of a change, the size to show, and what else is to be said.
fn own(change: &Change) -> (char, Option<u64>, String) {
    let file_size = |entry: &Entry| match entry {
        Entry::File { size, .. } => Some(*size),
        _ => None,
    };
    let after = change.after().and_then(file_size);
    match change {
        Change::Added { after: entry } => ('+', after, link_note(entry)),
        Change::Deleted { before } => ('-', file_size(before), link_note(before)),
        Change::Renamed { from, .. } => {
            ('→', after, format!("was {}", shortened(from.to_string())))
        }
        Change::Changed { before, after: entry } => {
            let mut note = String::new();
            if before.size() != entry.size() {
                note = format!("was {}", size(before.size()));
                if size(before.size()) == size(entry.size()) {
                    note = format!("{} B, was {} B", entry.size(), before.size());
                }
            }
            ('~', after, with_mode(note, before, entry))
        }
        Change::ModeChanged { before, after: entry } => {
            ('~', after, with_mode(String::new(), before, entry))
        }
        Change::LinkChanged { before, after: entry } => {
            ('~', None, format!("{}, was {}", link_note(entry), target(before)))
        }
        Change::KindChanged { before, after: entry } => {
            let was = match before {
                Entry::File { size: bytes, .. } => format!("was a file of {}", size(*bytes)),
                Entry::Folder { .. } => "was a folder".to_owned(),
                Entry::Link { .. } => format!("was a link to {}", target(before)),
            };
            let is = match entry {
                Entry::File { .. } => "a file".to_owned(),
                Entry::Folder { .. } => "a folder".to_owned(),
                Entry::Link { .. } => link_note(entry),
            };
            ('~', after, format!("{is}, {was}"))
        }
    }
}

fn target(link: &Entry) -> String {
    match link {
        Entry::Link { target } => shortened(shown(target)),
        _ => String::new(),
    }
}

fn link_note(entry: &Entry) -> String {
    match entry {
        Entry::Link { .. } => format!("link to {}", target(entry)),
        _ => String::new(),
    }
}

fn with_mode(note: String, before: &Entry, after: &Entry) -> String {
    let mode = |entry: &Entry| match entry {
        Entry::File { mode, .. } | Entry::Folder { mode } => *mode,
        Entry::Link { .. } => 0,
    };
    let (old, new) = (mode(before), mode(after));
    if old == new {
        return note;
    }
    let mode = format!("mode {new:04o}, was {old:04o}");
    if note.is_empty() { mode } else { format!("{note}; {mode}") }
}

/// The name, or its beginning and its end: what is left out is in the plan as JSON.
fn shortened(name: String) -> String {
    let count = name.chars().count();
    if count <= NAME {
        return name;
    }
    let head: String = name.chars().take(NAME - 33).collect();
    let tail: String = name.chars().skip(count - 32).collect();
    format!("{head}…{tail}")
}

fn write_rows(rows: &[Row], text: &mut String) {
    let width = |row: &Row| 2 * row.depth + row.name.chars().count();
    let column = rows.iter().map(width).filter(|width| *width <= COLUMN).max().unwrap_or(COLUMN);
    for row in rows {
        let mut line = format!("{} {:indent$}{}", row.mark, "", row.name, indent = 2 * row.depth);
        if row.size.is_some() || !row.note.is_empty() {
            line.push_str(&" ".repeat(column.saturating_sub(width(row))));
            let size = row.size.map(size).unwrap_or_default();
            let _ = write!(line, "  {size:>8}  {}", row.note);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
