//! Commands written at random: what asks no row for its way waits once, and whichever way a command is carried out, it does the same.

use std::sync::Arc;

use engine::Loaded;
use model::{CommandId, Model, RoleId, Valid};
use operation::Dialect;
use plan::Roles;
use store::explain::explain;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::world::World;

const HEAD: &str = "\
app Written { version 1  roles user  surface rest }

entity Person {
  key id: Int
  points: Int              = 0
  bonus:  Int?
  ok:     Bool             = false
  rate:   Decimal(8, 2)    = 1.5
  name:   String(0..30)?
  boss:   Person?          on delete clear
  team:   Team?            on delete clear
  twice:  Int              := .points * 2
  big:    Bool             := .twice > 6 and not .ok
  check .points > -1000 \"too few\"
  allow read, create to user
}

entity Team {
  key id: Int
  points: Int              = 0
  name:   String(1..30)    = \"x\"
  head:   Person?          on delete clear
  with:   Person?          on delete cascade
  sum:    Int              := sum(entries, .worth) + .points
  count:  Int              := count(entries)
  full:   Bool             := .count > 3
  check .count < 9 \"too many\"
  allow read, create to user
}

entity Entry part of Team as entries { key number: Int  worth: Int = 1  doubled: Int := .worth * 2 }

entity Seat {
  key id: Int
  person: Person           on delete cascade
  team:   Team             on delete cascade
  points: Int              = 0
  allow read, create to user
}

entity Hold {
  key id: Int
  person: Person
  seat:   Seat?
  code:   Int?             unique
}

entity Note { key id: Uuid = auto  person: Person on delete cascade  team: Team? on delete clear  worth: Int }

event Told by person { person: Person  points: Int  ok: Bool }

error Bad 409 \"Bad\" { points: Int }

command give(person: Person, points: Int) -> Person { allow user  update person { points }  return person }
command drop_team(team: Team) { allow user  delete team }
";

/// Those that branch.
const BRANCHING: &str = "\
command praise(person: Person, points: Int) { allow user  if person.points > points { update person { ok: true } } }
command hang(person: Person, other: Person) -> Person {
  allow user
  update person { boss: other }
  if person.boss == null { update other { points: 1 } }
  return other
}
command add(person: Person, points: Int) { allow user  if points > 3 { return }  update person { points: .points + points } }
";

/// What a branch may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branches {
    /// There is none.
    Nothing,
    /// What was asked.
    Asked,
    /// Rows, too: mostly what the command has set in them.
    Rows,
}

/// Writes a command: what has a name so far, and what was set.
struct Writer<'d> {
    dice: &'d mut Dice,
    branches: Branches,
    people: Vec<String>,
    teams: Vec<String>,
    numbers: Vec<String>,
    set: Vec<(String, &'static str)>,
    named: usize,
    answers: bool,
}

impl<'d> Writer<'d> {
    fn new(dice: &'d mut Dice, branches: Branches) -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let answers = dice.below(2) == 0;
        Self {
            dice,
            branches,
            people: own(&["person", "other", "seat.person"]),
            teams: own(&["team", "rival", "seat.team"]),
            numbers: own(&["x", "seat.points", "key"]),
            set: Vec::new(),
            named: 0,
            answers,
        }
    }

    /// One of so many times.
    fn is_one_of(&mut self, times: usize) -> bool {
        self.dice.below(times) == 0
    }

    fn of(&mut self, all: &[&str]) -> String {
        self.dice.of(all).to_owned()
    }

    fn person(&mut self) -> String {
        self.people[self.dice.below(self.people.len())].clone()
    }

    fn team(&mut self) -> String {
        self.teams[self.dice.below(self.teams.len())].clone()
    }

    fn person_or_null(&mut self) -> String {
        if self.is_one_of(3) { "null".to_owned() } else { self.person() }
    }

    fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}{}", self.named)
    }

    fn number(&mut self, depth: usize) -> String {
        match self.dice.below(if depth > 2 { 8 } else { 14 }) {
            0..=2 => self.numbers[self.dice.below(self.numbers.len())].clone(),
            3 => self.of(&["-2", "0", "1", "2", "4", "5", "coalesce(y, 2)"]),
            4 | 5 => format!("{}.{}", self.person(), self.dice.of(&["points", "points", "twice"])),
            6 => format!("coalesce({}.bonus, 1)", self.person()),
            7 => format!("{}.{}", self.team(), self.dice.of(&["points", "sum", "count"])),
            8..=10 => {
                let (left, right) = (self.number(depth + 1), self.number(depth + 1));
                format!("({left} {} {right})", self.dice.of(&["+", "-"]))
            }
            11 => format!("{}.points * 2", self.person()),
            12 => format!("sum({}.entries, .worth)", self.team()),
            _ => {
                let (condition, yes) = (self.condition(depth + 1), self.number(depth + 1));
                format!("(if {condition} then {yes} else {})", self.number(depth + 1))
            }
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let most = if depth > 2 { 6 } else { 14 };
        match self.dice.below(most) {
            0 => self.of(&["f", "y == null", "not f"]),
            1..=3 => {
                let (left, right) = (self.number(depth + 1), self.number(depth + 1));
                format!("{left} {} {right}", self.dice.of(&[">", "<", "==", ">=", "!="]))
            }
            4 => format!("{}.{}", self.person(), self.dice.of(&["ok", "big"])),
            5 => format!("{}.full", self.team()),
            6 | 7 => {
                let (left, right) = (self.condition(depth + 1), self.condition(depth + 1));
                format!("({left} {} {right})", self.dice.of(&["and", "or"]))
            }
            8 => format!("not ({})", self.condition(depth + 1)),
            9 => format!("{}.bonus == null", self.person()),
            10 => format!("{}.boss != null", self.person()),
            11 => format!("{}.boss == {}", self.person(), self.person()),
            12 => format!("{}.name == \"x\"", self.person()),
            _ => format!("{} == {}", self.person(), self.person()),
        }
    }

    /// What a branch decides by.
    fn decision(&mut self) -> String {
        if self.branches != Branches::Rows {
            return self.of(&[
                "f",
                "not f",
                "y == null",
                "x > 3",
                "f and x > 2",
                "person == other",
                "team == rival",
            ]);
        }
        if self.set.is_empty() || self.is_one_of(4) {
            return self.condition(1);
        }
        let (row, field) = self.set[self.dice.below(self.set.len())].clone();
        match field {
            "points" => format!(
                "{row}.points {} {}",
                self.dice.of(&[">", "<", "=="]),
                self.dice.of(&["3", "x", "1"])
            ),
            "sum" => format!("{row}.{field} > {}", self.dice.of(&["2", "x"])),
            "ok" => {
                format!("{}{row}.{}", self.dice.of(&["", "not "]), self.dice.of(&["ok", "big"]))
            }
            "rate" => format!("{row}.rate > 2.25"),
            "name" => format!("{row}.name == \"x\""),
            "boss" | "head" if self.is_one_of(2) => format!("{row}.{field} == {}", self.person()),
            "team" if self.is_one_of(2) => format!("{row}.team == {}", self.team()),
            _ => format!("{row}.{field} {} null", self.dice.of(&["==", "!="])),
        }
    }

    fn update(&mut self) -> String {
        match self.dice.below(10) {
            0 | 1 => {
                let row = self.team();
                let field = self.dice.of(&["points", "points", "name", "head", "with"]);
                let value = match field {
                    "points" => {
                        let number = self.number(1);
                        self.dice.of(&[".points + 1", "x", &number]).to_owned()
                    }
                    "name" => self.of(&["\"x\"", "\"yy\""]),
                    _ => self.person_or_null(),
                };
                if field != "name" {
                    self.set.push((row.clone(), field));
                }
                format!("update {row} {{ {field}: {value} }}")
            }
            2 => match self.dice.below(3) {
                0 => format!("update seat {{ person: {} }}", self.dice.of(&["person", "other"])),
                1 => format!("update seat {{ team: {} }}", self.dice.of(&["team", "rival"])),
                _ => format!("update seat {{ points: {} }}", self.number(1)),
            },
            _ => {
                let row = self.person();
                let field = self.dice.of(&[
                    "points", "points", "points", "bonus", "ok", "name", "rate", "boss", "team",
                ]);
                let value = match field {
                    "points" => {
                        let number = self.number(0);
                        self.dice.of(&[".points + 1", ".points + x", "x", "2", &number]).to_owned()
                    }
                    "bonus" => {
                        let number = self.number(1);
                        self.dice.of(&["null", "y", "x", &number]).to_owned()
                    }
                    "ok" => {
                        let condition = self.condition(1);
                        self.dice.of(&["f", "true", "false", &condition]).to_owned()
                    }
                    "name" => {
                        let name = format!("concat(\"a\", {}.name)", self.team());
                        self.dice.of(&["\"x\"", "null", &name]).to_owned()
                    }
                    "rate" => self.of(&["x / 3", "2.345", ".rate * 1.1", "1.005"]),
                    "boss" => self.person_or_null(),
                    _ => {
                        if self.is_one_of(3) {
                            "null".to_owned()
                        } else {
                            self.team()
                        }
                    }
                };
                self.set.push((row.clone(), field));
                format!("update {row} {{ {field}: {value} }}")
            }
        }
    }

    fn create(&mut self, in_loop: bool) -> String {
        match self.dice.below(if in_loop { 4 } else { 7 }) {
            0 | 1 => format!(
                "create Note {{ person: {}, team: {}, worth: {} }}",
                self.person(),
                self.team(),
                self.number(1)
            ),
            2 => {
                let team = self.team();
                self.set.push((team.clone(), "sum"));
                format!(
                    "create Entry {{ team: {team}, number: {}, worth: {} }}",
                    self.dice.of(&["x", "7", "key"]),
                    self.number(1)
                )
            }
            3 => format!(
                "create Hold {{ id: {}, person: {}, seat: {}, code: {} }}",
                self.dice.of(&["key", "x"]),
                self.person(),
                self.dice.of(&["seat", "null"]),
                self.dice.of(&["x", "y", "null"])
            ),
            4 | 5 => {
                let (name, points, boss) =
                    (self.name("made"), self.number(1), self.person_or_null());
                let id = self.dice.of(&["100 + x", "key"]);
                self.people.push(name.clone());
                self.set.extend(["points", "boss", "ok"].map(|field| (name.clone(), field)));
                format!(
                    "let {name} = create Person {{ id: {id}, points: {points}, boss: {boss}, ok: f }}"
                )
            }
            _ => {
                let (name, points) = (self.name("made"), self.number(1));
                let (head, with) = (self.person_or_null(), self.person_or_null());
                let id = self.dice.of(&["200 + x", "key"]);
                self.teams.push(name.clone());
                self.set.extend(["points", "sum", "head"].map(|field| (name.clone(), field)));
                format!(
                    "let {name} = create Team {{ id: {id}, points: {points}, head: {head}, with: {with} }}"
                )
            }
        }
    }

    fn run(&mut self, in_loop: bool) -> String {
        let person = self.person();
        match self.dice.below(if self.branches == Branches::Rows { 7 } else { 4 }) {
            0 => format!("run drop_team({})", self.team()),
            1..=3 => {
                let run = format!("run give({person}, {})", self.number(1));
                self.set.push((person, "points"));
                if in_loop || self.is_one_of(2) {
                    return run;
                }
                let name = self.name("given");
                self.people.push(name.clone());
                self.set.push((name.clone(), "points"));
                format!("let {name} = {run}")
            }
            4 => {
                self.set.push((person.clone(), "ok"));
                format!("run praise({person}, {})", self.number(1))
            }
            5 => {
                self.set.push((person.clone(), "boss"));
                format!("run hang({person}, {})", self.person())
            }
            _ => {
                self.set.push((person.clone(), "points"));
                format!("run add({person}, {})", self.number(1))
            }
        }
    }

    /// What is named within is not known behind it.
    fn block(&mut self, depth: usize, in_loop: bool) -> String {
        let known = (self.people.len(), self.teams.len());
        let mut steps = Vec::new();
        for _ in 0..=self.dice.below(3) {
            steps.push(self.step(depth, in_loop));
            // What follows on its line would be its value.
            if steps.last().is_some_and(|step| step == "return") {
                break;
            }
        }
        self.people.truncate(known.0);
        self.teams.truncate(known.1);
        let named = |(row, _): &(String, _)| self.people.contains(row) || self.teams.contains(row);
        self.set = std::mem::take(&mut self.set).into_iter().filter(named).collect();
        format!("{{ {} }}", steps.join("  "))
    }

    fn step(&mut self, depth: usize, in_loop: bool) -> String {
        match self.dice.below(24) {
            0..=4 if depth < 3 && self.branches != Branches::Nothing => {
                let (decision, yes) = (self.decision(), self.block(depth + 1, in_loop));
                if self.is_one_of(2) {
                    return format!("if {decision} {yes}");
                }
                format!("if {decision} {yes} else {}", self.block(depth + 1, in_loop))
            }
            5 if depth < 2 && !in_loop => {
                let name = self.name("each");
                self.numbers.push(name.clone());
                let block = self.block(depth + 1, true);
                self.numbers.pop();
                format!("for {name} in xs {block}")
            }
            6 if depth < 2 && !in_loop => {
                let name = self.name("each");
                self.people.push(name.clone());
                let block = self.block(depth + 1, true);
                self.people.pop();
                self.set.retain(|(row, _)| *row != name);
                format!("for {name} in people {block}")
            }
            7 if self.is_one_of(2) => {
                let (person, team) = (self.person(), self.team());
                format!("delete {}", self.dice.of(&[&person, &team, &team, "seat"]))
            }
            8..=11 => self.create(in_loop),
            12 => format!(
                "emit Told {{ person: {}, points: {}, ok: {} }}",
                self.person(),
                self.number(1),
                self.condition(2)
            ),
            13 if self.is_one_of(2) => {
                format!("require {} else Bad {{ points: {} }}", self.condition(1), self.number(1))
            }
            14 | 15 => self.run(in_loop),
            16 if depth > 0 && !self.answers && self.branches == Branches::Rows => {
                "return".to_owned()
            }
            _ => self.update(),
        }
    }

    fn command(mut self, name: &str) -> String {
        let steps: Vec<String> = (0..3 + self.dice.below(5)).map(|_| self.step(0, false)).collect();
        let (answer, end) = match self.answers {
            true => (" -> Person", format!("\n  return {}", self.person())),
            false => ("", String::new()),
        };
        format!(
            "command {name}(person: Person, other: Person, team: Team, rival: Team, seat: Seat, x: Int(0..9), y: Int(0..9)?, f: Bool, \
             key: Int(1..60), xs: [Int(0..9)](0..3), people: [Person](0..3)){answer} {{\n  allow user\n  {}{end}\n}}\n",
            steps.join("\n  ")
        )
    }
}

/// How often the last command of a model waits; `None` where the compiler has something against it.
fn waits(text: String) -> Option<usize> {
    let parse = syntax::parse(syntax::FileId(0), text);
    let (model, found) = model::check(&[&parse]);
    if parse.has_errors() {
        panic!("{:?}", parse.diagnostics);
    }
    let model: Valid<Model> = Valid::new(model, &found)?;
    let last = CommandId(u32::try_from(model.commands.len() - 1).unwrap());
    let schema = schema::derive(&model, Dialect::Postgres);
    let loaded = Loaded::new(Arc::new(model), Arc::new(schema));
    let program = loaded.plan.program(last, Roles::NONE.with(RoleId(0))).unwrap();
    let told =
        explain(&program, &loaded.schema.tables, loaded.plan.redraws(), Dialect::Postgres).unwrap();
    Some(told.trips.len())
}

/// So many commands, `c0` and on, each without a fault. `head`: the model before them.
fn written(dice: &mut Dice, head: &str, branches: Branches, count: usize) -> Vec<(String, usize)> {
    let mut commands = Vec::new();
    while commands.len() < count {
        let command = Writer::new(dice, branches).command(&format!("c{}", commands.len()));
        if let Some(waits) = waits(format!("{head}{command}")) {
            commands.push((command, waits));
        }
    }
    commands
}

#[test]
fn what_asks_no_row_for_its_way_waits_once() {
    for (seed, branches) in [(1, Branches::Nothing), (2, Branches::Asked)] {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed));
        for (command, waits) in written(&mut dice, HEAD, branches, 150) {
            assert_eq!(waits, 1, "{command}");
        }
    }
}

const COMMANDS: usize = 24;

/// Something that may be asked for, sensible or not.
fn ask(dice: &mut Dice) -> String {
    let some = |dice: &mut Dice| 1 + dice.below(6);
    let (id, person, other, team, rival) =
        (some(dice), some(dice), some(dice), some(dice), some(dice));
    let (seat, x, key) = (some(dice), dice.below(10), 1 + dice.below(60));
    match dice.below(14) {
        0 | 1 => format!(r#"add user Person {{"id":{id},"points":{x},"boss":{other}}}"#),
        2 | 3 => {
            format!(r#"add user Team {{"id":{id},"head":{person},"entries":[{{"number":{x}}}]}}"#)
        }
        4..=6 => format!(r#"add user Seat {{"id":{id},"person":{person},"team":{team}}}"#),
        _ => {
            let y = dice.of(&["null", "0", "3", "9"]);
            let f = dice.of(&["true", "false"]);
            let xs = dice.of(&["", "0", "3,3", "1,9,4"]);
            let people = match dice.below(3) {
                0 => String::new(),
                1 => format!("{other}"),
                _ => format!("{other},{person},{other}"),
            };
            let command = dice.below(COMMANDS);
            format!(
                r#"run user c{command}/{person} {{"other":{other},"team":{team},"rival":{rival},"seat":{seat},"x":{x},"y":{y},"f":{f},"key":{key},"xs":[{xs}],"people":[{people}]}}"#
            )
        }
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'p', to_jsonb(t)::text FROM person AS t UNION ALL SELECT 't', to_jsonb(t)::text FROM team AS t \
               UNION ALL SELECT 'e', to_jsonb(t)::text FROM entry AS t UNION ALL SELECT 's', to_jsonb(t)::text FROM seat AS t \
               UNION ALL SELECT 'h', to_jsonb(t)::text FROM hold AS t UNION ALL SELECT 'n', (to_jsonb(t) - 'id')::text FROM note AS t \
               ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    [all, events].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=5 {
        for add in [
            format!(r#"add user Person {{"id":{id},"points":{id}}}"#),
            format!(r#"add user Team {{"id":{id},"head":{id},"entries":[]}}"#),
            format!(r#"add user Seat {{"id":{id},"person":{id},"team":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

/// `MIMAR_SEED` writes other commands.
#[test]
fn whatever_is_written_is_done_alike() {
    let first = std::env::var("MIMAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + 3 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed % 64) ^ u64::from(seed));
        let head = format!("{HEAD}{BRANCHING}");
        let commands = written(&mut dice, &head, Branches::Rows, COMMANDS);
        let once = commands.iter().filter(|(_, waits)| *waits == 1).count();
        let commands: String = commands.into_iter().map(|(command, _)| command).collect();
        eprintln!("seed {seed}: {once} of {COMMANDS} wait once\n{commands}");
        Agreement::of(&format!("{head}{commands}"), people, held).go_through(
            seed,
            ask,
            |_, _, _| (),
        );
    }
}
