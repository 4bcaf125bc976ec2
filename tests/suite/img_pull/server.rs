//! A registry in the test itself, on the loopback of the tests' network: it lies, breaks off and refuses as told.

use ctr_tests::{Host, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: HashMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Where `Range` begins.
    pub fn from(&self) -> usize {
        let range = self.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
        range.map_or(0, |from| from.parse().unwrap())
    }
}

/// What is answered.
#[derive(Clone, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    cut: Option<usize>,
    stall: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Without a length before it.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Hangs up after `n` bytes of the body.
    pub fn cut(mut self, n: usize) -> Self {
        self.cut = Some(n);
        self
    }

    /// Says nothing more after `n` bytes of the body.
    pub fn stall(mut self, n: usize) -> Self {
        self.stall = true;
        self.cut(n)
    }

    pub fn is_success(&self) -> bool {
        self.status < 300
    }

    pub fn redirect(location: String) -> Self {
        Self::new(307, "").header("Location", location)
    }
}

/// A server that runs until the suite ends.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` is given the request and how many of the same method and path came before it.
    pub fn start(host: &Host, answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = host.net().listen();
        let address = listener.local_addr().unwrap().to_string();
        let log: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (answer, shared) = (Arc::new(answer), log.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (answer.clone(), shared.clone());
                thread::spawn(move || {
                    let answer = |request: Request| {
                        let mut log = log.lock().unwrap();
                        let same = |r: &&Request| r.path == request.path && r.method == request.method;
                        let before = log.iter().filter(same).count();
                        log.push(request.clone());
                        drop(log);
                        answer(&request, before)
                    };
                    serve(&stream, answer)
                });
            }
        });
        Self { address, log }
    }

    /// The requests so far whose path contains `part`; those that only ask whether this is a registry are left out.
    pub fn requests(&self, part: &str) -> Vec<Request> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|r| r.path != "/v2/" && r.path.contains(part)).cloned().collect()
    }

    pub fn reference(&self) -> String {
        format!("{}/image", self.address)
    }
}

/// Answers the requests of one connection until it breaks or must.
fn serve(stream: &TcpStream, answer: impl Fn(Request) -> Reply) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let head = request.method == "HEAD";
        let reply = answer(request);
        let mut out = format!("HTTP/1.1 {} Told\r\n", reply.status);
        for (name, value) in &reply.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        if reply.chunked {
            out += "Transfer-Encoding: chunked\r\n";
        } else if !reply.headers.iter().any(|(n, _)| n == "Content-Length") {
            let _ = write!(out, "Content-Length: {}\r\n", reply.body.len());
        }
        let mut out = (out + "\r\n").into_bytes();
        let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
        if reply.chunked {
            for chunk in body.chunks(1 << 16) {
                out.extend(format!("{:x}\r\n", chunk.len()).bytes());
                out.extend(chunk);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\n\r\n");
        } else if !head {
            out.extend(body);
        }
        (&mut &*stream).write_all(&out).ok()?;
        if reply.stall {
            let _ = reader.read(&mut [0]);
        }
        if reply.cut.is_some() {
            return None;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).unwrap() })
}

/// An image that a good registry would serve.
#[derive(Clone)]
pub struct Image {
    pub manifest: Vec<u8>,
    pub media_type: String,
    blobs: HashMap<String, Vec<u8>>,
    /// The digests of the layers.
    pub layers: Vec<String>,
    pub config: String,
}

pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `size` bytes that look like nothing.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 32) as u8
    };
    (0..size).map(next).collect()
}

impl Image {
    /// With one layer of each size.
    pub fn new(sizes: &[usize]) -> Self {
        Self::with(sizes, |_| {})
    }

    /// The same with its manifest changed.
    pub fn with(sizes: &[usize], change: impl FnOnce(&mut Value)) -> Self {
        let mut blobs = HashMap::new();
        let mut add = |bytes: Vec<u8>, media_type: &str| {
            let descriptor = json!({"mediaType": media_type, "digest": digest(&bytes), "size": bytes.len()});
            blobs.insert(digest(&bytes), bytes);
            descriptor
        };
        let layers: Vec<Value> =
            sizes.iter().enumerate().map(|(n, size)| add(noise(*size, n as u64 + 1), LAYER)).collect();
        let diff_ids: Vec<String> = layers.iter().map(|l| digest(l["digest"].as_str().unwrap().as_bytes())).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = add(config.to_string().into_bytes(), "application/vnd.oci.image.config.v1+json");
        let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        change(&mut manifest);
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        Self {
            media_type: text(&manifest["mediaType"]),
            layers: layers.iter().map(|l| text(&l["digest"])).collect(),
            config: text(&config["digest"]),
            manifest: manifest.to_string().into_bytes(),
            blobs,
        }
    }

    /// What a good registry answers.
    pub fn answer(&self, request: &Request) -> Reply {
        let path = &request.path;
        if path == "/v2/" {
            return Reply::new(200, "{}");
        }
        let wanted = path.rsplit('/').next().unwrap();
        if path.contains("/manifests/") && (wanted == "latest" || wanted == digest(&self.manifest)) {
            return Reply::new(200, self.manifest.clone())
                .header("Content-Type", &self.media_type)
                .header("Docker-Content-Digest", digest(&self.manifest));
        }
        let Some(blob) = self.blobs.get(wanted) else {
            return Reply::new(404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"none of mine"}]}"#);
        };
        match request.from() {
            0 => Reply::new(200, blob.clone()),
            from => Reply::new(206, &blob[from..])
                .header("Content-Range", format!("bytes {from}-{}/{}", blob.len() - 1, blob.len())),
        }
    }

    pub fn blob(&self, digest: &str) -> &[u8] {
        &self.blobs[digest]
    }
}

/// Whether the host's store holds exactly the image: named, every blob in it to the byte, no partial one.
#[track_caller]
pub fn assert_pulled(host: &Host, doc: &Value) {
    host.pipe_to(doc, "img-pull", &["--check"]).ok();
    assert_eq!(partials(host), Vec::<String>::new());
    let index = std::fs::read_to_string(host.root().join("images/index.json")).unwrap();
    assert!(index.contains(doc["image"]["ref"].as_str().unwrap()), "{index}");
}

/// The names of the partial blobs.
pub fn partials(host: &Host) -> Vec<String> {
    let entries = std::fs::read_dir(host.root().join("images/ingest")).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().into_string().unwrap()).collect()
}

/// No reference was made.
#[track_caller]
pub fn assert_nothing_named(host: &Host) {
    assert!(!host.root().join("images/index.json").exists());
}
