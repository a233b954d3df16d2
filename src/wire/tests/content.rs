//! Plain requests and their content.

use tokio::io::AsyncWriteExt;

use super::super::*;
use super::servers::*;
use crate::model::{End, Evidence, Phase};

const LIMIT_OF_CONTENT: usize = 100;

async fn ask(endpoint: &Endpoint, record: &Record) -> Result<Vec<u8>, ContentError> {
    let request = Request::plain(endpoint, &Offer::default(), ("GET", "/x".to_owned().into()), vec![], None);
    let connected = dialer().connect_into(endpoint, &Offer::default(), &Evidence::new(), record).await;
    let mut connected = connected.expect("it listens");
    let response = connected.inquire(&request.expect("a request")).await.expect("it answers");
    assert_eq!(response.status, 200);
    tokio::time::timeout(LIMIT, connected.content(&response, LIMIT_OF_CONTENT)).await.expect("it ends")
}

/// The content of an answer that is sent in these parts, after which the server ends the connection.
async fn content(parts: &'static [&'static str]) -> Result<Vec<u8>, ContentError> {
    let address = serve(move |mut stream| async move {
        read_request(&mut stream).await;
        for part in parts {
            let _ = stream.write_all(part.as_bytes()).await;
            tokio::task::yield_now().await;
        }
        let _ = stream.shutdown().await;
        drain(&mut stream).await;
    })
    .await;
    ask(&ws(address), &Record::new()).await
}

#[tokio::test]
async fn content_is_read_by_its_framing() {
    let good = [
        &["HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhe", "llo, and more"][..],
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "2;a=b\r\nhe\r\n3", "\r\nllo\r\n0\r\n\r\n"],
        &["HTTP/1.1 200 x\r\n\r\n", "hell", "o"],
        &["HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhello"],
    ];
    for parts in good {
        assert_eq!(content(parts).await.as_deref(), Ok(&b"hello"[..]), "{parts:?}");
    }
}

#[tokio::test]
async fn content_is_bounded_and_its_end_is_told() {
    const LONG: &str = concat!(
        "0123456789012345678901234567890123456789012345678901234567890123456789",
        "0123456789012345678901234567890123456789012345678901234567890123456789"
    );
    let large = [
        &["HTTP/1.1 200 x\r\nContent-Length: 101\r\n\r\n"][..],
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "3c\r\n", "ffffffffffffffff\r\n"][..2],
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"],
        &["HTTP/1.1 200 x\r\n\r\n", LONG],
    ];
    for (index, parts) in large.into_iter().enumerate() {
        let wanted = match index {
            1 => ContentError::Closed { how: End::Fin },
            _ => ContentError::TooLarge(LIMIT_OF_CONTENT),
        };
        assert_eq!(content(parts).await, Err(wanted), "{parts:?}");
    }
    let cut = &["HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhe"];
    assert_eq!(content(cut).await, Err(ContentError::Closed { how: End::Fin }));
    for broken in [
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"][..],
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nheXX0\r\n\r\n"],
        &["HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2;", LONG, LONG, LONG],
    ] {
        assert!(matches!(content(broken).await, Err(ContentError::Malformed(_))), "{broken:?}");
    }
}

#[tokio::test]
async fn a_plain_request_is_no_upgrade_and_no_part_of_the_record() {
    let (heard, mut hears) = tokio::sync::mpsc::channel(1);
    let address = serve(move |mut stream| {
        let heard = heard.clone();
        async move {
            let mut request = read_request(&mut stream).await;
            let mut body = [0; 4];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut body).await.unwrap();
            request.push_str(std::str::from_utf8(&body).unwrap());
            heard.send(request).await.unwrap();
            stream.write_all(b"HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            drain(&mut stream).await;
        }
    })
    .await;
    let mut endpoint = ws(address);
    endpoint.subprotocols = vec!["chat".to_owned()];
    endpoint.headers = vec![Header::plain("X-Note", "n")];
    let (headers, body) =
        (vec![("X-T".to_owned(), "s3cret\n".to_owned().into())], Some(("text/plain", b"body".to_vec())));
    let target = ("POST", "/t?q=s3cret".to_owned().into());
    let request = Request::plain(&endpoint, &Offer::default(), target, headers, body).expect("a request");
    assert!(!format!("{request:?}").contains("s3cret"));
    let (record, evidence) = (Record::new(), Evidence::new());
    let connected = dialer().connect_into(&endpoint, &Offer::default(), &evidence, &record).await;
    let response = connected.expect("it listens").inquire(&request).await.expect("it answers");
    assert_eq!((response.status, evidence.phase()), (201, Phase::Before));
    let facts = record.facts();
    assert!(facts.response.is_none() && facts.timings.before.is_some() && facts.timings.upgrade.is_none());
    let phases = facts.timings.phases().map(|(_, time)| time).sum::<std::time::Duration>();
    assert!(phases <= facts.timings.total());
    let heard = hears.recv().await.expect("a request");
    assert!(heard.starts_with("POST /t?q=s3cret HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nbody"), "{heard}");
    assert_eq!((value(&heard, "x-t"), value(&heard, "content-length")), (Some("s3cret"), Some("4")));
    assert_eq!((value(&heard, "x-note"), value(&heard, "connection")), (Some("n"), Some("close")));
    assert!(!heard.to_lowercase().contains("websocket"), "{heard}");
}

#[tokio::test]
async fn what_can_not_be_written_is_not_sent() {
    let endpoint = endpoint("ws://127.0.0.1:1/");
    for (target, header) in [("/a b", "x"), ("/a\r\nX: y", "x"), ("/a", "x\r\nY: z")] {
        let headers = vec![("X-T".to_owned(), header.to_owned().into())];
        let request =
            Request::plain(&endpoint, &Offer::default(), ("GET", target.to_owned().into()), headers, None);
        assert!(matches!(request, Err(DialError::Credential(_))), "{target:?} {header:?}");
    }
}
