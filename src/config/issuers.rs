//! The token endpoints of a config.

use std::sync::Arc;

use url::Url;

use super::endpoint::source;
use super::settings::{AuthMethod, OAuth2, Proxy, TargetSettings, Tls};
use crate::session::{ClientAuth, ClientGrant, TokenEndpoint};
use crate::wire::Endpoint;

/// Those that are known so far: who asks for the same token by the same way shares what was issued.
#[derive(Default)]
pub struct Issuers {
    known: Vec<(Key, Arc<TokenEndpoint>)>,
}

#[derive(PartialEq, Eq)]
struct Key {
    oauth2: OAuth2,
    tls: Tls,
    proxy: Proxy,
}

impl Issuers {
    /// The one for these settings; `make` knows the way to a URL, in which `ws` stands for http. None where the URL
    /// can't be one, which the validator has told.
    pub fn get_or_make(
        &mut self,
        oauth2: &OAuth2,
        settings: &TargetSettings,
        make: impl FnOnce(Url) -> Option<Endpoint>,
    ) -> Option<Arc<TokenEndpoint>> {
        let key = Key { oauth2: oauth2.clone(), tls: settings.tls.clone(), proxy: settings.proxy.clone() };
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == key) {
            return Some(Arc::clone(known));
        }
        let mut url: Url = oauth2.token_url.0.parse().ok()?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).ok()?;
        let issuer = Arc::new(TokenEndpoint::new(make(url)?, grant(oauth2)));
        self.known.push((key, Arc::clone(&issuer)));
        Some(issuer)
    }
}

fn grant(oauth2: &OAuth2) -> ClientGrant {
    ClientGrant {
        client: oauth2.client_id.clone(),
        secret: source(&oauth2.client_secret),
        by: match oauth2.auth_method {
            AuthMethod::Basic => ClientAuth::Basic,
            AuthMethod::Post => ClientAuth::Post,
        },
        scope: oauth2.scope.clone(),
        audience: oauth2.audience.clone(),
        timeout: oauth2.timeout.get(),
    }
}
