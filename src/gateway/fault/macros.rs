//! The macro that makes the two enums of faults out of their table.

macro_rules! faults {
    ($( $group:literal { $(
        $variant:ident $(($type:ty as $form:ident))? = $name:literal, $help:literal;
    )* } )*) => {
        /// A fault, with its value where it has one.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Fault {
            $( $( #[doc = $help] $variant $(($type))?, )* )*
        }

        /// Which fault, without its value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $( $( #[doc = $help] $variant, )* )*
        }

        impl FaultKind {
            /// Every fault, in the order in which a connection meets them.
            pub const ALL: &'static [FaultKind] = &[$( $( FaultKind::$variant ),* ),*];

            /// The name used on the command line, in URLs and in metrics.
            pub fn name(self) -> &'static str {
                match self { $( $( FaultKind::$variant => $name, )* )* }
            }

            /// What the gateway does while this fault is on, in one line.
            pub fn help(self) -> &'static str {
                match self { $( $( FaultKind::$variant => $help, )* )* }
            }

            /// The stage of a connection that it concerns: a heading for lists.
            pub fn group(self) -> &'static str {
                match self { $( $( FaultKind::$variant => $group, )* )* }
            }

            /// What the value looks like, `None` for a fault without one.
            pub fn hint(self) -> Option<&'static str> {
                match self { $( $( FaultKind::$variant => faults!(@hint $($form)?), )* )* }
            }

            /// How it is written, as `name`, `name=VALUE`, or `name[=VALUE]` with a default.
            pub fn usage(self) -> String {
                match self { $( $( FaultKind::$variant => faults!(@usage $name $($form)?), )* )* }
            }

            /// The fault with the value written in `text`.
            ///
            /// # Errors
            /// A value that is missing, malformed, or given to a fault that takes none.
            pub fn with_value(self, text: Option<&str>) -> Result<Fault, FaultError> {
                match self {
                    $( $( FaultKind::$variant => faults!(@build self, text, $variant $($form)?), )* )*
                }
            }
        }

        impl Fault {
            /// Which fault this is.
            pub fn kind(&self) -> FaultKind {
                match self { $( $( Fault::$variant { .. } => FaultKind::$variant, )* )* }
            }

            /// The value as text, `None` for a fault without one.
            pub fn value(&self) -> Option<String> {
                $( $( faults!(@value self, $variant $($form)?); )* )*
                None
            }

            /// The value where it is one of this type.
            pub(in crate::gateway) fn get<T: 'static>(&self) -> Option<&T> {
                $( $( faults!(@get self, $variant $($form)?); )* )*
                None
            }
        }
    };
    (@hint) => { None };
    (@hint $form:ident) => { Some(form::$form.hint) };
    (@usage $name:literal) => { $name.to_owned() };
    (@usage $name:literal $form:ident) => {
        match form::$form.default {
            None => format!("{}={}", $name, form::$form.word),
            Some(_) => format!("{}[={}]", $name, form::$form.word),
        }
    };
    (@build $kind:expr, $text:expr, $variant:ident) => {
        match $text {
            None => Ok(Fault::$variant),
            Some(_) => Err(FaultError::UnwantedValue { name: $kind.name() }),
        }
    };
    (@build $kind:expr, $text:expr, $variant:ident $form:ident) => {{
        let wrong = FaultError::BadValue { name: $kind.name(), wanted: form::$form.hint };
        match $text {
            None => form::$form.default.map(Fault::$variant).ok_or(wrong),
            Some(text) => (form::$form.read)(text).map(Fault::$variant).ok_or(wrong),
        }
    }};
    (@value $fault:expr, $variant:ident) => {};
    (@value $fault:expr, $variant:ident $form:ident) => {
        if let Fault::$variant(value) = $fault {
            return Some((form::$form.write)(value));
        }
    };
    (@get $fault:expr, $variant:ident) => {};
    (@get $fault:expr, $variant:ident $form:ident) => {
        if let Fault::$variant(value) = $fault {
            return (value as &dyn std::any::Any).downcast_ref();
        }
    };
}
