//! Which server, which database, and as whom? A URL or its parts; the password is in here and in
//! no message.

use std::fmt;
use std::str::FromStr;

use tidegate::SettingError;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::settings::TlsMode;

/// A server, a database on it, and who connects.
///
/// It prints without the password:
///
/// ```
/// use tidegate_sinks::postgres::Server;
///
/// let server = Server::parse("postgresql://tide:secret@db.example:5433/events")?;
/// assert_eq!(server.to_string(), "tide@db.example:5433/events");
/// assert_eq!(format!("{server:?}"), "Server(tide@db.example:5433/events)");
/// # Ok::<(), tidegate::SettingError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    pub(super) config: Config,
    pub(super) tls: TlsMode,
}

impl Server {
    /// Reads a URL (`postgresql://user:password@host:port/database`) or the words of libpq
    /// (`host=… user=…`), with `sslmode` disable, prefer, require or verify-full (which needs
    /// `sslrootcert`). Several hosts are tried one after the other; a host that begins with `/` is
    /// the directory of a socket.
    ///
    /// # Errors
    ///
    /// [`SettingError`] of the field `url`; its value is not told, as it may hold a password.
    pub fn parse(url: &str) -> Result<Self, SettingError> {
        let refused = |bound: &str| SettingError::new("url", "not usable", bound);
        let (url, mode, root_cert) = without_tls(url);
        let config = Config::from_str(&url).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.to_string());
            refused(&format!(
                "like postgresql://user:password@host:5432/database, with special characters of \
                 the password as %XX ({cause})"
            ))
        })?;
        let mut server = Self { config, tls: TlsMode::Prefer };
        let strays = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if server.config.get_hosts().iter().any(strays) {
            return Err(refused("a URL with one `@`: write those of the password as %40"));
        }
        if server.config.get_hosts().is_empty() {
            return Err(refused("a URL that names a host"));
        }
        if server.config.get_user().is_none() {
            server.config.user("postgres");
        }
        server.tls = match (mode.as_deref(), root_cert) {
            (None | Some("prefer"), _) => TlsMode::Prefer,
            (Some("disable"), _) => TlsMode::Disable,
            (Some("require"), _) => TlsMode::Require,
            (Some("verify-full"), Some(file)) => TlsMode::VerifyFull { root_cert: file.into() },
            (Some("verify-full"), None) => {
                return Err(refused("a URL with `sslrootcert`, which verify-full needs"));
            }
            (Some(_), _) => {
                return Err(refused("a URL with sslmode disable, prefer, require or verify-full"));
            }
        };
        Ok(server)
    }

    /// A database on a host, from its parts. A host that begins with `/` is the directory of a
    /// socket.
    #[must_use]
    pub fn new(host: &str, port: u16, user: &str, database: &str) -> Self {
        let mut config = Config::new();
        config.host(host).port(port).user(user).dbname(database);
        Self { config, tls: TlsMode::Prefer }
    }

    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// The same with this encryption.
    #[must_use]
    pub fn with_tls(mut self, mode: TlsMode) -> Self {
        self.tls = mode;
        self
    }

    /// What the client library is to ask for.
    pub(super) fn ssl_mode(&self) -> SslMode {
        match self.tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyFull { .. } => SslMode::Require,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or("postgres");
        write!(f, "{user}@")?;
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or(user))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

/// The URL without what the client library does not know of TLS, and what that was.
fn without_tls(url: &str) -> (String, Option<String>, Option<String>) {
    let (mut mode, mut root_cert) = (None, None);
    let mut take = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "sslmode" => mode = Some(value.to_owned()),
            "sslrootcert" => root_cert = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => return false,
        }
        true
    };
    let rest = if url.contains("://") {
        match url.split_once('?') {
            None => url.to_owned(),
            Some((base, query)) => {
                let kept: Vec<_> = query.split('&').filter(|pair| !take(pair)).collect();
                if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
            }
        }
    } else if url.contains('\'') {
        // Quoted words may hold blanks: left alone, so that a password survives.
        url.to_owned()
    } else {
        url.split_whitespace().filter(|pair| !take(pair)).collect::<Vec<_>>().join(" ")
    };
    (rest, mode, root_cert)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_words_are_read_with_their_modes() {
        for (text, shown, mode) in [
            ("postgresql://u:p@h/d", "u@h:5432/d", TlsMode::Prefer),
            ("postgres://u:p@h:5433/d?sslmode=disable", "u@h:5433/d", TlsMode::Disable),
            ("host=h user=u password=p dbname=d sslmode=require", "u@h:5432/d", TlsMode::Require),
            (
                "postgresql://h?sslmode=prefer&connect_timeout=3",
                "postgres@h:5432/postgres",
                TlsMode::Prefer,
            ),
            ("postgresql://u@one:1,two:2/d", "u@one:1,two:2/d", TlsMode::Prefer),
            (
                "postgresql://u@h/d?sslrootcert=/etc/ca.pem&sslmode=verify-full",
                "u@h:5432/d",
                TlsMode::VerifyFull { root_cert: "/etc/ca.pem".into() },
            ),
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!((server.to_string().as_str(), &server.tls), (shown, &mode), "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_told_without_the_password() {
        for url in [
            "postgresql://u:hunter2@h:port/d",
            "postgresql://u:hunter2@x@h/d",
            "postgresql://u:hunter2@h/d?sslmode=verify-full",
            "postgresql://u:hunter2@h/d?sslmode=verify-ca",
            "user=u password=hunter2",
            "u:hunter2",
        ] {
            let error = Server::parse(url).unwrap_err().to_string();
            assert!(error.starts_with("url is not usable, but must be"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
