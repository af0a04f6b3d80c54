//! Counts fragments of messages: frames that the library combines before it passes a message on.
//!
//! A message may consist of any number of frames, even of empty ones, and the library reads until it has the last one. This
//! module reads the headers of frames on their way to the library. It stops reading until the socket has counted the
//! fragments.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The maximum length of a frame header (RFC 6455, 5.2).
const LONGEST_HEADER: usize = 14;

/// A connection that counts the fragments that are read from it.
#[derive(Debug)]
pub(super) struct FrameMeter<S> {
    stream: S,
    frames: Frames,
}

impl<S> FrameMeter<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }

    /// Returns the number of fragments since the last call, and lets reading continue.
    pub(super) fn take_pieces(&mut self) -> u32 {
        std::mem::take(&mut self.frames.pieces)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameMeter<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.frames.pieces > 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        self.frames.follow(&into.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameMeter<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The reader's position in a stream of frames.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; LONGEST_HEADER],
    /// Received bytes of the current header.
    known: usize,
    /// Missing bytes of the current payload.
    payload: u64,
    /// Frames that were not the last of their message.
    pieces: u32,
}

impl Frames {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let passed = usize::try_from(self.payload).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.payload -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.header[self.known] = bytes[0];
            self.known += 1;
            bytes = &bytes[1..];
            if self.known == self.header_length() {
                self.end_header();
            }
        }
    }

    /// Returns the length of the current header as far as it is known: at least 2.
    fn header_length(&self) -> usize {
        if self.known < 2 {
            return 2;
        }
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn end_header(&mut self) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        self.payload = match self.header[1] & 0x7f {
            126 => number(&self.header[2..4]),
            127 => number(&self.header[2..10]),
            short => u64::from(short),
        };
        self.known = 0;
        let (is_last, is_data) = (self.header[0] & 0x80 != 0, self.header[0] & 0x08 == 0);
        if is_data && !is_last {
            self.pieces = self.pieces.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).expect("short")),
            126..65_536 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(length).expect("short").to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        // Bytes of the payload that resemble headers.
        frame.extend(std::iter::repeat_n(0, length));
        frame
    }

    #[test]
    fn pieces_are_counted_however_the_bytes_come() {
        let stream = [
            frame(0x81, 5),
            frame(0x01, 0),
            frame(0x00, 200),
            frame(0x89, 3),
            frame(0x00, 70_000),
            frame(0x00, 0),
            frame(0x80, 130),
            frame(0x02, 1),
        ]
        .concat();
        for step in [1, 2, 3, 7, 4_096, stream.len()] {
            let mut frames = Frames::default();
            stream.chunks(step).for_each(|bytes| frames.follow(bytes));
            assert_eq!(
                (frames.pieces, frames.known, frames.payload),
                (5, 0, 0),
                "{step} at a time"
            );
        }
    }
}
