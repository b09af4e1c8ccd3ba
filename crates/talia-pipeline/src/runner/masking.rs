//! Secrets out of every text of an event.

use std::borrow::Cow;

use crate::{
    event::Event,
    parse::terminal::{Colours, terminal_safe},
    secret::Masker,
};

/// The same event with every secret masked in every text.
pub(crate) fn masked(event: Event, masker: &Masker) -> Event {
    // Output is masked as bytes already, before it is cut into lines.
    if masker.is_empty() || matches!(event, Event::Output { .. } | Event::Progress { .. }) {
        return event;
    }
    let Ok(mut value) = serde_json::to_value(&event) else { return event };
    if let serde_json::Value::Object(fields) = &mut value {
        let texts = fields.iter_mut().filter(|(name, _)| *name != "event");
        texts.for_each(|(_, field)| mask_value(field, masker));
    }
    // A secret that is a word of our own makes it unreadable, and is masked even so.
    let text = value.to_string();
    serde_json::from_value(value).unwrap_or(Event::Unknown { text })
}

/// The text without secrets, also without those that show when a report takes the
/// escape sequences out.
pub(super) fn mask_text(text: &str, masker: &Masker) -> Option<String> {
    let clean = masker.mask(text);
    if clean.contains('\u{1b}') {
        let shown = terminal_safe(clean.as_bytes(), Colours::Drop, usize::MAX);
        if let Cow::Owned(clean) = masker.mask(&shown) {
            return Some(clean);
        }
    }
    match clean {
        Cow::Owned(clean) => Some(clean),
        Cow::Borrowed(_) => None,
    }
}

fn mask_value(value: &mut serde_json::Value, masker: &Masker) {
    match value {
        serde_json::Value::String(text) => {
            if let Some(clean) = mask_text(text, masker) {
                *text = clean;
            }
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| mask_value(item, masker));
        }
        serde_json::Value::Object(fields) => {
            fields.values_mut().for_each(|field| mask_value(field, masker));
        }
        _ => {}
    }
}
