//! The API page in a real browser, with the network closed.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Project, Request, alone, example};

/// A browser that hangs has failed.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
#[ignore = "needs Chromium; `cargo xtask test` installs it and runs this"]
fn the_api_page_works_offline() {
    let _turn = alone();
    let project = Project::example("chinook");
    project.load(&example("chinook").join("data"));
    let server = project.serve();
    let page = format!("http://{}/docs", server.address);
    let source = server.send(&Request::get("/docs")).expect(200);
    assert!(source.header("content-type").unwrap_or_default().starts_with("text/html"), "{source}");

    let picture = project.scratch("docs.png");
    let requests = project.scratch("requests.json");
    let (dom, messages) = browse(
        &project,
        &page,
        &["--dump-dom".into(), format!("--log-net-log={}", requests.display())],
    );
    for path in ["#list_artists", "/media-types", "/invoices/{id}", "/tracks-by-genre"] {
        assert!(dom.contains(path), "{path} is not on the page:\n{dom}");
    }
    assert!(
        dom.contains("A shop that sells digital music"),
        "the model's words are not on the page:\n{dom}"
    );
    let console: Vec<&str> = messages
        .lines()
        .filter(|line| line.contains("CONSOLE") || line.contains("Uncaught"))
        .collect();
    assert!(console.is_empty(), "the page complains: {console:#?}");

    let origin = format!("http://{}", server.address);
    let asked = addresses(&fs::read_to_string(&requests).unwrap(), &origin);
    assert!(
        asked.iter().any(|url| url.ends_with("/openapi.json")),
        "the log shows nothing: {asked:#?}"
    );
    let foreign = asked
        .into_iter()
        .filter(|url| {
            url.starts_with("http") && !url.starts_with(&format!("http://{}/", server.address))
        })
        .collect::<Vec<_>>();
    assert!(foreign.is_empty(), "the page asks elsewhere: {foreign:#?}");

    browse(
        &project,
        &page,
        &[format!("--screenshot={}", picture.display()), "--window-size=1280,1600".into()],
    );
    let size = fs::metadata(&picture).unwrap().len();
    assert!(size > 20_000, "the picture is empty: {size} bytes");
    if let Some(keep) = std::env::var_os("MIMAR_SCREENSHOT") {
        fs::copy(&picture, keep).unwrap();
    }
}

/// What the page became, and what the browser said of it.
fn browse(project: &Project, page: &str, arguments: &[String]) -> (String, String) {
    let program = std::env::var_os("MIMAR_CHROMIUM").expect("MIMAR_CHROMIUM");
    let profile = tempfile::tempdir().unwrap();
    let (out, err) = (project.scratch("browser.out"), project.scratch("browser.err"));
    let mut child = Command::new(program)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser hangs:\n{}", fs::read_to_string(&err).unwrap());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (out, err) = (read(&out), read(&err));
    assert!(status.success(), "{status}\n{err}");
    (out, err)
}

/// Every address that the page of this origin asked for; what the browser asks for by itself is its own affair.
fn addresses(log: &str, origin: &str) -> Vec<String> {
    // The log is cut short when the browser ends; each event is one line.
    let mut urls = Vec::new();
    for line in log.lines() {
        let line = line.trim().trim_end_matches([',', ']', '}']);
        for tail in ["", "}", "}}"] {
            let Ok(event) = serde_json::from_str::<Value>(&format!("{line}{tail}")) else {
                continue;
            };
            let parameters = &event["params"];
            if let Some(url) = parameters["url"].as_str()
                && parameters["initiator"].as_str() == Some(origin)
            {
                urls.push(url.to_string());
            }
            break;
        }
    }
    urls.sort();
    urls.dedup();
    urls
}
