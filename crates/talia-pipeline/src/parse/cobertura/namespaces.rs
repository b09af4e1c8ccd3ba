//! Which elements are Cobertura's when a document mixes vocabularies.

use super::attributes::{Attribute, short};

/// How many namespaces may be in scope. Each lookup goes through them.
const MOST: usize = 256;

/// The namespace declarations in scope.
///
/// Cobertura has no namespace of its own. The one of the root element is taken,
/// and elements in none belong to the report as well: tools that put a prefix on
/// the root alone are known.
#[derive(Default)]
pub(super) struct Namespaces {
    bindings: Vec<Binding>,
    root: Root,
}

struct Binding {
    depth: usize,
    prefix: String,
    name: String,
}

#[derive(Default, PartialEq)]
enum Root {
    #[default]
    None,
    Named(String),
    /// A prefix that nobody declared: a writer that knows no namespaces.
    Unbound(String),
}

impl Namespaces {
    /// Whether no namespace was declared at all, so that names are just names.
    #[inline]
    pub(super) fn plain(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Takes an `xmlns` attribute of an element at this depth; ignores others.
    pub(super) fn declare(
        &mut self,
        depth: usize,
        attribute: &Attribute<'_>,
    ) -> Result<(), String> {
        let prefix = match attribute.name.strip_prefix("xmlns") {
            Some("") => "",
            Some(rest) => match rest.strip_prefix(':') {
                Some(prefix) => prefix,
                None => return Ok(()),
            },
            None => return Ok(()),
        };
        if self.bindings.len() >= MOST {
            return Err(format!("more than {MOST} namespaces at once"));
        }
        self.bindings.push(Binding {
            depth,
            prefix: prefix.to_owned(),
            name: attribute.raw.to_owned(),
        });
        Ok(())
    }

    /// Forgets what elements deeper than this one declared.
    #[inline]
    pub(super) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|binding| binding.depth > depth) {
            self.bindings.pop();
        }
    }

    /// Takes the root element's namespace for that of the report.
    pub(super) fn root(&mut self, name: &str) {
        let (prefix, _) = split(name);
        self.root = match self.find(prefix) {
            Some("") => Root::None,
            Some(found) => Root::Named(found.to_owned()),
            None if prefix.is_empty() => Root::None,
            None => Root::Unbound(short(prefix)),
        };
    }

    /// The local name, if an element of this name belongs to the report.
    pub(super) fn own<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (prefix, local) = split(name);
        let belongs = match (self.find(prefix), &self.root) {
            (Some(""), _) => true,
            (Some(found), Root::Named(root)) => found == root,
            (Some(_), _) => false,
            (None, _) if prefix.is_empty() => true,
            (None, Root::Unbound(root)) => root == prefix,
            (None, _) => false,
        };
        belongs.then_some(local)
    }

    fn find(&self, prefix: &str) -> Option<&str> {
        let binding = self.bindings.iter().rev().find(|binding| binding.prefix == prefix);
        binding.map(|binding| binding.name.as_str())
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}
