//! A change to a server that begins with a look at what it would do: a plan shows that,
//! a person says yes to it, and the run begins with the same look.

use std::cell::RefCell;

use clap::ArgMatches;
use serde::Serialize;
use talia_pipeline::{Context, Error, ExitCode, Result, report::console};

use crate::{asking::Asking, cli, environment::Target, session::plan_code};

/// What one such change has of its own.
pub(crate) trait Change {
    /// What it begins from.
    type Prospect: Clone + Serialize;
    /// What of it a person says yes to.
    type Meant: PartialEq;
    /// What it has come to.
    type Outcome: Send;

    /// Its verb, which names its runs.
    const VERB: &'static str;

    /// Looks, tells `looked` what it has seen, and goes on only where that agrees.
    fn flow(
        &self,
        cx: &Context,
        looked: &dyn Fn(&Self::Prospect) -> Result<()>,
    ) -> Result<Self::Outcome>;

    /// What a person says yes to.
    fn meant(prospect: &Self::Prospect) -> Self::Meant;

    /// What is asked, once the prospect is shown.
    fn question(&self, prospect: &Self::Prospect) -> String;

    /// The prospect for people.
    fn told(&self, prospect: &Self::Prospect) -> String;

    /// What the server itself would do, as its agent says.
    fn on_server(_: &Self::Prospect) -> Option<&str> {
        None
    }

    /// What was done, for people.
    fn done(&self, outcome: &Self::Outcome, prospect: &Self::Prospect, seconds: f64) -> String;
}

/// Shows its plan, or asks and runs it.
pub(crate) fn carry_out<C: Change>(
    change: &C,
    target: &Target,
    matches: &ArgMatches,
) -> Result<ExitCode> {
    let session = &target.session;
    let asking = Asking::new(matches, target)?;
    let seen: RefCell<Option<C::Prospect>> = RefCell::new(None);
    let confirmed: RefCell<Option<C::Meant>> = RefCell::new(None);
    let looked = |prospect: &C::Prospect| {
        still_meant(confirmed.borrow().as_ref(), &C::meant(prospect))?;
        seen.replace(Some(prospect.clone()));
        Ok(())
    };
    let flow = |cx: &Context| change.flow(cx, &looked);
    let pipeline = |is_told| {
        let pipeline = session.pipeline(C::VERB, matches, is_told)?;
        Ok::<_, Error>(session.guard(pipeline)?.state(session.state.clone()))
    };
    if matches.contains_id("plan") {
        let pipeline = pipeline(false)?;
        let plan = pipeline.plan(flow);
        let prospect = seen.take();
        if cli::text(matches, "plan") == Some("json") {
            let json = match &plan {
                Ok(plan) => plan.to_json_with("prospect", &prospect),
                Err(error) => pipeline.unplanned(error).to_json_with("prospect", &prospect),
            };
            console::print(&format!("{json}\n"));
            return Ok(plan_code(&plan?));
        }
        // Where it would be refused, that alone.
        if let Some(prospect) = &prospect {
            console::print(&format!("{}\n", change.told(prospect)));
        }
        let plan = plan?;
        console::print(&plan.to_string());
        if let Some(text) = prospect.as_ref().and_then(C::on_server) {
            console::print(&format!("\non the server: {text}"));
        }
        return Ok(plan_code(&plan));
    }
    if asking.is_needed() {
        pipeline(false)?.plan(flow)?;
        if let Some(prospect) = seen.take() {
            console::print(&change.told(&prospect));
            asking.ask(&change.question(&prospect))?;
            confirmed.replace(Some(C::meant(&prospect)));
        }
    }
    let began = session.world.elapsed();
    let finished = pipeline(true)?.run(flow);
    if let (Ok(outcome), Some(prospect)) = (&finished.result, seen.take()) {
        let seconds = session.world.elapsed().saturating_sub(began).as_secs_f64();
        console::print(&change.done(outcome, &prospect, seconds));
    }
    Ok(finished.exit_code)
}

/// Refuses to go on where what a person has said yes to is not what would be done now.
fn still_meant<T: PartialEq>(confirmed: Option<&T>, now: &T) -> Result<()> {
    if confirmed.is_none_or(|confirmed| confirmed == now) {
        return Ok(());
    }
    Err(Error::refused("meanwhile it would do something else than what was confirmed")
        .hint("look at it again: the same command shows what it would do now"))
}
