//! One attempt to deliver: a name is resolved, an address is judged and connected to, a request is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Settings;
use super::address;
use super::schedule::retry_after;
use super::signature::{Secret, signatures};
use super::target::Target;

/// What is sent.
#[derive(Debug)]
pub struct Parcel {
    /// By which the receiver tells that it has it already.
    pub id: String,
    /// The event, as JSON.
    pub body: Bytes,
    /// What it is signed with, the newest first.
    pub secrets: Vec<Secret>,
    /// When it is sent, in microseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong, in a few words; nothing if it has arrived.
    pub reason: String,
    /// How long the receiver asked us to wait.
    pub wait: Option<Duration>,
}

impl Outcome {
    /// Whether it has arrived.
    pub fn has_arrived(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self { status: None, reason: reason.into(), wait: None }
    }
}

/// Of an answer so much is read, and dropped: enough for a connection that ends in order.
const READ: usize = 4 * 1_024;

/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;

/// Sends a parcel once.
pub async fn deliver(settings: &Settings, url: &str, parcel: &Parcel) -> Outcome {
    let target = match Target::parse(url) {
        Ok(target) => target,
        Err(fault) => return Outcome::failed(format!("not sent: {fault}")),
    };
    if !target.encrypted && !settings.to_private {
        return Outcome::failed("not sent: only https:// is spoken");
    }
    if parcel.secrets.is_empty() {
        return Outcome::failed("not sent: there is no secret to sign it with");
    }
    let attempt = attempt(settings, &target, parcel);
    match tokio::time::timeout(settings.whole, attempt).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(reason)) => Outcome::failed(reason),
        Err(_) => Outcome::failed(format!("no answer within {} s", seconds(settings.whole))),
    }
}

async fn attempt(settings: &Settings, target: &Target, parcel: &Parcel) -> Result<Outcome, String> {
    let connecting = async {
        let stream = connect(settings, target).await?;
        if !target.encrypted {
            return Ok(Either::Left(stream));
        }
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| "no certificate can be for this name".to_owned())?;
        let connector = TlsConnector::from(settings.tls()?);
        let secured = connector.connect(name, stream).await;
        secured.map(Either::Right).map_err(|error| format!("no secure connection: {error}"))
    };
    let stream = tokio::time::timeout(settings.connect, connecting).await;
    let stream =
        stream.map_err(|_| format!("no connection within {} s", seconds(settings.connect)))??;
    match stream {
        Either::Left(stream) => post(stream, target, parcel).await,
        Either::Right(stream) => post(stream, target, parcel).await,
    }
}

/// Connects to an address that was judged, and to no other.
async fn connect(settings: &Settings, target: &Target) -> Result<TcpStream, String> {
    let Target { host, port, .. } = target;
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![(address, *port).into()],
        Err(_) => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            found.map_err(|_| "the name is not known".to_owned())?.collect()
        }
    };
    let (mut refused, mut failed) = (None, None);
    for address in addresses.into_iter().take(ADDRESSES) {
        if let Some(kind) = address::kind(address.ip())
            && !(settings.to_private && kind.is_own())
        {
            refused = Some(kind);
            continue;
        }
        let trying = TcpStream::connect(address);
        match tokio::time::timeout(settings.connect / 2, trying).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = Some(told(&error)),
            Err(_) => failed = Some("nobody answers there".to_owned()),
        }
    }
    Err(match (failed, refused) {
        (Some(failed), _) => failed,
        (None, Some(kind)) => format!("not sent: the address is that of {}", kind.as_str()),
        (None, None) => "the name has no address".to_owned(),
    })
}

async fn post<S>(stream: S, target: &Target, parcel: &Parcel) -> Result<Outcome, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Parcel { id, body, secrets, now } = parcel;
    let timestamp = now.div_euclid(1_000_000);
    let request = Request::post(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, concat!("Mimar/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures(secrets, id, timestamp, body))
        .body(Full::new(body.clone()))
        .map_err(|_| "the request cannot be written".to_owned())?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(16 * 1_024).handshake(io).await.map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, mut body) = response.into_parts();
        let outcome = judge(head.status, &head.headers, *now);
        let mut read = 0;
        // The answer has been given: what happens to the rest of it changes nothing.
        while read < READ
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok(outcome)
    };
    let (exchange, connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    match select(exchange, connection).await {
        Either::Left((outcome, _)) => outcome,
        // What has arrived before the connection ended is still there.
        Either::Right((_, exchange)) => exchange.await,
    }
}

/// What a status means. A redirection is not followed: whoever answers so could send us anywhere.
fn judge(status: StatusCode, headers: &HeaderMap, now: i64) -> Outcome {
    let reason = match status {
        status if status.is_success() => String::new(),
        status if status.is_redirection() => {
            format!("answered {}: redirections are not followed", status.as_u16())
        }
        status => match status.canonical_reason() {
            Some(reason) => format!("answered {} {reason}", status.as_u16()),
            None => format!("answered {}", status.as_u16()),
        },
    };
    let may_ask = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = headers.get(header::RETRY_AFTER).filter(|_| may_ask);
    let wait = asked.and_then(|asked| retry_after(asked.to_str().ok()?, now));
    Outcome { status: Some(status.as_u16()), reason, wait }
}

fn broken(error: hyper::Error) -> String {
    if error.is_parse() {
        "what was answered is not HTTP".to_owned()
    } else {
        "the connection ended without an answer".to_owned()
    }
}

fn told(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        kind => format!("no connection: {kind}"),
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Believes these certificates, or else those that the system believes.
pub(super) fn tls(
    roots: Option<&rustls::RootCertStore>,
) -> Result<Arc<rustls::ClientConfig>, String> {
    let roots = match roots {
        Some(roots) => roots.clone(),
        None => {
            let mut roots = rustls::RootCertStore::empty();
            // One that cannot be read or understood is one less to believe.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    if roots.is_empty() {
        return Err("this machine has no certificates to verify others with".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
