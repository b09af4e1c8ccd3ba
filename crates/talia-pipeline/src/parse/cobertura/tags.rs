//! Start tags: what each is, and what its attributes say.

use quick_xml::events::BytesStart;

use super::{
    attributes::{Attribute, Attributes, Flaw, Names, short},
    element::Element,
    entities::{Entities, Expansion},
    foreign,
    header::Header,
    lines::Line,
    reader::{At, Stop},
    report::Counts,
    values,
    walk::{Class, Walk},
};

/// How many attributes one tag may have.
const MOST_ATTRIBUTES: usize = 200_000;
/// The longest file name, in bytes. Twice what any system can open.
const LONGEST_NAME: usize = 8 * 1024;

impl Walk {
    /// Reads a start tag and says what it is. Does not enter it.
    #[inline]
    pub(super) fn start(&mut self, element: &BytesStart<'_>) -> Result<Element, Stop> {
        let name = element.name().into_inner();
        let Some(parent) = self.path.now() else { return self.root(element) };
        // The hot path: nearly every tag of a report is this one.
        if parent.holds_lines()
            && name == "line"
            && self.namespaces.plain()
            && self.line(element, parent)?
        {
            return Ok(Element::Line);
        }
        if name.is_empty() {
            return Err(Stop::event("malformed XML: a tag without a name"));
        }
        let mut names = Names::default();
        let mut filename = None;
        for attribute in Attributes::new(element.attributes_raw()) {
            let attribute = attribute.map_err(|flaw| Stop::flaw(element, flaw))?;
            once(&mut names, element, &attribute)?;
            self.namespaces
                .declare(self.path.depth() + 1, &attribute)
                .map_err(|what| Stop::flaw(element, Flaw { at: attribute.at, what }))?;
            if attribute.name == "filename" {
                filename = Some(attribute);
            }
        }
        twice(names, element)?;
        let child = match self.namespaces.own(name) {
            Some(local) => Element::child(parent, local),
            None => Element::Other,
        };
        match child {
            Element::Line => {
                self.line(element, parent)?;
            }
            Element::Class => {
                let path = filename.map(|value| self.value(element, value)).transpose()?;
                self.class(path)?;
            }
            Element::Source => self.source = Expansion::default(),
            _ => {}
        }
        if parent == Element::Coverage && !self.proven {
            if child == Element::Packages || child == Element::Sources {
                self.proven = true;
            } else if let Some(known) = foreign::by_first_child(name) {
                return Err(Stop::event(format!("this is {known}, not a Cobertura coverage.xml")));
            }
        }
        Ok(child)
    }

    fn root(&mut self, element: &BytesStart<'_>) -> Result<Element, Stop> {
        let name = element.name().into_inner();
        if self.ended {
            return Err(Stop::event(format!(
                "a second root element <{}>: are these two reports in one file?",
                short(name)
            )));
        }
        let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
        if local != "coverage" {
            return Err(Stop {
                at: At::Event,
                what: match foreign::by_root(local) {
                    Some(known) => format!("this is {known}, not a Cobertura coverage.xml"),
                    None => format!(
                        "not a Cobertura coverage.xml: its root element is <{}>, not <coverage>",
                        short(name)
                    ),
                },
                hint: local.starts_with("testsuite").then_some(
                    "pytest writes test results with `--junitxml` and coverage with \
                     `--cov --cov-report=xml`",
                ),
            });
        }
        let mut header = Header::default();
        let mut names = Names::default();
        for attribute in Attributes::new(element.attributes_raw()) {
            let attribute = attribute.map_err(|flaw| Stop::flaw(element, flaw))?;
            once(&mut names, element, &attribute)?;
            self.namespaces
                .declare(1, &attribute)
                .map_err(|what| Stop::flaw(element, Flaw { at: attribute.at, what }))?;
            header.push(attribute.name, self.value(element, attribute)?);
        }
        twice(names, element)?;
        self.namespaces.root(name);
        self.proven = header.proves_cobertura();
        self.header = Some(header);
        Ok(Element::Coverage)
    }

    fn value(&self, element: &BytesStart<'_>, attribute: Attribute<'_>) -> Result<String, Stop> {
        match self.entities.attribute(attribute.raw) {
            Ok(value) => Ok(value.into_owned()),
            Err((at, what)) => Err(Stop::flaw(element, Flaw { at: attribute.at + at, what })),
        }
    }

    fn class(&mut self, filename: Option<String>) -> Result<(), Stop> {
        let path = filename.as_deref().and_then(normalized);
        if path.is_none() {
            self.notes.nameless_classes += 1;
        }
        if path.as_ref().is_some_and(|path| path.len() > LONGEST_NAME) {
            return Err(Stop::event(format!("a file name longer than {LONGEST_NAME} bytes")));
        }
        self.classes.push(Class { path, ..Class::default() });
        Ok(())
    }

    /// Takes one `<line>`. `false` when it turns out to declare a namespace where
    /// there was none, so that it may not be a line of this report at all.
    #[inline]
    fn line(&mut self, element: &BytesStart<'_>, parent: Element) -> Result<bool, Stop> {
        let mut names = Names::default();
        let (mut number, mut hits, mut branch, mut conditions) = (None, None, None, None);
        for attribute in Attributes::new(element.attributes_raw()) {
            let attribute = attribute.map_err(|flaw| Stop::flaw(element, flaw))?;
            once(&mut names, element, &attribute)?;
            match attribute.name {
                "number" => number = Some(attribute),
                "hits" => hits = Some(attribute),
                "branch" => branch = Some(attribute),
                "condition-coverage" => conditions = Some(attribute),
                name if name.starts_with("xmlns") && self.namespaces.plain() => return Ok(false),
                _ => {}
            }
        }
        twice(names, element)?;
        let Some(class) = self.classes.last_mut() else { return Ok(true) };
        let number = match number.map(|value| read(&self.entities, element, value, values::whole)) {
            Some(number) => number?,
            None => None,
        };
        let Some(number) = number else {
            self.notes.unnumbered_lines += 1;
            return Ok(true);
        };
        let hit = match hits.map(|value| read(&self.entities, element, value, values::hit)) {
            Some(hit) => hit?,
            None => None,
        };
        if hit.is_none() {
            self.notes.lines_without_hits += 1;
        }
        let mut branches = Counts::default();
        if let Some(conditions) = conditions {
            let denied =
                branch.is_some_and(|branch| branch.raw.trim().eq_ignore_ascii_case("false"));
            if !denied
                && let Some(counts) =
                    read(&self.entities, element, conditions, values::condition_coverage)?
            {
                if counts.covered > counts.valid {
                    self.notes.impossible_conditions += 1;
                }
                branches = Counts { covered: counts.covered.min(counts.valid), ..counts };
            }
        }
        let line = Line::new(number, hit.unwrap_or(false), branches);
        class.collector(parent).push(line);
        Ok(true)
    }
}

/// Refuses an attribute that its tag has already, or one too many.
#[inline]
fn once<'a>(
    names: &mut Names<'a>,
    element: &BytesStart<'_>,
    attribute: &Attribute<'a>,
) -> Result<(), Stop> {
    if names.add(attribute.name) {
        return Err(duplicate(element, attribute.name));
    }
    if names.count() > MOST_ATTRIBUTES {
        return Err(Stop::event(format!("a tag with more than {MOST_ATTRIBUTES} attributes")));
    }
    Ok(())
}

/// As [`once`], at the end of the tag.
#[inline]
fn twice(names: Names<'_>, element: &BytesStart<'_>) -> Result<(), Stop> {
    match names.twice() {
        Some(name) => Err(duplicate(element, name)),
        None => Ok(()),
    }
}

fn duplicate(element: &BytesStart<'_>, name: &str) -> Stop {
    let tag = element.name().into_inner();
    Stop::event(format!("malformed XML: attribute `{}` twice in one <{}>", short(name), short(tag)))
}

/// Reads a value without replacing references, which numbers never have, and
/// replaces them only where that fails.
#[inline]
fn read<T>(
    entities: &Entities,
    element: &BytesStart<'_>,
    attribute: Attribute<'_>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Stop> {
    if let Some(value) = parse(attribute.raw) {
        return Ok(Some(value));
    }
    match entities.attribute(attribute.raw) {
        Ok(value) => Ok(parse(&value)),
        Err((at, what)) => Err(Stop::flaw(element, Flaw { at: attribute.at + at, what })),
    }
}

/// The file name with slashes and without a leading `./`. `None` for no name.
fn normalized(name: &str) -> Option<String> {
    let slashes = name.replace('\\', "/");
    let mut path = slashes.as_str();
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    (!path.trim().is_empty()).then(|| path.to_owned())
}
