//! Whom a sample is about, and whose series may exist.

use std::borrow::Cow;

use super::family::Labels;
use super::{LabelValue, Scope};

/// Whose series may exist.
pub(super) struct Kept(Box<Rule>);

/// Asked for a target and check, or with `None` for what belongs to the target as a whole.
type Rule = dyn Fn(&str, Option<&str>) -> bool + Send + Sync;

/// Whom a sample is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Agent,
    Target(&'a str),
    Job { target: &'a str, check: &'a str, peer: Option<&'a str> },
}

impl Kept {
    pub(super) fn new(rule: impl Fn(&str, Option<&str>) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(rule))
    }

    /// Whether a series of a metric of that scope may exist.
    pub(super) fn allows(&self, scope: Scope, labels: &[LabelValue]) -> bool {
        match (scope, labels) {
            (Scope::Target, [target, ..]) => self.0(target, None),
            (Scope::Job, [target, check, ..]) => self.0(target, Some(check)),
            _ => true,
        }
    }
}

impl Subject<'_> {
    /// The label values of a series of a metric of that scope; `None` if the scope needs to know more.
    pub(super) fn labels(self, scope: Scope, own: &[LabelValue]) -> Option<Labels> {
        let mut labels: Labels = match (scope, self) {
            (Scope::Agent, _) => Vec::new(),
            (Scope::Target, Self::Target(target) | Self::Job { target, .. }) => vec![owned(target)],
            (Scope::Job, Self::Job { target, check, peer }) => {
                vec![owned(target), owned(check), owned(peer.unwrap_or_default())]
            }
            (Scope::Target | Scope::Job, _) => return None,
        };
        labels.extend_from_slice(own);
        Some(labels)
    }
}

fn owned(value: &str) -> LabelValue {
    Cow::Owned(value.to_owned())
}
