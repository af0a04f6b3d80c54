//! Subscriptions, at the schema: what is sent, to whom, in which order, and how often it is made.

mod delivery;
