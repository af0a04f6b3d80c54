//! Several processes of one installation on one Postgres: what they lose when a part of it fails, and how long it lasts.
//!
//! These tests need Postgres. `LEDGERBELL_TEST_POSTGRES_RESTART` names a program that restarts it as after a crash; then that is tested
//! too. `LEDGERBELL_TEST_ROUNDS` is the number of times that all faults are caused.

mod cluster;
mod faults;
mod load;
mod nats;
mod upgrade;
