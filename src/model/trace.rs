//! A run's identity among the traces (W3C Trace Context).

/// A run's identity among the traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceContext {
    /// The trace; zero is none.
    pub trace: u128,
    /// The span of the run as a whole; zero is none.
    pub span: u64,
}

impl TraceContext {
    /// A new one.
    pub fn random() -> Self {
        // Zero is no identity (section 3.2.2.3).
        Self { trace: rand::random::<u128>().max(1), span: rand::random::<u64>().max(1) }
    }

    /// The header `traceparent` (section 3.2).
    pub fn traceparent(self, sampled: bool) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_its_form() {
        let context = TraceContext { trace: 0xabc, span: 0x12 };
        assert_eq!(context.traceparent(false), "00-00000000000000000000000000000abc-0000000000000012-00");
        assert_eq!(context.traceparent(true), "00-00000000000000000000000000000abc-0000000000000012-01");
        assert_ne!(TraceContext::random(), TraceContext::random());
    }
}
