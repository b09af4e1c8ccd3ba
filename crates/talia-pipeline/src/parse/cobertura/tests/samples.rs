//! What real tools wrote for small real programs, beside what these tools
//! themselves say about them, and the manners of tools that do not run here.

use super::*;

fn sample(name: &str) -> Coverage {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/coverage");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    read(bytes).unwrap()
}

#[test]
fn coverage_py() {
    // `coverage report` of 4.5 says 27 statements, 10 missed, 10 branches. It counts
    // a line 0 in each file under today's Python.
    let old = sample("coverage-py-4.5.xml");
    assert_eq!((old.lines, old.branches), (counts(17, 27), counts(6, 10)));
    assert_eq!(old.files[1].missed().next(), Some(0));
    for name in ["coverage-py-6.5.xml", "coverage-py-7.6.xml"] {
        // `coverage report`: 25 statements, 8 missed, 10 branches.
        let coverage = sample(name);
        assert_eq!((coverage.lines, coverage.branches), (counts(17, 25), counts(6, 10)));
        assert_eq!(
            files(&coverage),
            [
                ("app/__init__.py", vec![], counts(0, 0), counts(0, 0)),
                ("app/main.py", vec![5, 11, 12, 13, 14, 22], counts(10, 16), counts(3, 6)),
                ("app/util.py", vec![2, 11], counts(7, 9), counts(3, 4)),
            ]
        );
        assert_eq!(coverage.sources, ["/srv/talia/backend"]);
        assert_eq!(coverage.disagreements, [""; 0]);
    }
}

#[test]
fn pytest_cov() {
    let coverage = sample("pytest-cov-6.xml");
    assert_eq!((coverage.lines, coverage.branches), (counts(17, 25), counts(0, 0)));
    assert_eq!(coverage.sources, ["/srv/talia/backend/app"]);
    assert_eq!(coverage.disagreements, [""; 0]);
}

#[test]
fn gcovr() {
    // gcovr's own text report: 10 lines, 7 executed, missing 7 and 14-15.
    let coverage = sample("gcovr-8.xml");
    assert_eq!(files(&coverage), [("calc.c", vec![7, 14, 15], counts(7, 10), counts(3, 6))]);
    assert_eq!(coverage.disagreements, [""; 0]);
}

#[test]
fn dot_net_style() {
    let coverage = sample("dot-net-style.xml");
    assert_eq!(files(&coverage), [("Shop/Cart.cs", vec![14, 31], counts(5, 7), counts(3, 4))]);
    assert_eq!(coverage.disagreements, [""; 0]);
}

#[test]
fn swift_style() {
    let coverage = sample("swift-style.xml");
    assert_eq!(files(&coverage), [("Sources/Cart.swift", vec![9], counts(2, 3), counts(0, 0))]);
}

#[test]
fn php_style() {
    let coverage = sample("php-style.xml");
    assert_eq!(files(&coverage), [("Cart.php", vec![12], counts(2, 3), counts(0, 0))]);
    assert_eq!(coverage.sources, ["/srv/shop/src"]);
}

#[test]
fn converted_from_jacoco_style() {
    let coverage = sample("from-jacoco-style.xml");
    assert_eq!(files(&coverage), [("shop/Cart.java", vec![8], counts(2, 3), counts(1, 2))]);
}
