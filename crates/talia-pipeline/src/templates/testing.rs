//! The one way to take a rendered file's snapshot.

/// Holds a text against `snapshots/<name>.snap`.
pub(super) fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
