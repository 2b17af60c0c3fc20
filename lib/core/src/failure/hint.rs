//! What to do about an error, as a value: a sentence that is true for every user of the library, and the task, the
//! setting, the secret or the permission that does it.
//!
//! How a task is run is known to the application alone: a command line names its commands and flags, a web page
//! its buttons. [`use_words`] tells the library about it, once at the start.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use super::task::{Permission, Secret, Setting, Task};

/// What to do about an error; `Display` is a sentence without its full stop, in the words of the application if it
/// has given some ([`use_words`]), else in neutral ones.
///
/// These enums are exhaustive on purpose: an application with words of its own does not compile until it has some
/// for a new task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hint {
    /// A sentence that names nothing of an application.
    #[doc(hidden)]
    Say(Cow<'static, str>),
    /// What to do, and the means of the application.
    #[doc(hidden)]
    To {
        /// What to do, as a sentence that is complete without the means.
        what: Cow<'static, str>,
        /// What does it; boxed, as errors carry hints.
        by: Box<Means>,
    },
    /// One after the other, or one of several where the sentence says "or".
    #[doc(hidden)]
    Several(Vec<Hint>),
}

/// What an application has to do it with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Means {
    /// Run a task.
    Run(Task),
    /// Give a value for a setting.
    Give(Setting),
    /// Leave a setting out.
    Omit(Setting),
    /// Give a secret.
    Provide(Secret),
    /// Allow it on purpose.
    Permit(Permission),
}

impl Hint {
    /// A sentence.
    pub fn say(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Say(text.into())
    }

    /// What to do, by running a task.
    #[doc(hidden)]
    pub fn run(what: impl Into<Cow<'static, str>>, task: Task) -> Self {
        Self::To { what: what.into(), by: Box::new(Means::Run(task)) }
    }

    /// What to do, by giving a value for a setting.
    #[doc(hidden)]
    pub fn give(what: impl Into<Cow<'static, str>>, setting: Setting) -> Self {
        Self::To { what: what.into(), by: Box::new(Means::Give(setting)) }
    }

    /// What to do, by leaving a setting out.
    #[doc(hidden)]
    pub fn omit(what: impl Into<Cow<'static, str>>, setting: Setting) -> Self {
        Self::To { what: what.into(), by: Box::new(Means::Omit(setting)) }
    }

    /// What to do, by giving a secret.
    #[doc(hidden)]
    pub fn provide(what: impl Into<Cow<'static, str>>, secret: Secret) -> Self {
        Self::To { what: what.into(), by: Box::new(Means::Provide(secret)) }
    }

    /// What to do, by allowing it on purpose.
    #[doc(hidden)]
    pub fn permit(what: impl Into<Cow<'static, str>>, permission: Permission) -> Self {
        Self::To { what: what.into(), by: Box::new(Means::Permit(permission)) }
    }

    /// This, and that after it.
    #[must_use]
    pub fn then(self, next: impl Into<Self>) -> Self {
        let mut all = match self {
            Self::Several(all) => all,
            one => vec![one],
        };
        all.push(next.into());
        Self::Several(all)
    }

    /// What it needs of the application, in this order.
    #[doc(hidden)]
    pub fn means(&self) -> Vec<&Means> {
        match self {
            Self::Say(_) => Vec::new(),
            Self::To { by, .. } => vec![by.as_ref()],
            Self::Several(all) => all.iter().flat_map(Self::means).collect(),
        }
    }

    /// The sentence in neutral words, whatever those of the application are.
    pub fn neutral(&self) -> String {
        match self {
            Self::Say(text) | Self::To { what: text, .. } => text.to_string(),
            Self::Several(all) => all.iter().map(Self::neutral).collect::<Vec<_>>().join("; "),
        }
    }
}

/// How an application says a hint.
pub type Words = fn(&Hint) -> String;

static WORDS: OnceLock<Words> = OnceLock::new();

/// Lets every hint of this process be said in an application's own words, also in the JSON, lists and reports that
/// the library writes. For an application, once, before anything else; false if there were words before, which stay.
pub fn use_words(words: Words) -> bool {
    WORDS.set(words).is_ok()
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&WORDS.get().map_or_else(|| self.neutral(), |words| words(self)))
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::say(text)
    }
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        Self::say(text)
    }
}

impl serde::Serialize for Hint {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}
