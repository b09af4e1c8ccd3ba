//! What nobody may see of what the agent and its commands say.

use talia_pipeline::{
    parse::env_file,
    secret::{MINIMUM_LENGTH, Secret, SecretValue, looks_secret},
    server::Layout,
    settings::Policy,
};

/// The values of `.env` that nobody may see, so that they are masked in all that the
/// commands say; of a URL, the password alone too. A file that cannot be read is the
/// flow's to tell of.
pub(crate) fn secrets(layout: &Layout, policy: &Policy) -> Vec<Secret> {
    let Ok(bytes) = std::fs::read(layout.env_file()) else { return Vec::new() };
    hidden(&bytes, policy)
}

fn hidden(env: &[u8], policy: &Policy) -> Vec<Secret> {
    let Ok(file) = env_file::read(env) else { return Vec::new() };
    let backup = &policy.backup;
    let is_secret = |name: &str| {
        let urls = [backup.database.as_deref(), backup.scratch.as_deref()];
        looks_secret(name) || urls.contains(&Some(name))
    };
    let entries = file.effective().into_iter();
    entries
        .filter(|entry| is_secret(entry.name()) && entry.value().len() >= MINIMUM_LENGTH)
        .map(|entry| Secret::given(entry.name(), SecretValue::new(entry.value())))
        .collect()
}

#[cfg(test)]
mod tests {
    use talia_pipeline::{Pipeline, World, secret::Masker};

    use super::*;

    #[test]
    fn the_password_of_a_database_alone_is_masked() {
        let env = b"DB=postgresql+asyncpg://t:s3cr%3At-word@db/app\n\
                    TRY_URL=postgresql://u:other-w0rd@h/x\nA_TOKEN=short\n";
        let text = "environment = \"staging\"\n[backup]\ndatabase = \"DB\"\n";
        let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
        let world = World::real().unwrap();
        let pipeline = Pipeline::new("say", "/", world).secrets(hidden(env, &policy));
        let masker = Masker::new(pipeline.secret_values());
        let said = masker.mask("s3cr:t-word s3cr%3At-word other-w0rd at db short");
        assert_eq!(said, "*** *** *** at db short");
    }
}
