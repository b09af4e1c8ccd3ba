use super::*;

/// What was read, the password too, as one line.
fn shown(url: &str) -> String {
    let database = read(url).unwrap();
    let password =
        database.password().map(|value| String::from_utf8_lossy(value.expose()).into_owned());
    let settings: Vec<String> =
        database.settings().map(|(name, value)| format!(" {name}={value}")).collect();
    format!(
        "{}:{}@{}:{}/{}{}",
        database.user().unwrap_or("-"),
        password.as_deref().unwrap_or("-"),
        database.host().unwrap_or("-"),
        database.port(),
        database.name(),
        settings.concat()
    )
}

#[test]
fn every_form_names_the_same_database() {
    for scheme in [
        "postgresql",
        "postgres",
        "postgresql+asyncpg",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "postgresql+psycopg_async",
        "PostgreSQL+pg8000",
    ] {
        assert_eq!(shown(&format!("{scheme}://u:p@h:6000/d")), "u:p@h:6000/d");
    }
    assert_eq!(shown(" postgresql://u@h/d\n"), "u:-@h:5432/d");
}

#[test]
fn parts_are_decoded_and_may_be_absent() {
    for (url, expected) in [
        ("postgresql:///d", "-:-@-:5432/d"),
        ("postgresql://h/d", "-:-@h:5432/d"),
        ("postgresql://u:@h/d", "u:-@h:5432/d"),
        ("postgresql://:p@h/d", "-:p@h:5432/d"),
        ("postgresql://u%40x:p%3A%2F%3F%23%40%25+ü@h/d%20e", "u@x:p:/?#@%+ü@h:5432/d e"),
        ("postgresql://u:p@x@h/d", "u:p@x@h:5432/d"),
        ("postgresql://u:a:b@h/d", "u:a:b@h:5432/d"),
        ("postgresql://[::1]/d", "-:-@::1:5432/d"),
        ("postgresql://u:p@[fe80::1%25eth0]:1/d", "u:p@fe80::1%eth0:1/d"),
        ("postgresql://%2Frun%2Fpg:1/d", "-:-@/run/pg:1/d"),
        ("postgresql://u@/d?host=/run/pg&port=7", "u:-@/run/pg:7/d"),
        ("postgresql:///?user=u&password=p%26&host=h&dbname=d", "u:p&@h:5432/d"),
        (
            "postgresql://h/d?sslmode=verify-full&sslrootcert=/a%20b.pem",
            "-:-@h:5432/d PGSSLMODE=verify-full PGSSLROOTCERT=/a b.pem",
        ),
        ("postgresql+asyncpg://h/d?ssl=require", "-:-@h:5432/d PGSSLMODE=require"),
        ("postgresql+asyncpg://h/d?ssl=True", "-:-@h:5432/d PGSSLMODE=require"),
        (
            "postgresql+asyncpg://h/d?ssl=false&application_name=app",
            "-:-@h:5432/d PGSSLMODE=disable",
        ),
        (
            "postgresql://h/d?options=-c%20search_path%3Dx&connect_timeout=3#f",
            "-:-@h:5432/d PGCONNECT_TIMEOUT=3 PGOPTIONS=-c search_path=x",
        ),
    ] {
        assert_eq!(shown(url), expected, "{url}");
    }
}

#[test]
fn what_is_for_the_driver_alone_is_told() {
    let database =
        read("postgresql+asyncpg://h/d?prepared_statement_cache_size=0&pgbouncer=true").unwrap();
    assert_eq!(database.ignored(), ["prepared_statement_cache_size", "pgbouncer"]);
}

#[test]
fn errors_name_what_is_wrong_and_never_the_password() {
    for (url, message) in [
        ("s3cr3t", "no database URL"),
        ("s3cr3t s3cr3t://x", "no database URL"),
        ("sqlite:///s3cr3t.db", "a sqlite database"),
        ("sqlite+aiosqlite:///s3cr3t.db", "a sqlite database"),
        ("mysql+pymysql://u:s3cr3t@h/d", "a mysql database"),
        ("postgresql://u:s3cr3t@h:x/d", "port is no number"),
        ("postgresql://u:s3cr3t/more@h/d", "port is no number"),
        ("postgresql://u:s3cr3t@h:0/d", "port is no number"),
        ("postgresql://u:s3cr3t@h:70000/d", "port is no number"),
        ("postgresql://u:s3cr3t%zz@h/d", "wrong percent encoding in the password"),
        ("postgresql://u:s3cr3t%@h/d", "wrong percent encoding in the password"),
        ("postgresql://u:s3cr3t%ff@h/d", "wrong percent encoding in the password"),
        ("postgresql://u:s3cr3t%00@h/d", "NUL byte in the password"),
        ("postgresql://u:s3cr3t%0A@h/d", "password has a line end"),
        ("postgresql://u:s3cr3t@a,b/d", "several hosts"),
        ("postgresql://u:s3cr3t@[::1/d", "`[` without `]`"),
        ("postgresql://u:s3cr3t@h", "names no database"),
        ("postgresql://u:s3cr3t@h/", "names no database"),
        ("postgresql://u@h/d?sslmode=s3cr3t", "sslmode is none"),
    ] {
        let error = read(url).unwrap_err();
        let all = format!("{error} {error:?} {:?}", error.hint_text());
        assert!(all.contains(message), "{url}: {all}");
        assert!(!all.contains("s3cr3t"), "{url}: {all}");
        assert_eq!(error.exit_code().code(), 2);
    }
}

#[test]
fn nothing_shows_the_password() {
    let database = read("postgresql://u:s3cr3t-pass@h/d?sslmode=require").unwrap();
    let all = format!("{database:?} {database} {:?}", database.secret());
    assert!(!all.contains("s3cr3t") && all.contains("PGSSLMODE"), "{all}");
    assert_eq!(database.named("e").to_string(), "e at h:5432");
}

#[test]
fn supabases_transaction_pooler_is_refused_for_a_dump() {
    let check = |url: &str| read(url).unwrap().one_session();
    for url in [
        "postgresql://u:s3cr3t@aws-0-eu.pooler.supabase.com:6543/postgres",
        "postgresql://u:s3cr3t@DB.abc.supabase.co:6543/postgres",
    ] {
        let error = check(url).unwrap_err();
        assert!(error.to_string().contains("transaction pooler"), "{error}");
        assert!(error.hint_text().unwrap().contains("5432"), "{error}");
        assert!(!format!("{error:?}").contains("s3cr3t"));
    }
    for url in [
        "postgresql://aws-0-eu.pooler.supabase.com:5432/postgres",
        "postgresql://aws-0-eu.pooler.supabase.com/postgres",
        "postgresql://db.abc.supabase.co/postgres",
        "postgresql://h.example:6543/d",
        "postgresql:///d?port=6543",
    ] {
        check(url).unwrap();
    }
}
