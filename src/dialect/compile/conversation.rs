//! What is said before the upgrade, after it, and in the session.

use super::pieces::Compiler;
use crate::dialect::before::Before;
use crate::dialect::names::{Known, SEQUENCE};
use crate::dialect::parts::{Beat, Delivery, Reconnect, Sending, Step};
use crate::dialect::spec::{BeatSpec, BeforeSpec, DeliverySpec, MessageSpec, ReconnectSpec, Spec, StepSpec};
use crate::dialect::template::escaped;

impl Compiler {
    /// The request before the upgrade, and what is known after it.
    pub fn before(&mut self, spec: Option<&BeforeSpec>, known: Known) -> (Option<Before>, Known) {
        let Some(spec) = spec else { return (None, known) };
        let path = self.text("/before/path", &spec.path);
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        if !spec.path.starts_with('/') || !spec.path.chars().all(plain) {
            self.wrong("/before/path", "is no path; write one that begins with /, such as /negotiate?v=1");
        }
        let mut named = Vec::new();
        for (name, value) in &spec.headers {
            let at = format!("/before/headers/{}", escaped(name));
            named.extend(self.text(&at, value).map(|text| (at, name.clone(), text)));
        }
        for (at, _, text) in &named {
            self.names(at, text.names(), &known);
        }
        let headers = named.into_iter().map(|(_, name, text)| (name, text)).collect();
        let body = spec.body.as_ref().and_then(|body| self.message(body, "/before/body", &known));
        if matches!(body, Some(Sending::Binary(_))) {
            self.wrong("/before/body/binary", "can't be a body; write text or json");
        }
        if let Some(path) = &path {
            self.names("/before/path", path.names(), &known);
        }
        let capture = self.capture(&spec.capture, "/before/capture", None);
        let known = known.and(capture.names());
        let mut query = Vec::new();
        for (name, value) in &spec.query {
            let at = format!("/before/query/{}", escaped(name));
            let Some(text) = self.text(&at, value) else { continue };
            self.names(&at, text.names(), &known);
            query.push((name.clone(), text));
        }
        let (method, status) = (spec.method, spec.status);
        let before = path.map(|path| Before { method, path, headers, body, status, capture, query });
        (before, known)
    }

    /// The open steps, and what is known after them.
    pub fn open(&mut self, steps: &[StepSpec], mut known: Known) -> (Vec<Step>, Known) {
        let mut compiled = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let at = format!("/open/{index}");
            let StepSpec { r#await, within, capture, send } = step;
            let given = [("await", r#await.is_some()), ("send", send.is_some())];
            if self.exactly_one(&at, &given).is_none() {
                continue;
            }
            if let Some(spec) = r#await {
                let pattern = self.pattern(spec, &format!("{at}/await"), &known);
                self.capture_needs_json(capture, &format!("{at}/capture"), &[spec]);
                let capture = self.capture(capture, &format!("{at}/capture"), None);
                known = known.and(capture.names());
                let within = within.map(|span| span.get());
                compiled.extend(pattern.map(|pattern| Step::Await { pattern, within, capture }));
            } else if let Some(spec) = send {
                for (field, given) in [("within", within.is_some()), ("capture", !capture.is_empty())] {
                    if given {
                        self.wrong(&format!("{at}/{field}"), "goes with await only");
                    }
                }
                compiled.extend(self.message(spec, &format!("{at}/send"), &known).map(Step::Send));
            }
        }
        (compiled, known)
    }

    /// What is known in the session: all that any part of it captures, too.
    pub fn session_names(&self, spec: &Spec, known: Known) -> Known {
        let captures = [
            spec.heartbeat.client.as_ref().map(|part| &part.capture),
            spec.echo.as_ref().map(|part| &part.capture),
            spec.subscribe.as_ref().map(|part| &part.capture),
            spec.publish.as_ref().map(|part| &part.capture),
            spec.delivery.as_ref().map(|part| &part.capture),
            spec.resume.as_ref().map(|part| &part.capture),
            spec.refresh.as_ref().map(|part| &part.capture),
        ];
        let names = captures.into_iter().flatten().flat_map(|capture| capture.keys().map(String::as_str));
        // The number of a delivery is known as `last_sequence`.
        known.and(names.filter(|name| *name != SEQUENCE))
    }

    /// The gateway's heartbeat.
    pub fn beat(&mut self, spec: Option<&BeatSpec>, known: &Known) -> Option<Beat> {
        let spec = spec?;
        let pattern = self.pattern(&spec.beat, "/heartbeat/server/beat", known);
        self.capture_needs_json(&spec.capture, "/heartbeat/server/capture", &[&spec.beat]);
        let capture = self.capture(&spec.capture, "/heartbeat/server/capture", None);
        let known = known.and(capture.names());
        let reply = spec.reply.as_ref();
        let reply = reply.and_then(|reply| self.message(reply, "/heartbeat/server/reply", &known));
        Some(Beat { pattern: pattern?, capture, reply, interval: spec.interval.clone() })
    }

    /// A message of the stream.
    pub fn delivery(&mut self, spec: Option<&DeliverySpec>, known: &Known) -> Option<Delivery> {
        let spec = spec?;
        let pattern = self.pattern(&spec.message, "/delivery/message", known);
        self.capture_needs_json(&spec.capture, "/delivery/capture", &[&spec.message]);
        let capture = self.capture(&spec.capture, "/delivery/capture", Some(SEQUENCE));
        Some(Delivery { pattern: pattern?, capture })
    }

    /// The gateway's wish that its clients come back.
    pub fn reconnect(&mut self, spec: Option<&ReconnectSpec>, known: &Known) -> Option<Reconnect> {
        let spec = spec?;
        let pattern = self.pattern(&spec.message, "/reconnect/message", known);
        self.capture_needs_json(&spec.capture, "/reconnect/capture", &[&spec.message]);
        let capture = self.capture(&spec.capture, "/reconnect/capture", None);
        let known = known.and(capture.names());
        let delay = self.interval(spec.delay.as_ref(), "/reconnect/delay", &known);
        Some(Reconnect { pattern: pattern?, capture, delay })
    }

    /// What is sent before the end.
    pub fn teardown(&mut self, messages: &[MessageSpec], known: &Known) -> Vec<Sending> {
        let message = |(index, message)| self.message(message, &format!("/teardown/{index}"), known);
        messages.iter().enumerate().filter_map(message).collect()
    }

    fn names<'a>(&mut self, at: &str, names: impl Iterator<Item = &'a str>, known: &Known) {
        let names: Vec<(String, String)> = names.map(|name| (String::new(), name.to_owned())).collect();
        self.sent.extend(names.iter().map(|(_, name)| name.clone()));
        self.known(at, names, known);
    }
}
