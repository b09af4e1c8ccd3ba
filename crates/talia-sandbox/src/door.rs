use talia_pipeline::{Context, Pipeline, Result, Step, World};

/// Runs single steps, one after the other, for whoever has no flow: a test.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    world: World,
}

impl Door {
    pub(crate) fn new(world: &World) -> Self {
        Self { world: world.clone() }
    }

    /// Runs a step and waits for its answer.
    pub(crate) fn run<S: Step + Clone + Sync>(&self, step: &S) -> Result<S::Output> {
        self.flow(|cx| cx.run(step.clone()))
    }

    /// Runs a flow and waits for its end.
    pub(crate) fn flow<T: Send>(&self, flow: impl Fn(&Context) -> Result<T>) -> Result<T> {
        let mut pipeline = Pipeline::new("sandbox", self.world.directory(), self.world.clone());
        pipeline.run(flow).result
    }
}
