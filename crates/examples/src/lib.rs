//! What several examples need: one HTTP request to a server on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Its `Retry-After`, in seconds.
    pub retry_after: Option<Duration>,
}

/// Sends a body to a server.
///
/// # Errors
///
/// If the server cannot be reached, or does not speak HTTP.
pub async fn post(
    server: SocketAddr,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<Answered, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(server).await?;
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::post(path).header("host", server.to_string()).body(Full::new(body.into()))?;
    let response = client.send_request(request).await?;
    let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let answered = Answered {
        status: response.status().as_u16(),
        retry_after: seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs_f64),
    };
    drop((client, response));
    connection.await??;
    Ok(answered)
}
