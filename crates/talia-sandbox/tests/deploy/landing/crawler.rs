//! A reader who asks for the page and for what it names, without pause.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::load::Target;

/// Asks until it is stopped.
pub(crate) struct Crawler {
    told: Arc<Mutex<Told>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    /// How many pages came, each with its asset.
    pub(crate) pages: usize,
    /// What was wrong.
    pub(crate) failures: Vec<String>,
}

impl Crawler {
    pub(crate) fn start(target: Target) -> Self {
        let (told, is_over) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (told, is_over) = (Arc::clone(&told), Arc::clone(&is_over));
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let read = read(&target);
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.pages += 1;
                    told.failures.extend(read.err());
                }
            })
        };
        Self { told, is_over, thread: Some(thread) }
    }

    pub(crate) fn so_far(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails unless every page came whole, with its own asset.
    #[track_caller]
    pub(crate) fn missed_nothing(mut self) {
        self.end();
        let told = self.so_far();
        println!("    {} pages with their assets were read meanwhile", told.pages);
        assert_eq!(told.failures, [""; 0], "readers have noticed");
        assert!(told.pages > 5, "{told:?}");
    }

    fn end(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Crawler {
    fn drop(&mut self) {
        self.end();
    }
}

/// One page, then the asset that it names; both are of one version.
fn read(target: &Target) -> Result<(), String> {
    let get = |path: &str| {
        let answer = target.get(path).map_err(|error| format!("{path}: {error}"))?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status != 200 {
            return Err(format!("{path}: status {} {body}", answer.status));
        }
        Ok(body)
    };
    let between = |text: &str, before: &str, behind: &str| {
        let (_, rest) = text.split_once(before)?;
        Some(rest.split_once(behind)?.0.to_owned())
    };
    let page = get("/")?;
    let asset = between(&page, "href=\"", "\"").ok_or(format!("a torn page: {page}"))?;
    let version = between(&page, "<p>", "</p>").ok_or(format!("a torn page: {page}"))?;
    let text = get(&asset)?;
    if text == version { Ok(()) } else { Err(format!("{asset} of {version} is {text}")) }
}
