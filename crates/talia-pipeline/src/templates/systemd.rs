use super::AGENT;

/// The nightly backup: a systemd service and its timer, for `/etc/systemd/system/`.
///
/// Source: systemd.service(5), systemd.timer(5).
///
/// ```
/// use talia_pipeline::templates::BackupTimer;
///
/// let timer = BackupTimer::new("staging");
/// assert_eq!(timer.name(), "talia-backup-staging");
/// assert!(timer.timer().contains("OnCalendar=*-*-* 03:20:00"));
/// ```
#[derive(Debug, Clone)]
pub struct BackupTimer {
    environment: String,
    calendar: String,
}

impl BackupTimer {
    /// For this environment, every night.
    pub fn new(environment: impl Into<String>) -> Self {
        Self { environment: environment.into(), calendar: "*-*-* 03:20:00".into() }
    }

    /// When, as systemd.time(7) has it.
    #[must_use]
    pub fn calendar(mut self, calendar: impl Into<String>) -> Self {
        self.calendar = calendar.into();
        self
    }

    /// The units' name, without `.service` and `.timer`.
    pub fn name(&self) -> String {
        format!("talia-backup-{}", self.environment)
    }

    /// The service's text.
    pub fn service(&self) -> String {
        let environment = &self.environment;
        format!(
            "[Unit]\n\
             Description=Back up the database of the environment {environment}\n\
             After=network-online.target docker.service\n\
             Wants=network-online.target\n\
             StartLimitIntervalSec=1h\n\
             StartLimitBurst=6\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             # The same request as through the gate, with the same answer.\n\
             ExecStart={AGENT} ask {environment} backup\n\
             TimeoutStartSec=2h\n\
             # While a release holds the lock, later.\n\
             Restart=on-failure\n\
             # What is wrong in the policy, or missing, is so in five minutes as well.\n\
             RestartPreventExitStatus=2 3\n\
             RestartSec=5min\n\
             Nice=10\n\
             IOSchedulingClass=idle\n"
        )
    }

    /// The timer's text.
    pub fn timer(&self) -> String {
        let Self { environment, calendar } = self;
        format!(
            "[Unit]\n\
             Description=Back up the database of the environment {environment} every night\n\
             \n\
             [Timer]\n\
             OnCalendar={calendar}\n\
             # Not all servers in the same second; a missed night is made up for.\n\
             RandomizedDelaySec=15min\n\
             Persistent=true\n\
             \n\
             [Install]\n\
             WantedBy=timers.target\n"
        )
    }
}

/// What puts a server right after a boot: a systemd service, for `/etc/systemd/system/`.
///
/// A host that ended in the middle of a release starts with both versions; this leaves
/// one.
///
/// Source: systemd.service(5).
///
/// ```
/// use talia_pipeline::templates::BootService;
///
/// let boot = BootService::new("staging");
/// assert_eq!(boot.file_name(), "talia-boot-staging.service");
/// ```
#[derive(Debug, Clone)]
pub struct BootService {
    environment: String,
}

impl BootService {
    /// For this environment.
    pub fn new(environment: impl Into<String>) -> Self {
        Self { environment: environment.into() }
    }

    /// The unit's file.
    pub fn file_name(&self) -> String {
        format!("talia-boot-{}.service", self.environment)
    }

    /// The unit's text.
    pub fn render(&self) -> String {
        let environment = &self.environment;
        format!(
            "[Unit]\n\
             Description=Put the environment {environment} right after a boot\n\
             After=docker.service nginx.service\n\
             Wants=docker.service\n\
             ConditionPathExists={AGENT}\n\
             # A release that begins at the same moment does the same, and holds the lock.\n\
             StartLimitIntervalSec=10min\n\
             StartLimitBurst=5\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             ExecStart={AGENT} ask {environment} boot\n\
             Restart=on-failure\n\
             RestartSec=30s\n\
             TimeoutStartSec=10min\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, *};

    #[test]
    fn backup_timer_service() {
        check("backup_timer__service", &BackupTimer::new("production").service());
    }

    #[test]
    fn boot_service() {
        check("boot_service", &BootService::new("production").render());
    }

    #[test]
    fn backup_timer_timer() {
        check("backup_timer__timer", &BackupTimer::new("production").calendar("hourly").timer());
    }
}
