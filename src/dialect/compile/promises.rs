//! What the gateway promises: windows, close codes; and what it is offered.

use super::pieces::Compiler;
use crate::dialect::names::Known;
use crate::dialect::promise::{CloseClass, Window};
use crate::dialect::spec::{ClosesSpec, CodeSpec, IntervalSpec, TokenPlace, ZombieSpec};

impl Compiler {
    /// The clean-up of silent clients.
    pub fn zombie(&mut self, spec: Option<&ZombieSpec>, known: &Known) -> Option<Window> {
        let spec = spec?;
        let mut interval = |field: &str, interval: &Option<IntervalSpec>| {
            self.interval(interval.as_ref(), &format!("/zombie/{field}"), known)
        };
        let window = interval("window", &spec.window);
        let (earliest, latest) = (interval("earliest", &spec.earliest), interval("latest", &spec.latest));
        let release = interval("release", &spec.release);
        let (earliest, latest) = match (window, earliest, latest) {
            (Some(window), None, None) => (window.clone(), window),
            (None, Some(earliest), Some(latest)) => (earliest, latest),
            (Some(_), ..) => {
                self.wrong("/zombie/window", "is earliest and latest at once; write it or the two of them");
                return None;
            }
            _ => {
                self.wrong("/zombie", "needs window, or earliest and latest");
                return None;
            }
        };
        if let (IntervalSpec::Fixed(first), IntervalSpec::Fixed(last)) = (&earliest, &latest)
            && first > last
        {
            self.wrong("/zombie/earliest", format!("{first} is later than latest, which is {last}"));
        }
        Some(Window { origin: spec.origin, earliest, latest, release })
    }

    /// The classes of the close codes.
    pub fn closes(&mut self, spec: &ClosesSpec) -> Vec<(u16, u16, CloseClass)> {
        let classes = [
            (CloseClass::Refused, &spec.refused),
            (CloseClass::Throttled, &spec.throttled),
            (CloseClass::Unavailable, &spec.unavailable),
            (CloseClass::Drained, &spec.drained),
            (CloseClass::Zombie, &spec.zombie),
        ];
        let mut closes: Vec<(u16, u16, CloseClass)> = Vec::new();
        for (class, codes) in classes {
            for (index, CodeSpec { first, last }) in codes.iter().copied().enumerate() {
                let at = format!("/closes/{}/{index}", class.word());
                if first > last || first < 1000 || last > 4999 {
                    self.wrong(
                        &at,
                        "is no range of close codes; write the lower one first, within 1000 to 4999",
                    );
                    continue;
                }
                match closes.iter().find(|(begin, end, _)| first <= *end && *begin <= last) {
                    Some((.., other)) => {
                        self.wrong(
                            &at,
                            format!("stands in {} already; a code has one meaning", other.word()),
                        );
                    }
                    None => closes.push((first, last, class)),
                }
            }
        }
        closes
    }

    /// Subprotocols are tokens (RFC 6455, section 4.1), each named once.
    pub fn subprotocols(&mut self, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            let at = format!("/subprotocols/{index}");
            if !is_token(name) {
                let message = format!("{name:?} can't be a subprotocol; use letters, digits, - . and _");
                self.wrong(&at, message);
            } else if names[..index].contains(name) {
                self.wrong(&at, format!("{name:?} stands here twice; remove one"));
            }
        }
    }

    /// Exactly one place for the token.
    pub fn credential(&mut self, place: Option<&TokenPlace>) {
        let Some(place) = place else { return };
        self.exactly_one("/credential", &place.places());
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}
