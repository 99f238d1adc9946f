//! Personal fields. Each is a newtype whose `Debug` is redacted and which has no `Display`, so that a log line, a panic
//! message or an error cannot show a phone number or a message by accident (privacy.md DSK-, attack 37 of SECURITY.md).
//! Whoever needs the content says so with `expose()`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! personal {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub struct $name(String);

        impl $name {
            /// Wraps a text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The content, for those who store, send or show it.
            pub fn expose(&self) -> &str {
                &self.0
            }
            /// The content by value.
            pub fn into_exposed(self) -> String {
                self.0
            }
            /// True when there is no content.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*
        /// Every personal type, as `Debug` shows it.
        #[cfg(test)]
        fn shown(text: &str) -> Vec<String> {
            vec![$(format!("{:?} {:#?} {:?}", $name::new(text), Some($name::new(text)), [$name::new(text)])),*]
        }
    };
}

personal! {
    /// A phone number, digits with or without a leading plus, as the source wrote it.
    Phone;
    /// A person's name.
    PersonName;
    /// A WhatsApp username, with or without `@`; mutable, for display only (meta-platform.md §3.3).
    Username;
    /// A member's e-mail address.
    Email;
    /// What somebody wrote: message, caption, note, AI output.
    MessageText;
    /// Business-scoped user id: the person key of WhatsApp, case-sensitive, scoped to a portfolio (meta-platform.md §3.3).
    Bsuid;
}

impl Bsuid {
    /// Whether the text has the shape `CC.<alnum>` or `CC.ENT.<alnum>` of meta-platform.md §3.3.
    pub fn is_well_formed(&self) -> bool {
        let Some((country, rest)) = self.0.split_once('.') else {
            return false;
        };
        let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
        country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=128).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    }
}

impl Phone {
    /// The digits alone, for matching.
    pub fn digits(&self) -> String {
        self.0.chars().filter(char::is_ascii_digit).collect()
    }

    /// E.164 with a leading plus, as the Graph API wants it (meta-platform.md §6.1).
    pub fn e164(&self) -> String {
        format!("+{}", self.digits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_content() {
        let all = shown("needle");
        assert!(all.len() >= 6, "{all:?}");
        for shown in all {
            assert!(!shown.contains("needle") && shown.matches("(redacted)").count() == 3, "{shown}");
        }
    }

    #[test]
    fn bsuid_shapes() {
        for good in ["US.13491208655302741918", "US.ENT.11815799212886844830", "IN.aB9"] {
            assert!(Bsuid::new(good).is_well_formed(), "{good}");
        }
        for bad in ["", "US", "us.1", "USA.1", "US.", "US.a b", "4915112345678"] {
            assert!(!Bsuid::new(bad).is_well_formed(), "{bad}");
        }
    }
}
