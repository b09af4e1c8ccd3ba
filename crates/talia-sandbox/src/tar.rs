//! A tar file with the owners and modes of another machine.

/// The size of a block; everything in a tar file is a multiple of it.
const BLOCK: usize = 512;

/// Collects entries in the format that POSIX calls ustar.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    /// A folder.
    pub(crate) fn folder(&mut self, path: &str, mode: u32, owner: u32) {
        self.entry(&format!("{path}/"), b'5', mode, owner, "", &[]);
    }

    /// A file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, owner: u32, content: &[u8]) {
        self.entry(path, b'0', mode, owner, "", content);
    }

    /// A symbolic link of root's.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, b'2', 0o777, 0, target, &[]);
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }

    fn entry(&mut self, path: &str, kind: u8, mode: u32, owner: u32, target: &str, content: &[u8]) {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        let name = path.trim_start_matches('/');
        // The paths are our own, and short; a longer one would need a second field.
        assert!(name.len() < 100 && target.len() < 100, "{path} is too long for a tar header");
        put(0, name);
        put(100, &format!("{mode:07o}"));
        put(108, &format!("{owner:07o}"));
        put(116, &format!("{owner:07o}"));
        put(124, &format!("{:011o}", content.len()));
        // A fixed date: the same files give the same archive.
        put(136, &format!("{:011o}", 1_700_000_000));
        put(148, "        ");
        put(157, target);
        put(257, "ustar");
        put(263, "00");
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }
}
