//! Makes load for a measured server. It is written in Rust because it runs on the processors of the server: the less it needs, the more
//! the server gets.
//!
//! Reads one JSON value a line from standard input: first the [`Target`], then commands, one after another. Writes one line of JSON for
//! each when it has ended. The scripts that send them (`benches/load.mjs`) measure processes.

#![allow(clippy::print_stdout, reason = "the scripts read the results from there")]

mod fleet;
mod http;
mod requests;
mod template;

use serde::Deserialize;
use serde_json::{Value, json};

use fleet::Fleet;
use template::{Subject, Template};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The measured server.
#[derive(Deserialize)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) address: String,
    /// The value of the header, and of the payload of `connection_init`.
    pub(crate) authorization: String,
    /// What a successful response to a request contains.
    pub(crate) accepted: String,
    /// The accounts over which requests and sockets are spread, in turn.
    pub(crate) subjects: Vec<Subject>,
}

/// What the clients do. `subjects` is the number of the first subjects that are used.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    /// Each client sends the next request after the last response.
    Requests {
        clients: usize,
        seconds: f64,
        subjects: usize,
        body: Template,
    },
    /// Opens more sockets, each with one subscription.
    Open {
        sockets: usize,
        subjects: usize,
        subscribe: Template,
    },
    /// Posts at a steady rate; each posting is these requests, one after another.
    Steady {
        rate: u32,
        seconds: f64,
        bodies: Vec<Template>,
    },
    /// Posts to the first subject as fast as the sockets receive.
    Flood { seconds: f64, body: Template },
    /// Closes all sockets.
    Close,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // This thread waits; clients run on the threads of the runtime.
    let mut lines = std::io::stdin().lines();
    let target = lines.next().ok_or("a target is expected")??;
    let target: &'static Target = Box::leak(Box::new(serde_json::from_str(&target)?));
    let mut fleet = Fleet::new(target);
    for line in lines {
        println!("{}", run(serde_json::from_str(&line?)?, target, &mut fleet).await?);
    }
    Ok(())
}

async fn run(command: Command, target: &'static Target, fleet: &mut Fleet) -> Result<Value, Failure> {
    match command {
        Command::Requests {
            clients,
            seconds,
            subjects,
            body,
        } => requests::send(target, clients, seconds, subjects, body).await,
        Command::Open {
            sockets,
            subjects,
            subscribe,
        } => fleet.open(sockets, subjects, &subscribe).await,
        Command::Steady { rate, seconds, bodies } => fleet.steady(rate, seconds, bodies).await,
        Command::Flood { seconds, body } => fleet.flood(seconds, &body).await,
        Command::Close => {
            *fleet = Fleet::new(target);
            Ok(json!({}))
        }
    }
}
