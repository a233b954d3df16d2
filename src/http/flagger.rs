//! Flagger's webhooks. Flagger takes 200 to 202 for a yes and all else for a no; it sends 429 and 5xx again, so that a
//! no is 412, and 422 where the hook is set up wrongly. Each hook is called again at each interval: what belongs to
//! one rollout is one verification.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::canary::{CanaryRefusal, CanaryRequest};
use super::routes::App;
use crate::canary::Verdict;
use crate::gate::{Profile, Report};

/// What Flagger sends to a hook.
#[derive(Debug, Deserialize)]
struct Call {
    name: String,
    namespace: String,
    /// Of the pods' template and what it refers to: another one is another rollout.
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// The hooks that it can be set up as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    ConfirmRollout,
    PreRollout,
    Rollout,
    ConfirmPromotion,
    PostRollout,
    Rollback,
}

impl Hook {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "confirm-rollout" => Self::ConfirmRollout,
            "pre-rollout" => Self::PreRollout,
            "rollout" => Self::Rollout,
            // Both ask whether what was verified may get traffic: some now, or all.
            "confirm-traffic-increase" | "confirm-promotion" => Self::ConfirmPromotion,
            "post-rollout" => Self::PostRollout,
            "rollback" => Self::Rollback,
            _ => return None,
        })
    }

    /// Hooks of one family share a verification. Before a rollout is confirmed there is no canary yet, so that what is
    /// verified then is something else.
    fn family(self) -> &'static str {
        match self {
            Self::ConfirmRollout => "confirm-rollout",
            _ => "rollout",
        }
    }

    /// Whether a call begins a verification where there is none.
    fn starts(self) -> bool {
        !matches!(self, Self::PostRollout | Self::Rollback)
    }

    /// The answer, and why.
    fn answer(self, stands: Stands) -> bool {
        match self {
            Self::ConfirmRollout | Self::ConfirmPromotion => stands == Stands::Good,
            // A no counts as a failed check, and enough of those roll back: none while nothing is known.
            Self::PreRollout | Self::Rollout => stands != Stands::Bad,
            // Tells only that it is over.
            Self::PostRollout => true,
            Self::Rollback => stands == Stands::Bad,
        }
    }
}

/// How a verification stands, as a rollout sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Unknown,
    Good,
    Bad,
}

impl Stands {
    fn of(verdict: Option<Verdict>, inconclusive_is_good: bool) -> Self {
        match verdict {
            None => Self::Unknown,
            Some(Verdict::Pass) => Self::Good,
            Some(Verdict::Fail) => Self::Bad,
            Some(Verdict::Inconclusive) if inconclusive_is_good => Self::Good,
            Some(Verdict::Inconclusive) => Self::Bad,
        }
    }
}

/// POST `/api/v1/canary/flagger/{hook}`.
pub(super) async fn hook(State(app): State<Arc<App>>, Path(hook): Path<String>, body: Bytes) -> Response {
    let Some(hook) = Hook::parse(&hook) else { return told(StatusCode::NOT_FOUND, "there is no such hook") };
    let call: Call = match serde_json::from_slice(&body) {
        Ok(call) => call,
        Err(error) => return misused(&format!("the body is not Flagger's: {error}")),
    };
    let inconclusive_is_good = match metadata(&call, "inconclusive") {
        None | Some("fail") => false,
        Some("pass") => true,
        Some(_) => return misused("metadata.inconclusive is `pass` or `fail`"),
    };
    let request = match request(&call, hook) {
        Ok(request) => request,
        Err(problem) => return misused(&problem),
    };
    let report = if hook.starts() {
        match app.parts.agent.start_canary(request) {
            Ok(started) => Some(started.report),
            Err(CanaryRefusal::Impossible(problem)) => return misused(&problem),
            Err(refusal @ CanaryRefusal::KeyTaken) => return misused(&refusal.to_string()),
            // Nothing is known, and a yes would be a guess.
            Err(refusal) => return told(StatusCode::PRECONDITION_FAILED, &refusal.to_string()),
        }
    } else {
        request.key.as_deref().and_then(|key| app.parts.agent.canary_by_key(key))
    };
    let stands = Stands::of(report.as_ref().and_then(Report::verdict), inconclusive_is_good);
    let status = if hook.answer(stands) { StatusCode::OK } else { StatusCode::PRECONDITION_FAILED };
    told(status, report.as_ref().map_or("there is no verification", Report::sentence))
}

fn metadata<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.metadata.as_ref()?.get(name).map(String::as_str)
}

fn request(call: &Call, hook: Hook) -> Result<CanaryRequest, String> {
    let canary = metadata(call, "canary").ok_or("metadata.canary is missing: the name of a target")?;
    let profile = match metadata(call, "profile") {
        None | Some("quick") => Profile::Quick,
        Some("full") => Profile::Full,
        Some(_) => return Err("metadata.profile is `quick` or `full`".to_owned()),
    };
    let words = metadata(call, "checks").unwrap_or_default().split([',', ' ']);
    let checks = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let Call { namespace, name, checksum, .. } = call;
    let request = CanaryRequest {
        baseline: metadata(call, "baseline").map(str::to_owned),
        canary: canary.to_owned(),
        profile,
        checks,
        key: Some(format!("flagger/{namespace}/{name}/{checksum}/{}", hook.family())),
    };
    if request.is_bounded() { Ok(request) } else { Err("the names are too long, or too many".to_owned()) }
}

fn misused(problem: &str) -> Response {
    told(StatusCode::UNPROCESSABLE_ENTITY, problem)
}

/// A line: Flagger shows it in an event.
fn told(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hook_says_yes_where_its_rollout_may_go_on() {
        use Hook::{ConfirmPromotion, ConfirmRollout, PostRollout, PreRollout, Rollback, Rollout};
        let verdicts = [None, Some(Verdict::Pass), Some(Verdict::Fail), Some(Verdict::Inconclusive)];
        for (hook, answers) in [
            (ConfirmRollout, [false, true, false, false]),
            (PreRollout, [true, true, false, false]),
            (Rollout, [true, true, false, false]),
            (ConfirmPromotion, [false, true, false, false]),
            (PostRollout, [true, true, true, true]),
            (Rollback, [false, false, true, true]),
        ] {
            let said = verdicts.map(|verdict| hook.answer(Stands::of(verdict, false)));
            assert_eq!(said, answers, "{hook:?}");
        }
        assert!(Rollout.answer(Stands::of(Some(Verdict::Inconclusive), true)));
        assert!(!Rollback.answer(Stands::of(Some(Verdict::Inconclusive), true)));
    }

    #[test]
    fn a_rollout_is_one_verification_until_its_pods_change() {
        let call = |checksum: &str| -> Call {
            let body = format!(
                r#"{{"name": "chat", "namespace": "prod", "phase": "Progressing", "checksum": "{checksum}",
                    "metadata": {{"baseline": "chat", "canary": "chat-canary", "checks": "handshake, zombie"}}}}"#
            );
            serde_json::from_str(&body).unwrap()
        };
        let key = |checksum: &str, hook| request(&call(checksum), hook).unwrap().key.unwrap();
        assert_eq!(key("a", Hook::Rollout), "flagger/prod/chat/a/rollout");
        assert_eq!(key("a", Hook::Rollout), key("a", Hook::Rollback));
        assert_ne!(key("a", Hook::Rollout), key("b", Hook::Rollout));
        assert_ne!(key("a", Hook::Rollout), key("a", Hook::ConfirmRollout));
        assert_eq!(request(&call("a"), Hook::Rollout).unwrap().checks, ["handshake", "zombie"]);
    }
}
