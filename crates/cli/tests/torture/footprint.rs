//! What it takes to be there: time to the first answer, memory while nobody asks.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Project, Request, alone, binary, example, token};

/// Whether the binary is one whose speed says something.
fn is_release() -> bool {
    std::env::var("MIMAR_BINARY").is_ok_and(|path| path.contains("release"))
}

#[test]
fn an_existing_database_is_served_within_50_ms_in_30_mib() {
    let _turn = alone();
    let project = Project::example("chinook");
    project.load(&example("chinook").join("data"));
    let manager = token("manager", Some("1"));
    let (mut best, mut idle, mut visited) = (Duration::MAX, u64::MAX, u64::MAX);
    for _ in 0..7 {
        let began = Instant::now();
        let server = project.serve();
        server.send(&Request::get("/v1/invoices/1?include=lines").token(&manager)).expect(200);
        best = best.min(began.elapsed());
        std::thread::sleep(Duration::from_millis(200));
        idle = idle.min(server.memory().unwrap_or(0));
        // What a visitor asks for once: the documents are made then, and kept.
        for target in ["/openapi.json", "/docs", "/metrics", "/v1/tracks?limit=100"] {
            server.send(&Request::get(target).token(&manager)).expect(200);
        }
        std::thread::sleep(Duration::from_millis(200));
        visited = visited.min(server.own_memory().unwrap_or(0));
    }
    eprintln!(
        "footprint: first answer after {best:?}, {idle} KiB resident, {visited} of its own after a visit"
    );
    if is_release() {
        assert!(best < Duration::from_millis(50), "the first answer took {best:?}");
        assert!(idle < 30 << 10, "{idle} KiB are resident while nobody asks");
        // How much of its file the system maps beside what is used differs by megabytes between two copies of one binary, so that
        // what a visit leaves is told without it.
        assert!(visited < 10 << 10, "{visited} KiB of its own after a visit");
    }
}

#[test]
fn two_megabytes_of_a_dump_are_imported_within_2_s() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let (dump, model) = (folder.path().join("dump.sql"), folder.path().join("big.mimar"));
    std::fs::write(&dump, testbed::large_dump(800)).unwrap();
    let began = Instant::now();
    let import =
        Command::new(binary()).arg("import").arg(&dump).arg("--output").arg(&model).output();
    let (took, import) = (began.elapsed(), import.unwrap());
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let entities = std::fs::read_to_string(&model).unwrap().matches("\nentity ").count();
    assert_eq!(entities, 800);
    eprintln!("footprint: a dump of two megabytes is imported in {took:?}");
    if is_release() {
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}
