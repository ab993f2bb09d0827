//! Entities and their fields.

use std::collections::{BTreeSet, HashMap};

use sqlparser::ast::{Expr, Value};

use super::plan::{Entity, Plan};
use super::{Lines, Piece, Refused, What, quoted};
use crate::Remark;
use crate::catalog::{Catalog, Column, Name, OnDelete, Reference, Table};
use crate::expression::{self, Bound, bare};
use crate::kind::{Kind, kind};
use crate::name::{self, Names};
use crate::read::text_of;

/// Characters of a text that has no bound of its own.
const LONGEST: u64 = 65_535;
/// Parts that a root may have.
const PARTS: &str = "0..1_000";

/// Writes enums and entities; how many entities and fields there are.
pub(crate) fn write(
    lines: &mut Lines,
    catalog: &Catalog,
    plan: &Plan,
    refused: &Refused,
    remarks: &mut Vec<Remark>,
) -> (usize, usize) {
    let mut counts = (0, 0);
    let mut schemas: BTreeSet<&str> =
        catalog.tables.iter().map(|table| table.name.schema.as_str()).collect();
    schemas.extend(catalog.enums.keys().map(|name| name.schema.as_str()));
    for schema in schemas {
        let service = plan.services.get(schema);
        if let Some(service) = service {
            lines.plain(&format!("service {service} {{"));
        }
        for (name, labels) in catalog.enums.iter().filter(|(name, _)| name.schema == schema) {
            if labels.iter().all(|label| name::is_label(label)) && !labels.is_empty() {
                lines.plain(&format!("enum {} {{ {} }}", plan.enums[name], labels.join(", ")));
                lines.plain("");
            }
        }
        for (at, table) in catalog.tables.iter().enumerate() {
            if table.name.schema != schema {
                continue;
            }
            let Some(entity) = &plan.entities[at] else { continue };
            counts.0 += 1;
            let mut writer = Writer { catalog, plan, refused, remarks, table, entity };
            counts.1 += writer.entity(lines);
        }
        if service.is_some() {
            lines.plain("}");
        }
    }
    counts
}

struct Writer<'a> {
    catalog: &'a Catalog,
    plan: &'a Plan,
    refused: &'a Refused,
    remarks: &'a mut Vec<Remark>,
    table: &'a Table,
    entity: &'a Entity,
}

/// A column on its way to a field.
struct Field<'a> {
    column: &'a Column,
    /// Whether it must have a value, by itself or by its domain.
    required: bool,
    name: String,
    kind: Kind,
    /// Labels that a check holds it to.
    labels: Option<Vec<String>>,
    bounds: Vec<Bound>,
    default: Option<&'a Expr>,
    reference: Option<(&'a Reference, usize)>,
}

/// What a column is, through its domain.
struct Resolved<'a> {
    written: String,
    required: bool,
    default: Option<&'a Expr>,
    checks: Vec<&'a Expr>,
}

impl<'a> Writer<'a> {
    fn remark(&mut self, what: &str, sentence: impl Into<String>) {
        let subject = if what.is_empty() {
            self.table.name.to_string()
        } else {
            format!("{}.{what}", self.table.name)
        };
        self.remarks.push(Remark { subject, sentence: sentence.into() });
    }

    fn piece(&self, subject: &str, what: What) -> Piece {
        let table = &self.table.name;
        let subject =
            if subject.is_empty() { table.to_string() } else { format!("{table}.{subject}") };
        Piece { subject, what }
    }

    fn is_refused(&self, subject: &str, what: What) -> bool {
        self.refused.contains_key(&self.piece(subject, what))
    }

    /// Writes it; its fields.
    fn entity(&mut self, lines: &mut Lines) -> usize {
        let (table, entity) = (self.table, self.entity);
        lines.docs(table.comment.as_deref());
        let mut header = format!("entity {}", entity.name);
        if let Some((root, column, list)) = &entity.root {
            let of = self.plan.entities[*root].as_ref().map_or("", |root| root.name.as_str());
            header.push_str(&format!(" part of {of} as {list} ({PARTS})"));
            let called = model::snake_case(of);
            if called != *column {
                self.remark(
                    column,
                    format!("the column that leads to the root is called `{called}` here"),
                );
            }
            self.remark("", format!("parts are bounded: {PARTS} was chosen"));
        }
        if model::snake_case(&entity.name) != table.name.name {
            header.push_str(&format!(" stored as {}", quoted(&table.name.name)));
        }
        header.push_str(" {");
        lines.push(&header, vec![self.piece("", What::Entity)]);
        let fields = self.fields();
        for field in &fields {
            self.field(lines, field);
        }
        let known: HashMap<&str, &Field<'_>> =
            fields.iter().map(|field| (field.column.name.as_str(), field)).collect();
        let mut rules = Lines::default();
        self.uniques(&mut rules, &known);
        self.checks(&mut rules, &known);
        self.indexes(&mut rules, &known);
        if !rules.is_empty() {
            lines.plain("");
            lines.append(rules);
        }
        lines.plain("}");
        lines.plain("");
        fields.len()
    }

    /// The fields, those of the key first.
    fn fields(&mut self) -> Vec<Field<'a>> {
        let table = self.table;
        let root = self.entity.root.as_ref().map(|(_, column, _)| column.as_str());
        let mut names = Names::default();
        let is_key = |column: &Column| self.entity.key.contains(&column.name);
        let mut columns: Vec<&Column> =
            table.columns.iter().filter(|column| Some(column.name.as_str()) != root).collect();
        columns.sort_by_key(|column| !is_key(column));
        let plain: Vec<String> = columns.iter().map(|column| name::field(&column.name)).collect();
        let mut fields = Vec::new();
        for column in columns {
            if self.is_refused(&column.name, What::Field) {
                self.missing(column);
                continue;
            }
            if let Some(generated) = &column.generated {
                self.remark(
                    &column.name,
                    format!(
                        "it is computed ({}): write it as a computed field (`:=`)",
                        crate::read::shown(generated)
                    ),
                );
                continue;
            }
            let Resolved { written, required, default, checks } = self.resolved(column);
            let found = match kind(&written, self.catalog) {
                Ok(found) => found,
                Err(reason) => {
                    self.remark(&column.name, format!("it is left out: {reason}"));
                    self.missing(column);
                    continue;
                }
            };
            if let Some(remark) = found.remark {
                self.remark(&column.name, remark);
            }
            if column.caseless {
                self.remark(&column.name, "it compares without case, which a String does not");
            }
            let reference = self.reference(column);
            let own = if is_key(column) && reference.is_none() {
                self.key_name(column)
            } else if reference.is_some() {
                let short = name::reference(&column.name);
                // `artist_id` beside `artist` keeps its name.
                if plain.contains(&short) { name::field(&column.name) } else { short }
            } else {
                name::field(&column.name)
            };
            let mut field = Field {
                column,
                required,
                name: names.take(&own),
                kind: found.kind,
                labels: None,
                bounds: Vec::new(),
                default,
                reference,
            };
            for check in checks {
                self.domain_check(&mut field, check);
            }
            fields.push(field);
        }
        self.take_checks(&mut fields);
        fields
    }

    /// `id` where the column is called `id`, or after its table.
    fn key_name(&self, column: &Column) -> String {
        let name = name::field(&column.name);
        let table = model::snake_case(&self.entity.name);
        let plain = name::field(&self.table.name.name);
        let is_its_own = [table, plain].iter().any(|table| {
            name.strip_prefix(table.as_str())
                .is_some_and(|rest| matches!(rest, "_id" | "_no" | "id"))
        });
        if is_its_own { "id".to_owned() } else { name }
    }

    /// A column that no field holds, and that rows cannot be without.
    fn missing(&mut self, column: &Column) {
        if column.required && column.default.is_none() && !column.counted {
            self.remark(
                &column.name,
                "rows cannot be created without it: give it a default in the database, or let it be NULL",
            );
        }
    }

    /// The type of a column with its default and checks, through its domain.
    fn resolved(&self, column: &'a Column) -> Resolved<'a> {
        let mut written = column.kind.as_str();
        let mut required = column.required;
        let mut default = column.default.as_ref();
        let mut checks = Vec::new();
        // A domain over a domain is rare, one in a circle impossible.
        for _ in 0..8 {
            let (schema, own) = written.rsplit_once('.').unwrap_or(("", written));
            let schema = if schema == "public" { "" } else { schema };
            let name = Name { schema: schema.to_owned(), name: own.trim_matches('"').to_owned() };
            let Some(domain) = self.catalog.domains.get(&name) else { break };
            written = &domain.kind;
            required |= domain.required;
            default = default.or(domain.default.as_ref());
            checks.extend(&domain.checks);
        }
        Resolved { written: written.to_owned(), required, default, checks }
    }

    fn domain_check(&mut self, field: &mut Field<'_>, check: &Expr) {
        let kind = field.kind.clone();
        match expression::bounds(check, &|_| Some(kind.clone())) {
            Some(bounds) => field.bounds.extend(bounds.into_iter().map(|(_, bound)| bound)),
            None => match expression::one_of(check) {
                Some((_, labels)) if labels.iter().all(|label| name::is_label(label)) => {
                    field.labels = Some(labels);
                }
                _ => {
                    let check = crate::read::shown(&check.to_string());
                    let column = field.column.name.clone();
                    self.remark(
                        &column,
                        format!("the rule of its domain is not expressed: {check}"),
                    );
                }
            },
        }
    }

    /// Bounds and labels that checks set become part of types.
    fn take_checks(&self, fields: &mut [Field<'a>]) {
        for check in &self.table.checks {
            let kinds: HashMap<String, Kind> = fields
                .iter()
                .map(|field| (field.column.name.to_lowercase(), field.kind.clone()))
                .collect();
            let kind = |name: &str| kinds.get(&name.to_lowercase()).cloned();
            let find = |fields: &mut [Field<'a>], name: &str| {
                fields.iter().position(|field| field.column.name.eq_ignore_ascii_case(name))
            };
            if let Some(bounds) = expression::bounds(&check.expression, &kind) {
                for (name, bound) in bounds {
                    if let Some(at) = find(fields, &name) {
                        fields[at].bounds.push(bound);
                    }
                }
            } else if let Some((name, labels)) = expression::one_of(&check.expression)
                && labels.iter().all(|label| name::is_label(label))
                && let Some(at) = find(fields, &name)
                && matches!(fields[at].kind, Kind::Text(_))
            {
                fields[at].labels = Some(labels);
            }
        }
    }

    /// The reference of a column that the language can express, and the table it leads to.
    fn reference(&mut self, column: &Column) -> Option<(&'a Reference, usize)> {
        let table = self.table;
        let mut found = None;
        for reference in &table.references {
            if !reference.columns.contains(&column.name) {
                continue;
            }
            let target = self.plan.places.get(&reference.target).copied();
            let reason = match target {
                _ if reference.columns.len() > 1 => Some("it is over several columns"),
                None => Some("the table that it leads to is not there"),
                Some(target) if self.plan.entities[target].is_none() => {
                    Some("the table that it leads to is no entity")
                }
                Some(target)
                    if self.plan.entities[target].as_ref().is_some_and(|e| e.root.is_some()) =>
                {
                    Some("it leads to a part, and parts are reached through their root")
                }
                Some(target) => {
                    let key = &self.catalog.tables[target].key;
                    let is_key =
                        reference.target_columns.is_empty() || reference.target_columns == *key;
                    (!is_key).then_some("it leads to a column that is no key")
                }
            };
            match (reason, target) {
                (None, Some(target)) if !self.is_refused(&column.name, What::Reference) => {
                    found = Some((reference, target));
                }
                (Some(reason), _) => {
                    let name = reference.name.clone().unwrap_or_default();
                    self.remark(
                        &column.name,
                        format!(
                            "the reference {name} to `{}` is not expressed: {reason}",
                            reference.target
                        ),
                    );
                }
                _ => {}
            }
        }
        found
    }

    fn field(&mut self, lines: &mut Lines, field: &Field<'_>) {
        let column = field.column;
        lines.docs(column.comment.as_deref());
        let is_key = self.entity.key.contains(&column.name);
        let mut pieces = Vec::new();
        let mut line = String::new();
        if is_key {
            line.push_str("key ");
        }
        line.push_str(&format!("{}: {}", field.name, self.type_of(field)));
        if !field.required && !is_key {
            line.push('?');
        }
        if column.counted && is_key && field.reference.is_none() {
            line.push_str(" = auto");
        } else if column.counted {
            self.remark(
                &column.name,
                "the database counts it; only a key is counted here (`= auto`)",
            );
        }
        if let Some(default) = field.default
            && !self.is_refused(&column.name, What::Default)
        {
            match self.default(field, default) {
                Some(Some(text)) => {
                    line.push_str(&format!(" = {text}"));
                    pieces.push(self.piece(&column.name, What::Default));
                }
                Some(None) => {}
                None => {
                    let shown = crate::read::shown(&default.to_string());
                    self.remark(&column.name, format!("its default is not expressed: {shown}"));
                }
            }
        }
        let is_unique = self.table.uniques.iter().any(|columns| *columns == [column.name.clone()]);
        if is_unique && !is_key && !self.is_refused(&column.name, What::Unique) {
            line.push_str(" unique");
            pieces.push(self.piece(&column.name, What::Unique));
        }
        if field.name != column.name {
            line.push_str(&format!(" stored as {}", quoted(&column.name)));
        }
        if let Some((reference, _)) = field.reference {
            match reference.on_delete {
                OnDelete::Cascade => line.push_str(" on delete cascade"),
                OnDelete::Clear if !field.required => line.push_str(" on delete clear"),
                OnDelete::Restrict => {}
                OnDelete::Clear | OnDelete::SetDefault => {
                    self.remark(&column.name, "what becomes of it when its target is deleted is not expressed: it is refused here");
                }
            }
            if reference.on_update {
                self.remark(&column.name, "ON UPDATE is not expressed: keys never change here");
            }
            pieces.push(self.piece(&column.name, What::Reference));
        }
        pieces.push(self.piece(&column.name, What::Field));
        if is_key {
            pieces.push(self.piece("", What::Entity));
        }
        lines.push(&line, pieces);
    }

    fn type_of(&mut self, field: &Field<'_>) -> String {
        if let Some((_, target)) = field.reference
            && let Some(entity) = &self.plan.entities[target]
        {
            let schema = &self.catalog.tables[target].name.schema;
            return match self.plan.services.get(schema) {
                Some(service) if *schema != self.table.name.schema => {
                    format!("{service}.{}", entity.name)
                }
                _ => entity.name.clone(),
            };
        }
        if let Some(labels) = &field.labels {
            return format!("enum {{ {} }}", labels.join(", "));
        }
        let column = &field.column.name;
        match &field.kind {
            Kind::Bool => "Bool".to_owned(),
            // A key that is out of the bounds of its column is refused by nobody but the column.
            Kind::Int(held) => {
                let is_key = self.entity.key.contains(column);
                int(held.filter(|_| !is_key), &field.bounds)
            }
            Kind::Float => "Float".to_owned(),
            Kind::Decimal(digits, scale) => format!("Decimal({digits}, {scale})"),
            Kind::Text(longest) => {
                let mut least = 0;
                let mut most = longest.unwrap_or(LONGEST);
                for bound in &field.bounds {
                    match bound {
                        Bound::Shortest(n) => least = least.max(*n),
                        Bound::Longest(n) => most = most.min(*n),
                        _ => {}
                    }
                }
                let has_bound = longest.is_some()
                    || field.bounds.iter().any(|bound| matches!(bound, Bound::Longest(_)));
                if !has_bound {
                    self.remark(column, "it has no bound; 65,535 characters were chosen");
                }
                format!("String({least}..{})", grouped(&most.max(1).to_string()))
            }
            Kind::Uuid => "Uuid".to_owned(),
            Kind::Date => "Date".to_owned(),
            Kind::Time => "Time".to_owned(),
            Kind::Timestamp => "Timestamp".to_owned(),
            Kind::Duration => "Duration".to_owned(),
            Kind::Json => {
                self.remark(column, "it has no bound; 1 MB was chosen");
                "Json(..1MB)".to_owned()
            }
            Kind::Bytes => {
                self.remark(column, "it has no bound; 1 MB was chosen");
                "Bytes(..1MB)".to_owned()
            }
            Kind::Enum(name) => self.plan.enums.get(name).cloned().unwrap_or_default(),
        }
    }

    /// A default in the words of the language; `Some(None)` where it goes without saying, `None` where there are no words.
    fn default(&self, field: &Field<'_>, default: &Expr) -> Option<Option<String>> {
        let text = default.to_string().to_lowercase();
        if let Expr::Value(value) = bare(default)
            && value.value == Value::Null
        {
            return Some(None);
        }
        let is_now =
            ["now()", "current_timestamp", "transaction_timestamp()", "statement_timestamp()"];
        let is_now = is_now.iter().any(|word| text.contains(word))
            || text.contains("datetime('now'")
            || text.contains("clock_timestamp()");
        if is_now {
            return (field.kind == Kind::Timestamp).then(|| Some("now".to_owned()));
        }
        let makes_uuid = text.contains("gen_random_uuid") || text.contains("uuid_generate_v");
        if makes_uuid && self.entity.key.contains(&field.column.name) {
            // A key of this type gets one by itself.
            return Some(None);
        }
        if field.reference.is_some() {
            return None;
        }
        if let Some(labels) = &field.labels {
            let Expr::Value(value) = bare(default) else { return None };
            let label = text_of(&value.value)?;
            return labels.iter().any(|known| known == label).then(|| Some(label.to_owned()));
        }
        let literal = match bare(default) {
            Expr::Value(value) => expression::literal(&value.value, Some(&field.kind)),
            other => {
                let number = expression::number(other)?;
                expression::literal(&Value::Number(number, false), Some(&field.kind))
            }
        };
        literal.map(Some)
    }

    fn uniques(&mut self, lines: &mut Lines, known: &HashMap<&str, &Field<'_>>) {
        let mut written: Vec<Vec<String>> = Vec::new();
        for columns in &self.table.uniques {
            if columns.len() < 2 && known.contains_key(columns.first().map_or("", String::as_str)) {
                continue;
            }
            let names: Option<Vec<&str>> = columns
                .iter()
                .map(|column| known.get(column.as_str()).map(|field| field.name.as_str()))
                .collect();
            let shown = columns.join(", ");
            let Some(names) = names else {
                self.remark(
                    "",
                    format!(
                        "that ({shown}) is unique is not expressed: not all of it is a field here"
                    ),
                );
                continue;
            };
            let mut sorted: Vec<String> = columns.clone();
            sorted.sort();
            let subject = format!("unique ({shown})");
            if written.contains(&sorted) || self.is_refused(&subject, What::Rule) {
                continue;
            }
            written.push(sorted);
            let piece = self.piece(&subject, What::Rule);
            lines.push(&format!("unique ({})", names.join(", ")), vec![piece]);
        }
    }

    fn checks(&mut self, lines: &mut Lines, known: &HashMap<&str, &Field<'_>>) {
        let kinds = |name: &str| {
            let found = known.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
            found.map(|(_, field)| (field.name.clone(), field.kind.clone()))
        };
        for (at, check) in self.table.checks.iter().enumerate() {
            let only_kind = |name: &str| kinds(name).map(|(_, kind)| kind);
            if expression::bounds(&check.expression, &only_kind).is_some() {
                continue;
            }
            if let Some((name, labels)) = expression::one_of(&check.expression)
                && labels.iter().all(|label| name::is_label(label))
                && matches!(only_kind(&name), Some(Kind::Text(_)))
            {
                continue;
            }
            let name = check.name.clone().unwrap_or_else(|| format!("check {}", at + 1));
            if self.is_refused(&name, What::Rule) {
                continue;
            }
            match expression::condition(&check.expression, &kinds) {
                Some(condition) => {
                    let message = quoted(&format!("The rule {name} does not hold"));
                    let piece = self.piece(&name, What::Rule);
                    lines.push(&format!("check {condition} {message}"), vec![piece]);
                }
                None => {
                    let shown = crate::read::shown(&check.expression.to_string());
                    self.remark(&name, format!("this rule is not expressed: {shown}"));
                }
            }
        }
    }

    fn indexes(&mut self, lines: &mut Lines, known: &HashMap<&str, &Field<'_>>) {
        let mut written: Vec<&Vec<(String, bool)>> = Vec::new();
        for index in &self.table.indexes {
            let keys: Option<Vec<String>> = index
                .columns
                .iter()
                .map(|(column, down)| {
                    let field = known.get(column.as_str())?;
                    Some(format!("{}{}", if *down { "-" } else { "" }, field.name))
                })
                .collect();
            let root = self.entity.root.as_ref().map(|(_, column, _)| column.as_str());
            let Some(keys) = keys else {
                // The way from a root to its parts, in the order of their key, is always fast.
                let way = root.into_iter().chain(self.entity.key.iter().map(String::as_str));
                let mut way = way.take(index.columns.len());
                let leads = index
                    .columns
                    .iter()
                    .all(|(name, down)| !down && way.next().is_some_and(|of| of == name));
                if !leads {
                    let why = match root {
                        Some(root) if index.columns.iter().any(|(name, _)| name == root) => {
                            "parts are found by their root, whose column is no field here"
                        }
                        _ => "not all of it is a field here",
                    };
                    let name = &index.name;
                    self.remark("", format!("the index {name} is not expressed: {why}"));
                }
                continue;
            };
            if written.contains(&&index.columns) || self.is_refused(&index.name, What::Rule) {
                continue;
            }
            written.push(&index.columns);
            let piece = self.piece(&index.name, What::Rule);
            lines.push(&format!("index ({})", keys.join(", ")), vec![piece]);
        }
    }
}

/// `Int`, with the bounds that its column and its checks set.
fn int(held: Option<(i64, i64)>, bounds: &[Bound]) -> String {
    let (mut least, mut most) = held.map_or((None, None), |(a, b)| (Some(a), Some(b)));
    for bound in bounds {
        match bound {
            Bound::Least(text) => {
                if let Ok(number) = text.parse::<i64>() {
                    least = Some(least.map_or(number, |least| least.max(number)));
                }
            }
            Bound::Greatest(text) => {
                if let Ok(number) = text.parse::<i64>() {
                    most = Some(most.map_or(number, |most| most.min(number)));
                }
            }
            _ => {}
        }
    }
    let text = |number: Option<i64>| number.map(|n| grouped(&n.to_string())).unwrap_or_default();
    match (least, most) {
        (None, None) => "Int".to_owned(),
        (least, most) => format!("Int({}..{})", text(least), text(most)),
    }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    if digits.len() < 5 {
        return format!("{sign}{digits}");
    }
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}
