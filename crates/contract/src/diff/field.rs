//! Fields as callers meet them: in answers and in bodies.

use model::{Default as FieldDefault, FieldId};

use super::{Kind, Report, condition, shape};
use crate::Member;

/// In which directions a field travels, and whether bodies may change it later.
#[derive(Clone, Copy, Default)]
pub(super) struct Travel {
    /// In answers.
    pub(super) answer: bool,
    /// In bodies that create.
    pub(super) create: bool,
    /// In bodies that change.
    pub(super) update: bool,
}

impl Travel {
    fn request(self) -> bool {
        self.create || self.update
    }
}

/// One field of both models.
pub(super) struct Both<'a> {
    pub(super) item: &'a str,
    pub(super) old: (&'a Member, Travel),
    pub(super) new: (&'a Member, Travel),
    /// Whether rows can be changed by bodies in both models; otherwise the operations tell it.
    pub(super) changeable: bool,
    /// Their places in the models.
    pub(super) ids: (FieldId, FieldId),
}

/// What has changed about a field.
pub(super) fn both(report: &mut Report<'_>, it: &Both<'_>) {
    let ((old, from), (new, to)) = (it.old, it.new);
    let item = it.item;
    if old.name != new.name && (from.answer || from.request()) {
        report.found.add(
            Kind::FieldRenamed,
            item,
            format!("is called `{}` now, was `{}`", new.name, old.name),
        );
    }
    if from.answer && !to.answer {
        let kinds = [Kind::FieldHidden, Kind::FieldRemovedEarly, Kind::FieldRetired];
        let (kind, told) = report.found.departure(old.farewell.as_ref(), kinds);
        report.found.add(kind, item, format!("may not be read any more{told}"));
    } else if to.answer && !from.answer {
        report.found.add(Kind::FieldShown, item, "may be read now");
    }
    if from.create != to.create {
        // That nobody may create at all is said of the operation.
        let (before, after) = (old.creatable, new.creatable);
        if before != after {
            let said = if after {
                "may be set by bodies now"
            } else {
                "may not be set by bodies any more"
            };
            report.found.add_either(
                after,
                (Kind::FieldSettable, Kind::FieldReadOnly),
                item,
                said.to_owned(),
            );
        }
    }
    if it.changeable && old.creatable == new.creatable && old.updatable != new.updatable {
        let said = if new.updatable { "may be changed now" } else { "may not be changed any more" };
        report.found.add_either(
            new.updatable,
            (Kind::FieldChangeable, Kind::FieldImmutable),
            item,
            said.to_owned(),
        );
    }
    if from.create && to.create && old.required != new.required {
        let said =
            if new.required { "must be in bodies now" } else { "may be left out of bodies now" };
        report.found.add_either(
            new.required,
            (Kind::FieldRequired, Kind::FieldNotRequired),
            item,
            said.to_owned(),
        );
    }
    if old.nullable != new.nullable {
        let said = if new.nullable { "may be null now" } else { "is never null now" };
        if from.answer && to.answer {
            report.found.add_either(
                new.nullable,
                (Kind::NullAnswered, Kind::NullNotAnswered),
                item,
                said.to_owned(),
            );
        }
        if from.request() && to.request() {
            report.found.add_either(
                new.nullable,
                (Kind::NullAccepted, Kind::NullRefused),
                item,
                said.to_owned(),
            );
        }
    }
    let request = from.request() && to.request();
    form(report, item, (old, new), request, from.answer && to.answer);
    default(report, it, from.create && to.create);
    if from.answer || from.request() {
        report.found.farewell(item, old.farewell.as_ref(), new.farewell.as_ref());
    }
}

fn form(
    report: &mut Report<'_>,
    item: &str,
    (old, new): (&Member, &Member),
    request: bool,
    answer: bool,
) {
    if !request && !answer {
        return;
    }
    let difference = shape::compare(report, &old.shape, &new.shape);
    if let Some((before, after)) = difference.other {
        report.found.add(Kind::TypeChanged, item, format!("is {after}, was {before}"));
    }
    let lists = [
        (difference.narrower, Kind::RequestNarrowed, Kind::AnswerNarrowed),
        (difference.wider, Kind::RequestWidened, Kind::AnswerWidened),
    ];
    for (list, in_request, in_answer) in lists {
        for said in list {
            if request {
                report.found.add(in_request, item, said.clone());
            }
            if answer {
                report.found.add(in_answer, item, said);
            }
        }
    }
}

/// What a field is when it is left out. That it must not be left out any more is told elsewhere.
fn default(report: &mut Report<'_>, it: &Both<'_>, create: bool) {
    if !create || it.old.0.required || it.new.0.required {
        return;
    }
    let text = |found: &Option<FieldDefault>, new: bool| match found {
        None => "null".to_owned(),
        Some(FieldDefault::Auto) => "auto".to_owned(),
        Some(FieldDefault::Uuid) => "a new UUID".to_owned(),
        Some(FieldDefault::Expression(value)) if new => condition::new(report, &[], value),
        Some(FieldDefault::Expression(value)) => condition::old(report, &[], value),
    };
    let before = text(&report.old.model[it.ids.0].default, false);
    let after = text(&report.new.model[it.ids.1].default, true);
    if before != after {
        report.found.add(
            Kind::DefaultChanged,
            it.item,
            format!("is {after} when left out, was {before}"),
        );
    }
}

/// A field that is gone.
pub(super) fn gone(report: &mut Report<'_>, item: &str, old: &Member, travel: Travel) {
    if !travel.answer && !travel.request() {
        return;
    }
    let kinds = [Kind::FieldRemoved, Kind::FieldRemovedEarly, Kind::FieldRetired];
    let (kind, told) = report.found.departure(old.farewell.as_ref(), kinds);
    report.found.add(kind, item, format!("is gone{told}"));
}

/// A field that is new.
pub(super) fn fresh(report: &mut Report<'_>, item: &str, new: &Member, travel: Travel) {
    let required = travel.create && new.required;
    if required {
        report.found.add(Kind::RequiredFieldAdded, item, "is new, and bodies must have it");
    } else if travel.answer || travel.request() {
        report.found.add(Kind::FieldAdded, item, "is new");
    }
}
