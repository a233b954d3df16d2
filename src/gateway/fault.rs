//! The faults that the gateway can have, as names on a command line and as values in code.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::duration::{format_duration, parse_duration};

/// How a fault's value is written: a hint for the help, a reader, a writer, and what stands in when
/// no value is given.
struct Form<T> {
    hint: &'static str,
    read: fn(&str) -> Option<T>,
    write: fn(&T) -> String,
    default: Option<T>,
}

const DURATION: Form<Duration> =
    Form { hint: "DURATION", read: parse_duration, write: |value| format_duration(*value), default: None };
const PACE: Form<Duration> = Form {
    hint: "DURATION, default 1s",
    read: parse_duration,
    write: |value| format_duration(*value),
    default: Some(Duration::from_secs(1)),
};
const COUNT: Form<NonZeroU32> =
    Form { hint: "K, at least 1", read: |text| text.parse().ok(), write: ToString::to_string, default: None };
const SECONDS: Form<u32> =
    Form { hint: "SECONDS", read: |text| text.parse().ok(), write: ToString::to_string, default: None };
const STATUS: Form<u16> = Form {
    hint: "STATUS, 200 to 599",
    read: |text| text.parse().ok().filter(|code| (200..600).contains(code)),
    write: ToString::to_string,
    default: None,
};
const CLOSE_CODE: Form<u16> = Form {
    hint: "CLOSE CODE, 0 to 65535",
    read: |text| text.parse().ok(),
    write: ToString::to_string,
    default: None,
};
const LOCATION: Form<String> = Form {
    hint: "URL",
    // A line break would let the value write headers of its own.
    read: |text| {
        let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        printable.then(|| text.to_owned())
    },
    write: Clone::clone,
    default: None,
};

macro_rules! faults {
    ($( $variant:ident $(($type:ty as $form:ident))? = $name:literal, $help:literal; )*) => {
        /// A fault, with its value where it has one.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Fault {
            $( #[doc = $help] $variant $(($type))?, )*
        }

        /// Which fault, without its value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $( #[doc = $help] $variant, )*
        }

        impl FaultKind {
            /// Every fault, in the order in which a connection meets them.
            pub const ALL: &'static [FaultKind] = &[$( FaultKind::$variant ),*];

            /// The name used on the command line, in URLs and in metrics.
            pub fn name(self) -> &'static str {
                match self { $( FaultKind::$variant => $name, )* }
            }

            /// What the gateway does while this fault is on, in one line.
            pub fn help(self) -> &'static str {
                match self { $( FaultKind::$variant => $help, )* }
            }

            /// What the value looks like, `None` for a fault without one.
            pub fn hint(self) -> Option<&'static str> {
                match self { $( FaultKind::$variant => faults!(@hint $($form)?), )* }
            }

            /// The fault with the value written in `text`.
            ///
            /// # Errors
            /// A value that is missing, malformed, or given to a fault that takes none.
            pub fn with_value(self, text: Option<&str>) -> Result<Fault, FaultError> {
                match self {
                    $( FaultKind::$variant => faults!(@build self, text, $variant $($form)?), )*
                }
            }
        }

        impl Fault {
            /// Which fault this is.
            pub fn kind(&self) -> FaultKind {
                match self { $( Fault::$variant { .. } => FaultKind::$variant, )* }
            }

            /// The value as text, `None` for a fault without one.
            pub fn value(&self) -> Option<String> {
                $( faults!(@value self, $variant $($form)?); )*
                None
            }
        }
    };
    (@hint) => { None };
    (@hint $form:ident) => { Some($form.hint) };
    (@build $kind:expr, $text:expr, $variant:ident) => {
        match $text {
            None => Ok(Fault::$variant),
            Some(_) => Err(FaultError::UnwantedValue { name: $kind.name() }),
        }
    };
    (@build $kind:expr, $text:expr, $variant:ident $form:ident) => {{
        let wrong = FaultError::BadValue { name: $kind.name(), wanted: $form.hint };
        match $text {
            None => $form.default.map(Fault::$variant).ok_or(wrong),
            Some(text) => ($form.read)(text).map(Fault::$variant).ok_or(wrong),
        }
    }};
    (@value $fault:expr, $variant:ident) => {};
    (@value $fault:expr, $variant:ident $form:ident) => {
        if let Fault::$variant(value) = $fault {
            return Some(($form.write)(value));
        }
    };
}

faults! {
    AcceptSilent = "accept_silent", "accepts the TCP connection and never says a byte";
    AcceptClose = "accept_close", "accepts and ends the connection at once (FIN)";
    AcceptReset = "accept_reset", "accepts and resets the connection at once (RST)";
    RefuseEvery(NonZeroU32 as COUNT) = "refuse_every", "resets every K-th connection, counted from the switch";
    AcceptDelay(Duration as DURATION) = "accept_delay", "waits before it reads the first byte";
    TlsSilent = "tls_silent", "never answers the ClientHello";
    TlsGarbage = "tls_garbage", "answers the ClientHello with bytes that are not TLS";
    TlsClose = "tls_close", "ends the connection (FIN) after the ClientHello";
    TlsExpired = "tls_expired", "shows a certificate that expired yesterday";
    TlsNotYetValid = "tls_not_yet_valid", "shows a certificate that becomes valid tomorrow";
    TlsWrongName = "tls_wrong_name", "shows a certificate for another name";
    TlsSelfSigned = "tls_self_signed", "shows a certificate that no authority signed";
    TlsExpiresIn(Duration as DURATION) = "tls_expires_in", "shows a valid certificate that expires this long after the switch";
    UpgradeSilent = "upgrade_silent", "reads the upgrade request and never answers";
    UpgradeDelay(Duration as DURATION) = "upgrade_delay", "waits before it answers the upgrade request";
    UpgradeDrip(Duration as PACE) = "upgrade_drip", "sends the answer to the upgrade one byte at a time";
    UpgradeHeaderBomb = "upgrade_header_bomb", "answers the upgrade with headers that do not end (64 MiB)";
    UpgradeGarbage = "upgrade_garbage", "answers the upgrade with bytes that are not HTTP";
    UpgradeCut = "upgrade_cut", "sends half of the 101 and ends the connection (FIN)";
    UpgradeReset = "upgrade_reset", "resets the connection (RST) after the upgrade request";
    UpgradeStatus(u16 as STATUS) = "upgrade_status", "refuses the upgrade with this HTTP status";
    RetryAfter(u32 as SECONDS) = "retry_after", "adds Retry-After to what upgrade_status refuses";
    Redirect(String as LOCATION) = "redirect", "redirects the upgrade (302) to this location";
    RedirectLoop = "redirect_loop", "redirects the upgrade (302) to itself";
    BadAccept = "bad_accept", "answers 101 with a wrong Sec-WebSocket-Accept";
    MissingAccept = "missing_accept", "answers 101 without Sec-WebSocket-Accept";
    MissingUpgradeHeader = "missing_upgrade_header", "answers 101 without Upgrade: websocket";
    MissingConnectionHeader = "missing_connection_header", "answers 101 without Connection: Upgrade";
    WrongSubprotocol = "wrong_subprotocol", "selects a subprotocol that was not offered";
    NoSubprotocol = "no_subprotocol", "selects no subprotocol though it knows one that was offered";
    UnsolicitedExtension = "unsolicited_extension", "names an extension that was not offered";
    BytesAfterUpgrade = "bytes_after_upgrade", "sends the first frame in the same segment as the 101 (legal)";
    SilentAfterUpgrade = "silent_after_upgrade", "answers nothing at all after the 101: no hello, no pong, no Close";
    CloseAfterUpgrade(u16 as CLOSE_CODE) = "close_after_upgrade", "sends Close with this code right after the 101";
    CutAfterUpgrade = "cut_after_upgrade", "ends the connection (FIN) right after the 101, without Close";
    ResetAfterUpgrade = "reset_after_upgrade", "resets the connection (RST) right after the 101";
    HelloDelay(Duration as DURATION) = "hello_delay", "waits before the hello message";
    NoHello = "no_hello", "leaves the hello message out";
    WrongHello = "wrong_hello", "sends the hello as a binary message";
    FrameDrip(Duration as PACE) = "frame_drip", "sends every frame one byte at a time";
    MaskedFrame = "masked_frame", "masks its frames, which a server must not (RFC 6455 section 5.1)";
    CloseUnanswered = "close_unanswered", "never answers a Close, and stays connected";
    CloseDelay(Duration as DURATION) = "close_delay", "waits before it answers a Close";
    CloseKeepsTcp = "close_keeps_tcp", "answers a Close and then never ends the TCP connection";
    NoAuth = "no_auth", "accepts a missing or wrong token";
    AnyOrigin = "any_origin", "accepts a foreign Origin";
    UpgradePlainGet = "upgrade_plain_get", "answers 101 to a plain GET that asks for no upgrade";
}

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("no fault is called {name:?}; there are:\n{}", catalogue())]
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

/// All faults, a line each, as `name=VALUE  what it does`.
pub fn catalogue() -> String {
    let line = |kind: &FaultKind| {
        let usage = match kind.hint() {
            Some(hint) => format!("{}={hint}", kind.name()),
            None => kind.name().to_owned(),
        };
        format!("  {usage:<40} {}", kind.help())
    };
    FaultKind::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(name: &str) -> Result<Self, FaultError> {
        let found = FaultKind::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| FaultError::Unknown { name: name.to_owned() })
    }
}

/// `name` or `name=value`; [`FromStr`] reads it back.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        self.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        match text.split_once('=') {
            Some((name, value)) => name.parse::<FaultKind>()?.with_value(Some(value)),
            None => text.parse::<FaultKind>()?.with_value(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(kind: FaultKind) -> Fault {
        let value = kind.hint().map(|hint| match hint.split([',', ' ']).next() {
            Some("DURATION") => "1500ms",
            Some("URL") => "ws://example.com/other?a=b",
            Some("STATUS") => "503",
            _ => "4001",
        });
        kind.with_value(value).unwrap()
    }

    #[test]
    fn every_fault_round_trips() {
        for kind in FaultKind::ALL {
            let fault = example(*kind);
            assert_eq!(fault.kind(), *kind);
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{fault}");
        }
    }

    #[test]
    fn an_unknown_name_lists_all() {
        let error = "no_such_thing".parse::<Fault>().unwrap_err().to_string();
        for kind in FaultKind::ALL {
            assert!(error.contains(kind.name()) && error.contains(kind.help()));
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!("upgrade_drip".parse(), Ok(Fault::UpgradeDrip(Duration::from_secs(1))));
        for bad in [
            "accept_silent=1",
            "upgrade_status",
            "upgrade_status=101",
            "upgrade_status=600",
            "refuse_every=0",
            "accept_delay=5",
            "redirect=a\r\nb",
            "close_after_upgrade=70000",
        ] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}
