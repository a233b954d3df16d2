//! Messages of ours and their answers.

use std::collections::BTreeSet;

use super::pieces::Compiler;
use crate::dialect::capture::Capture;
use crate::dialect::definition::Part;
use crate::dialect::meaning::Answer;
use crate::dialect::names::{Known, NONCE, OLD_TOKEN, PAYLOAD, SEQUENCE, TOKEN};
use crate::dialect::parts::{Exchange, Reply};
use crate::dialect::spec::{
    CaptureSpec, ExchangeSpec, MessageSpec, OneWaySpec, PatternSpec, RefreshSpec, ResumeSpec, Spec,
};

/// An exchange as it stands in the file, whichever part it is.
struct Draft<'a> {
    part: Part,
    at: &'static str,
    /// What gateprobe gives beside the nonce.
    given: &'static [&'static str],
    send: &'a MessageSpec,
    /// The answers in the order in which they are looked for: the field, its pattern, its meaning.
    answers: [(&'static str, Option<&'a PatternSpec>, Answer); 2],
    capture: &'a CaptureSpec,
}

impl Compiler {
    /// All exchanges.
    pub fn exchanges(&mut self, spec: &Spec, known: &Known) -> Vec<Exchange> {
        drafts(spec).into_iter().filter_map(|draft| self.exchange(&draft, known)).collect()
    }

    fn exchange(&mut self, draft: &Draft<'_>, known: &Known) -> Option<Exchange> {
        let Draft { part, at, given, send, answers, capture } = draft;
        let known = known.and([NONCE]).and(given.iter().copied());
        let send = self.message(send, &format!("{at}/send"), &known);
        let patterns: Vec<&PatternSpec> = answers.iter().filter_map(|(_, pattern, _)| *pattern).collect();
        self.capture_needs_json(capture, &format!("{at}/capture"), &patterns);
        let capture = self.capture(capture, &format!("{at}/capture"), None);
        let mut replies = Vec::new();
        for (field, spec, meaning) in answers {
            let Some(spec) = spec else { continue };
            let Some(pattern) = self.pattern(spec, &format!("{at}/{field}"), &known) else { continue };
            let capture = if *meaning == Answer::Refused { Capture::default() } else { capture.clone() };
            replies.push(Reply { meaning: *meaning, pattern, capture });
        }
        let names = replies.iter().flat_map(|reply| reply.pattern.form.names());
        let mut kept: BTreeSet<String> = names.map(|(_, name)| name).collect();
        if *part == Part::Refresh {
            kept.insert(TOKEN.into());
        }
        Some(Exchange { part: *part, send: send?, answers: replies, kept })
    }
}

fn drafts(spec: &Spec) -> Vec<Draft<'_>> {
    let heartbeat = spec.heartbeat.client.as_ref();
    let drafts = [
        heartbeat.map(|spec| asked(Part::Heartbeat, "/heartbeat/client", &[], spec)),
        spec.echo.as_ref().map(|spec| asked(Part::Echo, "/echo", &[PAYLOAD], spec)),
        spec.subscribe.as_ref().map(|spec| asked(Part::Subscribe, "/subscribe", &[], spec)),
        spec.publish.as_ref().map(publish),
        spec.resume.as_ref().map(resume),
        spec.refresh.as_ref().map(refresh),
    ];
    drafts.into_iter().flatten().collect()
}

fn asked<'a>(
    part: Part,
    at: &'static str,
    given: &'static [&'static str],
    spec: &'a ExchangeSpec,
) -> Draft<'a> {
    let ExchangeSpec { send, answer, refused, capture } = spec;
    Draft { part, at, given, send, answers: plain(Some(answer), refused), capture }
}

fn publish(spec: &OneWaySpec) -> Draft<'_> {
    let OneWaySpec { send, answer, refused, capture } = spec;
    let answers = plain(answer.as_ref(), refused);
    Draft { part: Part::Publish, at: "/publish", given: &[SEQUENCE, PAYLOAD], send, answers, capture }
}

fn resume(spec: &ResumeSpec) -> Draft<'_> {
    let ResumeSpec { send, resumed, fresh, capture, .. } = spec;
    let answers = [("resumed", Some(resumed), Answer::Resumed), ("fresh", Some(fresh), Answer::Fresh)];
    Draft { part: Part::Resume, at: "/resume", given: &[], send, answers, capture }
}

fn refresh(spec: &RefreshSpec) -> Draft<'_> {
    let RefreshSpec { send, accepted, refused, capture } = spec;
    let answers =
        [("refused", refused.as_ref(), Answer::Refused), ("accepted", Some(accepted), Answer::Accepted)];
    Draft { part: Part::Refresh, at: "/refresh", given: &[OLD_TOKEN], send, answers, capture }
}

fn plain<'a>(
    answer: Option<&'a PatternSpec>,
    refused: &'a Option<PatternSpec>,
) -> [(&'static str, Option<&'a PatternSpec>, Answer); 2] {
    [("refused", refused.as_ref(), Answer::Refused), ("answer", answer, Answer::Accepted)]
}
