//! Commands, carried out: scenes of a model and what is asked of it, on both databases and behind a pooler, which must answer alike.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod agreement;
mod ahead;
mod answers;
mod bounds;
mod code;
mod contention;
mod counted;
mod direct;
mod explain;
mod folds;
mod foresight;
mod found;
mod going;
mod keys;
mod layers;
mod losing;
mod named;
mod objects;
mod obstacles;
mod order;
mod picked;
mod reload;
mod remembered;
mod schemas;
mod sets;
mod steps;
mod together;
mod told;
mod wire;
mod worker;
mod world;
mod written;

use expect_test::expect_file;
use world::{On, World, in_two};

macro_rules! scenes {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let file = concat!("scenes/", stringify!($name), ".scene");
            play(file, include_str!(concat!("scenes/", stringify!($name), ".scene")));
        }
    )*};
}

/// What [`counted`] is tried with.
#[test]
fn counted_keys() {
    play("scenes/counted.scene", counted::SCENE);
}

scenes! { answers folds formed going keys layers losing named objects picked told place_order rules parts control policies events jobs foresight odd direct found services remembered steps }

/// A scene is a model, a line `---`, and then what is asked, each line after `> ` followed by what is answered:
///
/// - `> run ROLE[:SUBJECT] COMMAND[/KEY] [BODY]`
/// - `> add ROLE[:SUBJECT] ENTITY BODY`
/// - `> change ROLE[:SUBJECT] ENTITY KEY BODY`
/// - `> remove ROLE[:SUBJECT] ENTITY KEY`
/// - `> read ROLE[:SUBJECT] ENTITY KEY [INCLUDE]`
/// - `> work`: what is due is carried out
/// - `> wait`: a little more than a second
fn play(file: &str, text: &str) {
    let (model, script) = in_two(text);
    let path = format!("{}/tests/commands/{file}", env!("CARGO_MANIFEST_DIR"));
    let known = (On::Sqlite, true);
    for (on, known) in [known, (On::Sqlite, false), (On::Postgres, false), (On::Pooled, false)] {
        let mut world = World::new(on, model);
        world.known = known;
        let lines = script.lines().filter(|line| line.starts_with('>') || line.starts_with('#'));
        let told = lines.map(|line| match line.strip_prefix("> ") {
            Some(ask) => format!("{line}\n{}\n", world.ask(ask)),
            None => format!("{line}\n"),
        });
        let told: String = told.collect();
        expect_file![&path].assert_eq(&format!("{model}\n---\n{told}"));
        if known && file != "scenes/parts.scene" {
            assert!(
                world.store.statistics().ahead > 0,
                "{file}: all of it has waited for its turn"
            );
        }
    }
}
