//! Times the index of a landing page of 20,000 files with 430 MB: without a cache, with
//! one that proves everything, and after one change; then the guards.
//!
//!     cargo run --example index_bench -- FOLDER
//!
//! The folder is made, and left there for the next time.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

use std::{env, error::Error, fs, time::Instant};

use camino::Utf8PathBuf;
use talia_pipeline::{
    Pipeline, World,
    landing::{Deletions, Facts, Filters, Guards, LocalIndex},
    steps::landing::{IndexTree, KeepIndex},
};

const FILES: usize = 20_000;
const BYTES: usize = 430_000_000 / FILES;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("name a folder")?;
    let folder = Utf8PathBuf::from(folder);
    let (site, cache) = (folder.join("site"), folder.join("index"));
    if !site.exists() {
        make(&site)?;
    }
    drop(fs::remove_file(&cache));
    let rules = ["*.map", "/drafts/", "node_modules/", "*~", ".*.swp", "+ /docs/***"];
    let rules: Vec<_> = rules.iter().map(|rule| rule.parse()).collect::<Result<_, _>>()?;
    let filters = Filters::new(rules);
    let index = |what: &str, now_ms: u64| -> Result<LocalIndex, Box<dyn Error>> {
        let mut pipeline = Pipeline::new("bench", &folder, World::real()?);
        let began = Instant::now();
        let step = || IndexTree::new(&site, filters.clone(), now_ms).cache(&cache);
        let index = pipeline.run(|cx| cx.run(step())).result?;
        println!(
            "{what}: {:?}, {} files, {} bytes, {} read, tree {}",
            began.elapsed(),
            index.counts.files,
            index.tree.bytes(),
            index.counts.read_files,
            index.tree.hash().short()
        );
        let began = Instant::now();
        let (uncommitted, deletions) = (&[][..], Deletions::default());
        let facts = Facts { index: &index, repository: &folder, uncommitted, deletions };
        let refused = Guards::default().refusals(&facts).len();
        println!("  judged in {:?}, {refused} refusals", began.elapsed());
        let began = Instant::now();
        pipeline.run(|cx| cx.run(KeepIndex::new(&cache, &index))).result?;
        println!("  kept in {:?}", began.elapsed());
        Ok(index)
    };
    let now = World::real()?.now_ms();
    index("cold", now)?;
    index("warm", now + 10_000)?;
    index("warm", now + 10_000)?;
    fs::write(site.join("p000/f00000.html"), now.to_string())?;
    index("one changed", now + 10_000)?;
    Ok(())
}

fn make(site: &camino::Utf8Path) -> std::io::Result<()> {
    let mut state = 0x5eed_u64;
    let mut content = vec![0; BYTES];
    for file in 0..FILES {
        for byte in &mut content {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        let folder = site.join(format!("p{:03}", file / 100));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("f{file:05}.html")), &content)?;
    }
    Ok(())
}
