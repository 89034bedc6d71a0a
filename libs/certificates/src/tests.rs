//! Pairs that serve and pairs that do not, and what the watch makes of files that change.
use std::path::Path;

use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::authority::{Authority, Issued};

use super::*;

fn paths(folder: &Path) -> Paths {
    Paths { certificate: folder.join("tls.crt"), key: folder.join("tls.key"), authority: None }
}

fn issued() -> Issued {
    Authority::new().unwrap().issue(30).unwrap()
}

#[test]
fn a_pair_that_belongs_together_is_no_problem_and_tells_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let issued = issued();
    issued.write(folder.path()).unwrap();
    let paths = paths(folder.path());
    assert_eq!(problem(&paths), None);
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || Current::open(Place::Public, paths).unwrap());
    let line = format!("roomcast_gateway_certificate_expiry_seconds {}\n", issued.ends_at_s);
    let told = recorder.handle().render();
    assert!(told.contains(&line), "{told}");
}

#[test]
fn the_end_of_a_chain_is_that_of_its_first_certificate_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let (leaf, between) = (authority.issue(30).unwrap(), authority.issue(10).unwrap());
    leaf.write(folder.path()).unwrap();
    let chain = leaf.certificate_pem + &between.certificate_pem;
    std::fs::write(folder.path().join("tls.crt"), chain).unwrap();
    let pair = Pair::parse(&Files::read(&paths(folder.path())).unwrap()).unwrap();
    assert_eq!(pair.ends_at_s as i64, between.ends_at_s);
    assert_eq!(pair.certified.cert.len(), 2);
}

#[test]
fn files_that_do_not_serve_are_problems_of_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (good, other) = (issued(), issued());
    let judge = |certificate: Option<&str>, key: Option<&str>| {
        for (name, text) in [("tls.crt", certificate), ("tls.key", key)] {
            let _absent_already = std::fs::remove_file(path(name));
            if let Some(text) = text {
                std::fs::write(path(name), text).unwrap();
            }
        }
        problem(&paths(folder.path())).unwrap_or_default()
    };
    let (certificate, key) = (good.certificate_pem.as_str(), good.key_pem.as_str());
    let large = "x".repeat(300 * 1024);
    let no_certificate = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (certificate, key, expected) in [
        (None, Some(key), "certificate_file: /"),
        (Some(certificate), None, "key_file: /"),
        (Some(""), Some(key), "certificate_file: holds no certificate"),
        (Some(key), Some(key), "certificate_file: holds no certificate"),
        (Some("-----BEGIN CERTIFICATE-----\n"), Some(key), "certificate_file: is not PEM"),
        (Some(no_certificate), Some(key), "certificate_file: holds no certificate"),
        (Some(large.as_str()), Some(key), "certificate_file: /"),
        (Some(certificate), Some(""), "key_file: holds no private key"),
        (Some(certificate), Some(certificate), "key_file: holds no private key"),
        (Some(certificate), Some(locked.as_str()), "key_file: holds no private key"),
        (Some(certificate), Some(other.key_pem.as_str()), "key_file: is not the key of"),
    ] {
        let found = judge(certificate, key);
        assert!(found.starts_with(expected), "{expected}: {found:?}");
    }
    std::fs::remove_file(path("tls.crt")).unwrap();
    std::fs::create_dir(path("tls.crt")).unwrap();
    assert!(problem(&paths(folder.path())).unwrap().starts_with("certificate_file: /"));
}

#[test]
fn authorities_are_read_beside_the_pair_and_wrong_ones_named() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    authority.issue(30).unwrap().write(folder.path()).unwrap();
    let file = folder.path().join("ca.crt");
    let paths = Paths { authority: Some(file.clone()), ..paths(folder.path()) };
    assert!(problem(&paths).unwrap().starts_with("authority_file: /"));
    for (text, expected) in [
        ("", "authority_file: holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n", "authority_file: is not PEM"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert!(problem(&paths).unwrap().starts_with(expected), "{expected}");
    }
    // Two of them, as while one takes the other's place.
    std::fs::write(&file, authority.pem() + &other.pem()).unwrap();
    let current = Current::open(Place::Rpc, paths).unwrap();
    assert_eq!(current.pair().authorities.as_ref().unwrap().len(), 2);
}

/// Looks once; the certificate that is shown then, and what was counted so far.
fn look(
    watch: &mut Watch,
    recorder: &metrics_exporter_prometheus::PrometheusRecorder,
) -> (Vec<u8>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(recorder, || runtime.block_on(watch.look()));
    let shown = watch.current.pair().certified.cert[0].to_vec();
    (shown, recorder.handle().render())
}

#[test]
fn what_is_of_no_use_is_told_once_and_the_pair_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (issued(), issued());
    first.write(folder.path()).unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let mut watch = Watch::new(Current::open(Place::Public, paths(folder.path())).unwrap());
    let count = |outcome: &str, times: u32| {
        format!("roomcast_gateway_certificate_reloads_total{{outcome=\"{outcome}\"}} {times}\n")
    };
    let (shown, told) = look(&mut watch, &recorder);
    assert_eq!(shown, first.der.to_vec());
    assert!(!told.contains("reloads_total"), "nothing has changed: {told}");
    // The certificate alone: its key is not there yet.
    std::fs::write(folder.path().join("tls.crt"), &second.certificate_pem).unwrap();
    for _ in 0..3 {
        let (shown, told) = look(&mut watch, &recorder);
        assert_eq!(shown, first.der.to_vec());
        assert!(told.contains(&count("refused", 1)), "{told}");
    }
    // Another kind of trouble is told again.
    std::fs::remove_file(folder.path().join("tls.key")).unwrap();
    for _ in 0..3 {
        let (shown, told) = look(&mut watch, &recorder);
        assert_eq!(shown, first.der.to_vec());
        assert!(told.contains(&count("refused", 2)), "{told}");
    }
    std::fs::write(folder.path().join("tls.key"), &second.key_pem).unwrap();
    for _ in 0..3 {
        let (shown, told) = look(&mut watch, &recorder);
        assert_eq!(shown, second.der.to_vec());
        assert!(told.contains(&count("done", 1)) && told.contains(&count("refused", 2)), "{told}");
    }
}
