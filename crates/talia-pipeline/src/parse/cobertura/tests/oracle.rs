//! Reports made up together with the truth about them.

use std::collections::BTreeMap;

use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next(of.len() as u64) as usize]
    }
}

/// Hit, valid branches, covered branches.
type Truth = BTreeMap<String, BTreeMap<u64, (bool, u64, u64)>>;

struct Writer {
    random: Random,
    xml: String,
    truth: Truth,
}

impl Writer {
    fn noise(&mut self) {
        let noise = self.random.one(&[
            "",
            "",
            "",
            "\n",
            "\r\n  ",
            "<!-- <line number=\"1\" hits=\"9\"/> -->",
            "<?x <line?>",
            "<![CDATA[<line number=\"1\" hits=\"9\"/>]]>",
            "<v:line xmlns:v=\"v\" number=\"1\" hits=\"9\"/>",
            "<vendor><line number=\"1\" hits=\"9\"/></vendor>",
            "<vendor/>",
            "&amp;",
        ]);
        self.xml.push_str(noise);
    }

    fn line(&mut self, path: Option<&str>) {
        let number = match self.random.next(12) {
            0 => self.random.next(u64::MAX),
            1 => 0,
            _ => self.random.next(40),
        };
        let (hits, hit) = [
            ("0", false),
            ("1", true),
            ("7", true),
            ("-2", false),
            ("18446744073709551615", true),
            ("1e11", true),
            ("1.0", true),
            ("0.0", false),
            ("NaN", false),
        ][self.random.next(9) as usize];
        let quote = self.random.one(&["\"", "\"", "'"]);
        let mut attributes =
            vec![format!("number={quote}{number}{quote}"), format!("hits={quote}{hits}{quote}")];
        let (mut valid, mut covered) = (0, 0);
        if self.random.next(4) == 0 {
            valid = 1 + self.random.next(6);
            covered = self.random.next(valid + 1);
            attributes.push(format!("branch=\"{}\"", self.random.one(&["true", "True", "TRUE"])));
            let percent = self.random.one(&["50%", "33.33333333333333%", "33,3 %", "NaN", ""]);
            attributes.push(format!("condition-coverage=\"{percent} ({covered}/{valid})\""));
        } else if self.random.next(4) == 0 {
            attributes.push("branch=\"False\"".to_owned());
        }
        if self.random.next(6) == 0 {
            attributes.push("v:hits=\"3\" missing-branches=\"7\"".to_owned());
        }
        let turn = self.random.next(attributes.len() as u64) as usize;
        attributes.rotate_left(turn);
        let space = self.random.one(&[" ", " ", "  ", "\n\t"]);
        let end = self.random.one(&[
            "/>",
            "/>",
            "/>",
            " />",
            "></line>",
            "><conditions><condition number=\"0\" coverage=\"50%\"/></conditions></line>",
        ]);
        self.xml.push_str(&format!("<line{space}{}{end}", attributes.join(space)));
        if let Some(path) = path {
            let entry = self.truth.get_mut(path).unwrap().entry(number).or_default();
            *entry = (entry.0 | hit, entry.1.max(valid), entry.2.max(covered));
        }
    }

    fn lines(&mut self, path: Option<&str>) -> u64 {
        let count = self.random.next(12);
        self.xml.push_str("<lines>");
        for _ in 0..count {
            self.noise();
            self.line(path);
        }
        self.noise();
        self.xml.push_str("</lines>");
        count
    }

    fn class(&mut self) {
        let (written, path) = [
            ("a.py", Some("a.py")),
            ("./a.py", Some("a.py")),
            (".\\a.py", Some("a.py")),
            ("x\\b.cs", Some("x/b.cs")),
            ("x/b.cs", Some("x/b.cs")),
            ("/abs/c d.c", Some("/abs/c d.c")),
            ("&lt;gen&gt;.py", Some("<gen>.py")),
            ("n&#10;l", Some("n\nl")),
            ("", None),
        ][self.random.next(9) as usize];
        if let Some(path) = path {
            self.truth.entry(path.to_owned()).or_default();
        }
        self.xml.push_str(&format!("<class name=\"&amp;\" filename=\"{written}\">"));
        self.noise();
        // Lines of methods count only where the class has none of its own.
        let own = self.random.next(4) > 0;
        if self.random.next(3) == 0 || !own {
            self.xml.push_str("<methods><method name=\"operator&amp;\">");
            self.lines(path.filter(|_| !own));
            self.xml.push_str("</method></methods>");
        }
        if own {
            self.xml.push_str("<lines>");
            self.noise();
            self.line(path);
            self.xml.push_str("</lines>");
            self.lines(path);
        } else {
            self.xml.push_str(self.random.one(&["", "<lines/>", "<lines> </lines>"]));
        }
        self.xml.push_str("</class>");
    }
}

fn made_up(seed: u64) -> (String, Truth) {
    let mut writer = Writer { random: Random(seed), xml: String::new(), truth: Truth::default() };
    let namespace = writer.random.one(&["", "", " xmlns=\"urn:c\"", " xmlns:q=\"urn:q\""]);
    writer.xml.push_str(writer.random.one(&["", "<?xml version=\"1.0\"?>\n"]));
    writer.xml.push_str(&format!("<coverage{namespace}><packages>"));
    for _ in 0..writer.random.next(6) {
        let (start, end) =
            [("<package><classes>", "</classes></package>"), ("<package>", "</package>"), ("", "")]
                [writer.random.next(3) as usize];
        writer.xml.push_str(start);
        for _ in 0..writer.random.next(5) {
            writer.noise();
            writer.class();
        }
        writer.xml.push_str(end);
    }
    writer.xml.push_str("</packages></coverage>");
    (writer.xml, writer.truth)
}

#[test]
fn made_up_reports_are_read_as_they_were_meant() {
    for round in 0..1500u64 {
        let (xml, truth) = made_up((0x9e37_79b9_7f4a_7c15 ^ (round << 20)) | 1);
        let coverage = read(&xml).unwrap_or_else(|error| panic!("{error}\n{xml}"));
        let read: Truth = coverage
            .files
            .iter()
            .map(|file| {
                let lines = file.measured().map(|line| {
                    (line.number, (line.hit, line.branches.valid, line.branches.covered))
                });
                (file.path.to_string(), lines.collect())
            })
            .collect();
        assert_eq!(read, truth, "{xml}");
        let all = || truth.values().flat_map(BTreeMap::values);
        assert_eq!(coverage.lines.valid, all().count() as u64);
        assert_eq!(coverage.lines.covered, all().filter(|line| line.0).count() as u64);
        assert_eq!(coverage.branches.valid, all().map(|line| line.1).sum::<u64>());
        assert_eq!(coverage.branches.covered, all().map(|line| line.2).sum::<u64>());
    }
}
