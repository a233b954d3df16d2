use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::http::testing::{Reply, Running, start};

const KEPT_ALIVE: &[u8] = b"GET /livez HTTP/1.1\r\nHost: agent\r\n\r\n";

/// Until a test that waits in vain says so.
const PATIENCE: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { header_timeout: Duration::from_secs(20), ..Limits::default() }
}

/// A connection that has had an answer and stays open.
async fn idle(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    ask(&mut stream).await;
    stream
}

/// One request and its whole answer.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(KEPT_ALIVE).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") {
        assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "closed");
    }
}

/// Waits for the end of the stream, and returns how long after `began` it came: a moment before the server's clock
/// can have started, so that no delay of the test's own makes it look too early.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin), began: Instant) -> Duration {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("still open");
    began.elapsed()
}

#[tokio::test]
async fn a_header_that_drips_is_cut_off() {
    let header_timeout = Duration::from_millis(200);
    let server = start(Limits { header_timeout, ..limits() }).await;
    let began = Instant::now();
    let stream = server.connect().await;
    let (mut read, mut write) = stream.into_split();
    let drip = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while write.write_all(b"G").await.is_ok() {
            pace.tick().await;
        }
    });
    let took = until_closed(&mut read, began).await;
    assert!(took >= header_timeout, "{took:?}");
    drip.await.unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_off() {
    let header_timeout = Duration::from_millis(100);
    let server = start(Limits { header_timeout, ..limits() }).await;
    let began = Instant::now();
    let took = until_closed(&mut server.connect().await, began).await;
    assert!(took >= header_timeout, "{took:?}");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_time_out_but_not_its_own() {
    let (header_timeout, idle_timeout) = (Duration::from_millis(100), Duration::from_millis(400));
    let server = start(Limits { header_timeout, idle_timeout, ..limits() }).await;
    let began = Instant::now();
    let mut stream = idle(&server).await;
    let took = until_closed(&mut stream, began).await;
    assert!(took >= idle_timeout, "{took:?}");
}

#[tokio::test]
async fn a_second_header_that_does_not_end_is_cut_off() {
    let (header_timeout, idle_timeout) = (Duration::from_millis(100), Duration::from_secs(60));
    let server = start(Limits { header_timeout, idle_timeout, ..limits() }).await;
    let mut stream = idle(&server).await;
    let began = Instant::now();
    stream.write_all(b"GET /livez HT").await.unwrap();
    let took = until_closed(&mut stream, began).await;
    // Long before the idle time-out, which does not count any more.
    assert!((header_timeout..idle_timeout).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = start(Limits { request_timeout: Duration::from_millis(200), ..limits() }).await;
    // More than the sockets' buffers hold.
    let labels = [("team".to_owned(), "x".repeat(32 << 20))].into_iter().collect();
    server.metrics.set_target_info([("edge".to_owned(), labels)].into_iter().collect());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n").await.unwrap();
    // Not read a byte: the server must give up by itself, and then nothing is left to stop.
    while !server.metrics.encode_text().contains("route=\"/metrics\"") {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    server.shutdown.cancel();
    server.ended.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "it was held for {:?}", began.elapsed());
}

#[tokio::test]
async fn a_large_header_is_431_and_a_large_body_413() {
    let server = start(limits()).await;
    let header = format!("GET /livez HTTP/1.1\nX-Large: {}", "x".repeat(17 << 10));
    assert_eq!(server.request(&header, "").await.status, 431);
    let header = format!("GET /livez HTTP/1.1\nX-Large: {}", "x".repeat(15 << 10));
    assert_eq!(server.request(&header, "").await.status, 200);
    let announced = server.request("POST /-/reload HTTP/1.1\nContent-Length: 65537", "").await;
    assert_eq!(announced.status, 413);
    let chunk = "x".repeat(1 << 16);
    let chunked = format!("POST /-/reload HTTP/1.1\nTransfer-Encoding: chunked\n\n10000\n{chunk}\n1\nx\n0\n");
    assert_eq!(server.request(&chunked, "").await.status, 413);
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 400);
}

#[tokio::test]
async fn one_connection_too_many_takes_the_place_of_the_one_that_idled_longest() {
    let server = start(Limits { connections: 2, ..limits() }).await;
    let mut oldest = idle(&server).await;
    let mut older = idle(&server).await;
    let mut new = idle(&server).await;
    until_closed(&mut oldest, Instant::now()).await;
    assert_eq!((server.refused("evicted"), server.refused("refused")), (1.0, 0.0));
    ask(&mut older).await;
    ask(&mut new).await;
}

#[tokio::test]
async fn busy_connections_are_not_sent_away_for_a_new_one() {
    let server = start(Limits { connections: 2, ..limits() }).await;
    let slow = || async { server.get("/probe?target=slow&module=handshake").await.status };
    let both = async { tokio::join!(slow(), slow()) };
    let third = async {
        server.agent.slow_began.acquire_many(2).await.unwrap().forget();
        let began = Instant::now();
        let reply = Reply::read(&mut server.connect().await).await;
        server.agent.slow_ends.add_permits(2);
        (reply.status, reply.body, began.elapsed())
    };
    let (both, (status, body, took)) = tokio::join!(both, third);
    assert_eq!((status, body.as_str()), (503, "too many connections\n"));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(both, (200, 200));
    assert_eq!((server.refused("evicted"), server.refused("refused")), (0.0, 1.0));
    assert_eq!(server.get("/livez").await.status, 200, "there is room again");
}

#[tokio::test]
async fn a_refused_client_reads_why_even_if_it_spoke_first() {
    let server = start(Limits { connections: 0, ..limits() }).await;
    for _ in 0..20 {
        assert_eq!(server.get("/metrics").await.status, 503);
    }
}

#[tokio::test]
async fn a_request_at_hand_is_finished_within_the_grace() {
    let server = start(limits()).await;
    let (mut at_rest, mut fresh) = (idle(&server).await, server.connect().await);
    let slow = server.get("/probe?target=slow&module=handshake");
    let stop = async {
        server.agent.slow_began.acquire().await.unwrap().forget();
        server.shutdown.cancel();
        until_closed(&mut at_rest, Instant::now()).await;
        until_closed(&mut fresh, Instant::now()).await;
        // Nobody listens any more.
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!server.ended.is_finished());
        server.agent.slow_ends.add_permits(1);
    };
    let (reply, ()) = tokio::join!(slow, stop);
    assert_eq!(reply.status, 200);
    server.ended.await.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_after_the_grace() {
    let shutdown_grace = Duration::from_millis(100);
    let server = start(Limits { shutdown_grace, ..limits() }).await;
    let mut stream = server.connect().await;
    let request = b"GET /probe?target=slow&module=handshake HTTP/1.1\r\nHost: agent\r\n\r\n";
    stream.write_all(request).await.unwrap();
    server.agent.slow_began.acquire().await.unwrap().forget();
    let began = Instant::now();
    server.shutdown.cancel();
    server.ended.await.unwrap();
    assert!((Duration::from_millis(90)..Duration::from_secs(5)).contains(&began.elapsed()));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}
