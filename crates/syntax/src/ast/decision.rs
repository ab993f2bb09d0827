//! Why it is so.

use super::{Literal, choice, views};

views! {
    /// `decision "title" { criteria … option … chosen … }`
    Decision = Decision {
        /// Its title, a string.
        title: child Literal;
        /// What stands inside.
        members: children DecisionMember;
    }

    /// `criteria integrity 5, operations 4`
    Criteria = Criteria {
        /// Each criterion with its weight.
        weights: children Weight;
    }

    /// `integrity 5`: a criterion and its weight, or an option's score in it.
    Weight = Weight {
        /// The criterion.
        name: the declared;
        /// The weight or score, an integer.
        number: child Literal;
    }

    /// `option postgres { integrity 5  operations 5 }`
    Alternative = Alternative {
        /// Its name.
        name: the declared;
        /// Its score in each criterion.
        scores: children Weight;
    }

    /// `chosen postgres because "…"`
    Chosen = Chosen {
        /// The option.
        option: the used;
        /// Why, a string.
        because: child Literal;
    }
}

choice! {
    /// What may stand in a decision.
    DecisionMember {
        /// `criteria`
        Criteria(Criteria),
        /// `option`
        Option(Alternative),
        /// `chosen`
        Chosen(Chosen),
    }
}
