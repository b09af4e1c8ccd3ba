//! A run executes what its plan shows, one for one.

use talia_pipeline::CommandLine;

use crate::{
    project::{Project, ran},
    same::{assert_same, planned},
    support::{command, need_engine, output},
    trace::{Started, Trace, under_strace},
};

#[test]
fn a_run_executes_its_plan_cold_and_warm() {
    need_engine();
    let project = Project::fresh();
    let file = project.target().join("trace");
    let mut counts = Vec::new();
    for state in ["cold", "warm"] {
        let plan = project.run(&["ci", "--plan=json"]);
        plan.expect(0, &["\"flow\": \"ci\""]);
        let plan = planned(&plan.stdout);
        let run = ran(&mut under_strace(&project.xtask(&["ci"]), &file));
        run.expect(0, &["8 passed, 2 skipped", "ci passed"]);
        counts.push(plan.len());
        assert_same(Trace::read(&file).children(), plan, project.root());
        println!("{state}: {} command lines, planned and run", counts[counts.len() - 1]);
    }
    assert!(counts[0] > counts[1] && counts[1] > 10, "{counts:?}");
    // The comparison would see a single command more or less.
    let plan = planned(&project.run(&["ci", "--plan=json"]).stdout);
    let children = || Trace::read(&file).children();
    let fails = |started: Vec<Started>, plan: Vec<CommandLine>| {
        let compare = || assert_same(started, plan, project.root());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err()
    };
    assert!(fails(children(), plan[1..].to_vec()) && fails(children().split_off(1), plan));
    assert!(output(command("strace").arg("--version")).status.success());
}
