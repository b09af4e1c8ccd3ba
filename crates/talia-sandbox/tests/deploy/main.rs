//! Deploys for real: an agent on a droplet, asked over ssh, under load through Nginx.
//!
//! Needs an engine and the base image; without them the tests fail and name what
//! brings them in.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::print_stdout, reason = "the harness tells what `cargo test` does")]
#![expect(clippy::disallowed_methods, reason = "tests arrange processes and measure time by hand")]

mod boundaries;
#[path = "../../../../xtask/tests/real/canary.rs"]
mod canary;
mod database;
mod disks;
mod failures;
mod fidelity;
mod gate;
mod harness;
mod hosts;
mod kills;
mod kit;
mod landing;
mod latest;
mod load;
mod ports;
mod pushes;
mod races;
mod registries;
mod releases;
#[path = "../../../../xtask/tests/real/same.rs"]
mod same;
mod script;
mod secrets;
mod soak;
#[path = "../../../talia-pipeline/tests/real/support.rs"]
mod support;
#[path = "../../../../xtask/tests/real/trace.rs"]
mod trace;

use std::process::ExitCode;

/// Names each function by its path.
macro_rules! tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
    };
}

/// In this order: the first one of each lane finds a server that nothing was released to.
/// One lane alone waits half of its time, and two of them a quarter.
const TESTS: &[harness::Lane] = &[
    tests![
        load::what_was_seen_is_told,
        releases::a_first_release_is_served,
        releases::an_upgrade_loses_no_request,
        releases::what_is_live_already_is_left_alone,
        releases::a_rollback_loses_no_request,
        failures::a_version_that_is_not_right_is_undone,
        hosts::a_signed_webhook_is_answered_before_and_after_a_switch,
        hosts::two_environments_share_a_host,
        hosts::one_of_two_releases_at_once_wins,
        hosts::a_service_that_may_not_run_twice,
        ports::a_service_on_a_port_is_released,
        ports::a_switch_that_nginx_refuses_is_undone,
        ports::an_agent_that_is_killed_around_a_switch,
        ports::a_service_on_a_port_that_may_not_run_twice,
        script::a_client_that_has_gone_ends_no_deploy,
        pushes::a_site_push_that_is_killed_at_any_step,
        database::a_backup_that_is_killed_at_any_step,
        races::an_older_commit_is_refused,
        races::two_pipelines_race,
        gate::a_deploy_key_gets_requests_and_nothing_else,
        gate::an_image_of_another_repository,
        gate::a_deploy_user_owns_nothing,
        landing::a_client_deploys_in_place,
        landing::a_client_deploys_without_an_agent,
        landing::a_landing_deploy_executes_its_plan,
        landing::a_landing_plan_changes_nothing,
        landing::a_plan_with_nothing_to_do_reads_no_file,
    ],
    tests![
        fidelity::a_deploy_executes_its_plan_cold_and_warm,
        fidelity::a_release_does_what_its_plan_says,
        fidelity::a_plan_changes_nothing,
        secrets::a_secret_is_left_nowhere,
        latest::a_move_of_latest_that_hangs,
        latest::one_that_somebody_else_moves,
        registries::a_login_that_the_registry_refuses,
        registries::a_registry_that_is_gone,
        registries::a_registry_that_dies_in_the_middle_of_a_layer,
        registries::a_rollback_whose_image_has_gone,
        registries::a_file_that_was_edited_by_hand,
        registries::values_reach_the_app_byte_for_byte,
        database::a_dump_that_fails_stops_a_release,
        database::a_backup_that_does_not_restore_stops_a_release,
        database::a_rollback_says_what_it_knows_of_the_schema,
        database::an_admin_brings_rows_back,
        database::an_admin_reads_logs_and_closes_the_site,
        database::an_agent_is_replaced_over_ssh,
        database::a_changed_host_key_stops_a_client,
        kills::a_stopped_agent_holds_the_lock_until_it_is_ended,
        kills::a_killed_agents_child_holds_the_lock,
        kills::a_client_that_is_killed_ends_nothing,
        kills::a_line_that_is_cut_in_the_middle,
        kills::a_client_that_reads_nothing_holds_nothing_up,
        kills::a_cancelled_release_is_undone,
        kills::an_engine_that_restarts_while_health_is_waited_for,
        disks::a_disk_that_is_full,
        disks::a_disk_that_fills_up_during_a_release,
        kills::a_host_that_reboots_in_the_middle,
    ],
    tests![
        landing::a_folder_made_by_hand_becomes_the_first_release,
        landing::changes_are_released_and_rolled_back,
        landing::what_the_deploy_key_can_write_without_one,
        landing::what_the_deploy_key_can_write_during_a_release,
        landing::what_the_deploy_key_can_write_once_its_client_has_gone,
        landing::two_landing_releases_at_once,
        landing::what_was_edited_by_hand_is_not_lost_by_chance,
        landing::a_release_that_clients_do_not_get_is_undone,
        landing::nginx_that_refuses_its_configuration_stops_a_release,
        landing::an_agent_that_is_killed_at_any_step_of_a_landing_release,
        landing::a_first_landing_release_that_is_killed_keeps_the_folder,
        landing::a_cancelled_landing_release_is_undone,
        landing::a_client_that_is_killed_in_a_landing_release,
        landing::a_client_that_is_interrupted_in_a_landing_release,
        landing::a_line_that_is_cut_in_a_landing_release,
        landing::a_power_cut_in_a_landing_release,
        landing::a_disk_that_is_full_costs_nothing,
        landing::a_release_in_place,
        boundaries::an_agent_that_is_killed_at_any_step,
    ],
];

/// What takes long, and measures.
const SOAK: &[harness::Lane] = &[tests![
    soak::upgrades_and_rollbacks,
    soak::the_literal_command,
    landing::fifty_releases_under_a_crawler,
    landing::twenty_thousand_files,
]];

fn main() -> ExitCode {
    let soak = std::env::args().any(|argument| argument == "--soak");
    harness::main(if soak { SOAK } else { TESTS }, std::env::args().skip(1))
}
