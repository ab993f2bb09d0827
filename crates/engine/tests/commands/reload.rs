//! Tables change under a running engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::Loaded;

use crate::world::{On, World};

const MODEL: &str = "app X { roles clerk }\nentity A { key id: Int  allow read to clerk }\n";

/// Who began with the old tables ends with them; who does not end is not waited for for ever.
#[test]
fn tables_wait_for_requests_under_way() {
    let world = World::new(On::Sqlite, MODEL);
    world.engine.expect_reloads();
    let swap = |changed: Arc<AtomicBool>| {
        let (model, schema) = (world.loaded.model.clone(), world.loaded.schema.clone());
        let engine = world.engine.clone();
        let change = move |_: &Loaded| {
            changed.store(true, Ordering::Release);
            Ok::<(), std::convert::Infallible>(())
        };
        async move { engine.swap_after(Loaded::new(model, schema), change).await }
    };
    let under_way = world.engine.enter();
    let changed = Arc::new(AtomicBool::new(false));
    world.runtime.block_on(async {
        let swapping = tokio::spawn(swap(changed.clone()));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(!changed.load(Ordering::Acquire), "it did not wait");
        drop(under_way);
        swapping.await.unwrap().unwrap();
        assert!(changed.load(Ordering::Acquire));
        let _for_ever = world.engine.enter();
        let began = Instant::now();
        swap(changed.clone()).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "it waits for ever");
    });
}
