//! Answers as they go out: header values made once, one body.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use super::problem::Refusal;
use super::{negotiate, tag};

/// An answer.
pub(crate) type Reply = Response<Body>;

/// Its body.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Full<Bytes>),
    /// What comes until its sender is gone.
    Stream(Stream),
}

/// What comes piece by piece.
pub(crate) struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    /// What lives as long.
    held: Option<Box<dyn Any + Send>>,
}

impl Body {
    fn whole(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }

    /// What comes from here.
    pub(crate) fn stream(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self::Stream(Stream { pieces, held: None })
    }
}

impl Stream {
    /// Keeps something until the stream has ended.
    pub(crate) fn hold(&mut self, held: impl Any + Send) {
        self.held = Some(Box::new(held));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("held", &self.held.is_some()).finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Stream(stream) => {
                stream.pieces.poll_recv(context).map(|piece| Some(Ok(Frame::data(piece?))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// How an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Not at all.
    Never,
    /// By the caller, asking each time whether it still holds.
    Caller,
    /// By anyone, asking each time.
    Anyone,
}

/// An answer with a body.
pub(crate) fn body(status: StatusCode, media_type: HeaderValue, body: Bytes, keep: Keep) -> Reply {
    let mut reply = empty(status, keep);
    *reply.body_mut() = Body::whole(body);
    reply.headers_mut().insert(CONTENT_TYPE, media_type);
    reply
}

/// An answer without one.
pub(crate) fn empty(status: StatusCode, keep: Keep) -> Reply {
    let mut reply = Response::new(Body::Whole(Full::default()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    // What nearly every answer carries. Room for more would cost more than it holds, since it is made in powers of two.
    headers.reserve(6);
    headers.insert(
        CACHE_CONTROL,
        match keep {
            Keep::Never => NO_STORE,
            Keep::Caller => PRIVATE,
            Keep::Anyone => REVALIDATE,
        },
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    reply
}

/// An answer to a read, unless the caller has it already; compressed where that pays and is wished for. `plain`: it is known
/// that the caller names nothing that it has.
pub(crate) fn read(
    request: &HeaderMap,
    plain: bool,
    json: Bytes,
    etag: HeaderValue,
    keep: Keep,
    compress_from: usize,
) -> Reply {
    let mut known = false;
    if !plain {
        for header in request.get_all(http::header::IF_NONE_MATCH) {
            known |= tag::names(header, &etag);
        }
    }
    let zipped = if !known && json.len() >= compress_from && negotiate::takes_gzip(request) {
        gzip(&json)
    } else {
        None
    };
    let mut reply =
        if known { empty(StatusCode::NOT_MODIFIED, keep) } else { empty(StatusCode::OK, keep) };
    let headers = reply.headers_mut();
    if zipped.is_some() {
        headers.insert(ETAG, tag::compressed(&etag));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    } else {
        headers.insert(ETAG, etag);
    }
    if !known {
        headers.insert(CONTENT_TYPE, JSON);
        *reply.body_mut() = Body::whole(zipped.unwrap_or(json));
    }
    reply
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// A problem.
pub(crate) fn problem(refusal: &Refusal, trace_id: &str) -> Reply {
    let mut reply = body(refusal.status(), PROBLEM, refusal.document(trace_id), Keep::Never);
    let headers = reply.headers_mut();
    if let Refusal::Method { allow } = refusal {
        headers.insert(http::header::ALLOW, allow.clone());
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // A model may say it, too.
    if refusal.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Refusal::MediaType { wanted } = refusal
        && wanted.contains("merge-patch")
    {
        headers.insert("accept-patch", HeaderValue::from_static(MERGE_PATCH));
    }
    reply
}

/// The media type of RFC 7396.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// Says by which headers of the request the answer differs.
pub(crate) fn vary(headers: &mut HeaderMap, by_origin: bool) {
    headers.insert(
        VARY,
        if by_origin {
            HeaderValue::from_static("Accept-Encoding, Authorization, Origin")
        } else {
            HeaderValue::from_static("Accept-Encoding, Authorization")
        },
    );
}
