//! What the steps' tests have in common.

use crate::{
    server::{
        Layout,
        landing::{LandingPlace, LandingRecord, Transaction},
    },
    settings::Policy,
};

pub(super) fn place() -> LandingPlace {
    Layout::new(&"production".parse().unwrap(), &Policy::default()).landing()
}

pub(super) fn record() -> LandingRecord {
    serde_json::from_str(
        r#"{"id":"20261124T081500Z-0123456789ab",
        "revision":"0123456789abcdef0123456789abcdef01234567",
        "tree":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "strategy":"release","by":"ana","began_ms":1,"files":2,"bytes":3,"fate":"begun"}"#,
    )
    .unwrap()
}

pub(super) fn transaction() -> Transaction {
    serde_json::from_str(
        r#"{"id":"20261124T081500Z-0123456789ab",
        "revision":"0123456789abcdef0123456789abcdef01234567",
        "tree":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "strategy":"release","by":"ana","began_ms":1,"base":null,
        "user":1001,"group":1002,"is_open":false}"#,
    )
    .unwrap()
}
