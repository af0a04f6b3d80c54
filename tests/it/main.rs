//! One binary for all tests that enter by the front door.

mod migrations;
mod tidy;
