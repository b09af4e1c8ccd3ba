//! The one way to take a step's snapshot.

use crate::step::{Action, Step};

/// Holds a step's action against `snapshots/<name>.snap` beside the caller.
///
/// A macro would know the caller's folder by itself; a function keeps the call
/// readable, so the folder comes from where the call stands.
#[track_caller]
pub(crate) fn check<S: Step>(name: &str, step: &S) {
    let caller = std::panic::Location::caller().file();
    let file = camino::Utf8Path::new(caller);
    let source = file.strip_prefix("crates/talia-pipeline").unwrap_or(file);
    let folder =
        camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(source).with_file_name("snapshots");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, render(step)));
}

/// A step as text: what it is called, what it does, what it accepts and leaves.
fn render<S: Step>(step: &S) -> String {
    let mut text = format!("{}\n", step.label());
    match step.action() {
        Action::Command { line, .. } => {
            text.push_str(&format!("$ {line}\n"));
            text.push_str(&format!(
                "effect {:?}, accepts {:?}",
                line.effect_kind(),
                line.accepted()
            ));
            if line.max_attempts() > 1 {
                text.push_str(&format!(", {} attempts", line.max_attempts()));
            }
            if let Some(limit) = line.time_limit() {
                text.push_str(&format!(", at most {} s", limit.as_secs()));
            }
            if line.leaves_kind() != crate::Leaves::Nothing {
                text.push_str(&format!(", leaves {:?}", line.leaves_kind()));
            }
            if !line.required_tools().is_empty() {
                text.push_str(&format!(", needs {}", line.required_tools().join(" and ")));
            }
            if !line.provided_tools().is_empty() {
                text.push_str(&format!(", brings {}", line.provided_tools().join(" and ")));
            }
            text.push('\n');
        }
        Action::Poll { line, pace, .. } => {
            text.push_str(&format!("$ {line}\n"));
            text.push_str(&format!(
                "effect {:?}, every {:?}, at most {:?}\n",
                line.effect_kind(),
                pace.interval,
                pace.deadline
            ));
        }
        Action::Work { what, effect, .. } => {
            text.push_str(&format!("in this process: {what}\neffect {effect:?}\n"));
        }
    }
    if let Some(touches) = step.touches() {
        let list = |words: &[String]| words.join(" ");
        text.push_str(&format!("below {}\n", touches.root()));
        if !touches.input_globs().is_empty() {
            text.push_str(&format!("reads {}\n", list(touches.input_globs())));
        }
        if !touches.variables().is_empty() {
            text.push_str(&format!("environment {}\n", list(touches.variables())));
        }
        if !touches.tool_names().is_empty() {
            text.push_str(&format!("tools {}\n", list(touches.tool_names())));
        }
        for output in touches.outputs() {
            text.push_str(&format!("writes {output}\n"));
        }
    }
    crate::hole::shown(&text)
}
