//! What was granted and not yet redeemed: authorization codes and refresh tokens.
//!
//! A code works once, for a minute, for the redirect and the challenge that it was given for. A
//! refresh token works once and is replaced; whoever shows an old one, or a code again, ends the
//! whole session, since two hold it. Only hashes are kept; both maps are bounded, the oldest goes.
use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::claims::Identity;
use super::random_word;

const CODE_TTL: Duration = Duration::from_secs(60);
const CODES_MAX: usize = 1_000;
/// How long somebody stays signed in without coming back.
const SESSION_TTL: Duration = Duration::from_secs(12 * 60 * 60);
const SESSIONS_MAX: usize = 10_000;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeGrant {
    pub identity: Identity,
    pub redirect_uri: String,
    /// SHA-256 of the verifier, base64url: the method S256.
    pub code_challenge: String,
    pub nonce: Option<String>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub identity: Identity,
    pub sid: String,
    pub nonce: Option<String>,
}

/// All grants of the issuer.
#[derive(Debug, Default)]
pub(super) struct Grants {
    codes: HashMap<String, Code>,
    /// By the part of their refresh tokens that stays.
    sessions: HashMap<String, Kept>,
}

#[derive(Debug)]
struct Code {
    made: Instant,
    state: CodeState,
}

#[derive(Debug)]
enum CodeState {
    Fresh(CodeGrant),
    /// The session that it began.
    Used(Option<String>),
}

#[derive(Debug)]
struct Kept {
    session: Session,
    current: [u8; 32],
    renewed: Instant,
}

impl Grants {
    /// A code for `grant`.
    pub(super) fn issue_code(&mut self, grant: CodeGrant, now: Instant) -> anyhow::Result<String> {
        make_room(&mut self.codes, CODES_MAX, now, CODE_TTL, |code| code.made);
        let code = random_word()?;
        self.codes.insert(hashed(&code), Code { made: now, state: CodeState::Fresh(grant) });
        Ok(code)
    }

    /// Redeems a code: the session that it begins and its first refresh token.
    pub(super) fn redeem_code(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: Instant,
    ) -> anyhow::Result<Option<(Session, String)>> {
        let hash = hashed(code);
        let Some(found) = self.codes.get_mut(&hash) else { return Ok(None) };
        let made = found.made;
        // Used up by the first attempt, whether it fits or not.
        let grant = match std::mem::replace(&mut found.state, CodeState::Used(None)) {
            CodeState::Fresh(grant) => grant,
            CodeState::Used(begun) => {
                if let Some(session) = begun {
                    self.sessions.remove(&session);
                }
                return Ok(None);
            }
        };
        let fits = now.duration_since(made) < CODE_TTL
            && grant.redirect_uri == redirect_uri
            && proves(verifier, &grant.code_challenge);
        if !fits {
            return Ok(None);
        }
        let CodeGrant { identity, nonce, .. } = grant;
        let session = Session { identity, sid: random_word()?, nonce };
        let (id, token) = self.begin(session.clone(), now)?;
        self.codes.insert(hash, Code { made, state: CodeState::Used(Some(id)) });
        Ok(Some((session, token)))
    }

    fn begin(&mut self, session: Session, now: Instant) -> anyhow::Result<(String, String)> {
        make_room(&mut self.sessions, SESSIONS_MAX, now, SESSION_TTL, |kept| kept.renewed);
        let (id, secret) = (random_word()?, random_word()?);
        let kept = Kept { session, current: digest(&secret), renewed: now };
        self.sessions.insert(id.clone(), kept);
        let token = format!("{id}.{secret}");
        Ok((id, token))
    }

    /// Replaces a refresh token.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        now: Instant,
    ) -> anyhow::Result<Option<(Session, String)>> {
        let Some((id, secret)) = token.split_once('.') else { return Ok(None) };
        let Some(kept) = self.sessions.get_mut(id) else { return Ok(None) };
        let fresh = now.duration_since(kept.renewed) < SESSION_TTL;
        if !fresh || verify_slices_are_equal(&digest(secret), &kept.current).is_err() {
            self.sessions.remove(id);
            return Ok(None);
        }
        let next = random_word()?;
        kept.current = digest(&next);
        kept.renewed = now;
        Ok(Some((kept.session.clone(), format!("{id}.{next}"))))
    }

    /// Ends a session by the `sid` of its tokens.
    pub(super) fn end(&mut self, sid: &str) {
        self.sessions.retain(|_, kept| kept.session.sid != sid);
    }
}

/// RFC 7636: 43 to 128 characters of a fixed set.
pub(super) fn is_verifier(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(plain)
}

fn proves(verifier: &str, challenge: &str) -> bool {
    let hash = URL_SAFE_NO_PAD.encode(digest(verifier));
    is_verifier(verifier) && verify_slices_are_equal(hash.as_bytes(), challenge.as_bytes()).is_ok()
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hashed(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(text))
}

/// Drops what has ended, then the oldest, until one more fits.
fn make_room<T>(
    map: &mut HashMap<String, T>,
    most: usize,
    now: Instant,
    ttl: Duration,
    made: impl Fn(&T) -> Instant,
) {
    if map.len() < most {
        return;
    }
    map.retain(|_, one| now.duration_since(made(one)) < ttl);
    while map.len() >= most {
        let oldest = map.iter().min_by_key(|(_, one)| made(one)).map(|(key, _)| key.clone());
        match oldest {
            Some(key) => map.remove(&key),
            None => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const BACK: &str = "http://localhost:8080/";

    fn grant() -> CodeGrant {
        CodeGrant {
            identity: Identity::new("ann", &[]).unwrap(),
            redirect_uri: BACK.to_owned(),
            code_challenge: CHALLENGE.to_owned(),
            nonce: None,
        }
    }

    #[test]
    fn a_code_works_once_and_its_second_use_ends_the_session() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.issue_code(grant(), now).unwrap();
        let (_, token) = grants.redeem_code(&code, BACK, VERIFIER, now).unwrap().unwrap();
        assert_eq!(grants.redeem_code(&code, BACK, VERIFIER, now).unwrap(), None);
        assert_eq!(grants.refresh(&token, now).unwrap(), None, "two held the code");
    }

    #[test]
    fn a_code_fits_its_verifier_its_redirect_and_its_minute() {
        let now = Instant::now();
        let other = "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        for (back, verifier, later) in [
            (BACK, other, 0),
            (BACK, "", 0),
            (BACK, CHALLENGE, 0),
            ("http://localhost:8080/x", VERIFIER, 0),
            ("", VERIFIER, 0),
            (BACK, VERIFIER, 60),
        ] {
            let mut grants = Grants::default();
            let code = grants.issue_code(grant(), now).unwrap();
            let at = now + Duration::from_secs(later);
            assert_eq!(grants.redeem_code(&code, back, verifier, at).unwrap(), None);
            let again = grants.redeem_code(&code, BACK, VERIFIER, now).unwrap();
            assert_eq!(again, None, "one attempt uses it up");
        }
    }

    #[test]
    fn refresh_tokens_rotate_and_an_old_one_ends_the_session() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.issue_code(grant(), now).unwrap();
        let (session, first) = grants.redeem_code(&code, BACK, VERIFIER, now).unwrap().unwrap();
        let (same, second) = grants.refresh(&first, now).unwrap().unwrap();
        assert_eq!(same, session);
        assert_ne!(first, second);
        let (_, third) = grants.refresh(&second, now).unwrap().unwrap();
        assert_eq!(grants.refresh(&first, now).unwrap(), None);
        assert_eq!(grants.refresh(&third, now).unwrap(), None, "the session has ended");
    }

    #[test]
    fn sessions_end_by_time_and_by_log_out() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let session = |name: &str| {
            let identity = Identity::new(name, &[]).unwrap();
            Session { identity, sid: name.to_owned(), nonce: None }
        };
        let (_, one) = grants.begin(session("one"), now).unwrap();
        let (_, two) = grants.begin(session("two"), now).unwrap();
        grants.end("one");
        assert_eq!(grants.refresh(&one, now).unwrap(), None);
        assert_eq!(grants.refresh(&two, now + SESSION_TTL).unwrap(), None);
    }

    #[test]
    fn both_maps_are_bounded() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let first = grants.issue_code(grant(), now).unwrap();
        for n in 1..=CODES_MAX as u64 {
            grants.issue_code(grant(), now + Duration::from_millis(n)).unwrap();
        }
        assert_eq!(grants.codes.len(), CODES_MAX);
        assert_eq!(
            grants.redeem_code(&first, BACK, VERIFIER, now).unwrap(),
            None,
            "the oldest went"
        );
    }
}
