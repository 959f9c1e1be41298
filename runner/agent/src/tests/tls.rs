//! A controller behind TLS, and others in its place: whose certificate is none, or of another host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tempfile::tempdir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use wharf_protocol::{Pipe, Verdict};

use super::controller::Fake;
use super::{key, soon};
use crate::{EnrolRequest, Link, Status, enrol, is_enrolled, tls};

/// An authority, and the file that it is in.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let file = folder.join(name);
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// What a server shows that is of this host, by its word.
    fn vouch(&self, host: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(leaf.der().to_vec())],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// Something on loopback that speaks TLS, and passes on what it hears.
struct Front {
    url: String,
    /// Of each connection, whether the client went on after it had seen the certificate.
    went_on: mpsc::UnboundedReceiver<bool>,
}

impl Front {
    async fn before(fake: &Fake, acceptor: TlsAcceptor) -> Self {
        let (tell, went_on) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let behind = fake.address.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (acceptor, behind, tell) = (acceptor.clone(), behind.clone(), tell.clone());
                tokio::spawn(async move {
                    let near = acceptor.accept(near).await;
                    let _ = tell.send(near.is_ok());
                    if let Ok(mut near) = near {
                        let mut far = TcpStream::connect(behind).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { url, went_on }
    }

    /// What came of the next connection.
    async fn next(&mut self) -> bool {
        let next = soon("a connection", self.went_on.recv()).await;
        next.unwrap()
    }
}

/// Those in the controller's place, when only `ours` is believed.
fn impostors(ours: &Authority, theirs: &Authority) -> [TlsAcceptor; 2] {
    [theirs.vouch("127.0.0.1"), ours.vouch("127.0.0.2")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_with_a_certificate_of_another_authority_or_host_hears_nothing_of_a_runner() {
    let folder = tempdir().unwrap();
    let ours = Authority::new(folder.path(), "ours.pem");
    let theirs = Authority::new(folder.path(), "theirs.pem");
    let trust = tls::client(Some(&ours.file)).unwrap();
    for impostor in impostors(&ours, &theirs) {
        let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
        let mut front = Front::before(&fake, impostor).await;
        let url = front.url.clone();
        let around = fake.surroundings_at(state.path(), url, Some(trust.clone()));
        let (runner, _) = fake.runner_in(state.path(), around);
        // It tries again, and that is no better.
        for _ in 0..2 {
            assert!(!front.next().await, "it goes on with this certificate");
        }
        let mut status = runner.status();
        let refused = |status: &Status| matches!(&status.link, Link::Connecting { reason } if reason.contains("certificate"));
        soon("a reason", status.wait_for(refused)).await.unwrap();
        assert!(!fake.has_another_peer());
    }

    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let mut front = Front::before(&fake, ours.vouch("127.0.0.1")).await;
    let around = fake.surroundings_at(state.path(), front.url.clone(), Some(trust));
    let (_runner, _) = fake.runner_in(state.path(), around);
    assert!(front.next().await);
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "echo", "1").await;
    let (_, verdict) = peer.result().await;
    assert!(matches!(verdict, Verdict::Done { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_token_is_not_sent_to_a_certificate_of_another_authority_or_host() {
    let folder = tempdir().unwrap();
    let ours = Authority::new(folder.path(), "ours.pem");
    let theirs = Authority::new(folder.path(), "theirs.pem");
    let state = folder.path().join("state");
    let request = |front: &Front| EnrolRequest {
        url: front.url.clone(),
        token: "whf_good".to_owned(),
        state_dir: state.clone(),
        ca_bundle: Some(ours.file.clone()),
    };
    let fake = Fake::start().await;
    for impostor in impostors(&ours, &theirs) {
        let mut front = Front::before(&fake, impostor).await;
        enrol(request(&front)).await.unwrap_err();
        assert!(!front.next().await, "it goes on with this certificate");
        assert!(!is_enrolled(&state));
    }
    let front = Front::before(&fake, ours.vouch("127.0.0.1")).await;
    enrol(request(&front)).await.unwrap();
    assert!(is_enrolled(&state));
}
