//! Pongs that are late, missing, doubled or wrong, at both levels.

use std::time::{Duration, Instant};

use super::client::*;
use crate::gateway::{EventKind, Handle, Payload, Settings};

/// One of the two levels, as a client meets it.
#[derive(Clone, Copy)]
struct Way {
    prefix: &'static str,
    wrong: &'static str,
    opcode: u8,
    answer: u8,
}

const WAYS: [Way; 2] = [
    Way { prefix: "", wrong: "pong_wrong_payload", opcode: PING, answer: PONG },
    Way { prefix: "application_", wrong: "application_pong_wrong_id", opcode: TEXT, answer: TEXT },
];

impl Way {
    fn ping(self, number: u64) -> Vec<u8> {
        match self.opcode {
            PING => number.to_string().into_bytes(),
            _ => format!(r#"{{"type":"ping","id":{number}}}"#).into_bytes(),
        }
    }

    async fn ask(self, client: &mut Client, number: u64) {
        client.send_frame(self.opcode, &self.ping(number)).await;
    }

    async fn answered(self, client: &mut Client, number: u64) {
        let got = client.frame().await;
        let expected = String::from_utf8(self.ping(number)).unwrap().replace("ping", "pong");
        assert_eq!((got.opcode(), &got.payload[..]), (self.answer, expected.as_bytes()));
    }

    async fn gateway(self, fault: &str) -> Handle {
        let gateway = gateway(Settings { heartbeat_interval: None, ..Settings::default() }).await;
        set(&gateway, &format!("{}{fault}", self.prefix));
        gateway
    }
}

#[tokio::test]
async fn late_pongs_stay_in_order_and_hold_up_nothing_else() {
    for way in WAYS {
        let gateway = way.gateway("pong_delay=200ms").await;
        let mut client = open(&gateway).await;
        let asked = Instant::now();
        for number in 1..=3 {
            way.ask(&mut client, number).await;
        }
        client.send_frame(BINARY, b"meanwhile").await;
        assert_eq!(client.frame().await.opcode(), BINARY);
        for number in 1..=3 {
            way.answered(&mut client, number).await;
        }
        assert!(asked.elapsed() >= Duration::from_millis(200), "{:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_late_pong_goes_out_when_the_fault_ends_and_dies_with_the_session() {
    for way in WAYS {
        let gateway = way.gateway("pong_delay=1h").await;
        let mut client = open(&gateway).await;
        way.ask(&mut client, 1).await;
        way.ask(&mut client, 2).await;
        client.send_frame(BINARY, b"").await;
        assert_eq!(client.frame().await.opcode(), BINARY);
        gateway.clear_all();
        way.ask(&mut client, 3).await;
        for number in 1..=3 {
            way.answered(&mut client, number).await;
        }
        set(&gateway, &format!("{}pong_delay=1h", way.prefix));
        way.ask(&mut client, 4).await;
        client.close(1000).await;
        assert_eq!(client.frame().await.close_code(), Some(1000));
        assert_eq!(client.rest().await, (vec![], Ended::Fin));
    }
}

#[tokio::test]
async fn a_late_pong_does_not_hold_up_the_gateways_own_pings() {
    let gateway = gateway_with(lively(60_000), &["pong_delay=1h", "application_pong_delay=1h"]).await;
    let mut client = open(&gateway).await;
    client.send_frame(PING, b"x").await;
    client.send_frame(TEXT, br#"{"type":"ping"}"#).await;
    client.pings_until(5).await;
}

#[tokio::test]
async fn every_kth_ping_stays_unanswered_counted_from_the_switch() {
    for way in WAYS {
        let gateway = way.gateway("pong_dropped=3").await;
        let mut client = open(&gateway).await;
        for round in 0..2 {
            for number in 1..=7 {
                way.ask(&mut client, number).await;
            }
            for number in [1, 2, 4, 5, 7] {
                way.answered(&mut client, number).await;
            }
            assert!(round == 1 || gateway.faults().len() == 1);
            set(&gateway, &format!("{}pong_dropped=3", way.prefix));
        }
        set(&gateway, &format!("{}pong_dropped=1", way.prefix));
        way.ask(&mut client, 8).await;
        client.send_frame(BINARY, b"").await;
        assert_eq!(client.frame().await.opcode(), BINARY);
    }
}

#[tokio::test]
async fn doubled_pongs() {
    for way in WAYS {
        let gateway = way.gateway("pong_duplicated").await;
        let mut client = open(&gateway).await;
        for number in [1, 2] {
            way.ask(&mut client, number).await;
            way.answered(&mut client, number).await;
            way.answered(&mut client, number).await;
        }
        gateway.clear_all();
        for number in [3, 4] {
            way.ask(&mut client, number).await;
            way.answered(&mut client, number).await;
        }
    }
}

#[tokio::test]
async fn wrong_pongs_answer_something_else() {
    for way in WAYS {
        let gateway = gateway(Settings { heartbeat_interval: None, ..Settings::default() }).await;
        set(&gateway, way.wrong);
        let mut client = open(&gateway).await;
        way.ask(&mut client, 1).await;
        let got = client.frame().await;
        assert_eq!(got.opcode(), way.answer);
        assert_ne!(got.payload, String::from_utf8(way.ping(1)).unwrap().replace("ping", "pong").into_bytes());
        assert!(got.opcode() == PONG || got.text().contains(r#""type":"pong","id":"#), "{got:?}");
        gateway.clear_all();
        way.ask(&mut client, 2).await;
        way.answered(&mut client, 2).await;
    }
    let gateway = WAYS[0].gateway("pong_wrong_payload").await;
    let mut client = open(&gateway).await;
    client.send_frame(PING, b"").await;
    let wrong = client.frame().await;
    assert!(wrong.opcode() == PONG && !wrong.payload.is_empty());
    let payload = Payload::new(&wrong.payload);
    event(&gateway, 0, |kind| *kind == EventKind::PongSent { payload }).await;
}
