use super::*;
use crate::{Answer, CommandLine, ErrorKind, Fake, Pipeline, World, parse::database_url};

const COUNTS: &str = concat!(
    "{\"kind\":\"table\",\"schema\":\"public\",\"name\":\"a\",\"oid\":7,\"rows\":3}\n",
    "{\"kind\":\"server\",\"version\":150018,\"encoding\":\"UTF8\",\"large_objects\":0}\n",
);

/// A server and programs of these versions.
fn answers(
    server: u32,
    pg_dump: &'static str,
    pg_restore: &'static str,
) -> impl Fn(&CommandLine) -> Answer {
    move |line| {
        let words = line.words();
        let said = |program: &str, version: &str| format!("{program} (PostgreSQL) {version}\n");
        let text = match () {
            () if words == "pg_dump --version" => said("pg_dump", pg_dump),
            () if words == "pg_restore --version" => said("pg_restore", pg_restore),
            () if words == "psql --version" => said("psql", "15.18"),
            () if words.contains("current_setting") => format!("{server}|1000|C\n"),
            () if words.starts_with("psql") => COUNTS.to_owned(),
            () if words.starts_with("df ") => "Avail\n9000000000\n".to_owned(),
            () => String::new(),
        };
        Answer::new(0, text, "")
    }
}

fn run(
    url: &str,
    answers: impl Fn(&CommandLine) -> Answer + Send + Sync + 'static,
) -> (Result<BackupRecord>, Vec<CommandLine>) {
    let database = database_url::read(url).unwrap();
    let place = BackupPlace::new("/nowhere/backups");
    let order = BackupOrder::new(&BackupId::new("7").unwrap(), 5);
    let pipeline = Pipeline::new("backup", "/", World::fixed("/", []));
    pipeline.fake(Fake::new(answers), |cx| backup(cx, &place, &database, &order))
}

const URL: &str = "postgresql://talia:s3cr3t-word@db.example/app";

#[test]
fn the_commands_come_in_their_order_and_none_has_the_password() {
    let (record, asked) = run(URL, answers(150_018, "15.18", "15.18"));
    let record = record.unwrap();
    assert_eq!(record.contents.rows(), 3);
    assert_eq!(record.database, "app at db.example:5432");
    let words: Vec<String> = asked
        .iter()
        .map(|line| line.words().split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        words,
        [
            "psql --version",
            "pg_dump --version",
            "pg_restore --version",
            "psql --no-psqlrc",
            "df --output=avail",
            "psql --no-psqlrc",
            "pg_restore --file=/dev/null"
        ]
    );
    let all: String = asked.iter().map(|line| format!("{line} {line:?}\n")).collect();
    assert!(
        !all.contains("s3cr3t") && all.contains("PGPASSFILE=/nowhere/backups/7.pgpass.partial")
    );
}

#[test]
fn a_server_newer_than_pg_dump_is_refused_before_anything_is_written() {
    let (record, asked) = run(URL, answers(160_004, "15.18", "15.18"));
    let error = record.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let all = format!("{error} {}", error.hint_text().unwrap());
    assert!(all.contains("15.18") && all.contains("16.4") && all.contains("client-16"), "{all}");
    assert_eq!(asked.len(), 4, "no dump was begun");
}

#[test]
fn a_pg_restore_older_than_pg_dump_is_refused() {
    let (record, _) = run(URL, answers(160_004, "16.4", "15.18"));
    let error = record.unwrap_err();
    assert!(error.to_string().starts_with("pg_restore is 15.18, pg_dump is 16.4"), "{error}");
}

#[test]
fn a_transaction_pooler_is_refused_before_anything_is_asked() {
    let url = "postgresql://u:s3cr3t-word@x.pooler.supabase.com:6543/postgres";
    let (record, asked) = run(url, answers(150_018, "15.18", "15.18"));
    assert_eq!(record.unwrap_err().kind(), ErrorKind::Usage);
    assert!(asked.is_empty());
}

#[test]
fn a_dump_that_cannot_be_read_back_gets_no_record() {
    let good = answers(150_018, "15.18", "15.18");
    let (record, asked) = run(URL, move |line| {
        if line.words().starts_with("pg_restore --file") {
            return Answer::new(
                1,
                "",
                "pg_restore: error: could not read from input file: end of file\n",
            );
        }
        good(line)
    });
    assert!(record.unwrap_err().to_string().contains("end of file"));
    assert!(asked.last().unwrap().words().starts_with("pg_restore --file"));
}

#[test]
fn the_plan_says_what_would_be_done() {
    let database = database_url::read(URL).unwrap();
    let place = BackupPlace::new("/nowhere/backups");
    let order = BackupOrder::new(&BackupId::new("7").unwrap(), 5).retention(Retention::default());
    let pipeline = Pipeline::new("backup", "/", World::fixed("/", [("PATH", "/nowhere")]));
    let planned = pipeline.plan(|cx| {
        // The programs are asked for real, and there are none here.
        assert!(backup(cx, &place, &database, &order).is_err());
        Ok(())
    });
    assert!(planned.is_ok());
}

#[test]
fn space_is_needed_by_the_last_dump_or_by_the_database() {
    let server = Server { version: PgVersion::unknown(), database_bytes: 1000, is_english: true };
    assert_eq!(needed_bytes(None, server), 1000);
    let mut last = BackupRecord::planned(&BackupId::new("7").unwrap());
    (last.full.bytes, last.schema.bytes) = (90, 10);
    assert_eq!(needed_bytes(Some(&last), server), 120);
}
