//! Packages of the next release beside the machine's own.

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    error::{Error, Result},
    steps::install::{
        AptInstall, AptSimulate, AptUpdate, ArchiveAddress, FileThere, MakeScratch, MoveFile,
        Privilege, PutFile, RemoveTrees,
    },
};

use super::{Debian, Machine, base, packages};

const SOURCES: &str = "/etc/apt/sources.list.d";
const PREFERENCES: &str = "/etc/apt/preferences.d";
const NAME: &str = "talia-next";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Installs packages of the release `next`, and lets apt know that release at a
/// priority below that of what is installed.
///
/// Apt's settings are changed last, when all has worked: until then it is told by
/// options to read two files of a working folder. So a failure, or a kill, leaves
/// no source that cannot be read.
pub(super) fn install_from(
    cx: &Context,
    machine: &Machine,
    debian: &Debian,
    next: &'static str,
    specs: &[String],
    tools: &[&str],
) -> Result<()> {
    cx.group(&format!("packages of {next}"), |cx| {
        let privilege = debian.privilege;
        let sources = Utf8PathBuf::from(SOURCES).join(format!("{NAME}.sources"));
        let preferences = Utf8PathBuf::from(PREFERENCES).join(NAME);
        let install = AptInstall::new(privilege, specs).provides(packages::provided(tools));
        if cx.observe(ArchiveAddress::new(next))?.is_some() {
            // Who has named the release by his own file sees to its priority.
            if cx.observe(FileThere::new(&sources))? {
                put(cx, privilege, &preferences, &pin(next))?;
            }
            only(specs, &cx.run(AptSimulate::new(specs))?)?;
            return cx.run(install);
        }
        let Some(address) = address(cx, debian)? else {
            return Err(Error::preflight(format!(
                "apt's archives on this machine are not Debian's own, so where {next} is cannot be told"
            ))
            .hint(format!("install {} of {next} by hand", specs.join(" and "))));
        };
        let keyring = cx.observe(FileThere::new(KEYRING))?;
        let source = source(&address, next, keyring);
        base::clear(cx, machine, privilege)?;
        let scratch = machine.scratch("apt");
        cx.finally(RemoveTrees::new(privilege, [&scratch]).named("remove the working folder"));
        cx.run(MakeScratch::new(&scratch))?;
        let (new_sources, new_preferences) =
            (scratch.join(format!("{NAME}.sources")), scratch.join(NAME));
        cx.run(PutFile::new(&new_preferences, pin(next)))?;
        cx.run(PutFile::new(&new_sources, &source))?;
        cx.run(AptUpdate::new(privilege).only(&new_sources))?;
        let simulate = AptSimulate::new(specs).suite(&new_sources, &new_preferences);
        only(specs, &cx.run(simulate)?)?;
        cx.run(install.suite(&new_sources, &new_preferences))?;
        // The priority first: there is no moment at which apt takes more from it.
        put(cx, privilege, &preferences, &pin(next))?;
        put(cx, privilege, &sources, &source)
    })
}

/// The archive of the machine's own release, which has the next one too. It can
/// be asked for a plan where apt has its lists, else by the run alone.
fn address(cx: &Context, debian: &Debian) -> Result<Option<String>> {
    let question = || ArchiveAddress::new(debian.release.codename()).label("Debian");
    match cx.observe(question())? {
        Some(address) => Ok(Some(address)),
        None => cx.run(question()),
    }
}

/// Never less than what was asked for is fine, never more: a package of another
/// release must not bring a new C library along.
fn only(specs: &[String], changed: &[String]) -> Result<()> {
    let wanted = |name: &String| {
        specs.iter().any(|spec| {
            spec == name
                || spec.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('='))
        })
    };
    let more: Vec<&str> = changed.iter().filter(|name| !wanted(name)).map(String::as_str).collect();
    if more.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "apt would also change {} to install {}",
        more.join(", "),
        specs.join(" ")
    ))
    .hint("nothing was changed; install them by hand if that is what you want"))
}

/// Writes under a name that apt passes over, then gives the file its own.
fn put(cx: &Context, privilege: Privilege, path: &Utf8PathBuf, text: &str) -> Result<()> {
    let beside = path.with_file_name(format!(".{}.new", path.file_name().unwrap_or(NAME)));
    cx.run(PutFile::new(&beside, text).privilege(privilege))?;
    cx.run(MoveFile::new(privilege, &beside, path))
}

/// 50 is below the 100 of what is installed: nothing else is ever taken from it.
fn pin(next: &str) -> String {
    format!("Package: *\nPin: release n={next}\nPin-Priority: 50\n")
}

fn source(address: &str, next: &str, keyring: bool) -> String {
    let signed = if keyring { format!("Signed-By: {KEYRING}\n") } else { String::new() };
    format!("Types: deb\nURIs: {address}\nSuites: {next}\nComponents: main\n{signed}")
}
