//! One binary for all tests that enter by the front door.

mod migrations;
mod plans;
mod reading;
mod schema;
mod scratch;
mod tidy;
mod verify;
