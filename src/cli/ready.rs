//! `gateprobe ready`: asks a running agent whether it is ready. For places where nothing else can: an image from
//! scratch has no curl.

use std::io::Write;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::Exit;
use super::output::Output;
use crate::config::mask_url;
use crate::model::{End, Evidence, Span};
use crate::wire::{Dialer, Endpoint, Offer, Request, ResolverSettings, TlsClient, TlsSettings};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// Arguments of `gateprobe ready`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe ready                              the agent on this machine\n  \
    gateprobe ready http://gateprobe:9464        another\n\n\
    Prints what /readyz?verbose says.\n\n\
    Exit codes: 0 ready, 1 not ready or out of reach, 2 usage")]
pub struct Args {
    /// Where the agent serves HTTP
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9464")]
    agent: Url,
    /// How long it may take to answer
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    timeout: Span,
    /// The form of the answer: text, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Asks once.
pub async fn run(args: Args) -> Exit {
    let asked = args.agent.clone();
    let Some(url) = page(args.agent) else {
        eprintln!("gateprobe ready: the URL must be that of an agent, such as http://gateprobe:9464");
        return Exit::Usage;
    };
    match tokio::time::timeout(args.timeout.get(), request(url, "GET", Vec::new())).await {
        Ok(Ok((status, text))) => {
            let text = match args.output {
                Output::Text => text,
                Output::Json => format!("{:#}\n", as_json(status, &text)),
            };
            // A reader that has gone away wants no more.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            if status == 200 { Exit::Pass } else { Exit::Fail }
        }
        Ok(Err(why)) => silent(&unanswered(&asked, &why, OTHER), args.output),
        Err(_) => {
            let why = format!("nothing within {}", args.timeout);
            silent(&unanswered(&asked, &why, OTHER), args.output)
        }
    }
}

/// How another agent is named.
const OTHER: &str = "gateprobe ready URL";

/// What is said of an agent that does not answer: where it was looked for, and how another is named.
pub(super) fn unanswered(agent: &Url, why: &str, other: &str) -> String {
    format!("no agent answers at {}: {why}; if it is elsewhere, name it: {other}", mask_url(agent.as_str()))
}

/// Tells that the agent did not answer.
fn silent(why: &str, output: Output) -> Exit {
    match output {
        Output::Text => eprintln!("gateprobe ready: {why}"),
        Output::Json => {
            let told = json!({ "ready": false, "status": null, "says": [why] });
            let _ = writeln!(std::io::stdout().lock(), "{told:#}");
        }
    }
    Exit::Fail
}

/// The agent's lines; the last one only repeats the status.
fn as_json(status: u16, text: &str) -> Value {
    let mut reasons: Vec<&str> = text.lines().collect();
    reasons.pop();
    json!({ "ready": status == 200, "status": status, "says": reasons })
}

/// The page to ask for.
fn page(agent: Url) -> Option<Url> {
    page_of(agent, "/readyz", Some("verbose"))
}

/// A page of an agent; `ws` stands for http in [`Endpoint`].
pub(super) fn page_of(mut agent: Url, path: &str, query: Option<&str>) -> Option<Url> {
    let scheme = match agent.scheme() {
        "http" => "ws",
        "https" => "wss",
        _ => return None,
    };
    agent.set_scheme(scheme).ok()?;
    agent.set_path(path);
    agent.set_query(query);
    Some(agent)
}

/// One request to an agent, and its answer; `ws` stands for http in the URL.
pub(super) async fn request(
    url: Url,
    method: &str,
    headers: Vec<(String, SecretString)>,
) -> Result<(u16, String), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let tls = TlsClient::new(TlsSettings::default()).map_err(|error| text(&error))?;
    let endpoint = Endpoint::new(url, Arc::new(tls)).map_err(|error| text(&error))?;
    let request = Request::plain(&endpoint, &Offer::default(), (method, path.into()), headers, None);
    let request = request.map_err(|error| text(&error))?;
    let dialer = Dialer::new(&ResolverSettings::default()).map_err(|error| text(&error))?;
    let connected = dialer.connect(&endpoint, &Evidence::new()).await;
    let mut connected = connected.map_err(|failure| text(&failure.error))?;
    let response = connected.inquire(&request).await.map_err(|error| text(&error))?;
    let content = connected.content(&response, LARGEST).await.map_err(|error| text(&error))?;
    connected.sever(End::Fin);
    Ok((response.status, String::from_utf8_lossy(&content).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_leads_to_readyz() {
        let asked = |url: &str| page(url.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(asked("http://gateprobe:9464").as_deref(), Some("ws://gateprobe:9464/readyz?verbose"));
        assert_eq!(asked("https://[::1]/x?y").as_deref(), Some("wss://[::1]/readyz?verbose"));
        assert_eq!(asked("ftp://gateprobe"), None);
    }

    #[test]
    fn a_program_is_told_the_reasons_apart() {
        let told = as_json(503, "draining\nnot ready\n");
        assert_eq!(told, json!({ "ready": false, "status": 503, "says": ["draining"] }));
    }
}
