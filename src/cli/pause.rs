//! `gateprobe pause` and `gateprobe resume`: a deploy asks a running agent to leave a target alone for a while.

use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::Exit;
use super::ready::{page_of, request, unanswered};
use crate::model::Span;

/// How long the agent may take to answer.
const PATIENCE: Span = Span::secs(10);

/// How another agent is named.
const OTHER: &str = "--agent URL";

/// Whom it is about, and how the agent is reached.
#[derive(Debug, clap::Args)]
struct Whom {
    /// The target's name in the config
    target: String,
    /// The check's kind; all checks of the target when absent
    check: Option<String>,
    /// Where the agent serves HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    agent: Url,
    /// The file with the agent's token (`http.token_file`); not needed on the agent's machine where it has none
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Arguments of `gateprobe pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe pause chat                      an hour, all checks of the target\n  \
    gateprobe pause chat zombie --for 30m     one check\n\n\
    A restart of the agent ends the pause, too. For windows that come again, use `pause` in the config.\n\n\
    Exit codes: 0 done, 1 refused or out of reach, 2 usage")]
pub struct PauseArgs {
    #[command(flatten)]
    whom: Whom,
    /// How long, at most 7d
    #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
    length: Span,
}

/// Arguments of `gateprobe resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe resume chat                     all checks of the target\n  \
    gateprobe resume chat zombie              one check\n\n\
    A pause that the config asks for goes on.\n\n\
    Exit codes: 0 done, 1 refused or out of reach, 2 usage")]
pub struct ResumeArgs {
    #[command(flatten)]
    whom: Whom,
}

/// Pauses.
pub async fn pause(args: PauseArgs) -> Exit {
    ask(args.whom, "pause", Some(&format!("for={}", args.length))).await
}

/// Ends a pause.
pub async fn resume(args: ResumeArgs) -> Exit {
    ask(args.whom, "resume", None).await
}

async fn ask(whom: Whom, what: &str, query: Option<&str>) -> Exit {
    let asked = whom.agent.clone();
    let path = path(&whom.target, whom.check.as_deref(), what);
    let Some(url) = path.and_then(|path| page_of(whom.agent, &path, query)) else {
        eprintln!("gateprobe {what}: name a target and a check as the config does, and the agent by its URL");
        return Exit::Usage;
    };
    let headers = match whom.token_file.map(std::fs::read_to_string).transpose() {
        Ok(token) => token.map(|token| {
            let bearer = SecretString::from(format!("Bearer {}", token.trim()));
            ("Authorization".to_owned(), bearer)
        }),
        Err(error) => {
            eprintln!("gateprobe {what}: the token can't be read: {error}");
            return Exit::Usage;
        }
    };
    match tokio::time::timeout(PATIENCE.get(), request(url, "POST", headers.into_iter().collect())).await {
        Ok(Ok((200, text))) => {
            println!("{}", told(&text, "done"));
            Exit::Pass
        }
        Ok(Ok((_, text))) => {
            eprintln!("gateprobe {what}: {}", told(&text, "error"));
            Exit::Fail
        }
        Ok(Err(why)) => {
            eprintln!("gateprobe {what}: {}", unanswered(&asked, &why, OTHER));
            Exit::Fail
        }
        Err(_) => {
            let why = format!("nothing within {PATIENCE}");
            eprintln!("gateprobe {what}: {}", unanswered(&asked, &why, OTHER));
            Exit::Fail
        }
    }
}

/// Names are plain in a config; anything else would be another path.
fn path(target: &str, check: Option<&str>, what: &str) -> Option<String> {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !plain(target) || !check.is_none_or(plain) {
        return None;
    }
    let check = check.map(|check| format!("/checks/{check}")).unwrap_or_default();
    Some(format!("/api/v1/targets/{target}{check}/{what}"))
}

/// A field of the agent's answer, or the answer as it is.
fn told(text: &str, field: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(text).ok();
    let told = answer.as_ref().and_then(|answer| answer[field].as_str());
    told.unwrap_or(text.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_paths() {
        assert_eq!(path("chat", None, "pause").as_deref(), Some("/api/v1/targets/chat/pause"));
        assert_eq!(
            path("a-b", Some("zombie"), "resume").as_deref(),
            Some("/api/v1/targets/a-b/checks/zombie/resume")
        );
        for (target, check) in [("", None), ("a/b", None), ("..", None), ("a", Some("b?c")), ("ä", None)] {
            assert_eq!(path(target, check, "pause"), None, "{target} {check:?}");
        }
    }

    #[test]
    fn an_answer_is_told_in_its_words() {
        assert_eq!(told(r#"{"error":"a run is in progress"}"#, "error"), "a run is in progress");
        assert_eq!(told("the token is missing or wrong\n", "error"), "the token is missing or wrong");
    }
}
