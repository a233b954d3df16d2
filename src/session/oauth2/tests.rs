use std::collections::VecDeque;
use std::sync::Mutex as StdMutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::wire::{ResolverSettings, TlsClient, TlsSettings};

pub fn endpoint(url: &str) -> Endpoint {
    let tls = TlsClient::new(TlsSettings::default()).expect("TLS");
    Endpoint::new(url.parse().expect("a URL"), tls.into()).expect("an endpoint")
}

pub fn grant() -> ClientGrant {
    ClientGrant {
        client: "probe".into(),
        // A variable that is always there stands for the secret.
        secret: Source::Env("PATH".into()),
        by: ClientAuth::Basic,
        scope: None,
        audience: None,
        timeout: Duration::from_secs(5),
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
enum Reply {
    Token { lifetime: Option<u64> },
    Text(String),
    Nothing,
}

/// A token endpoint that follows a script: its last reply again and again. Counts, and numbers its tokens.
struct Server {
    issuer: Source,
    requests: Arc<StdMutex<u32>>,
    script: Arc<StdMutex<VecDeque<Reply>>>,
    _task: JoinSet<()>,
}

impl Server {
    async fn start(script: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/token", listener.local_addr().expect("its address"));
        let requests = Arc::new(StdMutex::new(0));
        let script = Arc::new(StdMutex::new(VecDeque::from(script.to_vec())));
        let mut task = JoinSet::new();
        let (counted, replies) = (Arc::clone(&requests), Arc::clone(&script));
        task.spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                read_request(&mut stream).await;
                let number = {
                    let mut count = counted.lock().expect("no panic");
                    *count += 1;
                    *count
                };
                let reply = {
                    let mut replies = replies.lock().expect("no panic");
                    let next = replies.front().cloned().expect("a reply");
                    if replies.len() > 1 {
                        replies.pop_front();
                    }
                    next
                };
                if let Some(text) = text(&reply, number) {
                    let _ = stream.write_all(text.as_bytes()).await;
                } else {
                    open.push(stream);
                }
            }
        });
        let dialer = Dialer::new(&ResolverSettings::System).expect("a resolver");
        let grant = ClientGrant { timeout: Duration::from_millis(300), ..grant() };
        let issuer = Arc::new(TokenEndpoint::new(endpoint(&url), grant)).by(&dialer);
        Self { issuer, requests, script, _task: task }
    }

    fn requests(&self) -> u32 {
        *self.requests.lock().expect("no panic")
    }

    fn turns_to(&self, reply: Reply) {
        *self.script.lock().expect("no panic") = VecDeque::from([reply]);
    }

    async fn fetch(&self) -> Result<String, String> {
        told(self.issuer.fetch(SystemTime::now()).await)
    }

    async fn fetch_new(&self) -> Result<String, String> {
        told(self.issuer.fetch_new(SystemTime::now()).await)
    }
}

fn told(token: Result<Token, AuthError>) -> Result<String, String> {
    token.map(|token| token.expose().to_owned()).map_err(|error| {
        let text = error.to_string();
        assert!(text.starts_with("no token from http://127.0.0.1:"), "{text}");
        text.split_once("/token: ").expect("the URL and why").1.to_owned()
    })
}

/// Time goes by, as far as tokio's clock tells.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn read_request(stream: &mut TcpStream) {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).ends_with("grant_type=client_credentials") {
        if stream.read_buf(&mut heard).await.unwrap_or_default() == 0 {
            return;
        }
    }
}

fn text(reply: &Reply, number: u32) -> Option<String> {
    let content = match reply {
        Reply::Nothing => return None,
        Reply::Text(text) => return Some(text.clone()),
        Reply::Token { lifetime: Some(lifetime) } => {
            format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":{lifetime}}}"#)
        }
        Reply::Token { lifetime: None } => format!(r#"{{"access_token":"t{number}","token_type":"Bearer"}}"#),
    };
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()))
}

const HOUR: Reply = Reply::Token { lifetime: Some(3600) };

#[tokio::test]
async fn a_token_is_asked_for_once_and_a_new_one_on_demand() {
    let server = Server::start(&[HOUR]).await;
    let all = join_all((0..20).map(|_| server.fetch())).await;
    assert!(all.iter().all(|token| token.as_deref() == Ok("t1")), "{all:?}");
    assert_eq!(server.requests(), 1, "who waits for a request takes what it brings");
    assert_eq!(server.fetch_new().await.as_deref(), Ok("t2"));
    assert_eq!(server.fetch().await.as_deref(), Ok("t2"));
    let mut new = join_all((0..3).map(|_| server.fetch_new())).await;
    new.sort();
    assert_eq!(new, ["t3", "t4", "t5"].map(|token| Ok(token.to_owned())), "each its own");
}

#[tokio::test]
async fn a_token_that_nobody_says_the_end_of_is_not_kept() {
    let server = Server::start(&[Reply::Token { lifetime: None }]).await;
    assert_eq!(server.fetch().await.as_deref(), Ok("t1"));
    assert_eq!(server.fetch().await.as_deref(), Ok("t2"));
}

#[tokio::test]
async fn the_end_is_the_earlier_one_of_the_answers_word_and_the_tokens_own() {
    let now = SystemTime::now();
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    for (exp, lifetime, kept) in [(600, Some(3600), 480), (3600, Some(100), 50), (400, None, 280)] {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = part(&format!(r#"{{"exp":{}}}"#, seconds + exp));
        let jwt = format!("{}.{claims}.c2ln", part(r#"{"alg":"RS256"}"#));
        let token = Token::issued(&jwt, None, "x", now).expect("good");
        let asked_at = Instant::now();
        let of = Kept::of(&token, lifetime.map(Duration::from_secs), asked_at, now).expect("an end");
        let good = of.until - asked_at;
        assert!(good.abs_diff(Duration::from_secs(kept)) <= Duration::from_secs(1), "{good:?}, not {kept} s");
        assert!(of.is_good(now));
        assert!(!of.is_good(now + Duration::from_secs(exp)), "the clock was set");
    }
    let opaque = Token::issued("t", Some(now + Duration::from_secs(60)), "x", now).expect("good");
    assert_eq!(opaque.expires_at(), Some(now + Duration::from_secs(60)), "known from the issuer");
}

#[tokio::test]
async fn a_token_is_given_up_well_before_its_end() {
    let server = Server::start(&[Reply::Token { lifetime: Some(100) }]).await;
    assert_eq!(server.fetch().await.as_deref(), Ok("t1"));
    pass(Duration::from_secs(49)).await;
    assert_eq!(server.fetch().await.as_deref(), Ok("t1"), "half of its life it is used");
    pass(Duration::from_secs(1)).await;
    assert_eq!(server.fetch().await.as_deref(), Ok("t2"));
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_left_alone_for_a_while() {
    let status = |line: &str| Reply::Text(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"));
    let refusal = r#"{"error":"invalid_client","error_description":"s3cr3t"}"#;
    for (reply, told) in [
        (Reply::Nothing, "no answer within 300ms"),
        (status("500 Oops"), "it answered 500"),
        (status("429 Slow\r\nRetry-After: 120"), "it answered 429"),
        (status("302 Found\r\nLocation: /s3cr3t"), "it answered 302"),
        (Reply::Text(String::new()), "the connection ended before the answer"),
        (Reply::Text("SSH-2.0-s3cr3t\r\n".into()), "its answer is not HTTP/1.1: a broken version"),
        (
            Reply::Text("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n".into()),
            "the content is larger than 65536 bytes",
        ),
        (Reply::Text(format!("HTTP/1.1 401 No\r\n\r\n{refusal}")), "it answered 401 (invalid_client)"),
        (Reply::Token { lifetime: None }, ""),
    ] {
        let server = Server::start(std::slice::from_ref(&reply)).await;
        if told.is_empty() {
            assert!(server.fetch().await.is_ok());
            continue;
        }
        assert_eq!(server.fetch().await, Err(told.to_owned()), "{reply:?}");
        server.turns_to(HOUR);
        let again = server.fetch().await.expect_err("left alone");
        assert!(again.starts_with(&format!("{told}; asked again in ")), "{again}");
        assert!(server.fetch_new().await.is_err());
        assert_eq!(server.requests(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn it_is_asked_again_when_its_time_has_come() {
    let server = Server::start(&[Reply::Text("HTTP/1.1 503 Busy\r\n\r\n".into()), HOUR]).await;
    assert!(server.fetch().await.is_err());
    assert!(server.fetch().await.is_err());
    pass(Duration::from_secs(1)).await;
    assert_eq!((server.fetch().await.as_deref(), server.requests()), (Ok("t2"), 2));
}

#[tokio::test]
async fn nobody_asks_where_the_secret_is_missing() {
    let server = Server::start(&[HOUR]).await;
    let dialer = Dialer::new(&ResolverSettings::System).expect("a resolver");
    let grant = ClientGrant { secret: Source::File("/nonexistent/secret".into()), ..grant() };
    let issuer = Arc::new(TokenEndpoint::new(endpoint("ws://127.0.0.1:1/"), grant)).by(&dialer);
    let error = issuer.fetch(SystemTime::now()).await.expect_err("no secret").to_string();
    assert_eq!(
        error,
        "the client's secret: the token file /nonexistent/secret can't be read: entity not found"
    );
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn debug_output_has_neither_token_nor_query() {
    let server = Server::start(&[HOUR]).await;
    server.fetch().await.expect("a token");
    let shown = format!("{:?}", server.issuer);
    assert!(!shown.contains("t1") && shown.contains("/token"), "{shown}");
    let endpoint = TokenEndpoint::new(endpoint("wss://id.example.com/t?key=s3cr3t"), grant());
    assert_eq!(endpoint.shown, "https://id.example.com/t?***");
}
