//! The landing page: released by an agent on a droplet, with a real rsync and a real Nginx.

mod crawler;
mod page;
mod pages;
mod plain;

mod client;
mod failures;
mod fidelity;
mod gate;
mod kills;
mod lost;
mod releases;
mod soak;
mod timings;

pub(crate) use client::{a_client_deploys_in_place, a_client_deploys_without_an_agent};
pub(crate) use failures::{
    a_disk_that_is_full_costs_nothing, a_release_that_clients_do_not_get_is_undone,
    nginx_that_refuses_its_configuration_stops_a_release, two_landing_releases_at_once,
    what_was_edited_by_hand_is_not_lost_by_chance,
};
pub(crate) use fidelity::{
    a_landing_deploy_executes_its_plan, a_landing_plan_changes_nothing,
    a_plan_with_nothing_to_do_reads_no_file,
};
pub(crate) use gate::{
    what_the_deploy_key_can_write_during_a_release,
    what_the_deploy_key_can_write_once_its_client_has_gone,
    what_the_deploy_key_can_write_without_one,
};
pub(crate) use kills::{
    a_cancelled_landing_release_is_undone, a_first_landing_release_that_is_killed_keeps_the_folder,
    an_agent_that_is_killed_at_any_step_of_a_landing_release,
};
pub(crate) use lost::{
    a_client_that_is_interrupted_in_a_landing_release,
    a_client_that_is_killed_in_a_landing_release, a_line_that_is_cut_in_a_landing_release,
    a_power_cut_in_a_landing_release,
};
pub(crate) use releases::{
    a_folder_made_by_hand_becomes_the_first_release, a_release_in_place,
    changes_are_released_and_rolled_back,
};
pub(crate) use soak::fifty_releases_under_a_crawler;
pub(crate) use timings::twenty_thousand_files;
