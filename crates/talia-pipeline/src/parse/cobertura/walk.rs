//! The walk over a report's events: what is open, and what was counted so far.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::{
    attributes::short,
    element::{Element, Path},
    entities::{Entities, Expansion},
    foreign,
    header::Header,
    lines::{Collector, Lines},
    namespaces::Namespaces,
    notes::Notes,
    reader::{At, Stop},
    report::{Counts, Coverage, FileCoverage},
};

/// How many files a report may hold.
const MOST_FILES: usize = 1_000_000;
/// How many sources a report may name.
const MOST_SOURCES: usize = 10_000;

/// One class that is being read.
#[derive(Default)]
pub(super) struct Class {
    pub(super) path: Option<String>,
    pub(super) own: Collector,
    pub(super) of_methods: Collector,
}

impl Class {
    /// Where the lines that stand in this element go.
    #[inline]
    pub(super) fn collector(&mut self, parent: Element) -> &mut Collector {
        match parent {
            Element::Method | Element::MethodLines => &mut self.of_methods,
            _ => &mut self.own,
        }
    }
}

/// One file, with the lines of its first class as they came and those of any
/// further class united beside it.
struct File {
    first: Lines,
    further: Option<Box<Collector>>,
}

#[derive(Default)]
pub(super) struct Walk {
    pub(super) path: Path,
    pub(super) namespaces: Namespaces,
    pub(super) entities: Entities,
    pub(super) header: Option<Header>,
    /// Whether it is certain that this is a Cobertura report.
    pub(super) proven: bool,
    pub(super) ended: bool,
    sources: Vec<String>,
    pub(super) source: Expansion,
    pub(super) classes: Vec<Class>,
    files: BTreeMap<String, File>,
    pub(super) notes: Notes,
}

impl Walk {
    /// The name of the innermost open element.
    pub(super) fn innermost(&self) -> Option<&str> {
        self.path.innermost()
    }

    /// Where lines go that come next, if `<line>` without a prefix and without a
    /// declaration of its own is certain to count here.
    #[inline]
    pub(super) fn class_for_plain_lines(&mut self) -> Option<&mut Collector> {
        let parent = self.path.now()?;
        if !parent.holds_lines() || self.namespaces.own("line").is_none() {
            return None;
        }
        self.classes.last_mut().map(|class| class.collector(parent))
    }

    /// Takes one event. `false` at the end.
    #[inline]
    pub(super) fn take(&mut self, event: Event<'_>) -> Result<bool, Stop> {
        match event {
            Event::Empty(element) => {
                let entered = self.start(&element)?;
                self.end(entered)?;
                self.namespaces.leave(self.path.depth());
            }
            Event::Start(element) => {
                let entered = self.start(&element)?;
                self.path.enter(entered, element.name().into_inner()).map_err(Stop::event)?;
            }
            Event::End(_) => {
                // quick-xml has checked that it closes what is open.
                if let Some(element) = self.path.leave() {
                    self.end(element)?;
                    self.namespaces.leave(self.path.depth());
                }
            }
            Event::Text(text) => self.text(&text)?,
            Event::CData(text) => match self.path.now() {
                None => return Err(Stop::event("text outside of the root element")),
                Some(Element::Source) => self.source.text.push_str(&text),
                Some(_) => {}
            },
            Event::GeneralRef(reference) => {
                if self.path.now().is_none() {
                    return Err(Stop::event("text outside of the root element"));
                }
                // Replaced even where nobody wants the text: an entity that holds
                // markup could hold lines, which must not be lost in silence.
                let mut elsewhere = Expansion::default();
                let wanted = self.path.now() == Some(Element::Source);
                let into = if wanted { &mut self.source } else { &mut elsewhere };
                self.entities.replace(&reference, into, 0).map_err(Stop::event)?;
            }
            Event::DocType(text) => self.entities.declare(&text),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => return self.eof().map(|()| false),
        }
        Ok(true)
    }

    fn text(&mut self, text: &str) -> Result<(), Stop> {
        match self.path.now() {
            Some(Element::Source) => self.source.text.push_str(text),
            Some(_) => {}
            None => {
                let start = text.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']);
                if start.is_empty() {
                    return Ok(());
                }
                let before = text[..text.len() - start.len()].to_owned();
                let what = match foreign::by_start(start) {
                    _ if self.ended => "text after the root element".to_owned(),
                    Some(known) => format!("this is {known}, not a Cobertura coverage.xml"),
                    None => format!("not XML: it begins with `{}`", first_word(start)),
                };
                return Err(Stop { at: At::Inside(before), what, hint: None });
            }
        }
        Ok(())
    }

    fn eof(&self) -> Result<(), Stop> {
        let what = match (self.path.innermost(), &self.header) {
            (Some(open), _) => format!("truncated: the file ends inside <{}>", short(open)),
            (None, None) => "no XML element in the whole file".to_owned(),
            (None, Some(_)) if self.proven => return Ok(()),
            (None, Some(_)) => {
                "the root element is <coverage>, but nothing else shows that this is a Cobertura \
                 coverage.xml: it has neither <packages> nor a rate"
                    .to_owned()
            }
        };
        let hint =
            self.path.innermost().map(|_| "write the report again: its writer was interrupted");
        Err(Stop { at: At::End, what, hint })
    }

    #[inline]
    fn end(&mut self, element: Element) -> Result<(), Stop> {
        match element {
            Element::Coverage => self.ended = true,
            Element::Source => {
                if self.sources.len() >= MOST_SOURCES {
                    return Err(Stop::event(format!("more than {MOST_SOURCES} sources")));
                }
                let source = self.source.text.trim();
                if !source.is_empty() {
                    self.sources.push(source.to_owned());
                }
            }
            Element::Class => {
                if let Some(class) = self.classes.pop() {
                    return self.close(class);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds the lines of a finished class to those of its file.
    fn close(&mut self, class: Class) -> Result<(), Stop> {
        let Some(path) = class.path else { return Ok(()) };
        let lines = if class.own.is_empty() { class.of_methods } else { class.own };
        let lines = lines.finish();
        if let Some(file) = self.files.get_mut(&path) {
            file.further.get_or_insert_default().absorb(&lines);
        } else if self.files.len() < MOST_FILES {
            self.files.insert(path, File { first: lines, further: None });
        } else {
            return Err(Stop::event(format!("more than {MOST_FILES} files")));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Coverage {
        let (mut lines, mut branches) = (Counts::default(), Counts::default());
        let files: Vec<FileCoverage> = self
            .files
            .into_iter()
            .map(|(path, file)| {
                let measured = match file.further {
                    Some(further) => further.finish().merge(&file.first),
                    None => file.first,
                };
                let file = FileCoverage::new(path, measured);
                lines.add(file.lines);
                branches.add(file.branches);
                file
            })
            .collect();
        let header = self.header.unwrap_or_default();
        let mut disagreements = header.disagreements(lines, branches);
        disagreements.extend(self.notes.sentences());
        Coverage { lines, branches, files, header, disagreements, sources: self.sources }
    }
}

fn first_word(text: &str) -> String {
    short(text.split_whitespace().next().unwrap_or_default())
}
