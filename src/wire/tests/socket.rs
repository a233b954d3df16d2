use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::super::kernel::unacknowledged;
use super::super::tcp::reset_on_close;
use super::super::*;
use super::servers::*;
use crate::model::{End, EventKind, Failure, FrameKind, Side};

/// A server that upgrades and then does `then`.
async fn upgraded<F, B>(then: F) -> Socket
where
    F: Fn(TcpStream) -> B + Clone + Send + Sync + 'static,
    B: Future<Output = ()> + Send + 'static,
{
    let address = serve(move |mut stream| {
        let then = then.clone();
        async move {
            upgrade(&mut stream).await;
            then(stream).await;
        }
    })
    .await;
    socket(address).await
}

#[tokio::test]
async fn nothing_is_answered_by_itself_and_everything_is_noted() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut socket = upgraded(move |mut stream| {
        let tx = tx.clone();
        async move {
            stream.write_all(b"\x89\x02hi\x88\x02\x03\xed").await.unwrap();
            tx.send(drain(&mut stream).await).unwrap();
        }
    })
    .await;
    let ping = socket.recv().await;
    assert_eq!(ping.what.frame().unwrap().kind(), FrameKind::Ping);
    let close = socket.recv().await;
    assert!(close.at >= ping.at);
    assert!(
        matches!(&close.what, Incoming::Violation(Violation::CloseCode(1005), frame) if frame.opcode == 8)
    );
    let events = socket.evidence().timeline().events;
    let noted = EventKind::Frame { from: Side::Gateway, kind: FrameKind::Close, bytes: 2, code: Some(1005) };
    assert!(events.iter().any(|event| event.kind == noted));
    socket.sever(End::Fin);
    assert_eq!(rx.recv().await, Some(0));
}

#[tokio::test]
async fn a_reset_that_a_write_met_first_is_received_as_one() {
    let mut socket = upgraded(|stream| async move { reset_on_close(&stream) }).await;
    assert_eq!(socket.peer_gone().await.unwrap().1, End::Rst);
    assert_eq!(socket.send(&OutFrame::ping("x")).await, Err(SendError::Ended(End::Rst)));
    assert_eq!(socket.recv().await.what, Incoming::End(End::Rst));
}

#[tokio::test]
async fn a_black_hole_acknowledges_nothing() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let behave = move |stream| {
        let tx = tx.clone();
        async move { tx.send(stream).unwrap() }
    };
    let (near, mut gone) = (upgraded(behave.clone()).await, upgraded(behave).await);
    let (mut to_near, mut to_gone) = (rx.recv().await.unwrap(), rx.recv().await.unwrap());
    if to_near.peer_addr().unwrap() != near.local() {
        std::mem::swap(&mut to_near, &mut to_gone);
    }
    gone.blackhole().unwrap();
    to_gone.write_all(b"is anybody there").await.unwrap();
    // What is sent later, to one who is there, is acknowledged.
    to_near.write_all(b"is anybody there").await.unwrap();
    while unacknowledged(&to_near) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((unacknowledged(&to_gone), gone.unread(), near.unread()), (16, 0, 16));
}

#[tokio::test]
async fn frames_go_out_as_they_were_made_and_the_time_is_before_the_write() {
    let mut socket = upgraded(|mut stream| async move {
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            let mut echo = vec![0x82, u8::try_from(length).unwrap()];
            echo.extend(&buffer[..length]);
            stream.write_all(&echo).await.unwrap();
        }
    })
    .await;
    for frame in [
        OutFrame::text("hello").with_mask(Mask::Key([1, 2, 3, 4])),
        OutFrame::text("bare").with_mask(Mask::None),
        OutFrame::raw(3, "x").with_rsv(7).with_fin(false).with_mask(Mask::None),
        OutFrame::binary("y").with_length(Length::Declared(60_000)).with_mask(Mask::None),
    ] {
        let sent = socket.send(&frame).await.unwrap();
        let received = socket.recv().await;
        assert!(received.at > sent);
        assert_eq!(&received.what.frame().unwrap().payload[..], frame.encode());
    }
    socket.send_raw(b"\x00").await.unwrap();
    assert_eq!(&socket.recv().await.what.frame().unwrap().payload[..], b"\x00");
}

#[tokio::test]
async fn fin_and_rst_and_oversized_frames_are_told_apart() {
    let mut cut = upgraded(|_| async {}).await;
    assert_eq!(cut.recv().await.what, Incoming::End(End::Fin));
    assert_eq!(cut.recv().await.what.failure(), Some(Failure::ConnectionCut));
    let mut reset = upgraded(|stream| async move { reset_on_close(&stream) }).await;
    assert_eq!(reset.recv().await.what, Incoming::End(End::Rst));
    let mut large = upgraded(|mut stream| async move {
        stream.write_all(&[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]).await.unwrap();
        drain(&mut stream).await;
    })
    .await;
    let what = large.recv().await.what;
    assert_eq!(what, Incoming::TooLarge(Oversized { opcode: 2, length: 1 << 32 }));
    assert_eq!(what.failure(), Some(Failure::MessageTooLarge));
}

#[tokio::test]
async fn a_dripping_frame_is_told_from_silence_and_recv_can_be_cancelled() {
    let (tx, rx) = mpsc::unbounded_channel::<Vec<u8>>();
    let rx = std::sync::Arc::new(tokio::sync::Mutex::new(rx));
    let mut socket = upgraded(move |mut stream| {
        let rx = rx.clone();
        async move {
            while let Some(bytes) = rx.lock().await.recv().await {
                stream.write_all(&bytes).await.unwrap();
            }
        }
    })
    .await;
    assert!(!socket.mid_frame());
    for byte in b"\x81\x03ab" {
        tx.send(vec![*byte]).unwrap();
    }
    // The rest never comes, so this ends only by being cancelled, and often.
    while !socket.mid_frame() {
        let _ = tokio::time::timeout(Duration::from_millis(1), socket.recv()).await;
    }
    for _ in 0..5 {
        assert!(tokio::time::timeout(Duration::from_millis(1), socket.recv()).await.is_err());
    }
    tx.send(b"c".to_vec()).unwrap();
    assert_eq!(socket.recv().await.what.frame().unwrap().text(), Some("abc"));
    assert!(!socket.mid_frame());
}

#[tokio::test]
async fn a_polite_close_is_reported_step_by_step() {
    let mut good = upgraded(|mut stream| async move {
        let mut close = [0; 8];
        stream.write_all(b"\x81\x01x").await.unwrap();
        stream.read_exact(&mut close).await.unwrap();
        stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    })
    .await;
    let mut closing = Closing::default();
    good.close(1000, "", &mut closing).await;
    assert!(closing.sent < closing.answered && closing.answered.unwrap() <= closing.ended.unwrap().0);
    assert_eq!((closing.code, closing.skipped, closing.failure()), (Some(1000), 1, None));

    let mut rude = upgraded(|mut stream| async move {
        stream.read_exact(&mut [0; 8]).await.unwrap();
    })
    .await;
    let mut closing = Closing::default();
    rude.close(1000, "", &mut closing).await;
    assert_eq!(closing.failure(), Some(Failure::ConnectionCut));

    for (answer, failure) in
        [(&b""[..], Failure::CloseUnanswered), (b"\x88\x02\x03\xe8", Failure::TcpNotEnded)]
    {
        let mut deaf = upgraded(move |mut stream| async move {
            stream.write_all(answer).await.unwrap();
            std::future::pending().await
        })
        .await;
        let mut closing = Closing::default();
        // The answer may be on its way: only a whole one counts.
        while closing.sent.is_none() || (closing.answered.is_none() && !answer.is_empty()) {
            let mut attempt = Closing::default();
            let close = deaf.close(1000, "", &mut attempt);
            let _ = tokio::time::timeout(Duration::from_millis(200), close).await;
            closing = attempt;
        }
        assert_eq!(closing.failure(), Some(failure));
    }
}

#[tokio::test]
async fn a_close_of_the_gateway_is_answered_with_its_code() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut socket = upgraded(move |mut stream| {
        let tx = tx.clone();
        async move {
            stream.write_all(b"\x88\x06\x0f\xa0gone").await.unwrap();
            let mut answer = vec![0; 8];
            stream.read_exact(&mut answer).await.unwrap();
            tx.send(answer).unwrap();
        }
    })
    .await;
    let received = socket.recv().await;
    let mut closing = Closing::default();
    socket.close_back(&received, &mut closing).await;
    assert_eq!((closing.code, closing.failure()), (Some(4000), None));
    let mut reader = Reader::new(125);
    reader.push(&rx.recv().await.unwrap());
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!((frame.masked, frame.close_code()), (true, Some(4000)));
}

#[tokio::test]
async fn severing_is_seen_as_what_it_is() {
    for how in [End::Fin, End::Rst] {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let socket = upgraded(move |mut stream| {
            let tx = tx.clone();
            async move {
                let seen = stream.read(&mut [0; 16]).await;
                tx.send(seen.map_err(|error| error.kind())).unwrap();
            }
        })
        .await;
        socket.sever(how);
        let seen = rx.recv().await.unwrap();
        match how {
            End::Fin => assert_eq!(seen, Ok(0)),
            End::Rst => assert_eq!(seen, Err(std::io::ErrorKind::ConnectionReset)),
        }
    }
}

#[tokio::test]
async fn the_end_is_seen_without_reading() {
    for how in [End::Fin, End::Rst] {
        let (go, gone) = mpsc::unbounded_channel::<()>();
        let gone = std::sync::Arc::new(tokio::sync::Mutex::new(gone));
        let mut socket = upgraded(move |mut stream| {
            let gone = gone.clone();
            async move {
                stream.write_all(b"\x81\x01x").await.unwrap();
                gone.lock().await.recv().await;
                if how == End::Rst {
                    reset_on_close(&stream);
                }
            }
        })
        .await;
        // Unread bytes are no end.
        assert!(tokio::time::timeout(Duration::from_millis(30), socket.peer_gone()).await.is_err());
        go.send(()).unwrap();
        let (_, seen) = tokio::time::timeout(LIMIT, socket.peer_gone()).await.unwrap().unwrap();
        assert_eq!(seen, how);
        // What was there before is still there to be read.
        assert_eq!(socket.recv().await.what.frame().unwrap().text(), Some("x"));
        assert_eq!(socket.recv().await.what, Incoming::End(how));
    }
}

#[tokio::test]
async fn sending_to_a_dead_gateway_fails_and_its_last_words_are_read() {
    let mut socket = upgraded(|mut stream| async move {
        stream.write_all(b"\x88\x02\x03\xf0").await.unwrap();
        reset_on_close(&stream);
    })
    .await;
    // Until the RST is there, a write succeeds.
    while socket.send(&OutFrame::text("x")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let last = socket.recv().await.what;
    let code = last.frame().and_then(Frame::close_code);
    assert!(code == Some(1008) || last == Incoming::End(End::Rst), "{last:?}");
}

/// What a server reads, to the end, of a client that does `then` and is dropped with its cut cancelled or not.
async fn last_words(cancelled: bool, then: impl AsyncFnOnce(&mut Socket)) -> Vec<u8> {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut socket = upgraded(move |mut stream| {
        let tx = tx.clone();
        async move {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
            tx.send(bytes).unwrap();
        }
    })
    .await;
    let cut = tokio_util::sync::CancellationToken::new();
    socket.goodbye_when(cut.clone());
    then(&mut socket).await;
    if cancelled {
        cut.cancel();
    }
    drop(socket);
    rx.recv().await.unwrap()
}

#[tokio::test]
async fn who_is_cut_says_goodbye_where_it_can_be_understood() {
    let said = last_words(true, async |_| {}).await;
    // FIN and opcode 8, masked, two bytes.
    assert_eq!((said.len(), &said[..2]), (8, &[0x88, 0x82][..]));
    let code: Vec<u8> = said[6..].iter().zip(&said[2..6]).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(code, 1001_u16.to_be_bytes());
    let ping = OutFrame::ping("hi");
    assert_eq!(last_words(true, async |socket| socket.send(&ping).await.map(drop).unwrap()).await.len(), 16);
    assert!(last_words(false, async |_| {}).await.is_empty());
    let close = OutFrame::close(1000, "");
    assert_eq!(last_words(true, async |socket| socket.send(&close).await.map(drop).unwrap()).await.len(), 8);
    assert_eq!(
        last_words(true, async |socket| socket.send_raw(b"\x81").await.map(drop).unwrap()).await,
        [0x81]
    );
}
