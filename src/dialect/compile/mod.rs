//! From a file's shape to a dialect: templates are parsed, names are looked up, all mistakes are collected.

mod conversation;
mod exchanges;
mod pieces;
mod promises;

use std::fmt;

use super::definition::Dialect;
use super::names::Known;
use super::parts::{Beat, Exchange, Sending, Step};
use super::pattern::Pattern;
use super::spec::Spec;
use pieces::Compiler;

/// The version of the language that is read.
const VERSION: u32 = 1;

/// A mistake in a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// Where: a JSON Pointer (RFC 6901) into the file.
    pub pointer: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

impl std::error::Error for SpecError {}

impl Dialect {
    /// Compiles a file's content.
    ///
    /// # Errors
    /// All mistakes, in the order of the parts.
    pub fn compile(spec: &Spec) -> Result<Self, Vec<SpecError>> {
        let mut compiler = Compiler::default();
        if spec.dialect != VERSION {
            compiler
                .wrong("/dialect", format!("{} is not a version of this language; write 1", spec.dialect));
        }
        compiler.subprotocols(&spec.subprotocols);
        compiler.credential(spec.credential.as_ref());
        let known = Known::connection();
        let (before, known) = compiler.before(spec.before.as_ref(), known);
        let (open, known) = compiler.open(&spec.open, known);
        let sent_to_open = compiler.sent.clone();
        let (before_session, known) = (known.clone(), compiler.session_names(spec, known));
        let exchanges = compiler.exchanges(spec, &known);
        let beat = compiler.beat(spec.heartbeat.server.as_ref(), &known);
        let delivery = compiler.delivery(spec.delivery.as_ref(), &known);
        let error = spec.error.as_ref().and_then(|error| compiler.pattern(error, "/error", &known));
        let teardown = compiler.teardown(&spec.teardown, &known);
        let pings = spec.heartbeat.pings.as_ref().map(|pings| &pings.interval);
        let pings = compiler.interval(pings, "/heartbeat/pings/interval", &before_session);
        let beat_interval = beat.as_ref().and_then(|beat: &Beat| beat.interval.as_ref());
        compiler.interval(beat_interval, "/heartbeat/server/interval", &before_session);
        let zombie = compiler.zombie(spec.zombie.as_ref(), &before_session);
        let retention = spec.resume.as_ref().and_then(|resume| resume.retention.as_ref());
        let retention = compiler.interval(retention, "/resume/retention", &before_session);
        let closes = compiler.closes(&spec.closes);
        let patterns = [beat.as_ref().map(|beat| &beat.pattern), error.as_ref()];
        let speaks_json = patterns.into_iter().flatten().any(Pattern::is_json)
            || delivery.as_ref().is_some_and(|delivery| delivery.pattern.is_json())
            || open.iter().any(Step::is_json)
            || exchanges.iter().any(Exchange::is_json)
            || teardown.iter().any(Sending::is_json);
        let Compiler { errors, sent } = compiler;
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            name: spec.name.clone(),
            subprotocols: spec.subprotocols.clone(),
            before,
            credential: spec.credential.clone(),
            open,
            exchanges,
            beat,
            pings,
            zombie,
            delivery,
            retention,
            expiry: spec.expiry,
            error,
            teardown,
            closes,
            message_limit: spec.limits.message.map(|size| size.0),
            reactions: spec.reactions.clone(),
            speaks_json,
            sent,
            sent_to_open,
        })
    }
}
