//! What nobody may see of what the agent and its commands say.

use camino::Utf8Path;
use talia_pipeline::{
    parse::env_file,
    secret::{MINIMUM_LENGTH, Secret, SecretValue, looks_secret},
    server::{Layout, PushedFile},
    settings::Policy,
};

/// The values of `.env` that nobody may see, so that they are masked in all that the
/// commands say; of a URL, the password alone too. Those that a release has of its own
/// are among them: a rollback runs with them. A file that cannot be read is the flow's
/// to tell of.
///
/// What the policy says openly is no secret: `PUBLIC_URL=https://HOST`, say.
pub(crate) fn secrets(layout: &Layout, policy: &Policy) -> Vec<Secret> {
    let read = |path: &Utf8Path| std::fs::read(path).ok();
    let now = read(&layout.env_file()).unwrap_or_default();
    let mut found = hidden(&now, policy, "");
    let releases = layout.releases().read_dir_utf8().into_iter().flatten().flatten();
    for release in releases {
        let env = read(&release.path().join(PushedFile::Env.name_in_release()));
        if let Some(env) = env.filter(|env| *env != now) {
            // A name counts once, and another release's value is another one.
            found.extend(hidden(&env, policy, &format!(" of {}", release.file_name())));
        }
    }
    found
}

fn hidden(env: &[u8], policy: &Policy, whose: &str) -> Vec<Secret> {
    let Ok(file) = env_file::read(env) else { return Vec::new() };
    let backup = &policy.backup;
    let is_secret = |name: &str| {
        let urls = [backup.database.as_deref(), backup.scratch.as_deref()];
        looks_secret(name)
            || urls.contains(&Some(name))
            || policy.secrets.iter().any(|secret| secret == name)
    };
    let open = open_texts(policy).into();
    let entries = file.effective().into_iter();
    entries
        .filter(|entry| is_secret(entry.name()) && entry.value().len() >= MINIMUM_LENGTH)
        .map(|entry| {
            let value = SecretValue::new(entry.value()).except(&open);
            Secret::given(format!("{}{whose}", entry.name()), value)
        })
        .collect()
}

/// What commands and their answers name all the time: a value that is a part of it hides
/// nothing, and no command could be written without it.
fn open_texts(policy: &Policy) -> Vec<String> {
    let host = policy.host.as_deref().unwrap_or_default();
    vec![
        // The programs and folders of PostgreSQL, its own database and role; where a slot
        // and a scratch server are asked.
        "/usr/lib/postgresql postgresql postgres template1".to_owned(),
        format!("http://localhost{} http://127.0.0.1{}", policy.health.path, policy.health.path),
        format!("https://{host}{}", policy.health.path),
        format!("https://{host}/"),
        policy.folder.to_string(),
        policy.web.to_string(),
        policy.image.clone().unwrap_or_default(),
        "talia production staging sandbox".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use talia_pipeline::{Pipeline, World, secret::Masker};

    use super::*;

    #[test]
    fn a_releases_own_values_are_masked_too() {
        let root = std::env::temp_dir().join(format!("talia-secrets-{}", std::process::id()));
        let root = camino::Utf8PathBuf::from_path_buf(root).unwrap();
        let policy = Policy::default();
        let layout = Layout::new(&"production".parse().unwrap(), &policy).below(&root);
        let old = layout.releases().join("20261124T081500Z-0123456789ab");
        std::fs::create_dir_all(&old).unwrap();
        std::fs::write(layout.env_file(), "A_TOKEN=value-of-today").unwrap();
        std::fs::write(old.join("env.original"), "A_TOKEN=value-of-then").unwrap();
        let world = World::real().unwrap();
        let pipeline = Pipeline::new("say", "/", world).secrets(secrets(&layout, &policy));
        let masker = Masker::new(pipeline.secret_values());
        assert_eq!(masker.mask("value-of-today value-of-then value"), "*** *** value");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_the_policy_says_openly_is_no_secret() {
        let text = "environment = \"staging\"\nhost = \"staging.talia.example\"\n";
        let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
        let env = b"PUBLIC_URL=https://staging.talia.example\nHOOK_URL=https://hooks.example/T0\n";
        let world = World::real().unwrap();
        let pipeline = Pipeline::new("say", "/", world).secrets(hidden(env, &policy, ""));
        let masker = Masker::new(pipeline.secret_values());
        let said = masker.mask("https://staging.talia.example/api https://hooks.example/T0");
        assert_eq!(said, "https://staging.talia.example/api ***");
    }

    #[test]
    fn what_the_policy_calls_a_secret_is_one() {
        let text = "environment = \"staging\"\nsecrets = [\"GREETING\"]\n";
        let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
        let world = World::real().unwrap();
        let env = b"GREETING=open-sesame\nWORD=known-to-all\n";
        let pipeline = Pipeline::new("say", "/", world).secrets(hidden(env, &policy, ""));
        let masker = Masker::new(pipeline.secret_values());
        assert_eq!(masker.mask("open-sesame known-to-all"), "*** known-to-all");
    }

    #[test]
    fn a_word_that_every_command_needs_is_no_secret() {
        let env = b"DB_PASSWORD=postgres\nSELF_URL=http://localhost\nA_TOKEN=postgres-x1\n\
                    DATABASE_URL=postgresql://postgres:postgres@db/x\n\
                    OTHER_URL=amqp://talia:talia-backend@mq/\n";
        let found = hidden(env, &Policy::default(), "");
        let world = World::real().unwrap();
        let pipeline = Pipeline::new("say", "/", world).secrets(found);
        let masker = Masker::new(pipeline.secret_values());
        let said = "--username=postgres http://localhost/api/health /opt/talia-backend/releases";
        assert_eq!(masker.mask(said), said);
        let said = "postgres-x1 postgresql://postgres:postgres@db/x amqp://talia:talia-backend@mq/";
        assert_eq!(masker.mask(said), "*** *** ***");
    }

    #[test]
    fn the_password_of_a_database_alone_is_masked() {
        let env = b"DB=postgresql+asyncpg://t:s3cr%3At-word@db/app\n\
                    TRY_URL=postgresql://u:other-w0rd@h/x\nA_TOKEN=short\n";
        let text = "environment = \"staging\"\n[backup]\ndatabase = \"DB\"\n";
        let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
        let world = World::real().unwrap();
        let pipeline = Pipeline::new("say", "/", world).secrets(hidden(env, &policy, ""));
        let masker = Masker::new(pipeline.secret_values());
        let said = masker.mask("s3cr:t-word s3cr%3At-word other-w0rd at db short");
        assert_eq!(said, "*** *** *** at db short");
    }
}
