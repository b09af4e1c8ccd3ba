use super::*;

/// Every error in one place, so that they can be read as one voice.
#[test]
fn messages() {
    let class = class("a.py", "<line number=\"1\" hits=\"1\"/>");
    let good = report("line-rate=\"1\"", &class);
    let cases: Vec<(&str, Vec<u8>)> = [
        ("0 bytes", ""),
        ("blank", " \n\n "),
        ("only a declaration", "<?xml version=\"1.0\"?>\n"),
        ("JUnit", "<?xml version=\"1.0\"?>\n<testsuites><testsuite/></testsuites>"),
        ("JaCoCo", "<?xml version=\"1.0\"?><report name=\"a\"><package/></report>"),
        ("Clover", "<coverage generated=\"1\" clover=\"3.2\">\n  <project/></coverage>"),
        ("SonarQube", "<coverage version=\"1\">\n <file path=\"a\"/></coverage>"),
        ("some root", "<project/>"),
        ("coverage without proof", "<coverage version=\"1\"></coverage>"),
        ("LCOV", "TN:\nSF:a.py\n"),
        ("JSON", "{\"meta\": {}}"),
        ("text", "Wrote XML report\n<coverage/>"),
        ("HTML", "<!DOCTYPE html><html><body>"),
        ("SQLite", "SQLite format 3\u{0}"),
        ("binary", "\u{1f}\u{8b}\u{8}"),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .collect();
    let broken: Vec<(&str, String)> = vec![
        ("truncated in class", good.split("</class").next().unwrap().to_owned()),
        ("truncated in a tag", good.split(" hits").next().unwrap().to_owned()),
        ("truncated in vendor", "<coverage line-rate='1'>\n<x:y>".to_owned()),
        ("truncated in a comment", "<coverage line-rate='1'>\n<!-- a\n".to_owned()),
        ("U+0001 in a name", good.replace("a.py", "\nä\u{1}.py")),
        ("wrong end tag", good.replace("</lines>", "\n</line>")),
        ("end tag without start", format!("{good}</a>")),
        ("a second report", format!("{good}\n{good}")),
        ("text after the root", format!("{good}\nDone")),
        ("attribute twice", good.replace("hits=", "number=\"2\" hits=")),
        ("attribute without quotes", good.replace("\"1\" hits", "1 hits")),
        ("attribute without value", good.replace(" hits=", " hits ")),
        ("undeclared entity", good.replace("a.py", "a&b;.py")),
        ("ampersand in a name", good.replace("a.py", "a & b.py")),
        ("unknown markup", good.replace("<lines>", "<!lines>")),
        ("a tag without a name", good.replace("<lines>", "< lines>")),
        ("reference in text", good.replace("<lines>", "<lines>\n&nbsp;")),
        ("entity with markup", {
            let line = "<!DOCTYPE coverage [<!ENTITY l '<line number=\"3\" hits=\"1\"/>'>]>";
            format!("{line}{}", good.replace("<lines>", "<lines>&l;"))
        }),
    ];
    let mut shown = String::new();
    for (name, bytes) in
        cases.into_iter().chain(broken.into_iter().map(|(name, text)| (name, text.into_bytes())))
    {
        let error = read(&bytes).expect_err(name);
        assert_eq!(error.exit_code().code(), 2);
        assert_eq!(error.findings().len(), 1);
        shown.push_str(&format!("{name}\n    {error}\n"));
        if let Some(hint) = error.hint_text() {
            shown.push_str(&format!("    hint: {hint}\n"));
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_finding_has_the_place() {
    let error = read("<coverage\n line-rate=1/>").unwrap_err();
    let finding = &error.findings()[0];
    assert_eq!((finding.line, finding.column), (Some(2), Some(12)));
    assert_eq!(finding.file.as_deref(), Some(Utf8Path::new("coverage.xml")));
}

#[test]
fn a_reader_that_fails_is_told_with_its_cause() {
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }

    let error = Coverage::read(Failing, Utf8Path::new("c.xml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read c.xml: the disk is on fire");
    let input = b"<coverage>".chain(Failing);
    let error = Coverage::read(input, Utf8Path::new("c.xml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read c.xml: the disk is on fire");
}
