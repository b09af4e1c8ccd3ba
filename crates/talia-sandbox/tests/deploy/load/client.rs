//! HTTP/1.1 over TLS by hand: a client that reconnects or retries by itself would hide
//! what is to be counted.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use talia_sandbox::{Droplet, Sandbox};
use tungstenite::WebSocket;

/// Longer than the slowest request, and than a switch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An environment's public side.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    host: String,
    tls: Arc<ClientConfig>,
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// One connection, and what has come on it and is not read yet.
pub(crate) struct Connection {
    stream: Tls,
    host: String,
    unread: Vec<u8>,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The revision that says so in its header.
    pub(crate) revision: Option<String>,
    /// When a client that was turned away may come again.
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends here, as the server has said.
    pub(crate) is_last: bool,
}

impl Target {
    pub(crate) fn new(sandbox: &Sandbox, droplet: &Droplet, environment: &str) -> Self {
        let provider = Arc::new(ring::default_provider());
        let pinned = CertificateDer::from_pem_file(sandbox.ca()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { pinned, provider }))
            .with_no_client_auth();
        Self {
            address: (Ipv4Addr::LOCALHOST, droplet.https_port()).into(),
            host: sandbox.host_name(environment),
            tls: Arc::new(tls),
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn tls(&self) -> io::Result<Tls> {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), name);
        Ok(StreamOwned::new(connection.map_err(io::Error::other)?, socket))
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Ok(Connection { stream: self.tls()?, host: self.host.clone(), unread: Vec::new() })
    }

    pub(crate) fn websocket(&self, path: &str) -> Result<WebSocket<Tls>, String> {
        let stream = self.tls().map_err(|error| error.to_string())?;
        let address = format!("wss://{}{path}", self.host);
        match tungstenite::client(address, stream) {
            Ok((socket, _)) => Ok(socket),
            Err(error) => Err(error.to_string()),
        }
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.connect()?.request("GET", path, &[], &[])
    }
}

impl Connection {
    /// Sends a request and waits for its whole answer. Nothing is sent twice.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.stream.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.read_more()?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end + 4);
        let wrong = || io::Error::other(format!("no answer of HTTP: {head:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status: u16 = status.and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
        let headers: Vec<(String, &str)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim()))
            .collect();
        let header =
            |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        // Neither Nginx's pages nor the app's answers come in pieces.
        let length: usize =
            header("content-length").and_then(|length| length.parse().ok()).ok_or_else(wrong)?;
        while self.unread.len() < length {
            self.read_more()?;
        }
        Ok(Answer {
            status,
            revision: header("x-talia-revision").map(str::to_owned),
            retry_after: header("retry-after").map(str::to_owned),
            body: self.unread.drain(..length).collect(),
            is_last: header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        })
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed in the middle")),
            count => {
                self.unread.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

/// Takes the sandbox's own certificate, which vouches for itself, and no other.
#[derive(Debug)]
struct Pinned {
    pinned: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.pinned {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
