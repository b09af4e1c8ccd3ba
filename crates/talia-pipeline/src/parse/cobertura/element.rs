//! Which elements matter, by where they stand, and the way down to the one at
//! hand.

use super::attributes::short;

/// How deep elements may stand. A report needs nine levels.
const DEEPEST: usize = 256;

/// An element that matters, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Coverage,
    Sources,
    Source,
    Packages,
    Package,
    Classes,
    Class,
    Methods,
    Method,
    /// `<lines>` of a class.
    Lines,
    /// `<lines>` of a method.
    MethodLines,
    Line,
    /// An element that is not Cobertura's, or not where it belongs. Nothing
    /// inside of it counts.
    Other,
}

impl Element {
    /// What an element of this name is inside of `parent`.
    ///
    /// Looser than the DTD where tools are: `<class>` may stand under `<packages>`,
    /// `<line>` straight under its class, and a class inside of another.
    pub(super) fn child(parent: Self, name: &str) -> Self {
        use Element as E;
        match (parent, name) {
            (E::Coverage, "sources") => E::Sources,
            (E::Sources, "source") => E::Source,
            (E::Coverage | E::Package, "packages") => E::Packages,
            (E::Packages | E::Package, "package") => E::Package,
            (E::Packages | E::Package | E::Class, "classes") => E::Classes,
            (E::Packages | E::Package | E::Classes | E::Class, "class") => E::Class,
            (E::Class, "methods") => E::Methods,
            (E::Class | E::Methods, "method") => E::Method,
            (E::Class, "lines") => E::Lines,
            (E::Method, "lines") => E::MethodLines,
            (E::Class | E::Method | E::Lines | E::MethodLines, "line") => E::Line,
            _ => E::Other,
        }
    }

    /// Whether `<line>` counts inside of it.
    #[inline]
    pub(super) fn holds_lines(self) -> bool {
        matches!(self, Self::Lines | Self::MethodLines | Self::Class | Self::Method)
    }

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Coverage => "coverage",
            Self::Sources => "sources",
            Self::Source => "source",
            Self::Packages => "packages",
            Self::Package => "package",
            Self::Classes => "classes",
            Self::Class => "class",
            Self::Methods => "methods",
            Self::Method => "method",
            Self::Lines | Self::MethodLines => "lines",
            Self::Line => "line",
            Self::Other => return None,
        })
    }
}

/// The open elements, outermost first.
#[derive(Default)]
pub(super) struct Path {
    open: Vec<Element>,
    /// The names of those that are [`Element::Other`], for messages.
    others: Vec<String>,
}

impl Path {
    /// The innermost open element.
    #[inline]
    pub(super) fn now(&self) -> Option<Element> {
        self.open.last().copied()
    }

    /// Its name.
    pub(super) fn innermost(&self) -> Option<&str> {
        let element = self.open.last()?;
        element.name().or_else(|| self.others.last().map(String::as_str))
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(super) fn enter(&mut self, element: Element, name: &str) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("elements stand more than {DEEPEST} levels deep"));
        }
        if element == Element::Other {
            self.others.push(short(name));
        }
        self.open.push(element);
        Ok(())
    }

    pub(super) fn leave(&mut self) -> Option<Element> {
        let element = self.open.pop()?;
        if element == Element::Other {
            self.others.pop();
        }
        Some(element)
    }
}
