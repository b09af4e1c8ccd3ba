//! Readers who ask for pages and for what those name, without pause.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use talia_pipeline::landing::ContentHash;

use crate::load::{Connection, Target};

/// Asks until it is stopped.
pub(crate) struct Crawler {
    told: Arc<Mutex<Told>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    /// How many pages were asked for.
    pub(crate) pages: usize,
    /// How many files that a page names.
    pub(crate) assets: usize,
    /// Requests that were not answered with what was asked for.
    pub(crate) errors: usize,
    /// Pages that came, and could not be shown as they were made.
    pub(crate) torn: usize,
    /// What was wrong, a line for each page.
    pub(crate) failures: Vec<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, assets, errors, torn, .. } = self;
        write!(f, "{pages} pages and {assets} of their assets: {errors} errors, {torn} torn pages")
    }
}

impl Crawler {
    /// One reader of the page at `/`.
    pub(crate) fn start(target: Target) -> Self {
        Self::over(&target, &["/".to_owned()], 1)
    }

    /// So many readers, each of every page in turn.
    pub(crate) fn over(target: &Target, pages: &[String], readers: usize) -> Self {
        let (told, is_over) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let thread = |reader: usize| {
            let (told, is_over) = (Arc::clone(&told), Arc::clone(&is_over));
            let (target, mut pages) = (target.clone(), pages.to_vec());
            // No two of them at one place.
            let at = pages.len() * reader / readers;
            pages.rotate_left(at);
            thread::spawn(move || {
                for page in pages.iter().cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let read = Reading::of(&target, page);
                    told.lock().unwrap_or_else(PoisonError::into_inner).add(read);
                }
            })
        };
        let threads = (0..readers).map(thread).collect();
        Self { told, is_over, threads }
    }

    pub(crate) fn so_far(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the readers; gives what they have seen.
    pub(crate) fn stop(mut self) -> Told {
        self.end();
        self.so_far()
    }

    /// Fails unless every page came whole, with its own assets; gives how many there were.
    #[track_caller]
    pub(crate) fn missed_nothing(self) -> String {
        let told = self.stop();
        println!("    readers meanwhile: {told}");
        assert_eq!(told.failures, [""; 0], "readers have noticed");
        assert!(told.pages > 5 && told.assets >= told.pages, "{told:?}");
        told.to_string()
    }

    fn end(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Crawler {
    fn drop(&mut self) {
        self.end();
    }
}

impl Told {
    fn add(&mut self, read: Reading) {
        self.pages += 1;
        self.assets += read.assets;
        self.errors += read.errors.len();
        self.torn += usize::from(read.came && !read.errors.is_empty());
        if !read.errors.is_empty() {
            self.failures.push(read.errors.join("; "));
        }
    }
}

/// One page, then what it names, on one connection as a browser does it.
#[derive(Default)]
struct Reading {
    came: bool,
    assets: usize,
    errors: Vec<String>,
}

impl Reading {
    fn of(target: &Target, page: &str) -> Self {
        let mut reading = Self::default();
        if let Err(error) = reading.read(target, page) {
            reading.errors.push(error);
        }
        reading
    }

    fn read(&mut self, target: &Target, page: &str) -> Result<(), String> {
        let mut connection = None;
        let text = got(target, &mut connection, page)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        self.came = true;
        let mut named = text.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next());
        let first = named.next().filter(|_| text.ends_with("</p>\n"));
        let first = first.ok_or_else(|| format!("{page}: a torn page: {text}"))?;
        for asset in std::iter::once(first).chain(named) {
            self.assets += 1;
            let is_whole = |content: Vec<u8>| match names(asset, &content) {
                true => Ok(()),
                false => Err(format!("/{asset} holds another content")),
            };
            let read = got(target, &mut connection, &format!("/{asset}")).and_then(is_whole);
            self.errors.extend(read.err().map(|error| format!("{page}: {error}")));
        }
        Ok(())
    }
}

/// What is at a path; asked once, on a new connection where there is none.
fn got(target: &Target, kept: &mut Option<Connection>, path: &str) -> Result<Vec<u8>, String> {
    let failed = |error| format!("{path}: {error}");
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => target.connect().map_err(failed)?,
    };
    let answer = connection.request("GET", path, &[], &[]).map_err(failed)?;
    if !answer.is_last {
        *kept = Some(connection);
    }
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("{path}: status {status}")),
    }
}

/// The name of an asset with this content: another content has another name.
pub(crate) fn asset(stem: &str, extension: &str, content: &[u8]) -> String {
    let hash = ContentHash::of(content).to_string();
    // A letter and a number among its eight digits.
    format!("assets/{stem}-a1{}.{extension}", &hash[..6])
}

/// Whether it is the one that [`asset`] names so.
fn names(name: &str, content: &[u8]) -> bool {
    let parts = name.strip_prefix("assets/").and_then(|name| name.split_once('.'));
    let Some((stem, extension)) = parts else { return false };
    let stem = stem.rsplit_once('-').map_or(stem, |(stem, _)| stem);
    name == asset(stem, extension, content)
}
