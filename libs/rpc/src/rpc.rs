//! How this process calls the others and is called: the section `[rpc]` with what its files hold.
use std::path::Path;
use std::sync::Arc;

use domain::Result;

use crate::RpcConfig;
use crate::tls::Tls;

/// See the file's head. Its clones share one set of certificates.
#[derive(Debug, Clone)]
pub struct Rpc {
    config: RpcConfig,
    tls: Option<Arc<Tls>>,
}

impl Rpc {
    /// Reads the files of `[rpc.tls]`, if there are any, and follows them while a clone lives. To
    /// be called on the runtime that lives as long as the process.
    ///
    /// `InvalidArgument` for files that `config.problems()` would have refused.
    pub fn open(config: RpcConfig) -> Result<Self> {
        let tls = Tls::of_service(&config.tls)?.map(Arc::new);
        Ok(Self { config, tls })
    }

    /// For callers of the admin port, who show their credential with each call: plain, or by TLS
    /// if there is a file with the authorities to believe.
    pub fn of_caller(config: RpcConfig, authority: Option<&Path>) -> Result<Self> {
        let tls = authority.map(Tls::of_caller).transpose()?.map(Arc::new);
        Ok(Self { config, tls })
    }

    pub(crate) fn config(&self) -> &RpcConfig {
        &self.config
    }

    pub(crate) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }
}
