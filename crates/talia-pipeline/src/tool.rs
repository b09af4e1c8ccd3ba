//! The programs that the steps need: how to ask for their version, which one is
//! the least, and how each system installs them.

use crate::{
    command_line::{CommandLine, Effect},
    world::System,
};

/// What is known about a program, or about something behind one, such as an engine.
pub(crate) struct Tool {
    /// Its name in messages and in [`CommandLine::requires`].
    pub(crate) name: &'static str,
    /// The program that tells about it.
    pub(crate) program: &'static str,
    /// Arguments that make the program print its version.
    probe: &'static [&'static str],
    /// The least version that works, with the reason beside the entry.
    pub(crate) minimum: Option<&'static str>,
    /// What is wrong when the program is there and the probe fails.
    pub(crate) unwell: &'static str,
    /// Packages: Debian, Fedora, Arch, Alpine, Homebrew.
    packages: [&'static str; 5],
}

/// What brings PostgreSQL's programs, without a server.
const POSTGRESQL_CLIENT: [&str; 5] =
    ["postgresql-client", "postgresql", "postgresql-libs", "postgresql-client", "libpq"];

const TOOLS: &[Tool] = &[
    Tool {
        name: "git",
        program: "git",
        probe: &["--version"],
        // `git diff --merge-base` came with 2.30.
        minimum: Some("2.30"),
        unwell: "does not tell its version",
        packages: ["git"; 5],
    },
    Tool {
        name: "python3",
        program: "python3",
        probe: &["--version"],
        // The oldest that the pinned ruff, pytest and pytest-cov can be installed with.
        minimum: Some("3.9"),
        unwell: "does not tell its version",
        packages: ["python3", "python3", "python", "python3", "python"],
    },
    Tool {
        name: "python3-venv",
        program: "python3",
        // Debian ships `venv` without what it needs to work.
        probe: &["-c", "import ensurepip, venv, sys; print(sys.version.split()[0])"],
        minimum: None,
        unwell: "has no working `venv` module",
        packages: ["python3-venv", "python3", "python", "python3", "python"],
    },
    Tool {
        name: "docker",
        program: "docker",
        probe: &["--version"],
        // BuildKit is part of the engine's client since then.
        minimum: Some("20.10"),
        unwell: "does not tell its version",
        packages: ["docker.io", "moby-engine", "docker", "docker", "docker"],
    },
    Tool {
        name: "docker-engine",
        program: "docker",
        probe: &["version", "--format", "{{.Server.Version}}"],
        minimum: Some("20.10"),
        unwell: "the engine does not answer",
        packages: ["docker.io", "moby-engine", "docker", "docker", "docker"],
    },
    Tool {
        name: "docker-buildx",
        program: "docker",
        probe: &["buildx", "version"],
        minimum: None,
        unwell: "the plugin is not there",
        packages: [
            "docker-buildx",
            "docker-buildx",
            "docker-buildx",
            "docker-cli-buildx",
            "docker-buildx",
        ],
    },
    Tool {
        name: "docker-compose",
        program: "docker",
        probe: &["compose", "version", "--short"],
        minimum: Some("2"),
        unwell: "the plugin is not there",
        packages: [
            "docker-compose",
            "docker-compose",
            "docker-compose",
            "docker-cli-compose",
            "docker-compose",
        ],
    },
    Tool {
        name: "poetry",
        program: "poetry",
        probe: &["--version"],
        // Dependency groups came with 1.2.
        minimum: Some("1.2"),
        unwell: "does not tell its version",
        packages: ["python3-poetry", "poetry", "python-poetry", "poetry", "poetry"],
    },
    Tool {
        name: "uv",
        program: "uv",
        probe: &["--version"],
        // `UV_PROJECT_ENVIRONMENT` came with 0.4.4.
        minimum: Some("0.4.4"),
        unwell: "does not tell its version",
        packages: ["", "uv", "uv", "uv", "uv"],
    },
    Tool {
        name: "rsync",
        program: "rsync",
        probe: &["--version"],
        // `--itemize-changes` has its eleven columns since 3.0.
        minimum: Some("3.0"),
        unwell: "does not tell its version",
        packages: ["rsync"; 5],
    },
    Tool {
        name: "debootstrap",
        // A path: `/usr/sbin` is not in the `PATH` of everybody who may sudo.
        program: "/usr/sbin/debootstrap",
        probe: &["--version"],
        minimum: None,
        unwell: "does not tell its version",
        packages: ["debootstrap", "debootstrap", "debootstrap", "debootstrap", ""],
    },
    Tool {
        name: "strace",
        program: "strace",
        probe: &["--version"],
        minimum: None,
        unwell: "does not tell its version",
        packages: ["strace", "strace", "strace", "strace", ""],
    },
    Tool {
        name: "psql",
        program: "psql",
        probe: &["--version"],
        // `\if` came with 10.
        minimum: Some("10"),
        unwell: "does not tell its version",
        packages: POSTGRESQL_CLIENT,
    },
    Tool {
        name: "pg_dump",
        program: "pg_dump",
        probe: &["--version"],
        minimum: Some("10"),
        unwell: "does not tell its version",
        packages: POSTGRESQL_CLIENT,
    },
    Tool {
        name: "pg_restore",
        program: "pg_restore",
        probe: &["--version"],
        minimum: Some("10"),
        unwell: "does not tell its version",
        packages: POSTGRESQL_CLIENT,
    },
    Tool {
        name: "postgresql",
        // Debian keeps the server's programs outside of `PATH`.
        program: "sh",
        probe: &[
            "-c",
            "for p in \"$(command -v initdb)\" /usr/lib/postgresql/*/bin/initdb; do \
             if [ -x \"$p\" ]; then exec \"$p\" --version; fi; done; exit 1",
        ],
        minimum: Some("10"),
        unwell: "there is no server to start",
        packages: ["postgresql", "postgresql-server", "postgresql", "postgresql", "postgresql"],
    },
    Tool {
        name: "ssh",
        program: "ssh",
        probe: &["-V"],
        minimum: None,
        unwell: "does not tell its version",
        packages: ["openssh-client", "openssh-clients", "openssh", "openssh-client", "openssh"],
    },
    Tool {
        name: "sshd",
        // A path: it tells its own to the processes that it starts anew.
        program: "/usr/sbin/sshd",
        probe: &["-V"],
        minimum: None,
        unwell: "does not tell its version",
        packages: ["openssh-server", "openssh-server", "openssh", "openssh-server", ""],
    },
    Tool {
        name: "docker-registry",
        program: "docker-registry",
        probe: &["--version"],
        minimum: None,
        unwell: "does not tell its version",
        packages: ["docker-registry", "", "", "docker-registry", ""],
    },
    Tool {
        name: "htpasswd",
        program: "htpasswd",
        // It has no other use that ends with 0 and changes nothing: `admin` with the
        // password `admin`, on standard output.
        probe: &["-nb", "admin", "admin"],
        minimum: None,
        unwell: "does not work",
        packages: ["apache2-utils", "httpd-tools", "apache", "apache2-utils", "httpd"],
    },
];

impl Tool {
    /// The tool of this name, if it is a known one.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// The command that makes it tell its version.
    pub(crate) fn probe(&self) -> CommandLine {
        CommandLine::new(self.program)
            .args(self.probe.iter().copied())
            .effect(Effect::Read)
            .timeout(std::time::Duration::from_secs(20))
            .purpose(format!("which {} is there", self.name))
    }

    /// The package that brings it on this system.
    pub(crate) fn package(&self, system: System) -> Option<&'static str> {
        let index = match system {
            System::Debian { .. } => 0,
            System::Fedora => 1,
            System::Arch => 2,
            System::Alpine => 3,
            System::MacOs => 4,
            System::Other => return None,
        };
        Some(self.packages[index]).filter(|package| !package.is_empty())
    }

    /// The exact command that installs it on this system.
    pub(crate) fn install_command(&self, system: System) -> Option<String> {
        let package = self.package(system)?;
        Some(match system {
            System::Debian { root: true } => format!("apt-get install -y {package}"),
            System::Debian { root: false } => format!("sudo apt-get install -y {package}"),
            System::Fedora => format!("sudo dnf install -y {package}"),
            System::Arch => format!("sudo pacman -S --noconfirm {package}"),
            System::Alpine => format!("apk add {package}"),
            System::MacOs => format!("brew install {package}"),
            System::Other => return None,
        })
    }
}

/// A version's numbers: the first dotted run of digits in a text.
///
/// `Docker version 20.10.24+dfsg1, build 297e128` gives `[20, 10, 24]`.
pub(crate) fn version_in(text: &str) -> Option<Vec<u64>> {
    let start = text
        .char_indices()
        .find(|&(at, c)| {
            c.is_ascii_digit()
                && !text[..at]
                    .chars()
                    .next_back()
                    .is_some_and(|before| before.is_alphanumeric() && before != 'v')
        })?
        .0;
    let digits = text[start..].find(|c: char| !c.is_ascii_digit() && c != '.');
    let run = &text[start..digits.map_or(text.len(), |end| start + end)];
    Some(run.split('.').map_while(|part| part.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_say() {
        assert_eq!(version_in("git version 2.39.5 (Apple Git-154)"), Some(vec![2, 39, 5]));
        assert_eq!(version_in("Docker version 20.10.24+dfsg1, build 297"), Some(vec![20, 10, 24]));
        assert_eq!(version_in("Python 3.11.7"), Some(vec![3, 11, 7]));
        assert_eq!(version_in("github.com/docker/buildx v0.13.1 abc"), Some(vec![0, 13, 1]));
        assert_eq!(version_in("Poetry (version 1.8.3)"), Some(vec![1, 8, 3]));
        assert_eq!(version_in("no version"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version_in("20.9") < version_in("20.10"));
        assert!(version_in("2") <= version_in("2.26.1"));
    }

    #[test]
    fn the_install_command_suits_the_system() {
        let docker = Tool::named("docker").expect("docker is a known tool");
        let command = |system| docker.install_command(system);
        assert_eq!(
            command(System::Debian { root: false }).as_deref(),
            Some("sudo apt-get install -y docker.io")
        );
        assert_eq!(command(System::MacOs).as_deref(), Some("brew install docker"));
        assert_eq!(command(System::Other), None);
    }
}
