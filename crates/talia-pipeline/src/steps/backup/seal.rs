use std::{
    fs::{self, File},
    io,
};

use camino::Utf8Path;

use crate::{
    error::{Error, Result},
    hole,
    step::{Action, Step, Summary},
};

use super::{BackupId, BackupPlace, DumpFile, checksum, schema_hash};

/// What [`Seal`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The dump of everything.
    pub full: DumpFile,
    /// The dump of the schema.
    pub schema: DumpFile,
    /// See [`schema_hash`].
    pub schema_hash: String,
}

/// Gives the dumps their checksums and their final names, and sees that both are on
/// the disk.
///
/// - In this process: reads both files, hashes them, flushes them to the disk,
///   marks with `<id>.json.partial` that there is no record yet, renames them and
///   flushes the folder.
/// - Touches: the two files and the folder.
/// - Errors: a schema without its last line, which `pg_dump` writes when all of it
///   is written; whatever the file system says.
/// - Source: fsync(2), rename(2).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{BackupId, BackupPlace, Seal}};
///
/// let seal = Seal::new(&BackupPlace::new("/srv/backups"), &BackupId::new("7")?);
/// assert_eq!(seal.label(), "checksum the dumps");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Seal {
    place: BackupPlace,
    id: BackupId,
}

impl Seal {
    /// The dumps of this backup.
    pub fn new(place: &BackupPlace, id: &BackupId) -> Self {
        Self { place: place.clone(), id: id.clone() }
    }

    fn seal(&self) -> Result<Sealed> {
        let (full, schema) = (self.place.full(&self.id), self.place.schema(&self.id));
        let cannot = |path: &Utf8Path, cause: io::Error| {
            Error::step(format!("{path} cannot be put in place")).caused_by(cause)
        };
        let flushed = |path: &Utf8Path| {
            let partial = BackupPlace::partial(path);
            let (found, file) = checksum::of_file(&partial).map_err(|e| cannot(&partial, e))?;
            file.sync_all().map_err(|e| cannot(&partial, e))?;
            Ok::<_, Error>(found)
        };
        let sql = fs::read(BackupPlace::partial(&schema)).map_err(|e| cannot(&schema, e))?;
        let sql = String::from_utf8_lossy(&sql);
        if !sql.lines().any(|line| line == "-- PostgreSQL database dump complete") {
            return Err(Error::step(format!("the schema in {schema}.partial is cut off")));
        }
        let sealed = Sealed {
            full: flushed(&full)?,
            schema: flushed(&schema)?,
            schema_hash: schema_hash(&sql),
        };
        // Whoever finds this knows that the dumps are of a run that has ended too early.
        let mark = self.place.mark(&self.id);
        File::create(&mark).map_err(|e| cannot(&mark, e))?;
        for path in [&full, &schema] {
            fs::rename(BackupPlace::partial(path), path).map_err(|e| cannot(path, e))?;
        }
        File::open(self.place.folder())
            .and_then(|folder| folder.sync_all())
            .map_err(|e| cannot(self.place.folder(), e))?;
        Ok(sealed)
    }
}

impl Step for Seal {
    type Output = Sealed;

    fn label(&self) -> String {
        "checksum the dumps".into()
    }

    fn action(&self) -> Action<'_, Sealed> {
        let (full, schema) = (self.place.full(&self.id), self.place.schema(&self.id));
        let what = format!("hash {full}.partial and {schema}.partial, flush and rename them");
        Action::work(what, || self.seal())
    }

    fn assume(&self) -> Sealed {
        let file = || DumpFile { bytes: 0, sha256: hole::named("sha256") };
        Sealed { full: file(), schema: file(), schema_hash: hole::named("schema hash") }
    }

    fn summary(&self, sealed: &Sealed) -> Summary {
        let size = sealed.full.bytes;
        let size = match size {
            0..1_000_000 => format!("{} kB", size.div_ceil(1000)),
            _ => format!("{} MB", size / 1_000_000),
        };
        let hash: String = sealed.full.sha256.chars().take(12).collect();
        Summary::line(format!("{size}, sha256 {hash}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::for_tests::Folder, testing::check};

    #[test]
    fn minimal() {
        let id = BackupId::new("7").unwrap();
        check("seal__minimal", &Seal::new(&BackupPlace::new("/srv/it's $x"), &id));
    }

    #[test]
    fn both_files_get_their_names_together() {
        let folder = Folder::new("seal");
        let (place, id) = (folder.place(), BackupId::new("7").unwrap());
        let full = BackupPlace::partial(&place.full(&id));
        let schema = BackupPlace::partial(&place.schema(&id));
        fs::write(&full, "abc").unwrap();
        fs::write(&schema, "CREATE TABLE a ();\n").unwrap();
        let step = Seal::new(&place, &id);
        assert!(step.seal().unwrap_err().to_string().ends_with("is cut off"));
        assert_eq!(folder.names(), ["7.dump.partial", "7.sql.partial"]);
        fs::write(
            &schema,
            "CREATE TABLE a ();\n-- PostgreSQL database dump complete\n\n\\unrestrict x\n\n",
        )
        .unwrap();
        let sealed = step.seal().unwrap();
        assert_eq!(folder.names(), ["7.dump", "7.json.partial", "7.sql"]);
        assert!(sealed.full.sha256.starts_with("ba7816bf") && sealed.full.bytes == 3);
        assert_eq!(sealed.schema_hash, schema_hash("CREATE TABLE a ();"));
    }
}
