//! What a token endpoint answers (RFC 6749, section 5).

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::error::{ErrorCode, OAuth2Error};
use crate::wire::{ContentError, Response};

/// The most bytes of content that are read: several tokens fit in.
pub const MAX_ANSWER: usize = 64 * 1024;

/// The longest that an endpoint can ask to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A token as it was issued.
pub struct Answer {
    /// `access_token`.
    pub token: SecretString,
    /// `expires_in`, where it is given and makes sense.
    pub lifetime: Option<Duration>,
}

#[derive(Deserialize)]
struct Issued {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// Reads an answer. The content of a refusal may be missing.
pub fn read(response: &Response, content: Result<Vec<u8>, ContentError>) -> Result<Answer, OAuth2Error> {
    if response.status != 200 {
        let code = content.ok().and_then(|content| code(&content));
        let retry_after = response.header("retry-after").and_then(retry_after);
        return Err(OAuth2Error::Status { status: response.status, code, retry_after });
    }
    let content = content.map_err(OAuth2Error::Content)?;
    let issued: Issued = serde_json::from_slice(&content)
        .map_err(|_| OAuth2Error::Malformed("no JSON object as RFC 6749, section 5.1, has it"))?;
    let token = issued.access_token.ok_or(OAuth2Error::Malformed("without access_token"))?;
    // It must be there, but what is not there is no other type either.
    if issued.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(OAuth2Error::Malformed("a token of another type than Bearer"));
    }
    Ok(Answer { token: token.into(), lifetime: issued.expires_in.as_ref().and_then(lifetime) })
}

fn code(content: &[u8]) -> Option<ErrorCode> {
    let refusal: Value = serde_json::from_slice(content).ok()?;
    ErrorCode::named(refusal.get("error")?.as_str()?)
}

/// Seconds; of a date nothing is made.
fn retry_after(value: &str) -> Option<Duration> {
    let seconds: u64 = value.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// Seconds; some servers write them as a text.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|lifetime| !lifetime.is_zero())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::wire::parse_response;

    fn read_as(status: u16, headers: &str, content: &str) -> Result<(String, Option<u64>), String> {
        let head = format!("HTTP/1.1 {status} X\r\n{headers}\r\n");
        let (response, _) = parse_response(head.as_bytes()).expect("HTTP").expect("whole");
        let answer = read(&response, Ok(content.as_bytes().to_vec()));
        let seconds = |lifetime: Duration| lifetime.as_secs();
        answer
            .map(|answer| (answer.token.expose_secret().to_owned(), answer.lifetime.map(seconds)))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_and_its_life() {
        for (content, lifetime) in [
            (r#"{"access_token":"t0k","token_type":"Bearer","expires_in":3600,"scope":"x"}"#, Some(3600)),
            (r#"{"access_token":"t0k","token_type":"bearer","expires_in":"3599"}"#, Some(3599)),
            (r#"{"access_token":"t0k","token_type":"BEARER"}"#, None),
            (r#"{"access_token":"t0k","expires_in":0}"#, None),
            (r#"{"access_token":"t0k","expires_in":-5}"#, None),
            (r#"{"access_token":"t0k","expires_in":1e300}"#, None),
            (r#"{"access_token":"t0k","expires_in":"soon"}"#, None),
            (r#"{"access_token":"t0k","expires_in":null}"#, None),
        ] {
            assert_eq!(read_as(200, "", content), Ok(("t0k".into(), lifetime)), "{content}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_without_repeating_it() {
        for (status, content, told) in [
            (200, "<html>s3cr3t</html>", "its answer is no JSON object as RFC 6749, section 5.1, has it"),
            (200, r#"["s3cr3t"]"#, "its answer is no JSON object as RFC 6749, section 5.1, has it"),
            (200, r#"{"access_token":7}"#, "its answer is no JSON object as RFC 6749, section 5.1, has it"),
            (200, r#"{"error":"s3cr3t"}"#, "its answer is without access_token"),
            (
                200,
                r#"{"access_token":"t","token_type":"s3cr3t"}"#,
                "its answer is a token of another type than Bearer",
            ),
            (401, r#"{"error":"invalid_client"}"#, "it answered 401 (invalid_client)"),
            (400, r#"{"error":"s3cr3t"}"#, "it answered 400"),
            (400, r#"{"error":{"s3cr3t":1}}"#, "it answered 400"),
            (302, "", "it answered 302"),
            (500, "s3cr3t", "it answered 500"),
        ] {
            assert_eq!(read_as(status, "", content), Err(told.to_owned()), "{content}");
        }
    }

    #[test]
    fn how_long_to_leave_it_alone() {
        for (value, seconds) in
            [("120", Some(120)), ("99999999", Some(3600)), ("Fri, 31 Dec 2027 23:59:59 GMT", None)]
        {
            assert_eq!(retry_after(value), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
