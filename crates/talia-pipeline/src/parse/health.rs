//! What a service's health says: `{"status": …, "revision": "…"}`.

use serde::Deserialize;

#[derive(Deserialize)]
struct Health {
    revision: Option<String>,
}

/// The revision that a health names.
///
/// ```
/// use talia_pipeline::parse::health;
///
/// assert_eq!(health::revision(r#"{"status":"ok","revision":"0123abc"}"#)?, "0123abc");
/// assert!(health::revision("<html>").is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong with it, for people.
pub fn revision(body: &str) -> Result<String, String> {
    match serde_json::from_str::<Health>(body) {
        Ok(Health { revision: Some(revision) }) => Ok(revision),
        Ok(_) => Err("the health names no `revision`".to_owned()),
        Err(_) => Err("the health is no JSON object".to_owned()),
    }
}
