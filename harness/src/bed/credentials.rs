//! What the parts of a local bed know each other by: a certificate authority and an administrator's
//! token, both made for this bed and gone with it.

use std::{
    fs::{self, File},
    io::Read as _,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::private_file;
use crate::namespace::{API, NODE};

/// The first address of the range of Services: the Service `kubernetes`.
const API_SERVICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 78, 0, 1));

/// Files below one folder that only their owner may read.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    folder: PathBuf,
    authority: String,
    token: String,
}

impl Credentials {
    /// Makes new ones below `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "coalmine bed");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = params.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(params, authority_key);

        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut params = CertificateParams::new(names.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for address in [API.ip(), NODE.into(), API_SERVICE] {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?.pem();

        let accounts = KeyPair::generate()?;
        let token = random_token()?;
        let credentials = Self { folder: folder.to_owned(), authority, token };
        let tokens = format!("{},admin,admin,\"system:masters\"\n", credentials.token);
        for (name, content) in [
            ("ca.crt", credentials.authority.as_str()),
            ("server.crt", &server),
            ("server.key", &server_key.serialize_pem()),
            ("service-accounts.key", &accounts.serialize_pem()),
            ("service-accounts.pub", &accounts.public_key_pem()),
            ("tokens.csv", &tokens),
        ] {
            private_file::write(&credentials.file(name), content)?;
        }
        Ok(credentials)
    }

    /// The path of one of the files: `ca.crt`, `server.crt`, `server.key`, `service-accounts.key`,
    /// `service-accounts.pub`, `tokens.csv`.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a kubeconfig for the administrator with the API server at `server`.
    pub(super) fn write_kubeconfig(&self, path: &Path, server: SocketAddr) -> Result<()> {
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bed", "cluster": {
                "server": format!("https://{server}"),
                "certificate-authority-data": STANDARD.encode(&self.authority),
            }}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "admin"}}],
            "current-context": "bed",
        });
        // JSON is YAML.
        private_file::write(path, &format!("{config:#}\n"))
    }
}

/// 256 bits from the kernel.
fn random_token() -> Result<String> {
    let mut bytes = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.context("cannot read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_may_read_what_opens_the_bed() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::create(folder.path()).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        credentials.write_kubeconfig(&kubeconfig, API).unwrap();
        for path in [credentials.file("tokens.csv"), credentials.file("server.key"), kubeconfig] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
}
