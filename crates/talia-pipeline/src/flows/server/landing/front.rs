//! Nginx, which serves the landing page.

use crate::{
    context::Context,
    error::{ErrorKind, Result},
    server::landing::LandingPlace,
    settings::Reload,
    steps::server::{
        NginxReload, NginxSignalReload, NginxTest,
        landing::{KeepNginx, NginxConfiguration, NginxNow},
    },
};

use super::{super::Server, look::caches_files};

/// How Nginx is treated by a release.
pub(super) struct Front {
    now: Option<NginxNow>,
    reloads: bool,
}

impl Front {
    /// Looks at Nginx's configuration; fails where it has to be reloaded and cannot be.
    pub(super) fn look(cx: &Context, server: &Server, place: &LandingPlace) -> Result<Self> {
        let always = server.policy.landing.reload == Reload::Always;
        if always {
            // Nothing is switched to what could not be served then.
            cx.run(NginxTest)?;
        }
        let now = cx.probe(NginxConfiguration::new(place.nginx()))?;
        if now.is_none() {
            cx.note("Nginx refuses its own configuration, and serves on with the one it has");
        }
        let is_needed = |now: &NginxNow| now.has_changed || caches_files(&server.policy, now);
        let reloads = always || now.as_ref().is_some_and(is_needed);
        Ok(Self { now, reloads })
    }

    /// Reloads Nginx where that is wanted; whether it was.
    pub(super) fn reload(&self, cx: &Context) -> Result<bool> {
        if !self.reloads {
            return Ok(false);
        }
        if cx.find_program("systemctl").is_some() {
            match cx.run(NginxReload) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(_) => cx.note("systemd does not reload Nginx, so Nginx is told itself"),
            }
        }
        cx.run(NginxSignalReload)?;
        Ok(true)
    }

    /// Remembers the configuration that a release went live with.
    pub(super) fn remember(&self, cx: &Context, place: &LandingPlace) -> Result<()> {
        match &self.now {
            Some(now) => cx.run(KeepNginx::new(place.nginx(), now.hash)),
            None => Ok(()),
        }
    }
}
