/// For whom a command's standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Stdout {
    /// For people: every line is shown.
    #[default]
    Shown,
    /// For the reader alone, such as JSON.
    Data,
    /// For the reader alone, and full of what nobody else may see: it is in no log.
    Private,
    /// [Events](crate::Event), a line each, of a run on another machine.
    Events,
}
