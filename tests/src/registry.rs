//! Debian's docker-registry (CNCF distribution) on the loopback of the tests' shared network namespace:
//! one plain on port 5000, one with TLS and basic auth on port 5001. Each is started at its first use.

use crate::{Net, images, suite};
use std::{
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

/// A registry that runs.
pub struct Registry {
    /// `host:port`, as references begin.
    pub address: &'static str,
    dir: PathBuf,
    child: Mutex<Option<Child>>,
    pushed: Mutex<Vec<String>>,
}

/// The user and password of the one with TLS.
pub const CREDENTIALS: (&str, &str) = ("alice", "secret");

static PLAIN: OnceLock<Registry> = OnceLock::new();
static TLS: OnceLock<Registry> = OnceLock::new();

/// The plain one, `localhost:5000`.
pub fn plain() -> &'static Registry {
    PLAIN.get_or_init(|| Registry::start("localhost:5000", "reg-plain", ""))
}

/// The one with TLS and basic auth, `localhost:5001`; its CA is [`Registry::ca`].
pub fn tls() -> &'static Registry {
    TLS.get_or_init(|| {
        let dir = suite::suite().dir().join("reg-tls");
        fs::create_dir(&dir).unwrap();
        certificates(&dir);
        let (user, password) = CREDENTIALS;
        let hash = run("htpasswd", &["-Bbn", user, password], &dir);
        fs::write(dir.join("htpasswd"), hash).unwrap();
        let at = dir.display();
        let extra = format!(
            "  tls: {{certificate: {at}/server.crt, key: {at}/server.key}}\nauth: {{htpasswd: {{realm: tests, path: {at}/htpasswd}}}}\n"
        );
        Registry::start("localhost:5001", "reg-tls", &extra)
    })
}

/// Ends the registries that were started.
pub fn end() {
    for registry in [&PLAIN, &TLS].into_iter().filter_map(OnceLock::get) {
        if let Some(mut child) = registry.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Registry {
    fn start(address: &'static str, name: &str, extra: &str) -> Self {
        let dir = suite::suite().dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        let port = address.rsplit(':').next().unwrap();
        let storage = dir.join("data");
        let config = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n  secret: tests\n{extra}",
            storage.display()
        );
        fs::write(dir.join("config.yml"), config).unwrap();
        let log = File::create(dir.join("log")).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(dir.join("config.yml")).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).current_dir(&dir);
        Net::shared().apply(&mut command);
        let child = command.spawn().expect("docker-registry");
        let registry = Self { address, dir, child: Mutex::new(Some(child)), pushed: Mutex::default() };
        registry.wait_until_up(port.parse().unwrap());
        registry
    }

    fn wait_until_up(&self, port: u16) {
        let start = Instant::now();
        while Net::shared().enter(move || TcpStream::connect(("127.0.0.1", port)).is_err()) {
            let log = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(20), "{} does not come up: {}", self.address, log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The certificate that its server certificate is signed by.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Where it keeps blobs: for tests that break them.
    pub fn storage(&self) -> PathBuf {
        self.dir.join("data/docker/registry/v2")
    }

    /// Makes sure that it has the test image `image` (see [`images`]), pushed by skopeo as it is; gives the
    /// reference `host:port/image`.
    pub fn push(&self, image: &str) -> String {
        let reference = format!("{}/{image}", self.address);
        let mut pushed = self.pushed.lock().unwrap();
        if !pushed.contains(&reference) {
            self.copy(&images::oci(image), &format!("{reference}:latest"));
            pushed.push(reference.clone());
        }
        reference
    }

    /// Copies the image that skopeo knows as `from` to `to` (`host:port/name:tag`) in this registry, digests
    /// and all platforms unchanged.
    pub fn copy(&self, from: &str, to: &str) {
        let target = format!("docker://{to}");
        let (user, password) = CREDENTIALS;
        let credentials = format!("{user}:{password}");
        let mut args = vec!["copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false"];
        if self.ca().exists() {
            args.extend(["--dest-creds", &credentials]);
        }
        args.extend([from, &target]);
        run("skopeo", &args, &self.dir);
    }
}

/// A CA and a server certificate of it for localhost and 127.0.0.1.
fn certificates(dir: &Path) {
    let openssl = |args: &str| run("openssl", &args.split(' ').collect::<Vec<_>>(), dir);
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {new} -days 30 -subj /CN=tests -keyout ca.key -out ca.crt \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign"
    ));
    openssl(&format!("req {new} -subj /CN=localhost -keyout server.key -out server.csr"));
    fs::write(dir.join("ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.crt");
}

/// Runs a program of the system inside the shared network namespace; gives its stdout.
fn run(program: &str, args: &[&str], dir: &Path) -> Vec<u8> {
    let ran = crate::Cmd::new(program).args(args).dir(dir).net(&Net::shared()).env("HOME", dir).limit(300).run();
    assert!(ran.status == 0, "{ran}");
    ran.stdout
}
