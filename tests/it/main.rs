//! One binary for all tests that use the public API.

#![allow(
    clippy::large_futures,
    clippy::similar_names,
    reason = "a test runs once, and names what it compares alike"
)]

mod account_list;
mod advisories;
mod api_http;
mod api_key_life;
mod api_keys;
mod api_ledger;
mod api_member;
mod at_rest;
mod backup;
mod chaos;
mod cli;
mod copy;
mod csv_export;
mod demo_console;
mod deploy;
mod doctor;
mod durable;
mod faults;
mod figures;
mod forecast;
mod fuzzing;
mod gateway;
#[allow(dead_code, unused_imports, reason = "a harness has more than every test needs")]
mod harness;
mod hostile;
mod http_server;
mod identity;
mod journey;
mod languages;
mod list_counts;
mod live;
mod metrics;
mod migrations;
mod notification;
mod pages;
mod permissions;
mod plans;
mod processes;
mod reading;
mod replica;
mod retention;
mod schema;
mod scratch;
#[path = "../../src/domain/database/server_for_tests.rs"]
mod server_for_tests;
mod serving;
mod sharded;
mod sse;
mod stories;
mod tidy;
mod top_ups;
mod traces;
mod troubleshooting;
mod two_sides;
mod verify;
mod webhook_endpoints;
mod written_rows;
mod ws;
