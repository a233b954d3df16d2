//! A plain request's answer with its content, within bounds (RFC 9112, section 6).

use bytes::Buf;
use thiserror::Error;
use tokio::io::AsyncReadExt;

use super::connected::Connected;
use super::error::{DialError, ended};
use super::request::Request;
use super::response::Response;
use crate::model::{End, Phase};

/// Most bytes of one chunk's head, its extensions included.
const MAX_CHUNK_HEAD: usize = 256;

/// Why content can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Larger than the caller reads.
    #[error("the content is larger than {0} bytes")]
    TooLarge(usize),
    /// The framing of the content makes no sense, or is none that was asked for.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection ended in the middle of it.
    #[error("the connection ended in the middle of the content")]
    Closed {
        /// How.
        how: End,
    },
}

/// Where the content ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

impl Connected {
    /// Sends a request that asks for no upgrade and reads the header of its answer; enters [`Phase::Before`].
    /// The answer is no part of the record.
    ///
    /// # Errors
    /// When no final response could be read; its status is no error here.
    pub async fn inquire(&mut self, request: &Request) -> Result<Response, DialError> {
        self.record.enter(Phase::Before, &self.evidence);
        let response = self.say(&request.encode()).await;
        self.record.update(|facts| facts.response = None);
        self.record.finish();
        response
    }

    /// The content of the last response, at most `limit` bytes.
    ///
    /// # Errors
    /// When it is larger, broken, or broken off.
    pub async fn content(&mut self, response: &Response, limit: usize) -> Result<Vec<u8>, ContentError> {
        self.record.enter(Phase::Before, &self.evidence);
        let content = match framing(response) {
            Ok(Framing::Length(length)) if length > limit => Err(ContentError::TooLarge(limit)),
            Ok(Framing::Length(length)) => self.exactly(length).await,
            Ok(Framing::Chunked) => self.chunks(limit).await,
            Ok(Framing::UntilEnd) => self.rest(limit).await,
            Err(error) => Err(error),
        };
        self.record.finish();
        content
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, ContentError> {
        while self.buffer.len() < length {
            if let Some(how) = self.more().await {
                return Err(ContentError::Closed { how });
            }
        }
        Ok(self.buffer.split_to(length).to_vec())
    }

    async fn rest(&mut self, limit: usize) -> Result<Vec<u8>, ContentError> {
        loop {
            if self.buffer.len() > limit {
                return Err(ContentError::TooLarge(limit));
            }
            match self.more().await {
                None => {}
                Some(End::Fin) => return Ok(self.buffer.split().to_vec()),
                Some(how) => return Err(ContentError::Closed { how }),
            }
        }
    }

    async fn chunks(&mut self, limit: usize) -> Result<Vec<u8>, ContentError> {
        const BROKEN: ContentError = ContentError::Malformed("a chunk of the content is broken");
        let mut content = Vec::new();
        loop {
            let (head, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete(parsed)) => break parsed,
                    Ok(httparse::Status::Partial) if self.buffer.len() < MAX_CHUNK_HEAD => {}
                    _ => return Err(BROKEN),
                }
                if let Some(how) = self.more().await {
                    return Err(ContentError::Closed { how });
                }
            };
            self.buffer.advance(head);
            if size == 0 {
                // What trails behind the last chunk is of no use here, and the connection is done with.
                return Ok(content);
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > limit - content.len() {
                return Err(ContentError::TooLarge(limit));
            }
            let chunk = self.exactly(size + 2).await?;
            let Some(chunk) = chunk.strip_suffix(b"\r\n") else { return Err(BROKEN) };
            content.extend_from_slice(chunk);
        }
    }

    /// Reads on; how the connection ended, if it did.
    async fn more(&mut self) -> Option<End> {
        match self.transport.read_buf(&mut self.buffer).await {
            Ok(0) => Some(End::Fin),
            Ok(_) => None,
            Err(error) => Some(ended(&error).unwrap_or(End::Rst)),
        }
    }
}

fn framing(response: &Response) -> Result<Framing, ContentError> {
    if response.has("content-encoding") && !response.has_token("content-encoding", "identity") {
        return Err(ContentError::Malformed("the content has an encoding that was not asked for"));
    }
    if matches!(response.status, 101 | 204 | 304) {
        return Ok(Framing::Length(0));
    }
    if response.has("transfer-encoding") {
        let codings: Vec<&str> =
            response.values("transfer-encoding").flat_map(|value| value.split(',')).collect();
        return match codings.as_slice() {
            [only] if only.trim().eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            _ => Err(ContentError::Malformed("the content has a transfer coding that was not asked for")),
        };
    }
    let mut lengths = response.values("content-length").flat_map(|value| value.split(',').map(str::trim));
    let Some(first) = lengths.next() else { return Ok(Framing::UntilEnd) };
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || lengths.any(|other| other != first) {
        return Err(ContentError::Malformed("the content's length makes no sense"));
    }
    Ok(Framing::Length(first.parse().unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse_response;

    fn framing_of(headers: &str) -> Result<Framing, ContentError> {
        let text = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        let (response, _) = parse_response(text.as_bytes()).expect("HTTP").expect("whole");
        framing(&response)
    }

    #[test]
    fn the_header_tells_where_the_content_ends() {
        assert_eq!(framing_of(""), Ok(Framing::UntilEnd));
        assert_eq!(framing_of("Content-Length: 5\r\nContent-Length: 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing_of("Transfer-Encoding: Chunked\r\nContent-Length: 5\r\n"), Ok(Framing::Chunked));
        assert_eq!(
            framing_of("Content-Length: 99999999999999999999999\r\n"),
            Ok(Framing::Length(usize::MAX))
        );
        for wrong in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: \r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Encoding: br\r\n",
        ] {
            assert!(matches!(framing_of(wrong), Err(ContentError::Malformed(_))), "{wrong}");
        }
    }
}
