//! How a gateway is reached that is named by its URL alone: its token, and whom to trust.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::typed;

/// What a config says in `auth` and `tls`, as options.
#[derive(Debug, Default, clap::Args)]
pub struct Access {
    /// The file with the token that a URL wants, sent as `Authorization: Bearer ...` unless --token-place or its dialect
    /// says otherwise
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the token goes: header:NAME, query:NAME, cookie:NAME, subprotocol:PREFIX, or first_message:TEMPLATE with
    /// ${token} in it
    #[arg(long, value_name = "PLACE", requires = "token_file")]
    token_place: Option<TokenPlace>,
    /// The authorities to trust at a URL, in PEM, in place of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Access {
    /// Whether any of it was asked for.
    pub fn is_asked_for(&self) -> bool {
        self.token_file.is_some() || self.ca_file.is_some()
    }

    /// A target's `auth` and `tls`.
    ///
    /// # Errors
    /// A file that can't be read, for people.
    pub fn settings(&self) -> Result<Map<String, Value>, String> {
        let mut settings = Map::new();
        if let Some(file) = &self.token_file {
            typed::readable("--token-file", file)?;
            let mut auth = json!({ "token": { "file": typed::utf8("--token-file", file)? } });
            if let Some(TokenPlace(place)) = &self.token_place {
                auth["place"] = place.clone();
            }
            settings.insert("auth".into(), auth);
        }
        if let Some(file) = &self.ca_file {
            settings.insert("tls".into(), json!({ "ca_file": typed::utf8("--ca-file", file)? }));
        }
        Ok(settings)
    }
}

/// `auth.place` of a config, by the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TokenPlace(Value);

impl FromStr for TokenPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (place, said) = text.split_once(':').unwrap_or((text, ""));
        let place = match place {
            // Whoever names a header means the whole of it.
            "header" if !said.is_empty() => json!({ "header": { "name": said, "prefix": "" } }),
            "query" if !said.is_empty() => json!({ "query": { "name": said } }),
            "cookie" if !said.is_empty() => json!({ "cookie": { "name": said } }),
            "subprotocol" => json!({ "subprotocol": { "prefix": said } }),
            "first_message" if !said.is_empty() => json!({ "first_message": { "template": said } }),
            _ => {
                return Err("write header:NAME, query:NAME, cookie:NAME, subprotocol:PREFIX or \
                            first_message:TEMPLATE, such as query:access_token");
            }
        };
        Ok(Self(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_by_the_words_of_a_config() {
        for (said, place) in [
            ("header:X-Api-Key", json!({ "header": { "name": "X-Api-Key", "prefix": "" } })),
            ("query:access_token", json!({ "query": { "name": "access_token" } })),
            ("cookie:session", json!({ "cookie": { "name": "session" } })),
            ("subprotocol:bearer.", json!({ "subprotocol": { "prefix": "bearer." } })),
            ("subprotocol", json!({ "subprotocol": { "prefix": "" } })),
            (
                "first_message:{\"auth\":\"${token}\"}",
                json!({ "first_message": { "template": "{\"auth\":\"${token}\"}" } }),
            ),
        ] {
            assert_eq!(said.parse(), Ok(TokenPlace(place)), "{said}");
        }
        for wrong in ["", "query", "query:", "header:", "cookie", "first_message", "body:x"] {
            assert!(
                wrong.parse::<TokenPlace>().unwrap_err().contains("such as query:access_token"),
                "{wrong}"
            );
        }
    }
}
