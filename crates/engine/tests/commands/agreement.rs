//! Two databases, of one of which rows are loaded: whatever is asked, they answer alike and hold the same.

use crate::direct::Dice;
use crate::world::{On, World};

/// Two worlds that should agree.
pub struct Agreement {
    pub loaded: World,
    pub direct: World,
    /// All that a world holds, but for what is drawn by chance.
    held: fn(&World) -> String,
}

impl Agreement {
    /// Two worlds of a model, each with what `people` makes.
    pub fn of(model: &str, people: fn(&World), held: fn(&World) -> String) -> Self {
        let mut loaded = World::new(On::Postgres, model);
        loaded.loads = true;
        let direct = World::new(On::Postgres, model);
        people(&loaded);
        people(&direct);
        Self { loaded, direct, held }
    }

    /// Asks both; what they answer.
    pub fn ask(&self, ask: &str, when: &str) -> String {
        let told = self.loaded.ask(ask);
        assert_eq!(told, self.direct.ask(ask), "{when}: {ask}");
        told
    }

    /// Holds what both have against each other.
    pub fn look(&self, when: &str) {
        let (loaded, direct) = ((self.held)(&self.loaded), (self.held)(&self.direct));
        for (loaded, direct) in loaded.lines().zip(direct.lines()) {
            assert_eq!(loaded, direct, "{when}");
        }
        assert_eq!(loaded.lines().count(), direct.lines().count(), "{when}");
    }

    /// Asks both two hundred random things. `before`: what is done before each.
    /// Of an even seed the direct one keeps all that it answers under keys.
    pub fn go_through(
        &mut self,
        seed: u32,
        ask: fn(&mut Dice) -> String,
        before: impl Fn(&Self, u32, &str),
    ) {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed));
        let (mut done, mut refused) = (0, 0);
        self.direct.keeps = seed.is_multiple_of(2);
        let when = format!("seed {seed}");
        for turn in 0..200 {
            let ask = ask(&mut dice);
            before(self, turn, &ask);
            let told = self.ask(&ask, &when);
            if dice.below(3) == 0 {
                self.ask("work", &when);
            }
            let is_done =
                told == "done" || told.starts_with(['"', '{', 'n']) || told.parse::<i64>().is_ok();
            *(if is_done { &mut done } else { &mut refused }) += 1;
            if dice.below(8) == 0 {
                self.look(&format!("{when}, after {ask}"));
            }
        }
        self.look(&when);
        assert!(done > 40 && refused > 20, "{when}: {done} done, {refused} refused");
    }
}
