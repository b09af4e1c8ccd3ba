//! What `nginx -T` shows of the whole configuration: enough to see where requests for
//! a host go.

/// One directive, and what is in its block.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directive {
    words: Vec<String>,
    block: Vec<Directive>,
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// What `server_name` names.
    pub names: Vec<String>,
    /// What `listen` says, a text each: `443 ssl`.
    pub listens: Vec<String>,
    /// What every `proxy_pass` inside names.
    pub proxies: Vec<String>,
    /// Whether files are cached open, so that a replaced page would be served on.
    pub caches_open_files: bool,
}

impl Site {
    /// Whether it answers over TLS.
    pub fn has_tls(&self) -> bool {
        self.listens.iter().any(|listen| listen.split(' ').any(|word| word == "ssl"))
    }

    /// Whether requests go straight to this socket: the path itself, so that Nginx
    /// looks where it leads at every connect.
    pub fn proxies_directly_to(&self, socket: &str) -> bool {
        let target = format!("http://unix:{socket}");
        self.proxies.iter().any(|proxy| {
            proxy.strip_prefix(&target).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }
}

/// The virtual hosts that `nginx -T` shows.
///
/// ```
/// use talia_pipeline::parse::nginx;
///
/// let shown = "http { server { listen 443 ssl; server_name talia.example;\n\
///              location /api/ { proxy_pass http://unix:/run/a.sock:; } } }";
/// let sites = nginx::sites(shown);
/// assert!(sites[0].has_tls() && sites[0].proxies_directly_to("/run/a.sock"));
/// ```
pub fn sites(shown: &str) -> Vec<Site> {
    let mut words = words(shown).into_iter();
    let tree = block(&mut words);
    let mut found = Vec::new();
    collect(&tree, false, &mut found);
    found
}

fn collect(tree: &[Directive], caches: bool, found: &mut Vec<Site>) {
    let caches = caches_open_files(tree).unwrap_or(caches);
    for directive in tree {
        if directive.words.first().is_some_and(|name| name == "server")
            && !directive.block.is_empty()
        {
            found.push(site(&directive.block, caches));
        } else {
            collect(&directive.block, caches, found);
        }
    }
}

fn caches_open_files(block: &[Directive]) -> Option<bool> {
    let last =
        block.iter().rev().find(|it| it.words.first().is_some_and(|w| w == "open_file_cache"))?;
    Some(last.words.get(1).is_some_and(|value| value != "off"))
}

fn site(block: &[Directive], caches: bool) -> Site {
    let mut site = Site {
        names: Vec::new(),
        listens: Vec::new(),
        proxies: Vec::new(),
        caches_open_files: caches_open_files(block).unwrap_or(caches),
    };
    let mut open: Vec<&Directive> = block.iter().collect();
    while let Some(directive) = open.pop() {
        let (name, rest) = match directive.words.split_first() {
            Some((name, rest)) => (name.as_str(), rest),
            None => continue,
        };
        match name {
            "server_name" => site.names.extend(rest.iter().cloned()),
            "listen" => site.listens.push(rest.join(" ")),
            "proxy_pass" => site.proxies.extend(rest.first().cloned()),
            _ => {}
        }
        open.extend(&directive.block);
    }
    site
}

/// Words, with `;`, `{` and `}` as words of their own. Comments go.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    let end = |word: &mut String, found: &mut Vec<String>| {
        if !word.is_empty() {
            found.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_empty() => while chars.next_if(|next| *next != '\n').is_some() {},
            '\'' | '"' if word.is_empty() => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => word.extend(chars.next()),
                        inner if inner == c => break,
                        inner => word.push(inner),
                    }
                }
                // An empty word is a word too, and no separator.
                found.push(format!("\u{1}{}", std::mem::take(&mut word)));
            }
            '\\' => word.extend(chars.next()),
            // `${name}` is a part of its word.
            '$' if chars.peek() == Some(&'{') => {
                word.push(c);
                for inner in chars.by_ref() {
                    word.push(inner);
                    if inner == '}' {
                        break;
                    }
                }
            }
            ';' | '{' | '}' => {
                end(&mut word, &mut found);
                found.push(c.to_string());
            }
            c if c.is_whitespace() => end(&mut word, &mut found),
            c => word.push(c),
        }
    }
    end(&mut word, &mut found);
    found
}

fn block(words: &mut impl Iterator<Item = String>) -> Vec<Directive> {
    // Kept on a stack of our own: depth is what a file says, not what ours can take.
    let mut stack = vec![Vec::new()];
    let mut heads: Vec<Vec<String>> = Vec::new();
    let mut head = Vec::new();
    for word in words {
        match word.as_str() {
            ";" => {
                let words = std::mem::take(&mut head);
                if let Some(top) = stack.last_mut() {
                    top.push(Directive { words, block: Vec::new() });
                }
            }
            "{" => {
                heads.push(std::mem::take(&mut head));
                stack.push(Vec::new());
            }
            "}" => {
                if let (true, Some(block)) = (stack.len() > 1, stack.pop()) {
                    let words = heads.pop().unwrap_or_default();
                    if let Some(top) = stack.last_mut() {
                        top.push(Directive { words, block });
                    }
                }
            }
            _ => head.push(word.strip_prefix('\u{1}').unwrap_or(&word).to_owned()),
        }
    }
    stack.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_variables_do_not_confuse_it() {
        let shown = r#"
# configuration file /etc/nginx/nginx.conf:
http {
    open_file_cache max=10;
    map $http_upgrade $connection { default upgrade; '' close; }
    server {
        listen 80 default_server; # { not a block
        server_name _;
        return 301 https://$host$request_uri;
    }
    server {
        listen 443 ssl; listen [::]:443 ssl;
        server_name talia.example "www.talia.example";
        open_file_cache off;
        add_header X "a; } b";
        if ($uri ~ "^/\d{4}") { return 404; }
        location = /api/health { proxy_pass http://unix:/var/lib/talia/p/sock/api.sock:/api/health; }
        location /up/ { proxy_pass http://backend${suffix}; }
    }
}"#;
        let sites = sites(shown);
        assert_eq!(sites.len(), 2);
        assert!(sites[0].caches_open_files && !sites[0].has_tls());
        let second = &sites[1];
        assert!(second.has_tls() && !second.caches_open_files);
        assert_eq!(second.names, ["talia.example", "www.talia.example"]);
        assert!(second.proxies_directly_to("/var/lib/talia/p/sock/api.sock"));
        assert!(!second.proxies_directly_to("/var/lib/talia/p/sock/api"));
        assert!(second.proxies.contains(&"http://backend${suffix}".to_owned()));
    }

    #[test]
    fn what_is_torn_or_deep_is_read_as_far_as_it_goes() {
        assert_eq!(sites("} } server {"), []);
        assert_eq!(sites(&"a {".repeat(100_000)), []);
        assert_eq!(sites("'"), []);
    }
}
