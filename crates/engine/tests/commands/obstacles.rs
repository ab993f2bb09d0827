//! Which commands need no rows, and what the others need them for (PostgreSQL).

use std::fmt::Write as _;

use expect_test::expect;
use operation::Dialect;

use crate::explain::explained;
use crate::world::{On, World};

const OTHERS: &str = r#"
app Others { version 1  roles user  surface rest }
auth { users Member by email as user }

entity Team { key id: Int  open: Bool = true  allow read to user }

entity Member {
  key id: Int
  email:  Email unique
  team:   Team
  points: Int = 0
  level:  Int = 0
  until:  Timestamp = now
  state:  enum { fresh, known } = fresh
  dues:   Int := sum(marks, .points)
  flow state { fresh -> known }
  check .points <= count(marks) * 10 "a mark carries ten points"
  allow read to user when .id == caller.id
}

entity Mark part of Member as marks (0..9) { points: Int }

entity Note { key number: Int = auto  member: Member  text: String(1..9)  allow read to user }
entity Page { key id: Int  team: Team  text: String(1..9)  allow read to user when .team == caller.team }

entity Scale { key id: Int  weight: Float = 1.0  wait: Duration = 1h  at: Timestamp = now  allow read to user }
entity Bill {
  key id: Uuid
  member: Member
  points: Int
  sum:    Int := sum(rows, .points)
  check .points < 9 "few"
  allow read to user
}
entity Row part of Bill as rows (0..9) { points: Int  twice: Int := .points * 2  level: Int }
event Summed { sum: Int }
event Weighed { weight: Float }
event Waited { since: Duration }
event Later { at: Timestamp }
event Placed by at { at: Timestamp }
event Known { member: Member  level: Int }

command greet(member: Member) { allow user  update member { state: known } }
command greet_self() { allow user  update caller { level: .level + 1 } }
command greet_both(member: Member) { allow user  run greet(member)  run raise(member, 2) }
command raise(member: Member, by: Int) { allow user  update member { level: .level + by } }
command returned(member: Member) -> Member { allow user  update member { state: known }  return member }
command open(team: Team) -> Team { allow user  update team { open: true }  return team }

command looped(members: [Member](1..9)) { allow user  for member in members { run greet(member) } }
command branched(member: Member, by: Int) { allow user  if by > 1 { run raise(member, by) } }
command seen(member: Member, team: Team) { allow user  update member { state: known } }
command looked(member: Member) { allow user  require member.team.open else Closed  update member { state: known } }
command moved(member: Member) { allow user  update member.team { open: false } }
command told(member: Member) { allow user  update member { state: known }  emit Known { member, level: member.level } }
command marked(member: Member) { allow user  update member { points: 3 } }
command counted(member: Member) { allow user  update member { state: known }  create Note { member, text: "hello" } }
command prolonged(member: Member) { allow user  update member { until: .until + 3d } }
command written(page: Page) { allow user  update page { text: "hello" } }
command again(member: Member) { allow user  update member { level: .level * 9 }  update member { level: 0 } }
command unused(member: Member) { allow user  let more = member.level * 9  update member { state: known } }
command level_of(member: Member) -> Int { allow user  update member { state: known }  return member.level }
command renewed(member: Member) { allow user  update member { state: fresh } }
command twice(members: [Member](1..9)) { allow user  for member in members { for other in members { update member { level: 3 } } } }
command ends(member: Member, by: Int) { allow user  if by > 1 { return }  update member { state: known } }
command chosen(member: Member) { allow user  if member.level > 1 { update member { state: known } } }
command each_mark(member: Member) { allow user  for mark in member.marks { update mark { points: 3 } } }
command compared(member: Member, other: Member) { allow user  require member.level > other.level else Closed  update member { state: known } }
command one_of(members: [Member](1..9), team: Team) { allow user  for member in members { require team.open else Closed  update member { state: known } } }
command measured(thing: Scale) { allow user  update thing { weight: 1.5 }  emit Weighed { weight: thing.weight } }
command timed(thing: Scale) { allow user  update thing { weight: 1.5 }  emit Waited { since: thing.wait } }
command late(thing: Scale) { allow user  update thing { weight: 1.5 }  emit Later { at: thing.at + 3d } }
command by_row(thing: Scale) { allow user  update thing { weight: 1.5 }  emit Placed { at: thing.at } }
command ruled(member: Member) { allow user  update member { state: known }  create Bill { member, points: member.level } }
command doubled(member: Member) { allow user  update member { state: known }  let bill = create Bill { member, points: 1 }  create Row { bill, points: member.level, level: 1 } }
command early(member: Member) { allow user  update member { state: known }  let bill = create Bill { member, points: 1 }  emit Summed { sum: bill.sum }  create Row { bill, points: 1, level: member.level } }
command summed(member: Member) { allow user  update member { state: known }  let bill = create Bill { member, points: 1 }  create Row { bill, points: 1, level: member.level }  emit Summed { sum: bill.sum } }
command perhaps(member: Member, by: Int) -> Int {
  allow user
  if by > 40 { update member { level: .level + by }  return 1 }
  if by < -9 { return by } else { update member { level: .level + 1 } }
  return 0
}
command either(member: Member, other: Member, by: Int) -> Member { allow user  if by > 1 { return other }  update member { level: by }  return member }
command counted_of(member: Member) -> Int { allow user  let note = create Note { member, text: "hello" }  return note.number }
command numbered(member: Member) { allow user  let note = create Note { member, text: "hello" }  let next = note.number + 1  emit Known { member, level: next } }
command ended(member: Member) { allow user  delete member }

error Closed 409 "It is closed" { }
"#;

/// Rows change by themselves where nothing else is looked at, and nowhere else.
#[test]
fn what_depends_on_rows_loads_them() {
    let world = World::new(On::Sqlite, OTHERS);
    let mut told = String::new();
    for command in &world.loaded.model.commands {
        let explained = explained(&world, "user", &command.name, Dialect::Postgres);
        let loaded = explained.round_trips_when_refused().is_none();
        assert_eq!(loaded, explained.loaded_since.is_some(), "{}", command.name);
        let reason = explained.loaded_since.as_deref().unwrap_or("direct");
        let _ = writeln!(told, "{}: {reason}", command.name);
    }
    expect![[r#"
        greet: direct
        greet_self: direct
        greet_both: direct
        raise: direct
        returned: direct
        open: direct
        looped: direct
        branched: direct
        seen: direct
        looked: direct
        moved: direct
        told: direct
        marked: direct
        counted: direct
        prolonged: direct
        written: direct
        again: direct
        unused: direct
        level_of: direct
        renewed: `update Member`: it is always refused
        twice: direct
        ends: direct
        chosen: `if`: what is done depends on what stands in a row
        each_mark: `for`: which turns the loop takes stands in rows
        compared: direct
        one_of: direct
        measured: direct
        timed: direct
        late: direct
        by_row: direct
        ruled: direct
        doubled: direct
        early: direct
        summed: direct
        perhaps: direct
        either: direct
        counted_of: direct
        numbered: direct
        ended: direct
    "#]]
    .assert_eq(&told);
}
