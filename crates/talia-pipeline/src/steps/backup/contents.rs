use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PgVersion;

/// One table's rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableRows {
    /// The schema.
    pub schema: String,
    /// The table.
    pub name: String,
    /// Its number there, by which a dump's list and [`Extension::objects`] name it.
    pub oid: u32,
    /// How many rows it has.
    pub rows: u64,
}

impl TableRows {
    /// `schema.table`, as people read it.
    pub fn title(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// An extension that a dump asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// All that cannot be without it, as `class/object`: the numbers by which
    /// `pg_restore --list` names entries.
    pub objects: BTreeSet<String>,
}

/// Schemas that a dump was made without, such as those that a provider keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WithoutSchemas {
    /// Their names.
    pub schemas: Vec<String>,
    /// All that is dumped and cannot be where they are not, as `class/object`: a foreign
    /// key that leads there, a view of a table there. See [`Extension::objects`].
    pub objects: BTreeSet<String>,
}

/// `1 table, 7 rows`.
pub fn amount(tables: u64, rows: u64) -> String {
    let plural = |count| if count == 1 { "" } else { "s" };
    format!("{tables} table{}, {rows} row{}", plural(tables), plural(rows))
}

/// What a database holds, counted in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The server's version.
    pub server: PgVersion,
    /// How the database encodes text, such as `UTF8`.
    pub encoding: String,
    /// Every table that a dump has the rows of.
    pub tables: Vec<TableRows>,
    /// How many large objects there are.
    pub large_objects: u64,
    /// Roles that own something or are granted something.
    pub roles: Vec<String>,
    /// Those of them that a restore without owners names all the same: in a grant, in
    /// default privileges, in a policy. `None` in records of before that was asked.
    #[serde(default)]
    pub named_roles: Option<Vec<String>>,
    /// Extensions, without `plpgsql`, which every server has.
    pub extensions: Vec<Extension>,
    /// What was left out, if anything.
    #[serde(default)]
    pub without: WithoutSchemas,
}

/// A line of the scripts' output.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Table(TableRows),
    Server { version: u32, encoding: String, large_objects: u64 },
    Role { name: String, named: bool },
    Extension(Extension),
    Without(WithoutSchemas),
}

impl Contents {
    /// What a plan goes on with.
    pub fn unknown() -> Self {
        Self {
            server: PgVersion::unknown(),
            encoding: "UTF8".into(),
            tables: Vec::new(),
            large_objects: 0,
            roles: Vec::new(),
            named_roles: None,
            extensions: Vec::new(),
            without: WithoutSchemas::default(),
        }
    }

    /// Roles without which it cannot be restored, even without its owners.
    pub fn needed_roles(&self) -> &[String] {
        self.named_roles.as_deref().unwrap_or(&self.roles)
    }

    /// All rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// `1 table, 7 rows`.
    pub fn amount(&self) -> String {
        amount(self.tables.len() as u64, self.rows())
    }

    /// Reads what the scripts print; `None` when that is not all of it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut contents = Self::unknown();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str(line).ok()? {
                Line::Table(table) => contents.tables.push(table),
                Line::Server { version, encoding, large_objects } => {
                    contents.server = PgVersion::of_number(version);
                    contents.encoding = encoding;
                    contents.large_objects = large_objects;
                }
                Line::Role { name, named } => {
                    let all = contents.named_roles.get_or_insert_default();
                    if named {
                        all.push(name.clone());
                    }
                    contents.roles.push(name);
                }
                Line::Extension(extension) => contents.extensions.push(extension),
                Line::Without(without) => contents.without = without,
            }
        }
        contents.server.is_known().then_some(contents)
    }

    /// How `other` differs from this in its tables and their rows; empty when
    /// nothing does. Tables of these titles are passed over.
    pub fn differences(&self, other: &Self, without: &BTreeSet<String>) -> Vec<String> {
        let counted = |contents: &Self| -> Vec<TableRows> {
            let mut tables = contents.tables.clone();
            tables.retain(|table| !without.contains(&table.title()));
            tables.sort();
            tables
        };
        let (ours, theirs) = (counted(self), counted(other));
        let same = |a: &TableRows, b: &TableRows| (&a.schema, &a.name) == (&b.schema, &b.name);
        let mut found = Vec::new();
        for table in &ours {
            match theirs.iter().find(|there| same(there, table)) {
                None => found.push(format!("{} is not there ({} rows)", table.title(), table.rows)),
                Some(there) if there.rows != table.rows => found.push(format!(
                    "{} has {} rows, {} were dumped",
                    table.title(),
                    there.rows,
                    table.rows
                )),
                Some(_) => {}
            }
        }
        let more = theirs.iter().filter(|there| !ours.iter().any(|table| same(there, table)));
        found.extend(more.map(|there| format!("{} is there and was not dumped", there.title())));
        if self.large_objects != other.large_objects {
            found.push(format!(
                "there are {} large objects, {} were dumped",
                other.large_objects, self.large_objects
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(tables: &[(&str, u64)]) -> Contents {
        let tables = tables.iter().map(|(name, rows)| TableRows {
            schema: "public".into(),
            name: (*name).into(),
            oid: 7,
            rows: *rows,
        });
        Contents { tables: tables.collect(), ..Contents::unknown() }
    }

    #[test]
    fn what_the_scripts_print_is_read() {
        let text = concat!(
            "{\"kind\" : \"table\", \"schema\" : \"odd 'sch\", \"name\" : \"T\\n\\\"b\", \"oid\" : 7, \"rows\" : 2}\n\n",
            "{\"kind\" : \"server\", \"version\" : 150018, \"encoding\" : \"UTF8\", \"large_objects\" : 1}\n",
            "{\"kind\" : \"role\", \"name\" : \"r\", \"named\" : false}\n",
            "{\"kind\" : \"role\", \"name\" : \"s\", \"named\" : true}\n",
            "{\"kind\" : \"without\", \"schemas\" : [\"auth\"], \"objects\" : [\"2606/9\"]}\n",
            "{\"kind\" : \"extension\", \"name\" : \"e\", \"version\" : \"1\", \"objects\" : [\"1259/7\"]}\n",
        );
        let contents = Contents::read(text).unwrap();
        assert_eq!(contents.tables[0].title(), "odd 'sch.T\n\"b");
        assert_eq!((contents.rows(), contents.large_objects), (2, 1));
        assert_eq!(
            (contents.amount(), amount(2, 1)),
            ("1 table, 2 rows".into(), "2 tables, 1 row".into())
        );
        assert_eq!(contents.roles, ["r", "s"]);
        assert_eq!(contents.needed_roles(), ["s"]);
        // A record of before that was asked: it may be any.
        let old = Contents { named_roles: None, ..contents.clone() };
        assert_eq!(old.needed_roles(), ["r", "s"]);
        assert_eq!(contents.extensions[0].objects.len(), 1);
        assert_eq!(contents.without.schemas, ["auth"]);
        assert!(contents.without.objects.contains("2606/9"));
        assert_eq!(Contents::read("{\"kind\":\"role\",\"name\":\"r\",\"named\":true}"), None);
        assert_eq!(Contents::read("x"), None);
    }

    #[test]
    fn differences_are_named() {
        let dumped = contents(&[("a", 1), ("b", 2), ("c", 3)]);
        let mut restored = contents(&[("b", 1), ("c", 3), ("d", 0)]);
        restored.large_objects = 1;
        assert_eq!(
            dumped.differences(&restored, &BTreeSet::new()),
            [
                "public.a is not there (1 rows)",
                "public.b has 1 rows, 2 were dumped",
                "public.d is there and was not dumped",
                "there are 1 large objects, 0 were dumped",
            ]
        );
        let without = ["public.a", "public.b", "public.d"].map(String::from).into();
        assert_eq!(dumped.differences(&restored, &without).len(), 1);
        assert_eq!(dumped.differences(&dumped, &BTreeSet::new()), [""; 0]);
    }
}
