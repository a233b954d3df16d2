//! Why a text is no fault, or a fault can't be switched on.

use super::catalogue;

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("no fault is called {name:?}; there are:\n{}", catalogue(usize::MAX))]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The value is missing or malformed.
    #[error("fault {name} wants a value: {name}={wanted}")]
    BadValue {
        /// The fault.
        name: &'static str,
        /// What the value must look like.
        wanted: &'static str,
    },
    /// The fault takes no value.
    #[error("fault {name} takes no value")]
    UnwantedValue {
        /// The fault.
        name: &'static str,
    },
    /// The gateway is not set up in a way in which the fault could show.
    #[error("fault {name} can have no effect on this gateway: it {lacks}")]
    NoEffect {
        /// The fault.
        name: &'static str,
        /// What is missing.
        lacks: &'static str,
    },
    /// The certificate that the fault shows could not be made.
    #[error("fault {name}: no certificate could be made: {detail}")]
    Certificate {
        /// The fault.
        name: &'static str,
        /// What went wrong.
        detail: String,
    },
}
