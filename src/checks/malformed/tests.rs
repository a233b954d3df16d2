//! What is heard becomes a reaction, and a reaction a verdict, without any socket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::config::Malformed;
use super::ear::Ear;
use super::judge::{Assertion, End, Entry, Judgement, verdict};
use super::reaction::{Reaction, Seen};
use super::shot::Shot;
use super::unasked::Unasked;
use super::vectors::{Class, Group, Vector};
use crate::checks::Surroundings;
use crate::dialect::{Dialect, Message, ReactionSpec, Spec};
use crate::model::{Cause, End as TcpEnd, Failure, Outcome, Span, Verdict, Why};
use crate::session::{Heard, Word};
use crate::wire::Violation;

fn vector(name: &str) -> &'static Vector {
    Vector::named(name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn ear(name: &str) -> Ear {
    let vector = vector(name);
    let Shot::Session { then, .. } = vector.shot else { panic!("{name} opens no session") };
    let before = Instant::now().checked_sub(Duration::from_secs(1)).expect("up for longer");
    Ear::new(vector, vector.expected, then, &vector.shot.bursts(65_536), before)
}

fn close(code: impl Into<Option<u16>>) -> Word {
    Word::Over(Heard::Close { code: code.into(), at: Instant::now() }, None)
}

fn fin() -> Word {
    Word::Over(Heard::Ended { how: TcpEnd::Fin, at: Instant::now() }, None)
}

fn text(text: &str) -> Word {
    Word::Other { message: Message::Text(text.into()), at: Instant::now() }
}

/// The reaction to a vector after which this was heard, and then a ping answered or the time over.
fn reaction(name: &str, words: impl IntoIterator<Item = Word>) -> Reaction {
    let mut ear = ear(name);
    for word in words {
        if !ear.is_over() {
            ear.take(word);
        }
    }
    let over = ear.outcome();
    let Shot::Session { then, .. } = vector(name).shot else { panic!("{name} opens no session") };
    let kept = |ear: Ear| if then == super::shot::Then::Ping { ear.served() } else { ear.late() };
    over.unwrap_or_else(|| kept(ear)).reaction
}

#[test]
fn the_end_of_a_connection_is_the_reaction() {
    assert_eq!(reaction("unmasked", [close(1002)]), Reaction::Close(Some(1002)));
    assert_eq!(reaction("unmasked", [fin()]), Reaction::Unclean);
    assert_eq!(reaction("unmasked", [text("gateprobe"), close(1002)]), Reaction::Close(Some(1002)));
    assert_eq!(reaction("unmasked", []), Reaction::Ignored);
    assert_eq!(reaction("unmasked", [text("gateprobe")]), Reaction::Accepted);
    assert_eq!(reaction("unmasked", [text("the news of the day")]), Reaction::Ignored, "it speaks by itself");
    assert_eq!(reaction("json_undefined", [text("what?")]), Reaction::Replied);
}

#[test]
fn an_echo_of_fragments_is_known_as_a_whole_and_in_parts() {
    assert_eq!(reaction("message_inside_message", [text("probe")]), Reaction::Accepted);
    assert_eq!(reaction("message_inside_message", [text("gateprobe")]), Reaction::Accepted);
    let split = "{\"type\":\"gateprobe\",\"text\":\"\u{20ac}\"}";
    assert_eq!(reaction("text_split_in_character", [text(split)]), Reaction::Accepted);
    let not_utf8 = || Word::Over(Heard::Illegal(Violation::NotUtf8), None);
    assert_eq!(reaction("utf8_ff", [not_utf8()]), Reaction::Accepted, "an echo of what is not UTF-8");
    let masked = Word::Over(Heard::Illegal(Violation::Masked), None);
    assert_eq!(reaction("utf8_ff", [masked]), Reaction::Nonsense);
}

#[test]
fn whoever_repeats_an_illegal_code_has_taken_it_as_good() {
    assert_eq!(reaction("close_code_999", [close(999)]), Reaction::Accepted);
    assert_eq!(reaction("close_code_999", [close(1002)]), Reaction::Close(Some(1002)));
    assert_eq!(reaction("close_code_999", [close(1000)]), Reaction::Close(Some(1000)));
    assert_eq!(reaction("close_reason_not_utf8", [close(1000)]), Reaction::Accepted);
    assert_eq!(reaction("close_code_999", []), Reaction::Hang);
}

#[test]
fn behind_our_close_nothing_is_heard_any_more() {
    assert_eq!(reaction("data_after_close", [close(1000), fin()]), Reaction::Close(Some(1000)));
    // It may be left to us to end TCP.
    assert_eq!(reaction("data_after_close", [close(1000)]), Reaction::Close(Some(1000)));
    assert_eq!(reaction("data_after_close", [text("gateprobe"), close(1000), fin()]), Reaction::Accepted);
    let behind = Word::Over(Heard::Illegal(Violation::AfterClose), None);
    assert_eq!(reaction("data_after_close", [close(1000), behind]), Reaction::Accepted);
    assert_eq!(reaction("close_not_completed", [close(1000), fin()]), Reaction::Close(Some(1000)));
    assert_eq!(reaction("close_not_completed", [close(1000)]), Reaction::Hang, "TCP is the gateway's to end");
}

#[test]
fn an_error_reply_says_more_than_what_comes_beside_it_and_behind_it() {
    let error = || Word::Error { at: Instant::now() };
    assert_eq!(reaction("json_undefined", [text("news"), error()]), Reaction::ErrorReply);
    assert_eq!(reaction("json_undefined", [error(), close(1000)]), Reaction::ErrorReply);
    assert_eq!(reaction("json_undefined", [error(), close(1011)]), Reaction::Close(Some(1011)));
    assert_eq!(
        reaction("json_undefined", [error(), close(1012)]),
        Reaction::Close(Some(1012)),
        "it restarts"
    );
    assert_eq!(reaction("json_undefined", [error(), close(1005)]), Reaction::Close(Some(1005)), "illegal");
    assert_eq!(
        reaction("rsv1", [error(), close(1002)]),
        Reaction::Close(Some(1002)),
        "no error reply is right"
    );
}

#[test]
fn a_message_from_before_the_shot_answers_nothing() {
    let early = text("the news of the day");
    let vector = vector("json_undefined");
    let Shot::Session { then, .. } = vector.shot else { panic!("it opens no session") };
    let mut ear = Ear::new(vector, vector.expected, then, &[], Instant::now() + Duration::from_secs(1));
    ear.take(early);
    assert_eq!(ear.served().reaction, Reaction::Ignored);
}

#[test]
fn of_several_pings_the_last_one_counts() {
    let pong =
        |payload: &'static [u8]| Word::Pong { payload: Bytes::from_static(payload), at: Instant::now() };
    assert_eq!(reaction("pings_10", [pong(b"gateprobe"), pong(b"gateprobe, the last")]), Reaction::Ponged);
    assert_eq!(reaction("pings_10", [pong(b"gateprobe")]), Reaction::Ignored);
    assert_eq!(reaction("control_long", [pong(b"gateprobe")]), Reaction::Ignored);
}

fn judged(name: &str, reaction: Reaction) -> Entry {
    let vector = vector(name);
    Entry::judged(vector, Seen::plain(reaction), Malformed::default().acceptable(vector, None))
}

#[test]
fn a_reaction_is_held_against_what_is_right() {
    let of = |name, reaction| judged(name, reaction).judgement;
    assert_eq!(of("unmasked", Reaction::Close(Some(1002))), Judgement::Ok);
    assert_eq!(of("unmasked", Reaction::Close(Some(1000))), Judgement::Wrong);
    assert_eq!(of("unmasked", Reaction::Close(Some(1011))), Judgement::Error);
    assert_eq!(of("unmasked", Reaction::Ignored), Judgement::Accepted);
    assert_eq!(of("key_missing", Reaction::Upgraded), Judgement::Accepted);
    assert_eq!(of("key_missing", Reaction::Status(502)), Judgement::Error);
    assert_eq!(of("method_post", Reaction::Status(501)), Judgement::Ok);
    // What no rule forbids, and what a proxy changes.
    assert_eq!(of("length_16_not_minimal", Reaction::Accepted), Judgement::Ok);
    assert_eq!(of("connection_missing", Reaction::Upgraded), Judgement::Ok);
    assert_eq!(of("method_post", Reaction::Status(502)), Judgement::Ok);
    // What reached the application has passed the gateway.
    assert_eq!(of("unmasked", Reaction::ErrorReply), Judgement::Accepted);
    assert_eq!(of("utf8_overlong", Reaction::Replied), Judgement::Accepted);
    assert_eq!(of("origin_foreign", Reaction::Replied), Judgement::Wrong);
    assert_eq!(of("version_12", Reaction::VersionUnnamed), Judgement::Wrong);
    assert_eq!(of("token_missing", Reaction::Status(429)), Judgement::NotJudged);
    assert_eq!(of("unmasked", Reaction::Close(Some(1012))), Judgement::NotJudged, "it restarts");
    // What is legal is not let pass, but served.
    assert_eq!(of("pings_10", Reaction::Ignored), Judgement::Wrong);
    assert_eq!(of("text_split_in_character", Reaction::Close(Some(1007))), Judgement::Wrong);
}

#[test]
fn the_worst_finding_is_the_verdict_and_all_are_named() {
    let entries = [
        judged("unmasked", Reaction::Ignored),
        judged("rsv1", Reaction::Close(Some(1011))),
        judged("rsv2", Reaction::Hang),
        judged("rsv3", Reaction::Close(Some(1002))),
    ];
    let Verdict { outcome, detail } = verdict(&entries, &End::Done, None);
    assert_eq!(outcome, Outcome::Fail(Failure::MalformedError));
    let places = ["rsv1: Close 1011", "rsv2: hang", "unmasked: ignored"].map(|name| detail.find(name));
    assert!(places.is_sorted() && places[0] == Some(0) && !detail.contains("rsv3"), "{detail}");
    let without = verdict(&entries, &End::Done, Some(Assertion::NoError));
    assert_eq!(without.outcome, Outcome::Fail(Failure::MalformedHang));
    let beside = verdict(&entries, &End::Bystander(vector("rsv3"), "it grew slow".into()), None);
    assert_eq!(beside.outcome, Outcome::Inconclusive(Cause::BystanderSlowed));
    assert!(beside.detail.starts_with("after rsv3: it grew slow; before: rsv1"), "{}", beside.detail);
}

#[test]
fn what_was_not_looked_at_is_no_pass() {
    let right = judged("rsv3", Reaction::Close(Some(1002)));
    let unasked = Entry::unasked(vector("empty"), Unasked::NoJson);
    let over_budget = Entry::unasked(vector("rsv1"), Unasked::Budget);
    let outcome = |entries: &[Entry], end| verdict(entries, end, None).outcome;
    assert_eq!(outcome(&[right.clone(), unasked.clone()], &End::Done), Outcome::Pass);
    assert_eq!(outcome(&[unasked], &End::Done), Outcome::Unsupported(Why::Promise));
    assert_eq!(outcome(&[right.clone(), over_budget], &End::Done), Outcome::Inconclusive(Cause::Budget));
    assert_eq!(outcome(&[right], &End::Late), Outcome::Inconclusive(Cause::Budget));
    let wrong = judged("rsv1", Reaction::Hang);
    assert_eq!(outcome(&[wrong], &End::Late), Outcome::Fail(Failure::MalformedHang));
}

fn dialect(more: serde_json::Value) -> Dialect {
    let mut spec = serde_json::json!({"dialect": 1, "name": "d", "error": {"json": {"type": "error"}}});
    spec.as_object_mut().expect("a mapping").extend(more.as_object().expect("a mapping").clone());
    let spec: Spec = serde_json::from_value(spec).expect("fits");
    Dialect::compile(&spec).expect("compiles")
}

#[test]
fn the_target_goes_before_the_dialect_and_that_before_the_table() {
    let dialect = dialect(serde_json::json!({"reactions": {"framing": [1008], "rsv1": ["ignored"]}}));
    let mut check = Malformed::default();
    let right = |check: &Malformed, name| super::list(&check.acceptable(vector(name), Some(&dialect)));
    assert_eq!(right(&check, "rsv2"), "1008");
    assert_eq!(right(&check, "rsv1"), "ignored");
    check.reactions.insert("framing".into(), vec![ReactionSpec::Number(1002)]);
    assert_eq!(
        right(&check, "rsv1"),
        "1002",
        "what the target says of a group goes before the dialect's vector"
    );
    check.reactions.insert("rsv1".into(), vec![ReactionSpec::Number(1003)]);
    assert_eq!(right(&check, "rsv1"), "1003");
    // Where errors have a shape, another message is none; unless the thing may be served.
    assert_eq!(right(&check, "empty"), "error_reply, ignored, 1003, 1007, 1008, close_4xxx");
    assert!(right(&check, "nesting_10").contains("replied"));
}

#[test]
fn the_dialect_gives_the_limit_and_the_window() {
    let promises = serde_json::json!({
        "limits": {"message": "1MiB"},
        "heartbeat": {"pings": {"interval": "5s"}},
        "zombie": {"origin": "unanswered_beat", "window": "10s"},
    });
    let dialect = dialect(promises);
    let around = Surroundings { dialect: Some(&dialect), connections_per_second: 5.0, exclusive: false };
    let check = Malformed { caution: true, ..Malformed::default() }.fit(&around);
    assert_eq!((check.limit(), check.window), (1 << 20, Some(Duration::from_secs(17))));
    let unasked = |name| Unasked::of(vector(name), &check, &dialect, false);
    assert_eq!(unasked("over_limit"), Some(Unasked::LimitTooLarge), "more than 1 MiB is never sent");
    assert_eq!(unasked("size_100k"), Some(Unasked::LimitTooLarge));
    assert_eq!((unasked("empty"), unasked("reader_slow")), (None, None));
    assert_eq!(unasked("token_missing"), Some(Unasked::NoCredential));
}

#[test]
fn the_choice_is_by_class_group_and_name() {
    let names = |check: &Malformed| check.chosen().map(|vector| vector.name).collect::<Vec<_>>();
    let light = Malformed::default();
    assert!(light.chosen().all(|vector| vector.class == Class::Light));
    let full = Malformed { profile: crate::checks::Profile::Full, ..Malformed::default() };
    assert_eq!(names(&full), names(&light), "caution is another opt-in");
    assert_eq!((light.every(), full.every()), (Duration::from_secs(1), Duration::from_millis(50)));
    let some = Malformed {
        caution: true,
        groups: Some(vec![Group::Size]),
        skip: vec!["size_1m".into()],
        ..Malformed::default()
    };
    assert_eq!(names(&some), ["over_limit", "size_100k"]);
}

#[test]
fn a_target_has_few_series() {
    let groups = Group::ALL.len();
    let crate::metrics::Kind::Histogram { buckets } = super::metrics::REACTION.kind else {
        panic!("no histogram")
    };
    // Of each vector one, and a second one now and then; each bucket, the rest, the sum and the count.
    let series = Vector::all().count() * 5 / 4 + Judgement::ALL.len() + groups * (buckets.len() + 3);
    assert!(series <= 250, "{series}");
}

proptest! {
    #[test]
    fn any_reaction_of_any_gateway_has_a_verdict(at in 0usize..70, code in any::<u16>(), status in any::<u16>(), kind in 0u8..13) {
        let all: Vec<&'static Vector> = Vector::all().collect();
        let vector = all[at % all.len()];
        let reaction = match kind {
            0 => Reaction::Close(Some(code)),
            1 => Reaction::Close(None),
            2 => Reaction::Status(status),
            3 => Reaction::VersionUnnamed,
            4 => Reaction::Upgraded,
            5 => Reaction::ErrorReply,
            6 => Reaction::Replied,
            7 => Reaction::Accepted,
            8 => Reaction::Ponged,
            9 => Reaction::Ignored,
            10 => Reaction::Unclean,
            11 => Reaction::Nonsense,
            _ => Reaction::Hang,
        };
        let entry = judged(vector.name, reaction);
        let outcome = verdict(std::slice::from_ref(&entry), &End::Done, None).outcome;
        prop_assert_eq!(entry.judgement == Judgement::Ok, outcome == Outcome::Pass, "{:?}", entry);
        let never = matches!(reaction, Reaction::Nonsense | Reaction::Hang | Reaction::VersionUnnamed);
        prop_assert!(!never || vector.group == Group::Handshake || entry.judgement != Judgement::Ok);
    }

    #[test]
    fn the_cost_grows_with_what_is_chosen_and_the_time_too(cut in 0usize..70) {
        let names: Vec<String> = Vector::all().take(cut + 1).map(|vector| vector.name.to_owned()).collect();
        let of = |names: &[String]| Malformed { caution: true, vectors: Some(names.to_vec()), ..Malformed::default() };
        let (more, fewer) = (of(&names), of(&names[1..]));
        prop_assert!(more.cost().bytes > fewer.cost().bytes && more.cost().messages >= fewer.cost().messages);
        prop_assert!(more.worst_case() > fewer.worst_case());
        prop_assert!(more.timeout() > more.worst_case() && more.timeout() < Span::secs(3_600));
    }
}
