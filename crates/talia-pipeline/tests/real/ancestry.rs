//! Whether a deploy goes back, as a real clone can tell.

use talia_pipeline::{
    ErrorKind, Pipeline, State, World,
    flows::{
        Chosen, Deploy, Prospect, Remote, deploy_backend,
        publish::{Publish, Registry},
    },
    private::PrivateFolder,
    protocol::{Outlook, Role},
    settings::{Backend, Environment},
    steps::image::Builder,
};

use crate::support::{Temp, commit, git, repository};

#[test]
fn a_clone_that_lacks_what_is_live_is_refused_until_it_has_fetched_it() {
    let (origin, clones) = (Temp::new(), Temp::new());
    origin.write("a.py", "1\n");
    repository(origin.path());
    let url = format!("file://{}", origin.path());
    git(clones.path(), &["clone", "--quiet", "--", &url, "clone"]);
    let root = clones.path().join("clone");
    let old = git(&root, &["rev-parse", "HEAD"]);
    origin.write("a.py", "2\n");
    commit(origin.path());
    let live = git(origin.path(), &["rev-parse", "HEAD"]);

    let refused = |branch: Option<&str>| {
        let world = World::real().unwrap();
        let mut environment = Environment::named("production");
        environment.address = Some("talia.example".into());
        environment.branch = branch.map(str::to_owned);
        let private = PrivateFolder::new(&world).unwrap();
        let name = "production".parse().unwrap();
        let no_key = |_: &str| unreachable!("no key is named");
        let remote =
            Remote::new(&name, &environment, Role::Deploy, &private, &root, no_key).unwrap();
        let (backend, state) = (Backend::default(), State::new(clones.path()));
        let order = Deploy {
            publish: Publish {
                root: root.clone(),
                backend: root.clone(),
                settings: &backend,
                environment: &environment,
                state: &state,
                revision: None,
                docker: clones.path().join("docker"),
                own_docker: None,
            },
            remote: &remote,
            by: "ana".parse().unwrap(),
            accept_drift: false,
        };
        let outlook: Outlook = serde_json::from_value(serde_json::json!({
            "state": {
                "environment": "production", "at_ms": 0, "served": { "Ok": live }, "slots": [],
                "live": {
                    "release": format!("20261124T081500Z-{}", &live[..12]), "revision": live,
                    "digest": format!("sha256:{}", "0".repeat(64)), "slot": "blue", "at_ms": 0,
                    "by": "ben",
                },
            },
            "difference": {
                "env_added": [], "env_removed": [], "env_changed": [], "compose_diff": "",
            },
            "steps": null, "text": "",
            // So that nothing is built where git has nothing against it.
            "refused": [{ "message": "git lets it pass", "exit_code": 3 }],
        }))
        .unwrap();
        let prospect = Prospect {
            chosen: Chosen { revision: old.parse().unwrap(), committed_at: String::new() },
            registry: Registry {
                repository: "r.example/talia/backend".to_owned(),
                client: Builder::Buildx,
                config: None,
                credential: None,
            },
            there: None,
            outlook: Some(outlook),
            commits: None,
        };
        let pipeline = Pipeline::new("deploy", &root, world);
        pipeline.plan(|cx| deploy_backend(cx, &order, &prospect)).unwrap_err()
    };

    let error = refused(Some("origin/main"));
    assert_eq!((error.kind(), error.exit_code().code()), (ErrorKind::Refused, 4));
    let told = format!("this clone does not have {}, which is live", &live[..12]);
    assert!(error.to_string().contains(&told), "{error}");
    assert!(error.hint_text().unwrap().contains("`git fetch origin`"), "{error:?}");
    // Where nobody keeps the history, such as of a sandbox, it is replaced.
    assert!(refused(None).to_string().contains("git lets it pass"));

    git(&root, &["fetch", "--quiet", "origin"]);
    let error = refused(Some("origin/main"));
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("is older than"), "{error}");
}
