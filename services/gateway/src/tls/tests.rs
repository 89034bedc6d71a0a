//! Pairs that serve and pairs that do not, and what the watch makes of files that change.
use std::path::Path;

use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::authority::{Authority, Issued};

use super::*;

fn config(folder: &Path) -> TlsConfig {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    TlsConfig { certificate_file: Some(certificate), key_file: Some(key), ..TlsConfig::default() }
}

fn issued() -> Issued {
    Authority::new().unwrap().issue(30).unwrap()
}

#[test]
fn a_pair_that_belongs_together_is_no_problem_and_tells_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let issued = issued();
    issued.write(folder.path()).unwrap();
    let config = config(folder.path());
    assert_eq!(config.problems(), Vec::<String>::new());
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || Tls::open(&config).unwrap().unwrap());
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
    let files = PairFiles::read(&config(folder.path()).paths().unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair = Pair::parse(&files, &provider).unwrap();
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
        config(folder.path()).problems()
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
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].starts_with(expected), "{expected}: {found:?}");
    }
    std::fs::remove_file(path("tls.crt")).unwrap();
    std::fs::create_dir(path("tls.crt")).unwrap();
    assert!(config(folder.path()).problems()[0].starts_with("certificate_file: /"));
}

/// Looks once; the certificate that is shown then, and what was counted so far.
fn look(
    watch: &mut Watch,
    recorder: &metrics_exporter_prometheus::PrometheusRecorder,
) -> (Vec<u8>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(recorder, || runtime.block_on(watch.look()));
    let shown = watch.tls.shown.0.load().cert[0].to_vec();
    (shown, recorder.handle().render())
}

#[test]
fn what_is_of_no_use_is_told_once_and_the_pair_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (issued(), issued());
    first.write(folder.path()).unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let mut watch = Watch::new(Tls::open(&config(folder.path())).unwrap().unwrap());
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
