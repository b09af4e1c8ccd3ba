//! What `nginx -T` shows of the whole configuration: enough to see where requests for
//! a host go; and what a site that is pushed asks for.

mod error_pages;
mod included;

pub use error_pages::ErrorPage;

/// One directive, and what is in its block: of an `include`, what the file says.
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
    /// Every `proxy_pass` inside.
    pub proxies: Vec<Proxy>,
    /// Whether files are cached open, so that a replaced page would be served on.
    pub caches_open_files: bool,
    /// Whether links are refused somewhere in it, so that no folder may be one.
    pub refuses_links: bool,
    /// Pages in place of an error that may be had by no name of their own.
    pub error_pages: Vec<ErrorPage>,
}

/// A `proxy_pass`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxy {
    /// What it names.
    pub to: String,
    /// The included file that says so, where the site itself does not.
    pub file: Option<String>,
}

/// The one way that a site's requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// Straight to this socket: the path itself, so that Nginx looks where it leads at
    /// every connect.
    Socket(&'a str),
    /// Wherever this included file says.
    File(&'a str),
}

impl Proxy {
    fn takes(&self, way: Way<'_>) -> bool {
        match way {
            Way::Socket(socket) => {
                let rest = self.to.strip_prefix("http://unix:");
                rest.and_then(|rest| rest.strip_prefix(socket))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
            Way::File(path) => self.file.as_deref() == Some(path),
        }
    }
}

impl Site {
    /// Whether it answers over TLS.
    pub fn has_tls(&self) -> bool {
        self.listens.iter().any(|listen| listen.split(' ').any(|word| word == "ssl"))
    }

    /// Whether requests go this way; others may go elsewhere.
    pub fn proxies(&self, way: Way<'_>) -> bool {
        self.proxies.iter().any(|proxy| proxy.takes(way))
    }

    /// What its `proxy_pass` name that is not on this way.
    pub fn proxies_elsewhere(&self, way: Way<'_>) -> impl Iterator<Item = &str> {
        let elsewhere = self.proxies.iter().filter(move |proxy| !proxy.takes(way));
        elsewhere.map(|proxy| proxy.to.as_str())
    }
}

/// The virtual hosts that `nginx -T` shows.
///
/// ```
/// use talia_pipeline::parse::nginx::{self, Way};
///
/// let shown = "http { server { listen 443 ssl; server_name talia.example;\n\
///              location /api/ { proxy_pass http://unix:/run/a.sock:; } } }";
/// let sites = nginx::sites(shown);
/// assert!(sites[0].has_tls() && sites[0].proxies(Way::Socket("/run/a.sock")));
/// ```
pub fn sites(shown: &str) -> Vec<Site> {
    let mut found = Vec::new();
    collect(&included::whole(shown), &Inherited::default(), &mut found);
    found
}

/// The port of 127.0.0.1 that a file proxies to which says nothing else.
///
/// ```
/// use talia_pipeline::parse::nginx::proxied_port;
///
/// assert_eq!(proxied_port("# blue\nproxy_pass http://127.0.0.1:8001;\n"), Some(8001));
/// assert_eq!(proxied_port("proxy_pass http://127.0.0.1:8001; root /;"), None);
/// ```
pub fn proxied_port(text: &str) -> Option<u16> {
    let directives = block(&mut words(text).into_iter());
    let [only] = directives.as_slice() else { return None };
    let [name, to] = only.words.as_slice() else { return None };
    let port = to.strip_prefix("http://127.0.0.1:").filter(|_| name == "proxy_pass")?;
    // As it is written: no sign, no zeros in front.
    port.parse().ok().filter(|number: &u16| number.to_string() == port)
}

/// Where a site reaches beyond what a site is for: why each such directive is refused.
///
/// Nginx begins as root: it opens logs and reads keys and included files with root's
/// rights, and what it loads runs in it. `folders` are those whose files may be served.
/// This is a list of what is known to reach further, not a proof: who may push a site
/// decides what a whole host serves, and is close to root anyway.
///
/// ```
/// use talia_pipeline::parse::nginx::reaches;
///
/// let site = "server { root /var/www/talia-landing; access_log /root/.ssh/authorized_keys; }";
/// assert_eq!(reaches(site, &["/var/www"]).len(), 1);
/// ```
pub fn reaches(site: &str, folders: &[&str]) -> Vec<String> {
    let mut words = words(site).into_iter();
    let tree = block(&mut words);
    let mut found = Vec::new();
    let mut open: Vec<&Directive> = tree.iter().rev().collect();
    while let Some(directive) = open.pop() {
        if let Some((name, rest)) = directive.words.split_first()
            && !is_fitting(name, rest, folders)
        {
            found.push(directive.words.join(" "));
        }
        open.extend(directive.block.iter().rev());
    }
    found
}

/// Directives that write where they are told, run what they are told, or hold for the
/// whole server.
const FOREIGN: &[&str] = &[
    "load_module",
    "user",
    "pid",
    "daemon",
    "master_process",
    "working_directory",
    "env",
    "worker_rlimit_core",
    "lock_file",
    "ssl_engine",
    "client_body_temp_path",
    "proxy_temp_path",
    "proxy_cache_path",
    "fastcgi_temp_path",
    "fastcgi_cache_path",
    "uwsgi_temp_path",
    "uwsgi_cache_path",
    "scgi_temp_path",
    "scgi_cache_path",
    "proxy_store",
    "fastcgi_store",
    "uwsgi_store",
    "scgi_store",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "memcached_pass",
    "dav_methods",
    "create_full_put_path",
    "disable_symlinks",
    "google_perftools_profiles",
    "state",
];
/// The same by how their names begin: languages that run in Nginx.
const LANGUAGES: &[&str] = &["perl", "js_", "lua_", "njs", "passenger", "mruby"];

fn is_fitting(name: &str, rest: &[String], folders: &[&str]) -> bool {
    let value = rest.first().map_or("", String::as_str);
    let below = |folder: &str| {
        let path = camino::Utf8Path::new(value);
        let climbs = path.components().any(|part| part == camino::Utf8Component::ParentDir);
        !value.contains('$') && !climbs && path.starts_with(folder)
    };
    match name {
        "access_log" | "error_log" => value == "off" || below("/var/log/nginx"),
        "root" | "alias" => folders.iter().any(|folder| below(folder)),
        // A relative one counts from there.
        "include" => !value.starts_with('/') && below("") || below("/etc/nginx"),
        name if name.ends_with("_by_lua_file") || name.ends_with("_by_lua_block") => false,
        name => {
            !FOREIGN.contains(&name) && !LANGUAGES.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

/// What holds in a block unless it says otherwise.
#[derive(Default)]
struct Inherited {
    caches: bool,
    refuses_links: bool,
    error_pages: Vec<ErrorPage>,
}

impl Inherited {
    fn within(&self, block: &[Directive]) -> Self {
        let own = error_pages::of_block(block);
        Self {
            caches: is_on(block, "open_file_cache").unwrap_or(self.caches),
            refuses_links: is_on(block, "disable_symlinks").unwrap_or(self.refuses_links),
            error_pages: if own.is_empty() { self.error_pages.clone() } else { own },
        }
    }
}

fn collect(tree: &[Directive], inherited: &Inherited, found: &mut Vec<Site>) {
    let inherited = inherited.within(tree);
    for directive in tree {
        if directive.words.first().is_some_and(|name| name == "server")
            && !directive.block.is_empty()
        {
            found.push(site(&directive.block, &inherited));
        } else {
            collect(&directive.block, &inherited, found);
        }
    }
}

/// Whether a directive is on in a block. An included file is a part of the block that
/// includes it.
fn is_on(block: &[Directive], name: &str) -> Option<bool> {
    block.iter().rev().find_map(|directive| match directive.words.first()?.as_str() {
        word if word == name => Some(directive.words.get(1).is_some_and(|value| value != "off")),
        "include" => is_on(&directive.block, name),
        _ => None,
    })
}

fn site(block: &[Directive], inherited: &Inherited) -> Site {
    let Inherited { caches, refuses_links, .. } = inherited.within(block);
    let mut site = Site {
        names: Vec::new(),
        listens: Vec::new(),
        proxies: Vec::new(),
        caches_open_files: caches,
        refuses_links,
        error_pages: error_pages::error_pages(block, &inherited.error_pages),
    };
    let mut open: Vec<(&Directive, Option<&String>)> =
        block.iter().map(|one| (one, None)).collect();
    while let Some((directive, file)) = open.pop() {
        let (name, rest) = match directive.words.split_first() {
            Some((name, rest)) => (name.as_str(), rest),
            None => continue,
        };
        let mut inside = file;
        match name {
            "server_name" => site.names.extend(rest.iter().cloned()),
            "listen" => site.listens.push(rest.join(" ")),
            "proxy_pass" => site
                .proxies
                .extend(rest.first().map(|to| Proxy { to: to.clone(), file: file.cloned() })),
            "include" => inside = rest.first(),
            "disable_symlinks" if rest.first().is_some_and(|value| value != "off") => {
                site.refuses_links = true;
            }
            _ => {}
        }
        open.extend(directive.block.iter().map(|one| (one, inside)));
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

/// How deep blocks may be in each other.
const DEEPEST: usize = 100;

fn block(words: &mut impl Iterator<Item = String>) -> Vec<Directive> {
    // Kept on a stack of our own: depth is what a file says, not what ours can take.
    let mut stack = vec![Vec::new()];
    let mut heads: Vec<Vec<String>> = Vec::new();
    let mut head = Vec::new();
    let mut beyond = 0_usize;
    for word in words {
        match word.as_str() {
            ";" => {
                let words = std::mem::take(&mut head);
                if let Some(top) = stack.last_mut() {
                    top.push(Directive { words, block: Vec::new() });
                }
            }
            // Deeper than anybody writes: taken for the block around it.
            "{" if stack.len() > DEEPEST => {
                beyond += 1;
                let words = std::mem::take(&mut head);
                if let Some(top) = stack.last_mut() {
                    top.push(Directive { words, block: Vec::new() });
                }
            }
            "}" if beyond > 0 => beyond -= 1,
            "{" => {
                heads.push(std::mem::take(&mut head));
                stack.push(Vec::new());
            }
            "}" => close(&mut stack, &mut heads),
            _ => head.push(word.strip_prefix('\u{1}').unwrap_or(&word).to_owned()),
        }
    }
    // What is never closed counts as well.
    while stack.len() > 1 {
        close(&mut stack, &mut heads);
    }
    stack.swap_remove(0)
}

fn close(stack: &mut Vec<Vec<Directive>>, heads: &mut Vec<Vec<String>>) {
    if stack.len() > 1
        && let (Some(block), Some(words)) = (stack.pop(), heads.pop())
        && let Some(top) = stack.last_mut()
    {
        top.push(Directive { words, block });
    }
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
        location /media/ { disable_symlinks if_not_owner; }
        location /up/ { proxy_pass http://backend${suffix}; }
    }
}"#;
        let sites = sites(shown);
        assert_eq!(sites.len(), 2);
        assert!(sites[0].caches_open_files && !sites[0].has_tls());
        let second = &sites[1];
        assert!(second.has_tls() && !second.caches_open_files);
        assert_eq!(second.names, ["talia.example", "www.talia.example"]);
        let socket = Way::Socket("/var/lib/talia/p/sock/api.sock");
        assert!(second.proxies(socket));
        let elsewhere = |way| second.proxies_elsewhere(way).collect::<Vec<_>>();
        assert_eq!(elsewhere(socket), ["http://backend${suffix}"]);
        assert_eq!(elsewhere(Way::Socket("/var/lib/talia/p/sock/api")).len(), 2);
        assert!(!sites[0].refuses_links && second.refuses_links);
    }

    #[test]
    fn a_site_that_is_reached_by_the_socket_alone_is_direct() {
        let site = |block: &str| {
            let shown = format!("http {{ server {{ listen 443 ssl; {block} }} }}");
            let (site, way) = (sites(&shown).remove(0), Way::Socket("/s/api.sock"));
            site.proxies(way) && site.proxies_elsewhere(way).next().is_none()
        };
        assert!(site("location /api/ { proxy_pass http://unix:/s/api.sock:; }"));
        assert!(site(
            "location / { root /var/www; } location /a { proxy_pass http://unix:/s/api.sock:/b; }"
        ));
        assert!(!site("location / { root /var/www; }"), "no proxy at all");
        assert!(!site("location / { proxy_pass http://api; }"), "an upstream");
        assert!(!site(
            "location /a { proxy_pass http://unix:/s/api.sock:; } location /b { proxy_pass http://b; }"
        ));
        assert!(!site("location / { proxy_pass http://unix:/s/blue/api.sock:; }"), "one slot");
    }

    #[test]
    fn a_port_is_read_from_what_says_nothing_else() {
        for bad in [
            "",
            "proxy_pass http://127.0.0.1:8001/;",
            "proxy_pass http://127.0.0.1:08001;",
            "proxy_pass http://127.0.0.1:+8001;",
            "proxy_pass http://127.0.0.1:80010;",
            "proxy_pass https://127.0.0.1:8001;",
            "proxy_pass http://localhost:8001;",
            "proxy_pass http://127.0.0.1:8001 x;",
            "proxy_pass http://127.0.0.1:8001; proxy_pass http://127.0.0.1:8002;",
            "location / { proxy_pass http://127.0.0.1:8001; }",
        ] {
            assert_eq!(proxied_port(bad), None, "{bad}");
        }
        assert_eq!(proxied_port("proxy_pass 'http://127.0.0.1:65535' ;"), Some(65_535));
    }

    #[test]
    fn what_reaches_beyond_a_site_is_told() {
        let folders = ["/var/www", "/usr/share/nginx"];
        for bad in [
            "load_module /tmp/x.so;",
            "server { access_log /root/.ssh/authorized_keys; }",
            "server { error_log /var/log/nginx/../../../etc/cron.d/x; }",
            "server { access_log syslog:server=10.0.0.1; }",
            "server { access_log /var/log/nginx/$host.log; }",
            "include /opt/talia-backend/.env;",
            "include ../../opt/x;",
            "server { location / { root /; } }",
            "server { location / { alias /var/www2/; } }",
            "server { if ($a) { root $b; } }",
            "server { \"root\" /etc; }",
            "location / { content_by_lua_block { x } }",
            "js_import x from /tmp/x.js;",
            "server { location / { fastcgi_pass unix:/run/php.sock; } }",
            "} user root; {",
        ] {
            assert_eq!(reaches(bad, &folders).len(), 1, "{bad}: {:?}", reaches(bad, &folders));
        }
        let good =
            "server { root /var/www/talia-landing; include snippets/tls.conf; access_log off;
            include /etc/nginx/proxy_params; error_log /var/log/nginx/a.log warn; # user root;
            ssl_certificate_key /etc/letsencrypt/live/x/privkey.pem;
            location / { proxy_pass http://unix:/s:; } error_page 503 @closed; }";
        assert_eq!(reaches(good, &folders), Vec::<String>::new());
    }

    #[test]
    fn what_is_torn_or_deep_is_read_as_far_as_it_goes() {
        assert_eq!(sites("} } server {"), []);
        assert_eq!(sites("}"), []);
        let deep = format!("{} user x; {}", "a {".repeat(100_000), "}".repeat(100_000));
        assert_eq!((sites(&deep), reaches(&deep, &[]).len()), (Vec::new(), 1));
        assert_eq!(sites("'"), []);
    }
}
