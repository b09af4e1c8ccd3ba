//! The base image, made from packages where no registry has one.

use camino::Utf8Path;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    steps::install::{
        AptClean, AptUpdate, ArchiveAddress, ArchiveSources, CopyTree, Debootstrap,
        ExtraCertificates, FileThere, FreeSpace, ImageImport, ImageThere, LeftBehind, LogTail,
        MakeFolders, MakeScratch, Pack, Privilege, PutFile, RegistryAnswers, RemoveTrees, Unmount,
        UpdateCertificates, explained,
    },
};

use super::{Debian, Machine, machine::PREFIX};

/// The release that the image is made of.
const RELEASE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// A tree of 300 MB, its tar file, and what lies about meanwhile.
const NEEDED_BYTES: u64 = 700_000_000;

/// What an image that Python applications are built on needs.
const PACKAGES: [&str; 4] = ["python3", "python3-pip", "python3-venv", "ca-certificates"];

/// Not needed in an image. The manual pages stay: some packages' scripts fail
/// without their folders.
const REMOVED: [&str; 9] = [
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "var/log",
    // The machine's own; an engine mounts a container's.
    "etc/resolv.conf",
    "etc/hostname",
];

/// Every level of what apt expects.
const FOLDERS: [&str; 7] = [
    "var/cache/apt",
    "var/cache/apt/archives",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists",
    "var/lib/apt/lists/partial",
    "var/log",
    "var/log/apt",
];

/// What is known about the base image.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) image: String,
    /// What a registry has in its place; asked for to see whether one answers.
    pub(super) upstream: String,
    pub(super) archive: Option<String>,
}

impl Default for Base {
    fn default() -> Self {
        Self {
            image: format!("talia-base:{RELEASE}"),
            upstream: format!("debian:{RELEASE}-slim"),
            archive: None,
        }
    }
}

/// Whether the base image has to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It is there, or nobody asked for it, or a registry has images.
    Not,
    /// It is not there, and no registry answers.
    Yes,
    /// There is no engine yet that could tell.
    Unknown,
}

impl Need {
    pub(super) fn may_be_made(self) -> bool {
        self != Self::Not
    }
}

/// Asks whether it has to be made. Changes nothing.
pub(super) fn need(cx: &Context, machine: &Machine, engine_answers: bool) -> Result<Need> {
    if !engine_answers {
        return Ok(Need::Unknown);
    }
    let base = machine.base();
    if cx.observe(ImageThere::new(machine.engine(), &base.image))?.is_some() {
        return Ok(Need::Not);
    }
    let answers = answers(cx.observe(RegistryAnswers::new(&base.upstream)))?;
    Ok(if answers { Need::Not } else { Need::Yes })
}

/// A registry that lets its client wait too long answers nothing either.
fn answers(result: Result<bool>) -> Result<bool> {
    match result {
        Err(error) if error.kind() == ErrorKind::Step => Ok(false),
        other => other,
    }
}

/// Makes the base image, if it has to be made, and gives its id.
pub(super) fn make(
    cx: &Context,
    machine: &Machine,
    debian: &Debian,
    need: Need,
) -> Result<Option<String>> {
    let Base { image, upstream, .. } = machine.base();
    let needed = match need {
        Need::Not => false,
        Need::Yes => true,
        // What could not be asked before is a step now; a plan shows the most.
        Need::Unknown => {
            cx.run(ImageThere::new(machine.engine(), image))?.is_none()
                && !answers(cx.run(RegistryAnswers::new(upstream)))?
        }
    };
    if !needed {
        return Ok(None);
    }
    cx.group(&format!("base image {image}"), |cx| {
        let cleared = clear(cx, machine, debian.privilege)?;
        let space = FreeSpace::new(machine.work(), NEEDED_BYTES);
        // An answer from before the clearing would not be the truth.
        if cleared {
            cx.run(space)?
        } else {
            cx.observe(space)?
        };
        bootstrap(cx, machine, debian).map(Some)
    })
}

/// Removes what runs left behind that were killed in the middle, if anything.
pub(super) fn clear(cx: &Context, machine: &Machine, privilege: Privilege) -> Result<bool> {
    let left = cx.observe(LeftBehind::new(machine.work(), PREFIX))?;
    for folder in &left {
        cx.run(Unmount::new(privilege, folder.join("root")))?;
    }
    if left.is_empty() {
        return Ok(false);
    }
    cx.run(RemoveTrees::new(privilege, left))?;
    Ok(true)
}

fn bootstrap(cx: &Context, machine: &Machine, debian: &Debian) -> Result<String> {
    let privilege = debian.privilege;
    let archive = archive(cx, machine, debian)?;
    let keyring = cx.observe(FileThere::new(KEYRING))?;
    let scratch = machine.scratch("base");
    let (root, tar, more) =
        (scratch.join("root"), scratch.join("image.tar"), scratch.join("certificates"));
    // The last one first: nothing is mounted below the folder when it is removed.
    cx.finally(RemoveTrees::new(privilege, [&scratch]).named("remove the working folder"));
    cx.finally(Unmount::new(privilege, &root));
    cx.run(MakeScratch::new(&scratch))?;
    let make = Debootstrap::new(privilege, RELEASE, &root, &archive).include(PACKAGES);
    let make = if keyring || debian.release.is_ubuntu() { make.keyring(KEYRING) } else { make };
    cx.run(make).map_err(|error| with_log(cx, &root, error))?;
    let sources = sources(cx, machine, &archive)?;
    cx.run(PutFile::new(root.join("etc/apt/sources.list"), sources).privilege(privilege))?;
    cx.run(ExtraCertificates::new(machine.bundles(), &root, &more))?;
    cx.run(CopyTree::new(privilege, &more, root.join("usr/local/share/ca-certificates")))?;
    cx.run(UpdateCertificates::new(privilege, &root))?;
    cx.run(AptClean::new(privilege, &root))?;
    let removed = REMOVED.map(|path| root.join(path));
    cx.run(RemoveTrees::new(privilege, removed).named("remove what an image does not need"))?;
    cx.run(MakeFolders::new(privilege, FOLDERS.map(|path| root.join(path))))?;
    cx.run(Pack::new(privilege, &root, &tar))?;
    let import = ImageImport::new(machine.engine(), &tar, &machine.base().image);
    cx.run(import.label_of_image("talia.base", RELEASE)).map_err(explained)
}

/// Debootstrap tells that a package could not be unpacked; why, its log alone.
fn with_log(cx: &Context, root: &Utf8Path, error: Error) -> Error {
    if error.kind() != ErrorKind::Step || error.hint_text().is_some() {
        return error;
    }
    let log = cx.run(LogTail::new(root.join("debootstrap/debootstrap.log"))).unwrap_or_default();
    let tail = [error.last_lines(), &log].concat();
    explained(error.tail(tail))
}

/// Where the packages are taken from.
fn archive(cx: &Context, machine: &Machine, debian: &Debian) -> Result<String> {
    if let Some(address) = &machine.base().archive {
        return Ok(address.clone());
    }
    let unknown = || {
        Error::preflight(
            "apt on this machine has no archive of Debian, which the base image is made from",
        )
        .hint(format!(
            "give the image by hand (`docker pull {0} && docker tag {0} {1}`), \
                 or tell an archive by `Machine::archive`",
            machine.base().upstream,
            machine.base().image
        ))
    };
    if debian.release.is_ubuntu() {
        return Err(unknown());
    }
    // Every archive of Debian has the last releases, so that the machine's own
    // release finds it, whichever it is. Where apt has no lists yet, it needs them.
    let own = || ArchiveAddress::new(debian.release.codename()).label("Debian");
    if let Some(address) = cx.observe(own())? {
        return Ok(address);
    }
    cx.run(AptUpdate::new(debian.privilege))?;
    cx.run(own())?.ok_or_else(unknown)
}

/// The image's own archives: the machine's of that release, updates and security
/// included, or the one that it was made from.
fn sources(cx: &Context, machine: &Machine, archive: &str) -> Result<String> {
    if machine.base().archive.is_none() {
        let lines = cx.run(ArchiveSources::new(RELEASE))?;
        if !lines.is_empty() {
            return Ok(lines);
        }
    }
    Ok(format!("deb {archive} {RELEASE} main\n"))
}
