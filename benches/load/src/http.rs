//! A client with little overhead: one keep-alive connection, requests written at once, responses read by their length.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::{Failure, Target};

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\
             content-type: application/json\r\naccept: application/graphql-response+json\r\n",
            target.address, target.authorization
        );
        Ok(Self {
            stream: BufReader::new(stream),
            head,
        })
    }

    /// Sends a request. A response without the text `expected` is a failure: a server that refuses quickly must not win.
    pub(crate) async fn accepted(&mut self, body: &str, expected: &str) -> Result<(), Failure> {
        let response = self.request(body).await?;
        if response.contains(expected) {
            return Ok(());
        }
        Err(format!("a request was refused: {body} {response}").into())
    }

    async fn request(&mut self, body: &str) -> Result<String, Failure> {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(String::from_utf8(body)?)
    }
}
