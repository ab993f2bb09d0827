//! The rules of a senior architect: one review over data, surface, access, people, events, failure, load and running.
//!
//! ```text
//! Model + text + tables + surface ── Facts, walked once ── every rule ──► findings ── levels, comments, baseline ──► Report
//! ```
//!
//! A finding is shown with the design's own evidence: the place, the other places that make it a fault, and the numbers of
//! its `load`. A rule that cannot know stays silent. Each rule is two files, the check and its page, whose examples are
//! its tests.

mod baseline;
mod catalogue;
mod design;
mod directive;
mod edit;
mod facts;
mod finding;
mod level;
mod mend;
mod number;
pub mod output;
mod review;
mod rule;

pub use baseline::{Baseline, NoBaseline};
pub use catalogue::{catalogue, catalogue_json, catalogue_schema};
pub use design::{Before, Design};
pub use facts::{Serving, serving};
pub use finding::Finding;
pub use level::{Level, Levels, Selector};
pub use mend::{Mended, mend};
pub use review::{Report, review};
pub use rule::{GROUPS, Group, Rule, rule, rules};

pub(crate) use finding::Findings;
