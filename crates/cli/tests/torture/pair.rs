//! Two servers of one database share what is to be done; when one is killed, the other does what it has left.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Client, Project, Request, beside, token};
use crate::orders::{COUNTERS, fill, query, sku, verify_heard};

const TICKS: &str = "
/// When the job ran.
entity Tick { key number: Int = auto  allow read to clerk }
/// Notes that it ran.
command strike() { allow system  create Tick {} }
job tick every 2s { run strike() }
";
/// For how long tasks are taken, as `mimar serve` does.
const LEASE: Duration = Duration::from_secs(30);
const CUSTOMERS: usize = 16;

#[test]
fn what_a_killed_server_has_taken_the_other_does() {
    let _turn = beside();
    let project = Project::on_postgres(&format!("{}{TICKS}", include_str!("orders.mimar")));
    let began = Instant::now();
    let mut first = project.serve();
    let second = project.serve();
    fill(&first);
    let number = |sql: &str| query(&project, sql)[0][0].parse::<usize>().unwrap();
    let mut taken = 0;
    let (stop, placed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let killed = thread::scope(|scope| {
        for customer in 0..CUSTOMERS {
            let address = if customer % 2 == 0 { first.address } else { second.address };
            let (stop, placed) = (&stop, &placed);
            scope.spawn(move || {
                let token = token("customer", Some("1"));
                let mut client = Client::connect(address).unwrap();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let item = json!({ "product": sku(1), "quantity": 1 });
                    let counter = (customer + number) as u64 % COUNTERS;
                    let label = format!("{customer}-{number}");
                    let body = json!({ "label": label, "counter": counter, "basket": [item] });
                    let request = Request::post("/v1/place-order", &body).token(&token);
                    match client.send(&request) {
                        Ok(answer) if answer.status == 200 => {
                            placed.fetch_add(1, Ordering::Relaxed)
                        }
                        // Too many at once.
                        Ok(answer) if answer.status == 503 => 0,
                        Ok(answer) => panic!("{answer}"),
                        // It was killed.
                        Err(_) => break,
                    };
                }
            });
        }
        thread::sleep(Duration::from_secs(1));
        // Stopped where it has taken something, so that it dies with it.
        for _ in 0..40 {
            first.signal("-STOP");
            thread::sleep(Duration::from_millis(400));
            // What the other one takes it has done by now; what stays taken is of this one.
            let sql = "SELECT count(*) FROM mimar_task WHERE taken_until IS NOT NULL AND taken_until < \
                       extract(epoch FROM now() + interval '29.7 s') * 1000000 AND target NOT LIKE 'job %'";
            taken = number(sql);
            if taken > 0 {
                break;
            }
            first.signal("-CONT");
            thread::sleep(Duration::from_millis(50));
        }
        first.kill();
        let killed = Instant::now();
        // The other one goes on, also with what comes now.
        thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        killed
    });
    verify_heard(&project);
    let passed = killed.elapsed();
    // Its lease, and some time for the work itself on a machine that does much else.
    assert!(passed < LEASE + Duration::from_secs(10), "what was left took {passed:?}");
    assert!(taken > 0, "it had taken nothing");
    let events = number("SELECT count(*) FROM mimar_event");
    let placed = placed.into_inner();
    assert!(events >= placed && placed > CUSTOMERS, "{placed} orders, and {events} events");
    let before = number("SELECT count(*) FROM tick");
    let deadline = killed + LEASE + Duration::from_secs(10);
    while number("SELECT count(*) FROM tick") == before {
        assert!(Instant::now() < deadline, "the job does not go on");
        thread::sleep(Duration::from_millis(200));
    }
    // Both looked at the clock, and one of them ran it.
    let ticks = number("SELECT count(*) FROM tick") as u64;
    let most = began.elapsed().as_secs() / 2 + 2;
    assert!(ticks <= most, "{ticks} runs of a job in the time of {most}");
    eprintln!("{placed} orders, {taken} tasks taken at the kill, all heard after {passed:?}");
}
