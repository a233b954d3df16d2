//! What a resolver's answers mean, alone and together.

use std::net::IpAddr;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use super::error::DialError;

/// What the resolver says of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Addresses(Vec<IpAddr>),
    NoData,
    NxDomain,
    Error(&'static str),
    Silence,
    Own(DialError),
}

impl Answer {
    /// The answers for two families of one name, taken together. An address wins, then what tells the most.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Addresses(mut a), Self::Addresses(b)) => {
                a.extend(b);
                Self::Addresses(a)
            }
            (a @ Self::Addresses(_), _) | (_, a @ Self::Addresses(_)) => a,
            // The name exists if one family says so.
            (Self::NoData, Self::NxDomain) | (Self::NxDomain, Self::NoData) => Self::NoData,
            (a, b) => a.or(b),
        }
    }

    /// The answers for two names of the search list, taken together.
    pub(super) fn or(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::NxDomain => 0,
            Self::NoData => 1,
            Self::Error(_) => 2,
            Self::Silence => 3,
            Self::Own(_) => 4,
            Self::Addresses(_) => 5,
        }
    }
}

/// What an error is an answer to; no error is an answer too.
pub(super) fn classify(error: Option<&NetError>) -> Answer {
    let Some(error) = error else { return Answer::NoData };
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Answer::NxDomain,
            ResponseCode::NoError => Answer::NoData,
            code => Answer::Error(code_name(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Answer::Error(code_name(*code)),
        NetError::Timeout | NetError::NoConnections | NetError::Busy => Answer::Silence,
        NetError::Io(error) => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => Answer::Own(DialError::NoDescriptors),
            _ => Answer::Silence,
        },
        _ => Answer::Error("an answer that makes no sense"),
    }
}

fn code_name(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::NotImp => "NOTIMP",
        _ => "another error code",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_answer_that_tells_the_most_wins() {
        let address = || Answer::Addresses(vec![Ipv4Addr::LOCALHOST.into()]);
        assert_eq!(Answer::NxDomain.and(Answer::NoData), Answer::NoData);
        assert_eq!(Answer::Silence.and(address()), address());
        assert_eq!(Answer::Error("SERVFAIL").or(Answer::NxDomain), Answer::Error("SERVFAIL"));
        assert_eq!(Answer::Silence.and(Answer::NxDomain), Answer::Silence);
    }
}
