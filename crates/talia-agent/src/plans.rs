//! What a release or a rollback would do, which is the same flow without effects.

use talia_pipeline::{
    Context, Error, ExitCode, Result,
    flows::server::{BackOrder, Order, difference, earlier, release, rollback},
    protocol::{Accepted, BackOutlook, Outlook, Refusal, ReleaseId},
    secret::Masker,
    settings::Strategy,
};

use crate::serve::Ask;

impl Ask<'_> {
    pub(crate) fn plan(&self, order: &Order) -> Result<ExitCode> {
        let server = self.server(self.role());
        let ((steps, text), refused) = self.planned(|cx| release(cx, &server, order));
        let mut pipeline = self.pipeline(&self.site.signals);
        let finished = pipeline.run(|cx| difference(cx, &server));
        let (state, mut difference) = finished.result?;
        // A compose file may hold what `.env` holds as well.
        let masker = Masker::new(pipeline.secret_values());
        difference.compose_diff = masker.mask(&difference.compose_diff).into_owned();
        let has_gap = self.site.policy.strategy == Strategy::Recreate;
        let outlook = Outlook::new(state, difference, steps, text).has_gap(has_gap);
        Ok(self.tell(&outlook.refused(refused)))
    }

    pub(crate) fn plan_back(&self, to: Option<ReleaseId>, accepted: Accepted) -> Result<ExitCode> {
        let server = self.server(self.role());
        let mut pipeline = self.pipeline(&self.site.signals);
        let found = pipeline.run(|cx| earlier(cx, &server, to.as_ref()));
        let (state, earlier) = found.result?;
        let Some(live) = &state.live else {
            return Ok(self.tell(&BackOutlook::new(
                state,
                earlier,
                Default::default(),
                Vec::new(),
            )));
        };
        let order = BackOrder { to, from: live.release.clone(), accepted };
        let (plan, refused) = self.planned(|cx| rollback(cx, &server, &order));
        Ok(self.tell(&BackOutlook::new(state, earlier, plan, refused)))
    }

    /// A flow's plan, as data and as text, or why there is none.
    fn planned<T>(
        &self,
        flow: impl FnOnce(&Context) -> Result<T>,
    ) -> ((serde_json::Value, String), Vec<Refusal>) {
        let error = match self.pipeline(&self.site.signals).plan(flow) {
            Ok(plan) => {
                let steps = serde_json::from_str(&plan.to_json()).unwrap_or_default();
                return ((steps, plan.to_string()), Vec::new());
            }
            Err(error) => error,
        };
        let refusal = |failure: &Error| Refusal {
            message: failure.to_string(),
            hint: failure.hint_text().map(str::to_owned),
            exit_code: failure.exit_code().code(),
        };
        (Default::default(), error.failures().iter().map(refusal).collect())
    }
}
