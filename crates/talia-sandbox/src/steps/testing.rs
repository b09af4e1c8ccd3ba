//! The one way to take a step's snapshot.

use talia_pipeline::{Action, Step, hole};

/// Holds a step's action against `snapshots/<name>.snap`.
pub(crate) fn check<S: Step>(name: &str, step: &S) {
    let what = match step.action() {
        Action::Command { line, .. } => {
            let (effect, accepted) = (line.effect_kind(), line.accepted());
            let limit = line.time_limit().map_or(0, |limit| limit.as_secs());
            // All 256 would be a long line.
            let accepted = match accepted {
                [0, .., 255] => "any exit".to_owned(),
                some => format!("{some:?}"),
            };
            format!("$ {line}\neffect {effect:?}, accepts {accepted}, at most {limit} s\n")
        }
        Action::Work { what, effect, .. } => {
            format!("in this process: {what}\neffect {effect:?}\n")
        }
        _ => String::new(),
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = hole::shown(&format!("{}\n{what}", step.label()));
    settings.bind(|| insta::assert_snapshot!(name, text));
}
