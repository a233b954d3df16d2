//! The faults of malformed input, in sessions.

use std::time::{Duration, Instant};

use super::client::*;
use super::malformed::{Example, examples, noted, open_deflate, speaking_deflate};
use crate::gateway::{EventKind, FaultKind, Offence, Settings};

#[tokio::test]
async fn accepted_takes_each_offence_as_good_and_serves_on() {
    let gateway = speaking_deflate().await;
    for Example { offence, bytes, good: (opcode, payload), .. } in examples() {
        set(&gateway, &format!("malformed_accepted={offence}"));
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        let got = client.frame().await;
        assert_eq!((got.opcode(), &got.payload), (opcode, &payload), "{offence}");
        noted(&gateway, offence).await;
        if opcode != CLOSE {
            client.send_frame(PING, b"on").await;
            assert_eq!(client.frame().await.opcode(), PONG, "{offence}");
            client.send_frame(TEXT, b"and on").await;
            // The message that another one interrupted is still open.
            let expected = if offence == Offence::Interleaved { "out" } else { "and on" };
            if offence == Offence::Interleaved {
                assert_eq!(client.frame().await.text(), "and on");
                client.send(&frame(0x80, b"")).await;
            }
            assert_eq!(client.frame().await.text(), expected, "{offence}");
        }
    }
}

#[tokio::test]
async fn other_offences_are_refused_as_ever() {
    let gateway = speaking_deflate().await;
    for Example { offence, bytes, code, .. } in examples() {
        let other = if offence == Offence::Unmasked { "not_utf8" } else { "unmasked" };
        for fault in ["accepted", "error", "hang", "crash", "wrong_code", "hurts"] {
            set(&gateway, &format!("malformed_{fault}={other}"));
        }
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        assert_eq!(client.frame().await.close_code(), Some(code), "{offence}");
    }
}

#[tokio::test]
async fn error_and_wrong_code_have_codes_of_their_own() {
    for (fault, code) in [("malformed_error", 1011), ("malformed_wrong_code", 1000)] {
        let gateway = speaking_deflate().await;
        set(&gateway, &format!("{fault}=any"));
        for Example { offence, bytes, .. } in examples() {
            let mut client = open_deflate(&gateway).await;
            client.send(&bytes).await;
            assert_eq!(client.frame().await.close_code(), Some(code), "{offence}");
            assert_eq!(client.rest().await, (vec![], Ended::Fin), "{offence}");
        }
    }
}

#[tokio::test]
async fn hang_is_silent_and_stays_connected() {
    let gateway = speaking_deflate().await;
    set(&gateway, "malformed_hang=any");
    let mut hung = Vec::new();
    for Example { offence, bytes, .. } in examples() {
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        noted(&gateway, offence).await;
        client.send_frame(PING, b"there?").await;
        client.close(1000).await;
        hung.push(client);
    }
    let mut other = open(&gateway).await;
    other.send_frame(TEXT, b"well").await;
    assert_eq!(other.frame().await.text(), "well");
    assert_eq!(gateway.open_connections(), hung.len() + 1);
    for client in &mut hung {
        client.silent_until(tokio::time::sleep(Duration::from_millis(5))).await;
    }
    drop((hung, other));
    all_closed(&gateway).await;
}

#[tokio::test]
async fn crash_resets_everybody_and_whoever_comes_soon() {
    let gateway = speaking_deflate().await;
    for Example { offence, bytes, .. } in examples() {
        set(&gateway, &format!("malformed_crash={offence}"));
        let mut bystander = open(&gateway).await;
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        assert_eq!(client.rest().await, (vec![], Ended::Reset), "{offence}");
        assert_eq!(bystander.rest().await, (vec![], Ended::Reset), "{offence}");
        assert_eq!(connect(&gateway).await.rest().await.1, Ended::Reset, "{offence}");
        gateway.clear_all();
    }
    let mut after = open(&gateway).await;
    after.close(1000).await;
    assert_eq!(after.frame().await.close_code(), Some(1000));
}

#[tokio::test]
async fn a_crashed_gateway_is_back_after_two_seconds() {
    let gateway = gateway(Settings::default()).await;
    set(&gateway, "malformed_crash=unmasked");
    let mut client = open(&gateway).await;
    client.send(&[0x81, 0x00]).await;
    assert_eq!(client.rest().await.1, Ended::Reset);
    let crashed = event(&gateway, 0, |kind| *kind == EventKind::Crashed).await.monotonic_ns;
    loop {
        let mut client = connect(&gateway).await;
        // A reset may come before the request has gone out.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, request("").as_bytes()).await;
        if client.more().await.is_ok() {
            break;
        }
    }
    let back = event(&gateway, 0, |kind| *kind == EventKind::Upgraded).await;
    // The log is written after the bytes.
    let back = event(&gateway, back.seq + 1, |kind| *kind == EventKind::Upgraded).await;
    assert!(back.monotonic_ns - crashed >= 2_000_000_000);
}

#[tokio::test]
async fn hurts_refuses_well_and_slows_the_others() {
    let gateway = speaking_deflate().await;
    let mut bystander = open(&gateway).await;
    let pong = async |client: &mut Client| {
        let started = Instant::now();
        client.send_frame(PING, b"p").await;
        assert_eq!(client.frame().await.opcode(), PONG);
        started.elapsed()
    };
    for Example { offence, bytes, code, .. } in examples().into_iter().take(2) {
        set(&gateway, &format!("malformed_hurts={offence}"));
        let mut client = open_deflate(&gateway).await;
        client.send(&bytes).await;
        assert_eq!(client.frame().await.close_code(), Some(code), "{offence}");
        assert!(pong(&mut bystander).await >= Duration::from_secs(1), "{offence}");
        gateway.clear_fault(FaultKind::MalformedHurts);
        assert!(pong(&mut bystander).await < Duration::from_millis(900), "{offence}");
    }
}

#[tokio::test]
async fn a_close_that_is_answered_late_is_answered_whatever_follows() {
    for more in [frame(0x81, b"more"), vec![0x81, 0x01, b'x'], frame(0x88, b"\x03"), frame(0x89, b"")] {
        let gateway = gateway(Settings::default()).await;
        set(&gateway, "close_delay=50ms");
        let mut client = open(&gateway).await;
        // In one write: it must be there before the answer is due.
        client.send(&[frame(0x88, &4000u16.to_be_bytes()), more.clone()].concat()).await;
        noted(&gateway, Offence::DataAfterClose).await;
        assert_eq!(client.frame().await.close_code(), Some(4000), "{more:02x?}");
        assert_eq!(client.rest().await, (vec![], Ended::Fin));
    }
}

#[tokio::test]
async fn what_comes_after_a_close_can_be_taken_wrong_too() {
    let after_close = [frame(0x88, &4000u16.to_be_bytes()), frame(0x81, b"more")].concat();
    for (fault, codes) in [
        ("malformed_accepted", &[None, Some(4000)][..]),
        ("malformed_error", &[Some(1011)]),
        ("malformed_wrong_code", &[Some(1000)]),
        ("malformed_hurts", &[Some(4000)]),
    ] {
        let gateway = gateway(Settings::default()).await;
        set(&gateway, &format!("{fault}=data_after_close"));
        let mut client = open(&gateway).await;
        client.send(&after_close).await;
        for code in codes {
            let got = client.frame().await;
            match code {
                Some(_) => assert_eq!(got.close_code(), *code, "{fault}"),
                None => assert_eq!(got.text(), "more"),
            }
        }
        assert_eq!(client.rest().await, (vec![], Ended::Fin), "{fault}");
        // Who sends nothing more is answered as ever.
        let mut client = open(&gateway).await;
        client.close(4001).await;
        assert_eq!(client.frame().await.close_code(), Some(4001), "{fault}");
    }
}
