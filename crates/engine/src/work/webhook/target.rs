//! Where an endpoint is.

use http::Uri;

/// The address of an endpoint, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the connection is encrypted: `https`.
    pub encrypted: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, said or the scheme's own.
    pub port: u16,
    /// As the `Host` header has it.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

/// Why an address cannot be that of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// Not a URL at all.
    #[error("it is not a URL, such as https://partner.example/hooks")]
    NoUrl,
    /// Something else than HTTP.
    #[error("only https:// is spoken, and http:// where private networks are allowed")]
    Scheme,
    /// User and password in it.
    #[error(
        "it holds a user or a password, which would be kept and shown in clear; deliveries are signed instead"
    )]
    Credentials,
    /// A port that there is not.
    #[error("the port must be 1 to 65535")]
    Port,
    /// Longer than 2,048 bytes.
    #[error("it is longer than 2,048 bytes")]
    TooLong,
}

/// The longest URL.
const LONGEST: usize = 2_048;

impl Target {
    /// Takes a URL apart (RFC 3986). A fragment, which is never sent, is left out.
    ///
    /// # Errors
    /// [`TargetFault`]
    pub fn parse(url: &str) -> Result<Self, TargetFault> {
        if url.len() > LONGEST {
            return Err(TargetFault::TooLong);
        }
        let uri: Uri = url.parse().map_err(|_| TargetFault::NoUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(TargetFault::NoUrl);
        };
        let (encrypted, usual) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(TargetFault::Scheme),
        };
        if authority.as_str().contains('@') {
            return Err(TargetFault::Credentials);
        }
        let bracketed = authority.host();
        let host = bracketed.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = host.unwrap_or(bracketed).to_ascii_lowercase();
        if host.is_empty() {
            return Err(TargetFault::NoUrl);
        }
        let port = match authority.as_str().strip_prefix(bracketed) {
            Some("") => usual,
            Some(rest) => {
                let digits = rest.strip_prefix(':').filter(|digits| !digits.is_empty());
                let port = digits.and_then(|digits| digits.parse().ok());
                port.filter(|port| *port != 0).ok_or(TargetFault::Port)?
            }
            None => return Err(TargetFault::NoUrl),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let authority =
            if port == usual { bracketed.to_owned() } else { format!("{bracketed}:{port}") };
        Ok(Self { encrypted, host, port, authority, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, encrypted, host, port, authority, path) in [
            ("https://a.example", true, "a.example", 443, "a.example", "/"),
            ("https://A.example:443/b?c=d", true, "a.example", 443, "A.example", "/b?c=d"),
            ("https://a.example?c=d", true, "a.example", 443, "a.example", "/?c=d"),
            ("http://[::1]:8080/x#y", false, "::1", 8080, "[::1]:8080", "/x"),
            ("http://127.0.0.1:65535/", false, "127.0.0.1", 65535, "127.0.0.1:65535", "/"),
        ] {
            let (host, authority, path) = (host.into(), authority.into(), path.into());
            let expected = Target { encrypted, host, port, authority, path };
            assert_eq!(Target::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (url, fault) in [
            ("", TargetFault::NoUrl),
            ("partner.example", TargetFault::NoUrl),
            ("/hooks", TargetFault::NoUrl),
            ("https://", TargetFault::NoUrl),
            ("https://a b.example/", TargetFault::NoUrl),
            ("https://bücher.example/", TargetFault::NoUrl),
            ("ftp://a.example/", TargetFault::Scheme),
            ("file://a.example/etc/passwd", TargetFault::Scheme),
            ("gopher://a.example/", TargetFault::Scheme),
            ("https://ann:secret@a.example/", TargetFault::Credentials),
            ("https://ann@a.example/", TargetFault::Credentials),
            ("https://a.example@127.0.0.1/", TargetFault::Credentials),
            ("https://a.example:0/", TargetFault::Port),
            ("https://a.example:/", TargetFault::Port),
        ] {
            assert_eq!(Target::parse(url), Err(fault), "{url}");
        }
        for url in ["https://a.example:65536/", "https://a.example:x/", "https://a.example:-1/"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let long = format!("https://a.example/{}", "x".repeat(2_048));
        assert_eq!(Target::parse(&long), Err(TargetFault::TooLong));
    }
}
