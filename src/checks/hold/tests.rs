use std::time::{Duration, Instant as StdInstant, SystemTime};

use super::judge::findings;
use super::*;
use crate::model::{Cause, Failure, Span};
use crate::session::{Drains, EndClass, Invitation};

const MINUTE: Duration = Duration::from_secs(60);

/// An end so long before `now`, whose connection was back after a second.
fn end(now: StdInstant, slot: usize, class: EndClass, before: Duration) -> End {
    let failure = match class {
        EndClass::Drained => Outcome::Inconclusive(Cause::Restarting),
        EndClass::Fin => Outcome::Fail(Failure::ConnectionCut),
        EndClass::Rst => Outcome::Fail(Failure::ConnectionReset),
        EndClass::PongLost => Outcome::Fail(Failure::PongLost),
        _ => Outcome::Fail(Failure::SessionClosed),
    };
    End {
        slot,
        class,
        code: None,
        verdict: Verdict::new(failure, "x"),
        age: Duration::from_secs(7_200),
        at: now - before,
        wall: SystemTime::UNIX_EPOCH,
        invitation: None,
        late: Duration::ZERO,
        control: None,
        back: Some(Duration::from_secs(1)),
        refusal: None,
        drains: None,
    }
}

fn glance(now: StdInstant, ends: Vec<End>) -> Glance {
    let up = Standing::Up { since: now - MINUTE, answered: Some(now), starved: false };
    Glance { standings: vec![up.clone(), up], ends, dropped: 0, backs: Vec::new() }
}

fn outcomes(check: &Hold, glance: &Glance, now: StdInstant) -> Vec<Outcome> {
    findings(check, glance, now).into_iter().map(|finding| finding.verdict.outcome).collect()
}

#[test]
fn a_drained_deploy_passes_and_a_cut_one_does_not() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let both = |class| {
        let other = now - MINUTE + Duration::from_millis(20);
        vec![end(now, 0, class, MINUTE), End { at: other, ..end(now, 1, class, MINUTE) }]
    };
    assert_eq!(outcomes(&check, &glance(now, both(EndClass::Drained)), now), []);
    let cut = glance(now, both(EndClass::Rst));
    assert_eq!(outcomes(&check, &cut, now), [Outcome::Fail(Failure::ConnectionReset)], "one event");
    let found = findings(&check, &cut, now);
    let told = "lost together: 2 of 2 cut (RST) at 1970-01-01T00:00:00.000Z within 20ms, up to 2h old, back after 1s: x";
    assert_eq!(found[0].verdict.detail, told);
}

#[test]
fn who_is_drained_again_and_again_can_not_stay() {
    let now = StdInstant::now();
    let drained = |times, minutes| {
        let last = end(now, 0, EndClass::Drained, MINUTE);
        let since = last.at - minutes * MINUTE;
        glance(now, vec![End { drains: Some(Drains { times, since }), ..last }])
    };
    let check = Hold::default();
    assert_eq!(outcomes(&check, &drained(4, 20), now), [], "a rolling restart");
    assert_eq!(outcomes(&check, &drained(20, 4), now), [], "it drains, and was not left out yet");
    let found = drained(5, 5);
    let found = findings(&check, &found, now);
    assert_eq!(found[0].verdict.outcome, Outcome::Fail(Failure::SessionClosed));
    let told = "connection 1 was drained 5 times in a row within 5m, and lived for less than 1m each time: no \
                client can stay";
    assert_eq!(found[0].verdict.detail, told);
    let short = Hold { lifetime: Some(Span::secs(30)), ..Hold::default() };
    assert_eq!(outcomes(&short, &drained(50, 50), now), [], "it lets nobody become older");
}

#[test]
fn ends_far_apart_are_events_of_their_own() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let ends = vec![end(now, 0, EndClass::Drained, 2 * MINUTE), end(now, 1, EndClass::Fin, MINUTE)];
    let glance = glance(now, ends);
    assert_eq!(events(&glance.ends).len(), 2);
    assert_eq!(outcomes(&check, &glance, now), [Outcome::Fail(Failure::ConnectionCut)]);
}

#[test]
fn one_connection_that_ends_twice_is_two_events() {
    let now = StdInstant::now();
    let after = |slot, millis| {
        let at = now - MINUTE + Duration::from_millis(millis);
        End { at, ..end(now, slot, EndClass::Fin, MINUTE) }
    };
    let ends = [after(0, 0), after(1, 10), after(0, 200), after(1, 210), after(1, 400)];
    assert_eq!(events(&ends).iter().map(|event| event.len()).collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn a_drained_one_that_is_not_let_in_again_in_time_accuses() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let refusal = Some(Verdict::new(Outcome::Inconclusive(Cause::Precondition), "could not connect"));
    let late = End { back: Some(Duration::from_secs(36)), refusal, ..end(now, 0, EndClass::Drained, MINUTE) };
    let failed = Outcome::Fail(Failure::ReconnectFailed);
    assert_eq!(outcomes(&check, &glance(now, vec![late.clone()]), now), [failed]);
    let in_time = End { back: Some(Duration::from_secs(24)), ..late.clone() };
    assert_eq!(outcomes(&check, &glance(now, vec![in_time]), now), []);
    let away = End { back: None, ..late.clone() };
    assert_eq!(outcomes(&check, &glance(now, vec![away]), now), [failed]);
    let throttled = Some(Verdict::new(Outcome::Inconclusive(Cause::Throttled), "429"));
    let away = End { back: None, refusal: throttled, ..late.clone() };
    assert_eq!(outcomes(&check, &glance(now, vec![away]), now), [Outcome::Inconclusive(Cause::Throttled)]);
    let own_backoff = End { refusal: None, ..late };
    assert_eq!(outcomes(&check, &glance(now, vec![own_backoff]), now), [], "nobody refused");
}

#[test]
fn who_was_asked_to_stay_away_is_awaited_from_then_on() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let refusal = Some(Verdict::new(Outcome::Inconclusive(Cause::Precondition), "could not connect"));
    let asked = |seconds| {
        let delay = Duration::from_secs(seconds);
        Some(Invitation { at: now - MINUTE, delay })
    };
    let drained = end(now, 0, EndClass::Drained, MINUTE);
    let late = End { back: Some(Duration::from_secs(36)), refusal: refusal.clone(), ..drained.clone() };
    let in_time = End { invitation: asked(10), ..late.clone() };
    assert_eq!(outcomes(&check, &glance(now, vec![in_time]), now), []);
    let too_late = End { invitation: asked(5), ..late };
    let failed = Outcome::Fail(Failure::ReconnectFailed);
    assert_eq!(outcomes(&check, &glance(now, vec![too_late]), now), [failed]);
    let away = End { back: None, invitation: asked(90), ..drained };
    let glance = glance(now, vec![away]);
    let found = findings(&check, &glance, now);
    assert_eq!(found[0].verdict.outcome, Outcome::Inconclusive(Cause::Restarting));
    assert!(found[0].verdict.detail.contains("the gateway asked us to stay away for 1m30s"), "{found:?}");
    assert!(describe(&check, &glance, &glance.ends).contains(", asked to come back in 1m30s, not back yet"));
}

#[test]
fn as_old_as_the_gateway_lets_them_become_is_old_enough() {
    let now = StdInstant::now();
    let ends = vec![end(now, 0, EndClass::Fin, MINUTE)];
    let with = |lifetime| Hold { lifetime: Some(Span::secs(lifetime)), ..Hold::default() };
    assert_eq!(outcomes(&with(7_200), &glance(now, ends.clone()), now), []);
    let young = outcomes(&with(7_300), &glance(now, ends), now);
    assert_eq!(young, [Outcome::Fail(Failure::ConnectionCut)]);
}

#[test]
fn who_is_not_served_is_no_pass() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let standing = |second: Standing| {
        let mut glance = glance(now, Vec::new());
        glance.standings[1] = second;
        outcomes(&check, &glance, now)
    };
    let up = |answered, starved| Standing::Up { since: now - 5 * MINUTE, answered, starved };
    let inconclusive = |cause| [Outcome::Inconclusive(cause)];
    assert_eq!(standing(up(None, false)), inconclusive(Cause::Budget));
    assert_eq!(standing(up(Some(now - 2 * MINUTE), true)), inconclusive(Cause::Budget));
    assert_eq!(standing(up(Some(now), true)), []);
    let down =
        |refusal, unread| Standing::Down { since: now - MINUTE, asked_away: Duration::ZERO, refusal, unread };
    assert_eq!(standing(down(None, false)), inconclusive(Cause::Budget));
    let refusal = Verdict::new(Outcome::Inconclusive(Cause::Precondition), "refused");
    assert_eq!(standing(down(Some(refusal), false)), inconclusive(Cause::Precondition));
    assert_eq!(standing(Standing::Abandoned), inconclusive(Cause::AgentPanic));
}

#[test]
fn an_accusation_comes_before_what_is_unknown() {
    let (check, now) = (Hold::default(), StdInstant::now());
    let unknown = End {
        verdict: Verdict::new(Outcome::Inconclusive(Cause::Credential), "x"),
        ..end(now, 0, EndClass::CredentialEnded, 3 * MINUTE)
    };
    let glance = glance(now, vec![unknown, end(now, 1, EndClass::PongLost, MINUTE)]);
    let expected = [Outcome::Fail(Failure::PongLost), Outcome::Inconclusive(Cause::Credential)];
    assert_eq!(outcomes(&check, &glance, now), expected);
}
