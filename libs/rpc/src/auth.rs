//! The auth service as the others know it.
mod admission;
mod convert;
mod remote;
mod server;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Admission, Admitted, Credential, Decision, Error, ErrorReason, Grant, Principal, PrincipalId,
    Result, RoomName, Verified,
};

use crate::Call;

pub use remote::RemoteAuth;
pub use server::server;

/// Verifies credentials and keeps API keys.
#[async_trait]
pub trait Auth: Send + Sync + 'static {
    /// Proves a credential. Idempotent.
    ///
    /// Fails with `InvalidCredential` or `CredentialExpired` only when the credential is *proved*
    /// bad or ended; whatever keeps auth from deciding is `Unavailable`.
    async fn verify(&self, call: Call, credential: Credential) -> Result<Verified>;

    /// Proves a token for one room, made with the operator's own keys for that principal. Idempotent.
    ///
    /// Fails with `InvalidCredential` or `CredentialExpired` as [`Self::verify`] does, and with
    /// `PermissionDenied` if the token is good, but for another room or another user. Who has no
    /// keys of that sort can prove none, which is what the default says.
    async fn verify_subscription(
        &self,
        _: Call,
        _: PrincipalId,
        _: RoomName,
        _: String,
    ) -> Result<Grant> {
        Err(Error::new(ErrorReason::InvalidCredential, "tokens for rooms are not accepted here"))
    }

    /// Lets a connection in or not, and says which rooms need a further word. Idempotent.
    ///
    /// Who shows what can be proved here is judged as by [`Self::verify`]; for everybody else the
    /// operator's own backend may be asked, and refuses in its own words. A backend that cannot
    /// be reached, or says what makes no sense, is `Unavailable`, never a refusal. The default asks nobody.
    async fn admit(&self, call: Call, admission: Admission) -> Result<Decision<Admitted>> {
        let verified = self.verify(call, admission.credential()).await?;
        Ok(Decision::Granted(Admitted { verified, guarded_kinds: Vec::new() }))
    }

    /// Says whether a principal may read a room of a guarded kind without a token for it. `data` is
    /// the application's own. Idempotent; fails as [`Self::admit`] does.
    ///
    /// `PermissionDenied` if nobody is there to say so, which is what the default says.
    async fn authorise(
        &self,
        _: Call,
        _: Principal,
        _: RoomName,
        _: Bytes,
    ) -> Result<Decision<Grant>> {
        Err(Error::denied())
    }

    /// Makes an API key. `by` must be an admin. The secret is in this answer and nowhere else.
    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey>;

    /// Keys that exist, revoked and ended ones too, newest first, at most 1,000. `by` must be an admin.
    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>>;

    /// Ends a key at once. `NotFound` for an unknown one; ending it twice is no error.
    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()>;
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What it is for, 1 to 64 characters; the name that a message published with it shows.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// How long it holds, milliseconds; `None` for ever.
    pub ttl_ms: Option<u64>,
}

/// A key that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct CreatedKey {
    /// What is known of it from now on.
    pub info: KeyInfo,
    /// `rck_<key id>_<256 random bits>`: shown once.
    pub secret: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its public part.
    pub key_id: String,
    /// What it is for.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it ends, Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// When it was revoked, Unix milliseconds.
    pub revoked_at_ms: Option<i64>,
}
