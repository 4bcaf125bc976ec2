//! Whom we trust: the system's certificate authorities, those the user adds, and our own certificate.

use ctr_core::{Cannot, Code, Error, Result};
use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// Where systems keep the bundle of certificate authorities: Debian and Alpine, Fedora, openSUSE, others.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Docker's directory of certificates by registry.
const CERTS_D: &str = "/etc/docker/certs.d";

/// The directory with the certificates for a registry, where there is one.
pub(crate) fn certs_dir(registry: &str) -> Option<PathBuf> {
    let dir = Path::new(CERTS_D).join(registry);
    dir.is_dir().then_some(dir)
}

/// The TLS configuration: system roots, the certificates of `certs_dir`, the authorities of `cacert`.
pub(crate) fn config(certs_dir: Option<&Path>, cacert: Option<&Path>) -> Result<TlsConfig> {
    let mut roots = system_roots()?;
    let mut client = None;
    if let Some(path) = cacert {
        roots.extend(certificates(path)?);
    }
    if let Some(dir) = certs_dir {
        for path in sorted(dir)? {
            match path.extension().and_then(|e| e.to_str()) {
                Some("crt") => roots.extend(certificates(&path)?),
                Some("cert") if client.is_none() => client = Some(client_certificate(&path)?),
                _ => {}
            }
        }
    }
    // Without a bundle on this system, the authorities that were built in.
    let roots = if roots.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&roots) };
    Ok(TlsConfig::builder().root_certs(roots).client_cert(client).build())
}

fn system_roots() -> Result<Vec<Certificate<'static>>> {
    // As OpenSSL and Go have it: a file named by the user takes the place of the system's.
    if let Some(file) = env::var_os("SSL_CERT_FILE").filter(|f| !f.is_empty()) {
        return certificates(Path::new(&file));
    }
    match BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
        Some(path) => certificates(path),
        None => Ok(Vec::new()),
    }
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).cannot(|| format!("read {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).cannot(|| format!("read {}", path.display()))
}

fn invalid(path: &Path, why: &str) -> Error {
    Error::new(Code::Invalid, format!("{}: {why}", path.display()))
}

/// The certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = read(path)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(invalid(path, "not a PEM file of certificates")),
        }
    }
    if found.is_empty() {
        return Err(invalid(path, "holds no PEM certificate"));
    }
    Ok(found)
}

/// `NAME.cert` and the `NAME.key` beside it.
fn client_certificate(cert: &Path) -> Result<ClientCert> {
    let chain = certificates(cert)?;
    let key_path = cert.with_extension("key");
    let pem = match fs::read(&key_path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(invalid(cert, "has no .key file beside it")),
        other => other.cannot(|| format!("read {}", key_path.display()))?,
    };
    let key = PrivateKey::from_pem(&pem).map_err(|_| invalid(&key_path, "holds no PEM private key"))?;
    check_pair(&chain, &key).map_err(|why| invalid(&key_path, &why))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// The HTTP library takes it for granted that key and certificate belong together.
fn check_pair(chain: &[Certificate<'static>], key: &PrivateKey<'static>) -> Result<(), String> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let key = PrivateKeyDer::try_from(key.der().to_vec())?;
    let chain = chain.iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
    let provider = rustls::crypto::ring::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, key, &provider)
        .map(|_| ())
        .map_err(|e| format!("does not belong to its certificate: {e}"))
}
