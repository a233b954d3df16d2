use super::*;
use crate::gateway::settings::Token;

const GOOD: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: \
                    keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Version: 13\r\n";

fn judge(head: &str, settings: &Settings) -> Answer {
    let text = format!("{head}\r\n");
    let (request, _) = Request::parse(text.as_bytes(), &mut |_| false).unwrap().unwrap();
    answer(&request, settings, &FaultSet::default(), &mut |_| false).unwrap_or_else(|(_, refusal)| refusal)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.as_str())
}

/// The example of RFC 6455 section 1.3.
#[test]
fn accepts_the_example_of_the_rfc() {
    let answer = judge(GOOD, &Settings::default());
    assert_eq!(answer.status, 101);
    let accept = header(&answer, "Sec-WebSocket-Accept");
    assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&answer, "Sec-WebSocket-Protocol"), None);
}

#[test]
fn each_rule_has_its_status() {
    let settings = Settings::default();
    for (from, to, status) in [
        ("GET", "POST", 405),
        ("Host: example.com\r\n", "", 400),
        ("Host: example.com\r\n", "Host: a\r\nHost: b\r\n", 400),
        ("Upgrade: websocket\r\n", "", 426),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", 400),
        ("keep-alive, Upgrade", "keep-alive", 400),
        ("Version: 13", "Version: 12", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "!", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("Host:", "Content-Length: 3\r\nHost:", 400),
    ] {
        assert!(GOOD.contains(from));
        let answer = judge(&GOOD.replace(from, to), &settings);
        assert_eq!(answer.status, status, "{from:?} -> {to:?}");
    }
    let old = judge(&GOOD.replace("Version: 13", "Version: 8"), &settings);
    assert_eq!(header(&old, "Sec-WebSocket-Version"), Some("13"));
}

#[test]
fn a_token_is_taken_from_the_header_or_the_query() {
    let settings = Settings { token: Token::new("a b+c"), ..Settings::default() };
    let status = |head: &str| judge(head, &settings).status;
    assert_eq!(status(GOOD), 401);
    assert_eq!(status(&format!("{GOOD}Authorization: Bearer a b+c\r\n")), 101);
    assert_eq!(status(&format!("{GOOD}Authorization: Bearer wrong\r\n")), 401);
    assert_eq!(status(&format!("{GOOD}Authorization: Basic a b+c\r\n")), 401);
    assert_eq!(status(&GOOD.replace("/chat", "/chat?access_token=a%20b%2Bc")), 101);
    assert_eq!(status(&GOOD.replace("/chat", "/chat?access_token=")), 401);
}

#[test]
fn foreign_origins_are_refused_and_none_is_no_browser() {
    let settings = Settings { origins: vec!["https://good.example".to_owned()], ..Settings::default() };
    let status = |head: &str| judge(head, &settings).status;
    assert_eq!(status(GOOD), 101);
    assert_eq!(status(&format!("{GOOD}Origin: https://good.example\r\n")), 101);
    assert_eq!(status(&format!("{GOOD}Origin: https://bad.example\r\n")), 403);
}

#[test]
fn the_first_known_subprotocol_that_was_offered_is_selected() {
    let settings = Settings { subprotocols: vec!["v2".to_owned(), "v1".to_owned()], ..Settings::default() };
    let selected = |offer: &str| {
        let answer = judge(&format!("{GOOD}Sec-WebSocket-Protocol: {offer}\r\n"), &settings);
        header(&answer, "Sec-WebSocket-Protocol").map(str::to_owned)
    };
    assert_eq!(selected("v1, v2").as_deref(), Some("v2"));
    assert_eq!(selected("v1").as_deref(), Some("v1"));
    assert_eq!(selected("v3"), None);
}

#[test]
fn extensions_are_never_accepted() {
    let offer = format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n");
    let answer = judge(&offer, &Settings::default());
    assert_eq!(answer.status, 101);
    assert_eq!(header(&answer, "Sec-WebSocket-Extensions"), None);
}

#[test]
fn deflate_is_accepted_where_it_is_offered_and_spoken() {
    let settings = Settings { deflate: true, ..Settings::default() };
    let agreed = |offer: &str| {
        let answer = judge(&format!("{GOOD}Sec-WebSocket-Extensions: {offer}\r\n"), &settings);
        header(&answer, "Sec-WebSocket-Extensions").map(str::to_owned)
    };
    let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(agreed("x, permessage-deflate; client_max_window_bits").as_deref(), Some(plain));
    assert_eq!(agreed("x"), None);
}

#[test]
fn what_is_wrong_has_a_name_and_passes_with_a_pardon() {
    use Offence as O;
    let settings = Settings {
        token: Token::new("right"),
        origins: vec!["https://good.example".to_owned()],
        ..Settings::default()
    };
    let good = format!("{GOOD}Authorization: Bearer right\r\n");
    for (from, to, offence) in [
        ("GET", "POST", O::BadMethod),
        ("Host: example.com\r\n", "", O::BadHost),
        ("Host:", "Content-Length: 3\r\nHost:", O::RequestBody),
        ("Upgrade: websocket\r\n", "", O::NoUpgrade),
        ("Upgrade: websocket", "Upgrade: h2c", O::NoUpgrade),
        ("keep-alive, Upgrade", "keep-alive", O::NoUpgrade),
        ("Version: 13", "Version: 12", O::BadVersion),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", O::BadKey),
        ("Host:", "Origin: https://bad.example\r\nHost:", O::ForeignOrigin),
        ("Authorization: Bearer right\r\n", "", O::NoToken),
        ("Bearer right", "Bearer wrong", O::BadToken),
        ("Bearer right", "Basic right", O::BadToken),
    ] {
        assert!(good.contains(from), "{from}");
        let text = format!("{}\r\n", good.replace(from, to));
        let (request, _) = Request::parse(text.as_bytes(), &mut |_| false).unwrap().unwrap();
        let judge = |pardoned: bool| {
            answer(&request, &settings, &FaultSet::default(), &mut |found| pardoned && found == offence)
        };
        assert_eq!(judge(false).unwrap_err().0, offence, "{from:?} -> {to:?}");
        assert_eq!(judge(true).unwrap().status, 101, "{from:?} -> {to:?}");
    }
}

/// The example of RFC 9110 section 5.6.7.
#[test]
fn every_answer_has_a_date() {
    assert_eq!(date(Duration::from_secs(784_111_777)).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    for answer in [judge(GOOD, &Settings::default()), Answer::refusal(503, "busy")] {
        let mut output = BytesMut::new();
        answer.write(&mut output, &FaultSet::default());
        let text = std::str::from_utf8(&output).unwrap();
        assert_eq!(text.matches("\r\nDate: ").count(), 1, "{text}");
    }
    assert_eq!(date(Duration::MAX), None);
}
