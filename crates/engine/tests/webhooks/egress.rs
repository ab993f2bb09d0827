//! Where nothing is sent, and what is no answer.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use engine::webhook::{Outcome, Parcel, Secret, Settings, deliver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::hasty;
use crate::partner::{Answer, Partner, status};

fn parcel() -> Parcel {
    let (id, body) = ("1".to_owned(), "{}".into());
    Parcel { id, body, secrets: vec![Secret::fresh().unwrap()], now: crate::world::now() }
}

fn sent(settings: &Settings, url: &str) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(deliver(settings, url, &parcel()))
}

/// Names that lead to this machine, and its odd spellings: it is the address that is judged, when it is connected to.
#[test]
fn nothing_is_sent_to_this_machine_however_it_is_spelled() {
    let partner = Partner::new(|_, _| status(200));
    let port = partner.address.port();
    let settings = Settings::new(false);
    for host in [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ] {
        let outcome = sent(&settings, &format!("https://{host}:{port}/"));
        assert_eq!(outcome.status, None, "{host}");
        let is_refused = outcome.reason.starts_with("not sent: the address is that of ");
        // A resolver may not know a spelling.
        assert!(is_refused || outcome.reason == "the name is not known", "{host}: {outcome:?}");
        let plain = sent(&settings, &format!("http://{host}:{port}/"));
        assert_eq!(plain.reason, "not sent: only https:// is spoken", "{host}");
    }
    let named = sent(&settings, &format!("https://localhost:{port}/"));
    assert_eq!(named.reason, "not sent: the address is that of this machine");
    assert_eq!(partner.connections(), 0);
}

/// Metadata is nobody's own network.
#[test]
fn a_clouds_metadata_is_not_reached_where_private_networks_are() {
    for url in
        ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://100.100.100.200/"]
    {
        let outcome = sent(&hasty(1), url);
        assert_eq!(outcome.reason, "not sent: the address is that of a cloud's metadata", "{url}");
    }
    let outcome = sent(&hasty(1), "http://0.0.0.0/");
    assert_eq!(outcome.reason, "not sent: the address is that of no address");
}

#[test]
fn an_answer_is_read_to_its_bound() {
    let partner = Partner::new(|_, _| Answer::Flood);
    let outcome = sent(&hasty(1), &partner.url());
    assert!(outcome.has_arrived(), "{outcome:?}");
}

#[test]
fn an_answer_is_not_waited_for_for_ever() {
    let partner = Partner::new(|_, _| Answer::Hang(Arc::default()));
    let mut settings = hasty(1);
    settings.whole = Duration::from_millis(500);
    assert_eq!(sent(&settings, &partner.url()).reason, "no answer within 0.5 s");
}

#[test]
fn what_is_no_answer_is_a_failure() {
    let noise = Partner::new(|_, _| Answer::Noise);
    assert_eq!(sent(&hasty(1), &noise.url()).reason, "what was answered is not HTTP");
    let silent = Partner::new(|_, _| Answer::Silence);
    assert_eq!(sent(&hasty(1), &silent.url()).reason, "the connection ended without an answer");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = sent(&hasty(1), &format!("http://{nobody}/"));
    assert_eq!(outcome.reason, "the connection was refused");
    let unknown = sent(&hasty(1), "https://nobody.invalid/");
    assert_eq!(unknown.reason, "the name is not known");
}

/// A server with a certificate for `localhost`, which answers every request with 200.
fn encrypted() -> (String, rustls::RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let configuration = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(configuration));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not believe us is gone.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        });
    });
    (format!("https://localhost:{port}/"), roots)
}

#[test]
fn a_certificate_is_verified() {
    let (url, roots) = encrypted();
    let unknown = sent(&hasty(1), &url);
    assert!(unknown.reason.starts_with("no secure connection: "), "{unknown:?}");
    let mut settings = hasty(1);
    settings.roots = Some(roots);
    let outcome = sent(&settings, &url);
    assert!(outcome.has_arrived(), "{outcome:?}");
    // It is for a name, and not for the address that the name leads to.
    let elsewhere = sent(&settings, &url.replace("localhost", "127.0.0.1"));
    assert!(elsewhere.reason.starts_with("no secure connection: "), "{elsewhere:?}");
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        plain.accept().map(|(mut stream, _)| stream.write_all(b"HTTP/1.1 200 OK"))
    });
    let outcome = sent(&settings, &url);
    assert!(outcome.reason.starts_with("no secure connection: "), "{outcome:?}");
}
