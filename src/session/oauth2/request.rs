//! The request for a token (RFC 6749, section 4.4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::error::OAuth2Error;
use super::{ClientAuth, ClientGrant};
use crate::wire::{Endpoint, Offer, Request};

const FORM: &str = "application/x-www-form-urlencoded";

/// The request that shows the client's secret to the endpoint.
pub fn request(endpoint: &Endpoint, grant: &ClientGrant, secret: &str) -> Result<Request, OAuth2Error> {
    let url = &endpoint.url;
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let body = Some((FORM, body(grant, secret).into_bytes()));
    let headers = match grant.by {
        ClientAuth::Basic => vec![("Authorization".to_owned(), basic(&grant.client, secret))],
        ClientAuth::Post => Vec::new(),
    };
    Ok(Request::plain(endpoint, &Offer::default(), ("POST", target.into()), headers, body)?)
}

fn body(grant: &ClientGrant, secret: &str) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    for (name, value) in [("scope", &grant.scope), ("audience", &grant.audience)] {
        form.extend_pairs(value.iter().map(|value| (name, value)));
    }
    if grant.by == ClientAuth::Post {
        form.append_pair("client_id", &grant.client).append_pair("client_secret", secret);
    }
    form.finish()
}

/// Encoded as a form before it is Basic (RFC 6749, section 2.3.1): a colon in the id is none between the two. A blank
/// is `%20`, which all decode that decode at all; not all know `+`.
fn basic(client: &str, secret: &str) -> SecretString {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret)))).into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{endpoint, grant};
    use super::*;

    fn text(grant: &ClientGrant) -> String {
        let endpoint = endpoint("wss://id.example.com/oauth2/token?tenant=t1");
        let request = request(&endpoint, grant, "p:ss wörd&=").expect("a request");
        assert!(!format!("{request:?}").contains("tenant"));
        String::from_utf8(request.encode()).expect("ASCII")
    }

    #[test]
    fn the_secret_goes_by_basic_encoded_as_a_form() {
        let mut grant = grant();
        (grant.client, grant.scope) = ("my:client".into(), Some("chat:read chat:write".into()));
        let text = text(&grant);
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(
            head.starts_with("POST /oauth2/token?tenant=t1 HTTP/1.1\r\nHost: id.example.com\r\n"),
            "{head}"
        );
        let basic = STANDARD.encode("my%3Aclient:p%3Ass%20w%C3%B6rd%26%3D");
        assert!(head.contains(&format!("\r\nAuthorization: Basic {basic}\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
        assert_eq!(body, "grant_type=client_credentials&scope=chat%3Aread+chat%3Awrite");
    }

    #[test]
    fn or_by_the_body() {
        let mut grant = grant();
        (grant.by, grant.audience) = (ClientAuth::Post, Some("https://chat.example.com".into()));
        let text = text(&grant);
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(!head.contains("Authorization"), "{head}");
        assert_eq!(
            body,
            "grant_type=client_credentials&audience=https%3A%2F%2Fchat.example.com&client_id=probe\
             &client_secret=p%3Ass+w%C3%B6rd%26%3D"
        );
    }
}
