//! The faults that are on at one moment.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, FaultKind};

/// The faults that are on at one moment, and since when.
#[derive(Debug, Clone, Default)]
pub struct FaultSet(BTreeMap<FaultKind, (Fault, Instant)>);

impl FaultSet {
    /// Switches a fault on, or gives it another value.
    pub fn insert(&mut self, fault: Fault, now: Instant) {
        self.0.insert(fault.kind(), (fault, now));
    }

    /// Switches a fault off; `false` when it was not on.
    pub fn remove(&mut self, kind: FaultKind) -> bool {
        self.0.remove(&kind).is_some()
    }

    /// Whether `kind` is on.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains_key(&kind)
    }

    /// The fault of this kind with its value, when it is on.
    pub fn get(&self, kind: FaultKind) -> Option<&Fault> {
        self.0.get(&kind).map(|(fault, _)| fault)
    }

    /// When it was switched on, or given its value.
    pub fn since(&self, kind: FaultKind) -> Option<Instant> {
        self.0.get(&kind).map(|(_, since)| *since)
    }

    /// The value of a fault that is on and has a duration.
    pub fn duration(&self, kind: FaultKind) -> Option<Duration> {
        self.get(kind)?.get().copied()
    }

    /// The value of a fault that is on and counts.
    pub fn number(&self, kind: FaultKind) -> Option<NonZeroU32> {
        self.get(kind)?.get().copied()
    }

    /// The value of a fault that is on and has a status or a close code.
    pub fn code(&self, kind: FaultKind) -> Option<u16> {
        self.get(kind)?.get().copied()
    }

    /// All that are on.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.values().map(|(fault, _)| fault)
    }
}
