//! What a `pyproject.toml` says that matters for building its environment.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::error::{Error, Result};

/// The parts of a `pyproject.toml` that this library uses.
///
/// Source: the *pyproject.toml specification* of the Python packaging guide,
/// PEP 735 for dependency groups, Poetry's manual for its own tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pyproject {
    /// The distribution's name.
    pub name: Option<String>,
    /// Its version, where it is written down and not computed.
    pub version: Option<String>,
    /// The interpreters that it supports: `>=3.11`, or Poetry's `^3.11`.
    pub requires_python: Option<String>,
    /// Whether it can be installed itself: it has a `[build-system]`.
    pub builds: bool,
    /// Whether there is a `[project]` table with a name.
    pub has_project: bool,
    /// Names of the packages that it depends on, normalised, without groups.
    pub dependencies: BTreeSet<String>,
    /// Requirement strings of every optional dependency set, by its name.
    pub extras: BTreeMap<String, Vec<String>>,
    /// Requirement strings of every dependency group, by its name.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Poetry's own tables, if there are any.
    pub poetry: Option<Poetry>,
    /// Whether there is a `[tool.ruff]`.
    pub configures_ruff: bool,
    /// Whether coverage.py is told what to measure.
    pub configures_coverage_source: bool,
    /// Options that pytest always gets.
    pub pytest_addopts: String,
}

/// Poetry's own tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Poetry {
    /// Names of the groups that `poetry install` takes.
    pub groups: Vec<String>,
    /// Names of the groups that it leaves out unless asked.
    pub optional_groups: Vec<String>,
    /// Whether the project itself is installed; `false` with `package-mode = false`.
    pub package_mode: bool,
    /// The folders of `packages`, if the project names them.
    pub packages: Vec<String>,
    /// Whether Poetry has to bring in plugins of the project's first.
    pub requires_plugins: bool,
}

/// A distribution's name as PEP 503 compares it: lower case, `-` for runs of `-_.`.
///
/// ```
/// use talia_pipeline::parse::pyproject::normalized;
///
/// assert_eq!(normalized("Pytest__Cov"), "pytest-cov");
/// ```
pub fn normalized(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if result.ends_with('-') => {}
            '-' | '_' | '.' => result.push('-'),
            c => result.extend(c.to_lowercase()),
        }
    }
    result
}

/// The name in a requirement string: `uvicorn[standard]>=0.30; extra` is `uvicorn`.
pub fn requirement_name(requirement: &str) -> Option<String> {
    let requirement = requirement.trim();
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(requirement.len());
    let name = &requirement[..end];
    let first = name.chars().next()?;
    first.is_ascii_alphanumeric().then(|| normalized(name))
}

impl Pyproject {
    /// Reads the text of a `pyproject.toml`.
    ///
    /// # Errors
    /// A usage error when it is no TOML; `path` is shown in it.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            Error::usage(format!("{path} is no TOML: {}", error.to_string().trim_end()))
        })?;
        let project = sub(&table, &["project"]);
        let poetry = sub(&table, &["tool", "poetry"]);
        let legacy = poetry.and_then(|p| sub(p, &["dependencies"]));
        let mut dependencies: BTreeSet<String> = project
            .and_then(|p| p.get("dependencies"))
            .map(strings)
            .unwrap_or_default()
            .iter()
            .filter_map(|requirement| requirement_name(requirement))
            .collect();
        dependencies.extend(legacy.into_iter().flat_map(Table::keys).map(|name| normalized(name)));
        let requires_python = project
            .and_then(|p| p.get("requires-python"))
            .or_else(|| legacy.and_then(|l| l.get("python")))
            .and_then(Value::as_str);
        let name = project.or(poetry).and_then(|p| p.get("name")).and_then(Value::as_str);
        Ok(Self {
            name: name.map(str::to_owned),
            version: [project, poetry]
                .into_iter()
                .flatten()
                .find_map(|table| table.get("version")?.as_str())
                .map(str::to_owned),
            requires_python: requires_python.map(str::to_owned),
            builds: table.contains_key("build-system"),
            has_project: project.is_some_and(|p| p.contains_key("name")),
            dependencies,
            extras: extras(project, poetry),
            groups: groups(&table, poetry),
            poetry: poetry.map(|p| read_poetry(&table, p)),
            configures_ruff: sub(&table, &["tool", "ruff"]).is_some(),
            configures_coverage_source: configures_coverage(&table),
            pytest_addopts: addopts(&table),
        })
    }

    /// Whether a package is named anywhere: as a dependency, in a group or an extra.
    pub fn names(&self, package: &str) -> bool {
        let listed = |sets: &BTreeMap<String, Vec<String>>| {
            sets.values().flatten().any(|r| requirement_name(r).as_deref() == Some(package))
        };
        self.dependencies.contains(package) || listed(&self.groups) || listed(&self.extras)
    }
}

fn sub<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn extras(project: Option<&Table>, poetry: Option<&Table>) -> BTreeMap<String, Vec<String>> {
    let declared = project.and_then(|p| sub(p, &["optional-dependencies"]));
    let legacy = poetry.and_then(|p| sub(p, &["extras"]));
    let sets = declared.into_iter().chain(legacy).flatten();
    sets.map(|(name, list)| (name.clone(), strings(list))).collect()
}

fn groups(table: &Table, poetry: Option<&Table>) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let standard = sub(table, &["dependency-groups"]);
    if let Some(standard) = standard {
        for name in standard.keys() {
            let mut list = Vec::new();
            expand_group(standard, name, &mut Vec::new(), &mut list);
            found.insert(name.clone(), list);
        }
    }
    // uv's older way, and Poetry's two.
    if let Some(dev) = sub(table, &["tool", "uv"]).and_then(|uv| uv.get("dev-dependencies")) {
        found.entry("dev".to_owned()).or_insert_with(Vec::new).extend(strings(dev));
    }
    if let Some(dev) = poetry.and_then(|p| sub(p, &["dev-dependencies"])) {
        found.entry("dev".to_owned()).or_insert_with(Vec::new).extend(dev.keys().cloned());
    }
    for (name, group) in poetry.and_then(|p| sub(p, &["group"])).into_iter().flatten() {
        if let Some(list) = group.get("dependencies").and_then(Value::as_table) {
            found.entry(name.clone()).or_insert_with(Vec::new).extend(list.keys().cloned());
        }
    }
    found
}

/// A group may include another one; a cycle ends where it closes.
fn expand_group(groups: &Table, name: &str, open: &mut Vec<String>, list: &mut Vec<String>) {
    let wanted = normalized(name);
    if open.contains(&wanted) {
        return;
    }
    open.push(wanted.clone());
    let members = groups.iter().find(|(key, _)| normalized(key) == wanted).map(|(_, value)| value);
    for member in members.and_then(Value::as_array).into_iter().flatten() {
        if let Some(requirement) = member.as_str() {
            list.push(requirement.to_owned());
        } else if let Some(other) = member.get("include-group").and_then(Value::as_str) {
            expand_group(groups, other, open, list);
        }
    }
    open.pop();
}

fn read_poetry(table: &Table, poetry: &Table) -> Poetry {
    let own = sub(poetry, &["group"]);
    let is_optional = |name: &str| {
        own.and_then(|groups| groups.get(name))
            .and_then(|group| group.get("optional"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let mut names: BTreeSet<String> = own.into_iter().flat_map(Table::keys).cloned().collect();
    names.extend(sub(table, &["dependency-groups"]).into_iter().flat_map(Table::keys).cloned());
    if sub(poetry, &["dev-dependencies"]).is_some() {
        names.insert("dev".to_owned());
    }
    let (optional_groups, groups) = names.into_iter().partition(|name| is_optional(name));
    let packages = poetry.get("packages").and_then(Value::as_array);
    Poetry {
        groups,
        optional_groups,
        package_mode: poetry.get("package-mode").and_then(Value::as_bool).unwrap_or(true),
        packages: packages
            .into_iter()
            .flatten()
            .filter_map(|package| package.get("include").and_then(Value::as_str))
            .map(str::to_owned)
            .collect(),
        requires_plugins: poetry.contains_key("requires-plugins"),
    }
}

fn configures_coverage(table: &Table) -> bool {
    sub(table, &["tool", "coverage", "run"]).is_some_and(|run| {
        ["source", "source_pkgs", "source_dirs", "include"].iter().any(|key| run.contains_key(*key))
    })
}

fn addopts(table: &Table) -> String {
    // pytest 9 reads `[tool.pytest]` itself beside the older `ini_options`.
    let old = sub(table, &["tool", "pytest", "ini_options"]).and_then(|ini| ini.get("addopts"));
    let new = sub(table, &["tool", "pytest"]).and_then(|pytest| pytest.get("addopts"));
    match old.or(new) {
        Some(Value::String(options)) => options.clone(),
        Some(list) => strings(list).join(" "),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pyproject {
        Pyproject::parse(text, "pyproject.toml").expect("the text is TOML")
    }

    #[test]
    fn a_standard_project_is_read() {
        let project = parse(
            r#"
            [build-system]
            requires = ["hatchling"]
            [project]
            name = "shop"
            requires-python = ">=3.11"
            dependencies = ["FastAPI[standard]>=0.110", "uvicorn ; python_version > '3'"]
            [project.optional-dependencies]
            test = ["pytest>=8"]
            [dependency-groups]
            dev = ["ruff==0.6.1", { include-group = "cov" }]
            cov = ["Pytest_Cov"]
            [tool.ruff]
            "#,
        );
        assert_eq!(project.name.as_deref(), Some("shop"));
        assert!(project.builds && project.has_project && project.configures_ruff);
        assert!(project.names("fastapi") && project.names("pytest") && project.names("ruff"));
        assert!(project.names("pytest-cov"));
        assert!(!project.names("flask"));
        assert_eq!(project.groups["dev"], ["ruff==0.6.1", "Pytest_Cov"]);
    }

    #[test]
    fn poetry_1_and_2_are_read() {
        let old = parse(
            r#"
            [tool.poetry]
            name = "shop"
            packages = [{ include = "app" }]
            [tool.poetry.dependencies]
            python = "^3.10"
            fastapi = "*"
            [tool.poetry.dev-dependencies]
            pytest = "*"
            [tool.poetry.group.docs]
            optional = true
            [tool.poetry.group.docs.dependencies]
            mkdocs = "*"
            "#,
        );
        let poetry = old.poetry.as_ref().expect("there is a poetry table");
        assert_eq!(poetry.groups, ["dev"]);
        assert_eq!(poetry.optional_groups, ["docs"]);
        assert_eq!(poetry.packages, ["app"]);
        assert!(poetry.package_mode);
        assert_eq!(old.requires_python.as_deref(), Some("^3.10"));
        assert!(old.names("pytest"));

        let new = parse(
            "[project]\nname='a'\n[dependency-groups]\ndev=['pytest']\n[tool.poetry]\npackage-mode=false",
        );
        let poetry = new.poetry.as_ref().expect("there is a poetry table");
        assert!(!poetry.package_mode);
        assert_eq!(poetry.groups, ["dev"]);
    }

    #[test]
    fn a_cycle_of_groups_ends() {
        let project =
            parse("[dependency-groups]\na=['x',{include-group='b'}]\nb=['y',{include-group='a'}]");
        assert_eq!(project.groups["a"], ["x", "y"]);
    }

    #[test]
    fn broken_toml_names_file_and_line() {
        let error =
            Pyproject::parse("[project\nname=1", "app/pyproject.toml").expect_err("no TOML");
        assert!(error.to_string().contains("app/pyproject.toml"), "{error}");
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
