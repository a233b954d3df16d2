//! Which offences a fault concerns.

use std::fmt;

use super::{Offence, OffenceGroup};

/// Which offences a fault concerns: written as the name of one, of a group, or as `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Any,
    /// Those of a group.
    Group(OffenceGroup),
    /// A single one.
    One(Offence),
}

impl Scope {
    /// Whether it has this one in it.
    pub fn covers(self, offence: Offence) -> bool {
        match self {
            Self::Any => true,
            Self::Group(group) => offence.group() == group,
            Self::One(one) => offence == one,
        }
    }

    /// Reads a name; `None` for one that nothing has. A group goes before an offence of the same name.
    pub fn parse(text: &str) -> Option<Self> {
        let group = OffenceGroup::ALL.iter().find(|group| group.name() == text);
        let one = || Offence::ALL.iter().find(|offence| offence.name() == text);
        match text {
            "any" => Some(Self::Any),
            _ => group.map(|group| Self::Group(*group)).or_else(|| one().map(|one| Self::One(*one))),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Group(group) => group.name(),
            Self::One(offence) => offence.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_is_read_and_covers_what_it_says() {
        for offence in Offence::ALL {
            let scope = Scope::parse(offence.name()).unwrap();
            assert_eq!(scope.to_string(), offence.name());
            assert!(scope.covers(*offence) && Scope::Any.covers(*offence));
            assert!(Scope::Group(offence.group()).covers(*offence));
            let others = Offence::ALL.iter().filter(|other| scope.covers(**other)).count();
            assert_eq!(others, 1, "{offence}");
        }
        for group in OffenceGroup::ALL {
            assert_eq!(Scope::parse(group.name()), Some(Scope::Group(*group)));
        }
        assert_eq!(Scope::parse("any"), Some(Scope::Any));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-z_]{0,12}") {
            prop_assert!(Scope::parse(&text).is_none_or(|scope| scope.to_string() == text));
        }
    }
}
