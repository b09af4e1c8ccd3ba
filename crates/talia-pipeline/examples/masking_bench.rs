//! Times the masking of what a command says: twenty secrets, one of them a private
//! key, over 200 MB of three kinds of text.
//!
//!     cargo run --example masking_bench
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

use std::time::Instant;

use talia_pipeline::secret::{Masker, SecretValue};

const BYTES: usize = 200 << 20;
const LETTERS: &[u8; 62] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ23456789-_+";

fn main() {
    let mut state = 0x9e37_79b9_u64;
    let mut word = |length: usize| -> String {
        let letters = (0..length).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(LETTERS[(state >> 33) as usize % LETTERS.len()])
        });
        letters.collect()
    };
    let mut secrets: Vec<String> = (0..18).map(|index| word(12 + index * 3)).collect();
    secrets.push(format!("postgresql://talia:{}@db/talia", word(20)));
    secrets.push((0..40).map(|_| word(64) + "\n").collect());
    let values: Vec<SecretValue> = secrets.iter().map(SecretValue::new).collect();
    let began = Instant::now();
    let masker = Masker::new(&values);
    println!("built in {:?}", began.elapsed());
    let log = "2026-05-04 12:00:00,123 INFO app.main: GET /api/v1/contracts/4711 200 in 12 ms ";
    let json = r#"{"level":"info","message":"GET \"/api/v1\" \\ done\n","b":"ab\u00e4"} "#;
    let base64 = word(100);
    for (name, line) in [("log", log), ("JSON", json), ("base64", &base64)] {
        let chunk = line.repeat(65536 / line.len());
        let (mut stream, mut out, mut total) = (masker.stream(), Vec::new(), 0);
        let began = Instant::now();
        while total < BYTES {
            out.clear();
            stream.push(chunk.as_bytes(), &mut out);
            total += chunk.len();
        }
        stream.finish(&mut out);
        println!("{name}: {:.0} MB/s", total as f64 / 1e6 / began.elapsed().as_secs_f64());
    }
}
