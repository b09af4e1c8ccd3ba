use super::*;

#[test]
fn rates_at_the_top_lie_so_lines_are_counted() {
    let mut lines = "<line number=\"1\" hits=\"0\"/>".to_owned();
    for number in 2..=30_001 {
        lines.push_str(&format!("<line number=\"{number}\" hits=\"1\"/>"));
    }
    let coverage = Coverage::read(
        report("line-rate=\"1\" lines-valid=\"30001\"", &class("a.py", &lines)).as_bytes(),
        Utf8Path::new("c.xml"),
    )
    .unwrap();
    assert_eq!(coverage.lines, counts(30_000, 30_001));
    assert_eq!(coverage.header.get("line-rate"), Some("1"));
    assert_eq!(
        coverage.disagreements,
        ["the header says line-rate=\"1\", the file holds 30000 of 30001 lines"]
    );
}

#[test]
fn nothing_of_nothing_written_as_100_percent_has_no_rate() {
    let header = "line-rate=\"1\" branch-rate=\"1\" lines-valid=\"0\" lines-covered=\"0\"";
    let coverage = read(report(header, "")).unwrap();
    assert_eq!(coverage.lines, counts(0, 0));
    assert_eq!(coverage.disagreements, [""; 0]);
    assert_eq!(crate::coverage::Rate::of(coverage.lines), None);
}

#[test]
fn a_header_that_disagrees_is_said_beside_the_lines() {
    // Two sources that each hold `util.py`: one class, both in the header.
    let xml = "<coverage lines-valid=\"4\" lines-covered=\"3\" branches-valid=\"1\">\
        <sources><source>/srv/a</source><source>/srv/b</source></sources><packages>\
        <class filename=\"util.py\"><lines><line number=\"1\" hits=\"1\"/>\
        <line number=\"2\" hits=\"0\"/></lines></class></packages></coverage>";
    let coverage = read(xml).unwrap();
    assert_eq!(coverage.lines, counts(1, 2));
    assert_eq!(coverage.sources, ["/srv/a", "/srv/b"]);
    assert_eq!(
        coverage.disagreements,
        [
            "the header says lines-valid=\"4\", the file holds 2 lines",
            "the header says lines-covered=\"3\", the file holds 1 covered lines",
            "the header says branches-valid=\"1\", the file holds 0 branches",
        ]
    );
}

#[test]
fn one_file_in_several_classes_is_united() {
    let xml = report(
        "line-rate=\"0\"",
        &[
            class("a.cs", "<line number=\"1\" hits=\"0\"/><line number=\"3\" hits=\"0\"/>"),
            class("b.cs", "<line number=\"1\" hits=\"0\"/>"),
            class(".\\a.cs", "<line number=\"3\" hits=\"2\"/><line number=\"2\" hits=\"0\"/>"),
            class("./a.cs", "<line number=\"1\" hits=\"0\"/><line number=\"2\" hits=\"0\"/>"),
        ]
        .concat(),
    );
    let coverage = read(xml).unwrap();
    assert_eq!(
        files(&coverage),
        [
            ("a.cs", vec![1, 2], counts(1, 3), counts(0, 0)),
            ("b.cs", vec![1], counts(0, 1), counts(0, 0)),
        ]
    );
}

#[test]
fn one_line_several_times_is_hit_if_any_entry_hit_it() {
    let lines = "<line number=\"5\" hits=\"0\"/><line number=\"5\" hits=\"1\"/>\
        <line number=\"5\" hits=\"0\"/><line number=\"4\" hits=\"0\"/><line number=\"4\" hits=\"0\"/>";
    let coverage = read(report("line-rate=\"0.5\"", &class("a.cpp", lines))).unwrap();
    assert_eq!(files(&coverage), [("a.cpp", vec![4], counts(1, 2), counts(0, 0))]);
}

#[test]
fn branches_of_one_line_are_the_larger_counts() {
    let lines = "<line number=\"5\" hits=\"1\" branch=\"true\" condition-coverage=\"25% (1/4)\"/>\
        <line number=\"5\" hits=\"1\" branch=\"true\" condition-coverage=\"100% (2/2)\"/>\
        <line number=\"5\" hits=\"1\"/>";
    let coverage = read(report("line-rate=\"1\"", &class("a.cpp", lines))).unwrap();
    assert_eq!(coverage.branches, counts(2, 4));
}

#[test]
fn names_get_slashes_and_lose_a_leading_dot() {
    for (written, path) in [
        (".\\src\\A.cs", "src/A.cs"),
        ("././a.py", "a.py"),
        (".//a.py", "a.py"),
        ("../a.py", "../a.py"),
        (".hidden.py", ".hidden.py"),
        ("/abs/a.py", "/abs/a.py"),
        ("C:\\w\\a.cs", "C:/w/a.cs"),
        ("a b.py", "a b.py"),
        ("a&#10;b.py", "a\nb.py"),
        ("a\nb.py", "a b.py"),
        ("a&#x85;&#127;.py", "a\u{85}\u{7f}.py"),
        ("a&amp;&lt;.py", "a&<.py"),
        ("ü\u{1f600}.py", "ü\u{1f600}.py"),
    ] {
        let coverage = read(report("line-rate=\"1\"", &class(written, ""))).unwrap();
        assert_eq!(coverage.files[0].path, path, "{written}");
    }
}

#[test]
fn lines_of_methods_repeat_those_of_the_class() {
    let class = "<class filename=\"a.cs\"><methods><method name=\"m\"><lines>\
        <line number=\"1\" hits=\"1\"/><line number=\"9\" hits=\"0\"/></lines></method></methods>\
        <lines><line number=\"1\" hits=\"0\"/></lines></class>";
    let coverage = read(report("line-rate=\"0\"", class)).unwrap();
    assert_eq!(files(&coverage), [("a.cs", vec![1], counts(0, 1), counts(0, 0))]);
}

#[test]
fn lines_of_methods_count_where_a_class_has_no_others() {
    let class = "<class filename=\"A.swift\"><methods><method name=\"m\"><lines>\
        <line number=\"1\" hits=\"1\"/></lines></method><method name=\"n\"><lines>\
        <line number=\"4\" hits=\"0\"/></lines></method></methods><lines/></class>";
    let coverage = read(report("line-rate=\"0.5\"", class)).unwrap();
    assert_eq!(files(&coverage), [("A.swift", vec![4], counts(1, 2), counts(0, 0))]);
}

#[test]
fn odd_and_missing_header_values_are_no_errors() {
    for header in [
        "line-rate=\"NaN\" lines-valid=\"2.0\" timestamp=\"2024-01-01 10:00:00\"",
        "line-rate=\"\" lines-covered=\"\"",
        "line-rate=\"33.33333333333333% (1/3)\" lines-valid=\"many\"",
        "line-rate=\"50%\"",
        "line-rate=\"0,5\"",
        "branch-rate=\"1.01\"",
        "branch-rate='x'",
    ] {
        let lines = "<line number=\"1\" hits=\"1\"/><line number=\"2\" hits=\"0\"/>";
        let coverage = read(report(header, &class("a.py", lines))).unwrap();
        assert_eq!(coverage.lines, counts(1, 2), "{header}");
        let expected = usize::from(header.contains("1/3"));
        assert_eq!(coverage.disagreements.len(), expected, "{:?}", coverage.disagreements);
    }
}

#[test]
fn odd_hits_numbers_and_branches_of_lines() {
    for (attributes, hit, branches) in [
        ("hits=\"-2\"", false, counts(0, 0)),
        ("hits=\"18446744073709551615\"", true, counts(0, 0)),
        ("hits=\"1e11\"", true, counts(0, 0)),
        ("hits=\"NaN\"", false, counts(0, 0)),
        ("hits=\"1.0\"", true, counts(0, 0)),
        ("hits=' 3 '", true, counts(0, 0)),
        ("hits=\"&#49;\"", true, counts(0, 0)),
        ("hits=\"1\" branch=\"True\" condition-coverage=\"50% (1/2)\"", true, counts(1, 2)),
        ("hits=\"1\" branch=\"False\"", true, counts(0, 0)),
        ("hits=\"1\" branch=\"false\" condition-coverage=\"50% (1/2)\"", true, counts(0, 0)),
        ("hits=\"1\" condition-coverage=\"33.33333333333333% (1/3)\"", true, counts(1, 3)),
        ("hits=\"1\" branch=\"true\" condition-coverage=\"NaN (0/0)\"", true, counts(0, 0)),
        ("hits=\"1\" branch=\"true\" condition-coverage=\"50%\"", true, counts(0, 0)),
        ("hits=\"1\" branch=\"true\" condition-coverage=\"&#49; (1/2)\"", true, counts(1, 2)),
    ] {
        let lines = format!("<line number=\"7\" {attributes}/>");
        let coverage = read(report("line-rate=\"x\"", &class("a.py", &lines))).unwrap();
        assert_eq!(coverage.lines, counts(u64::from(hit), 1), "{attributes}");
        assert_eq!(coverage.branches, branches, "{attributes}");
        assert_eq!(coverage.disagreements, [""; 0], "{attributes}");
    }
}

#[test]
fn what_cannot_be_counted_is_said() {
    let lines = "<line number=\"x\" hits=\"1\"/><line hits=\"1\"/><line number=\"1\"/>\
        <line number=\"2\" hits=\"often\"/><line number=\"3\" hits=\"1\" condition-coverage=\"(3/2)\"/>";
    let nameless =
        "<class><lines><line number=\"9\" hits=\"1\"/></lines></class><class filename=\"\"/>";
    let coverage = read(report("line-rate=\"x\"", &(class("a", lines) + nameless))).unwrap();
    assert_eq!(files(&coverage), [("a", vec![1, 2], counts(1, 3), counts(2, 2))]);
    assert_eq!(
        coverage.disagreements,
        [
            "2 classes without a file name are not counted",
            "2 lines without a readable number are not counted",
            "2 lines without a readable number of hits count as missed",
            "a line claims more covered branches than it has",
        ]
    );
}

#[test]
fn line_number_0_and_the_largest_are_lines_like_others() {
    let lines = "<line number=\"0\" hits=\"0\"/><line number=\"18446744073709551615\" hits=\"0\"/>\
        <line number=\"18446744073709551614\" hits=\"1\"/><line number=\"4294967296\" hits=\"0\"/>";
    let coverage = read(report("line-rate=\"x\"", &class("a", lines))).unwrap();
    assert_eq!(coverage.files[0].missed().collect::<Vec<_>>(), [0, 1 << 32, u64::MAX]);
}

#[test]
fn empty_elements_everywhere() {
    for xml in [
        "<coverage line-rate='1'/>",
        "<coverage><packages/></coverage>",
        "<coverage><sources/><packages><package><classes/></package></packages></coverage>",
        "<coverage><sources><source/><source>  </source></sources><packages></packages></coverage>",
        "<coverage><packages><package/></packages></coverage>",
    ] {
        let coverage = read(xml).unwrap();
        assert_eq!((coverage.files.len(), coverage.sources.len()), (0, 0), "{xml}");
    }
    let coverage = read(report("", "<class filename=\"a\"><methods/><lines/></class>")).unwrap();
    assert_eq!(files(&coverage), [("a", vec![], counts(0, 0), counts(0, 0))]);
}

#[test]
fn sources_are_trimmed_and_kept_as_written() {
    let xml = "<coverage><sources><source>\n  /srv/a b &amp; c\n</source>\
        <source><![CDATA[C:\\w\\]]></source><source>--source</source></sources><packages/></coverage>";
    assert_eq!(read(xml).unwrap().sources, ["/srv/a b & c", "C:\\w\\", "--source"]);
}

#[test]
fn classes_straight_under_packages_or_package() {
    let line = "<line number=\"1\" hits=\"1\"/>";
    let xml = report(
        "line-rate=\"1\"",
        &format!("{}<package>{}</package>", class("a", line), class("b", line)),
    );
    assert_eq!(read(xml).unwrap().lines, counts(2, 2));
}

#[test]
fn lines_with_conditions_inside() {
    let lines = "<line number=\"1\" hits=\"1\" branch=\"True\" condition-coverage=\"50% (1/2)\">\
        <conditions><condition number=\"0\" type=\"jump\" coverage=\"50%\"/></conditions></line>\
        <line number=\"2\" hits=\"0\" branch=\"False\"></line>";
    let coverage = read(report("line-rate=\"0.5\"", &class("a", lines))).unwrap();
    assert_eq!(files(&coverage), [("a", vec![2], counts(1, 2), counts(1, 2))]);
}

#[test]
fn fake_lines_in_comments_cdata_and_instructions_do_not_count() {
    let fake = "<line number=\"8\" hits=\"1\"/>";
    let lines = format!(
        "<!-- {fake} --><![CDATA[{fake}]]><?x {fake}?><line number=\"1\" hits=\"1\"/><!--{fake}-->"
    );
    let coverage = read(report("line-rate=\"1\"", &class("a", &lines))).unwrap();
    assert_eq!(coverage.lines, counts(1, 1));
}

#[test]
fn vendor_elements_are_passed_over_with_what_they_hold() {
    let line = "<line number=\"8\" hits=\"1\"/>";
    let xml = format!(
        "<coverage line-rate='1'><vendor>{line}<packages>{c}</packages></vendor><packages>\
         <package><extra>{c}</extra><classes>{c}<class filename='b'><notes>{line}</notes><lines>\
         <meta>{line}</meta>{line}</lines></class></classes></package></packages><more/></coverage>",
        c = class("a", line)
    );
    let coverage = read(xml).unwrap();
    assert_eq!(coverage.lines, counts(2, 2));
}

#[test]
fn namespaces_default_prefixed_undeclared_and_foreign() {
    let body = |p: &str| {
        format!(
            "<{p}packages><{p}class filename='a'><{p}lines><{p}line number=\"1\" hits=\"1\"/>\
             <v:line xmlns:v='urn:v' number=\"2\" hits=\"1\"/><line xmlns='urn:v' number=\"3\" hits=\"1\"/>\
             <{p}line number=\"4\" v:hits=\"1\" hits=\"0\"/></{p}lines></{p}class></{p}packages>"
        )
    };
    for xml in [
        format!("<coverage xmlns='urn:c'>{}</coverage>", body("")),
        format!("<c:coverage xmlns:c='urn:c'>{}</c:coverage>", body("c:")),
        format!("<c:coverage>{}</c:coverage>", body("c:")),
        format!("<c:coverage xmlns:c='urn:c'>{}</c:coverage>", body("")),
        format!("<coverage xmlns:x='urn:x'>{}</coverage>", body("")),
        format!("<coverage>{}</coverage>", body("")),
    ] {
        let coverage = read(&xml).unwrap();
        assert_eq!(files(&coverage), [("a", vec![4], counts(1, 2), counts(0, 0))], "{xml}");
    }
}

#[test]
fn a_doctype_may_name_a_dtd_and_declare_entities() {
    let xml = "<!DOCTYPE coverage SYSTEM \"http://dtd.invalid/coverage-04.dtd\" [\
        <!ELEMENT coverage ANY><!ENTITY pkg \"app\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>\
        <coverage><packages><class filename=\"&pkg;/a.py\"/></packages></coverage>";
    assert_eq!(read(xml).unwrap().files[0].path, "app/a.py");
    let xml = xml.replace("&pkg;", "&x;");
    assert!(error(xml).contains("external entity `&x;`: nothing outside the report is read"));
}

#[test]
fn the_header_keeps_its_attributes_as_written() {
    let xml = "<coverage version='7 &amp; up' line-rate=\"1\" b='' timestamp=\"2024-01-01\"><packages/></coverage>";
    let coverage = read(xml).unwrap();
    let json = serde_json::to_string(&coverage).unwrap();
    assert_eq!(
        json,
        "{\"lines\":{\"valid\":0,\"covered\":0},\"branches\":{\"valid\":0,\"covered\":0},\
         \"files\":[],\"header\":{\"version\":\"7 & up\",\"line-rate\":\"1\",\"b\":\"\",\
         \"timestamp\":\"2024-01-01\"},\"disagreements\":[]}"
    );
    assert_eq!(coverage.header.line_rate(), Some(1.0));
    assert_eq!(coverage.header.lines_valid(), None);
}

#[test]
fn files_are_sorted_by_path_and_serialise_with_their_missed_lines() {
    let line = "<line number=\"2\" hits=\"0\"/>";
    let xml =
        report("line-rate=\"0\"", &(class("b/a", line) + &class("b-a", "") + &class("B", "")));
    let coverage = read(xml).unwrap();
    let paths: Vec<_> = coverage.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["B", "b-a", "b/a"]);
    assert_eq!(coverage.file("b/a").map(|file| file.lines), Some(counts(0, 1)));
    assert_eq!(
        serde_json::to_string(&coverage.files[2]).unwrap(),
        "{\"path\":\"b/a\",\"lines\":{\"valid\":1,\"covered\":0},\
         \"branches\":{\"valid\":0,\"covered\":0},\"missed\":[2]}"
    );
}
