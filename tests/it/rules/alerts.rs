//! Each alert fires in time when it should, once for two replicas, and heals; at every pace of scraping.

use super::story::{Story, hold};
use super::world::{Agent, End, Job, World};
use super::worlds::{FAULT, HOUR, MINUTE, all_checks, fails, finding_of, fires, further, quiet, variants};

const FAILING: &str = "GateprobeCheckFailing";
const BURN: &str = "GateprobeErrorBudgetBurn";
const UNSTABLE: &str = "GateprobeCheckUnstable";
const NOT_AFTER: &str =
    "gateprobe_tls_certificate_not_after_timestamp_seconds{target=\"chat\",check=\"handshake\"}";

#[test]
fn total_outage_pages_within_three_runs_and_two_minutes() {
    // The slowest replica has run three times by then.
    let third = |interval: u64| FAULT + 3 * interval;
    let outages = [
        ("handshake", 30, "target=\"a\",severity=\"critical\""),
        ("heartbeat", 60, "target=\"b\",severity=\"critical\""),
        ("network_switch", 300, "target=\"c\",severity=\"critical\""),
        ("handshake", 3_600, "target=\"d\",severity=\"critical\""),
        // What mistreats the gateway waits for office hours.
        ("zombie", 300, "target=\"e\",severity=\"warning\""),
    ];
    let agent = move || {
        let job = |((check, interval, _), target): ((&'static str, u64, &str), &'static str)| {
            // Heals after one more run.
            Job::well(check, interval).of(target).ends(fails(
                "unavailable",
                FAULT,
                third(interval) + interval,
            ))
        };
        Agent::with(outages.into_iter().zip(["a", "b", "c", "d", "e"]).map(job).collect())
    };
    let told = outages.map(|(_, interval, labels)| (FAILING, labels, third(interval) + 2 * MINUTE));
    hold(&variants("outage", third(3_600) + 2 * HOUR + 20 * MINUTE, agent, |world| Story {
        // The quickest check has run twice by then.
        quiet_until: FAULT + 59,
        quiet_from: Some(third(3_600) + 2 * HOUR + 8 * MINUTE),
        ..fires(world, &told, &[UNSTABLE])
    }));
}

#[test]
fn an_outage_goes_on_when_an_agent_restarts_in_its_middle() {
    let agent = || Agent {
        down: vec![FAULT + 900..FAULT + 960],
        ..Agent::with(vec![Job::well("handshake", 30).ends(fails("unavailable", FAULT, 3 * HOUR))])
    };
    let at = |seconds: u64| (FAILING, "severity=\"critical\"", FAULT + seconds);
    let hold_at = |seconds: u64| {
        hold(&variants("restart", 2 * HOUR, agent, |world| fires(world, &[at(seconds)], &[])));
    };
    [900, 990, 1_100].into_iter().for_each(hold_at);
}

/// Two locations with two replicas each; so many of them see the fault.
fn in_two_locations(seen_by: usize, scrape: u64) -> World {
    let places = [("fra", "a:1", 0), ("fra", "b:1", 7), ("nyc", "c:1", 3), ("nyc", "d:1", 11)];
    let agent = |(index, (location, instance, phase)): (usize, (&'static str, &'static str, u64))| {
        let until = if index / 2 < seen_by { u64::MAX } else { 0 };
        let job = Job::well("handshake", 30).slo(0.999, 30).ends(fails("unavailable", FAULT, until));
        Agent::with(vec![job]).at(location).named(instance, phase)
    };
    let agents = places.into_iter().enumerate().map(agent).collect();
    World { scrape, length: FAULT + HOUR, agents, gaps: Vec::new() }
}

#[test]
fn where_there_are_two_locations_two_must_see_it() {
    let mut stories = Vec::new();
    for scrape in [15, 60] {
        let own = ("GateprobeCheckFailingInOneLocation", "location=\"fra\"", FAULT + 10 * MINUTE);
        let mut story = fires(in_two_locations(1, scrape), &[own], &[]);
        story.name = format!("one of two locations, scraped each {scrape} s");
        stories.push(story);
        let by = FAULT + 90 + 30 + 2 * MINUTE;
        let failing = (FAILING, "severity=\"critical\"", by);
        let burn = (BURN, "severity=\"critical\",window=\"1h\"", FAULT + 15 * MINUTE);
        let mut story = fires(in_two_locations(2, scrape), &[failing, burn], &[BURN]);
        story.name = format!("both locations, scraped each {scrape} s");
        stories.push(story);
    }
    hold(&stories);
}

#[test]
fn a_check_that_comes_and_goes_is_told() {
    let agent = || {
        // Two bad runs, two good ones, for an hour.
        let ends = |second: u64| match second {
            FAULT..7_200 if (second / 60).is_multiple_of(2) => End::Fail("unavailable"),
            _ => End::Pass,
        };
        Agent::with(vec![Job::well("handshake", 30).ends(ends)])
    };
    hold(&variants("unstable", 4 * HOUR, agent, |world| Story {
        quiet_from: Some(3 * HOUR + 10 * MINUTE),
        ..fires(world, &[(UNSTABLE, "check=\"handshake\"", FAULT + 25 * MINUTE)], &[])
    }));
}

#[test]
fn a_burning_budget_is_told_at_each_rate() {
    // Of 99.9 %: 125, 20, 5 and 2 times what may fail, often enough for each short window; never twice in a row.
    let rates = [
        (8, "a", "target=\"a\",window=\"1h\",severity=\"critical\"", FAULT + HOUR),
        (50, "b", "target=\"b\",window=\"6h\",severity=\"critical\"", FAULT + 5 * HOUR),
        (200, "c", "target=\"c\",window=\"1d\",severity=\"warning\"", FAULT + 8 * HOUR),
        (500, "d", "target=\"d\",window=\"3d\",severity=\"warning\"", FAULT + 20 * HOUR),
    ];
    let agent = move || {
        let job = |(one_in, target, ..): (u64, &'static str, &str, u64)| {
            let ends = move |second: u64| {
                let bad = second >= FAULT && (second / 30).is_multiple_of(one_in);
                if bad { End::Fail("unavailable") } else { End::Pass }
            };
            Job::well("handshake", 30).of(target).slo(0.999, 30).ends(ends)
        };
        Agent::with(rates.into_iter().map(job).collect())
    };
    let told = rates.map(|(_, _, labels, by)| (BURN, labels, by));
    // Other rates of the same alert may come, too.
    let agent_of_one =
        move |index: usize| move || Agent { jobs: vec![agent().jobs.swap_remove(index)], ..agent() };
    for (index, told) in told.into_iter().enumerate() {
        // Hours need no minutes.
        let evaluation = if index == 0 { MINUTE } else { 4 * MINUTE };
        hold(&variants(told.1, told.2, agent_of_one(index), |world| Story {
            evaluation,
            ..fires(world, &[told], &[BURN, UNSTABLE])
        }));
    }
}

/// What mistreats the gateway waits for office hours here, too.
#[test]
fn a_budget_that_burns_for_a_check_that_mistreats_the_gateway_is_a_ticket() {
    let checks =
        [("heartbeat", "critical"), ("zombie", "warning"), ("flapping", "warning"), ("malformed", "warning")];
    let agent = move || {
        // Every third run fails: never three in a row.
        let ends = |second: u64| {
            let bad = second >= FAULT && (second / 60).is_multiple_of(3);
            if bad { End::Fail("unavailable") } else { End::Pass }
        };
        let job = |(check, _)| Job::well(check, 60).slo(0.99, 30).ends(ends);
        Agent::with(checks.map(job).into())
    };
    let told = checks.map(|(check, severity)| {
        let labels: &'static str = format!("check=\"{check}\",severity=\"{severity}\",window=\"1h\"").leak();
        (BURN, labels, FAULT + HOUR)
    });
    hold(&variants("who is woken", 2 * HOUR, agent, |world| {
        let pages = "check=~\"zombie|flapping|malformed\",severity=\"critical\"";
        let ended = vec![(BURN, pages, 0)];
        Story { ended, ..fires(world, &told, &[BURN, UNSTABLE]) }
    }));
}

#[test]
fn a_nearly_spent_budget_is_told_for_periods_short_and_long() {
    // Of a day, 1 % may fail: 14 runs of a minute. Of a week 100; of a month, which is longer than this, 432.
    let cases = [(1, 15, "a"), (7, 98, "b"), (7, 60, "c"), (30, 98, "d")];
    let agent = move || {
        let job = |(days, bad, target): (u64, u64, &'static str)| {
            let ends = move |second: u64| {
                let bad = (FAULT..FAULT + bad * 120).contains(&second) && (second / 60).is_multiple_of(2);
                if bad { End::Fail("unavailable") } else { End::Pass }
            };
            Job::well("heartbeat", 60).of(target).slo(0.99, days).ends(ends)
        };
        Agent::with(cases.into_iter().map(job).collect())
    };
    let spent = "GateprobeErrorBudgetNearlySpent";
    let after = |bad: u64| FAULT + bad * 120 + HOUR + 16 * MINUTE;
    let told = [(spent, "target=\"a\"", after(15)), (spent, "target=\"b\"", after(98))];
    hold(&variants("budget", after(98) + HOUR, agent, |world| Story {
        // As often as the group is evaluated.
        evaluation: 3 * MINUTE,
        ..fires(world, &told, &[BURN, UNSTABLE])
    }));
}

#[test]
fn findings_alert_when_they_are_seen_again() {
    let (warning, critical) = ("warning", "critical");
    let findings = [
        ("zombie", "zombie_leaked", "GateprobeZombiesLeaked", warning),
        ("zombie", "half_closed_leak", "GateprobeZombiesLeaked", warning),
        ("zombie", "false_eviction", "GateprobeFalseEvictions", warning),
        ("zombie", "evicted_early", "GateprobeFalseEvictions", warning),
        ("flapping", "collateral_damage", "GateprobeBystanderHarmed", critical),
        ("token_refresh", "bad_token_accepted", "GateprobeBadTokenAccepted", critical),
        ("handshake", "token_not_required", "GateprobeBadTokenAccepted", critical),
        ("token_refresh", "expired_session_survives", "GateprobeExpiredSessionServed", critical),
    ];
    // Two runs of the slower replica, a scrape and an evaluation.
    let (to, by) = (FAULT + 3 * 300, FAULT + 2 * 300 + 16 + 2 * MINUTE);
    let agent = move || {
        let job = |(check, reason, ..): (&'static str, &'static str, &str, &str)| {
            Job::well(check, 300).of(reason).ends(fails(reason, FAULT, to))
        };
        Agent::with(findings.into_iter().map(job).collect())
    };
    let told = findings.map(|(_, reason, alert, severity)| {
        let labels: &'static str = format!("target=\"{reason}\",severity=\"{severity}\"").leak();
        (alert, labels, by)
    });
    hold(&variants("findings", FAULT + 2 * HOUR, agent, |world| Story {
        quiet_until: FAULT + 299,
        // What has to do with security is kept for an hour.
        quiet_from: Some(to + 300 + HOUR + 5 * MINUTE),
        ..fires(world, &told, &[FAILING])
    }));
}

#[test]
fn a_certificate_is_told_at_three_weeks_and_at_one() {
    const DAY: u64 = 24 * HOUR;
    // In an hour, three weeks will be left, or one; an hour later it is renewed.
    for (left, severity) in [(21 * DAY, "severity=\"warning\""), (7 * DAY, "severity=\"critical\"")] {
        let agent = move || {
            let not_after =
                move |now: u64, _: u64| Some(if now < 2 * FAULT { left + FAULT } else { 100 * DAY } as f64);
            Agent { further: vec![further(NOT_AFTER, not_after)], ..Agent::with(vec![]) }
        };
        let told = [("GateprobeCertificateExpires", severity, FAULT + 12 * MINUTE)];
        // Whoever has a week left has been told of three.
        let quiet_until = if left == 21 * DAY { FAULT - 1 } else { 0 };
        hold(&variants("certificate", 3 * HOUR, agent, |world| Story {
            quiet_until,
            quiet_from: Some(2 * FAULT + 2 * MINUTE),
            ..fires(world, &told, &["GateprobeCertificateExpires"])
        }));
    }
}

#[test]
fn a_gateway_that_grows_slow_is_told_early() {
    const DAY: u64 = 24 * HOUR;
    // A ping a second; they took up to 5 ms, and take 50 to 100 since a day has passed.
    let series = |le: &str, since: bool| {
        let suffix = if le.is_empty() { "count" } else { "bucket" };
        let le = if le.is_empty() { String::new() } else { format!(",le=\"{le}\"") };
        let name = format!(
            "gateprobe_heartbeat_rtt_seconds_{suffix}{{target=\"chat\",check=\"heartbeat\",level=\"protocol\"{le}}}"
        );
        further(&name, move |now, _| Some(if since { now } else { now.min(DAY) } as f64))
    };
    let agent = move || Agent {
        further: vec![
            series("0.005", false),
            series("0.05", false),
            series("0.1", true),
            series("+Inf", true),
            series("", true),
        ],
        ..Agent::with(vec![])
    };
    let told = [("GateprobeLatencyRising", "severity=\"info\",level=\"protocol\"", DAY + 40 * MINUTE)];
    hold(&variants("latency", DAY + HOUR, agent, |world| Story {
        quiet_until: DAY,
        evaluation: 4 * MINUTE,
        ..fires(world, &told, &[])
    }));
}

/// An agent that is one of several.
fn shard(instance: &'static str, index: u64, shards: u64) -> Agent {
    let flag = |each: u64| {
        let name = format!("gateprobe_agent_shard{{shard=\"{each}\"}}");
        further(&name, move |_, _| Some(f64::from(u8::from(each == index))))
    };
    let jobs = vec![Job::well("handshake", 30)];
    Agent { further: (0..shards).map(flag).collect(), ..Agent::with(jobs).named(instance, index) }
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let gone = ("GateprobeReplicaDown", "instance=\"b:9464\"", FAULT + 8 * MINUTE);
    let missing = ("GateprobeShardMissing", "shard=\"1\",severity=\"critical\"", FAULT + 8 * MINUTE);
    let story = |(scrape, length): (u64, u64)| {
        let lost = Agent { down: vec![FAULT..u64::MAX], ..shard("b:9464", 1, 3) };
        let agents = vec![shard("a:9464", 0, 3), lost, shard("c:9464", 2, 3)];
        let world = World { scrape, length, agents, gaps: Vec::new() };
        // The alert about the replica forgets it within an hour; that about the shard does not.
        let name = format!("one shard of three is gone, scraped each {scrape} s");
        Story { name, ..fires(world, &[gone, missing], &[]) }
    };
    hold(&[(15, FAULT + 30 * MINUTE), (60, FAULT + HOUR)].map(story));
    // `kubectl scale` to two, of which the agents know nothing: the pod's series are gone, and its address with it.
    let scaled = |scrape: u64| {
        let agents = vec![shard("a:9464", 0, 3), shard("b:9464", 1, 3)];
        let world = World { scrape, length: FAULT, agents, gaps: Vec::new() };
        let told = [("GateprobeShardMissing", "shard=\"2\"", 8 * MINUTE)];
        Story {
            name: format!("scaled down, {scrape} s"),
            quiet_until: 4 * MINUTE,
            ..fires(world, &told, &[])
        }
    };
    hold(&[15, 60].map(scaled));
}

#[test]
fn shards_that_disagree_are_told_and_a_rollout_is_not() {
    let disagree = ("GateprobeShardsDisagree", "severity=\"warning\"", 18 * MINUTE);
    let missing = ("GateprobeShardMissing", "shard=\"2\"", 8 * MINUTE);
    let stuck = |scrape: u64| {
        let agents = vec![shard("a:9464", 0, 3), shard("b:9464", 1, 2)];
        let world = World { scrape, length: HOUR, agents, gaps: Vec::new() };
        let name = format!("a rollout that is stuck, scraped each {scrape} s");
        Story { name, quiet_until: 4 * MINUTE, ..fires(world, &[disagree, missing], &[]) }
    };
    hold(&[15, 60].map(stuck));
    // From two shards to three, one pod after the other, each of them away for a minute.
    let rolled = |scrape: u64| {
        let third = |from: u64, until: u64| {
            let name = "gateprobe_agent_shard{shard=\"2\"}";
            further(name, move |now, _| (from..until).contains(&now).then_some(0.0))
        };
        let replaced = |instance: &'static str, index: u64, at: u64| {
            let mut agent = shard(instance, index, 2);
            agent.further.push(third(at + MINUTE, u64::MAX));
            Agent { down: vec![at..at + MINUTE], ..agent }
        };
        let new = Agent { down: vec![0..FAULT], ..shard("c:9464", 2, 3) };
        let agents =
            vec![replaced("a:9464", 0, FAULT + 5 * MINUTE), replaced("b:9464", 1, FAULT + 2 * MINUTE), new];
        quiet(World { scrape, length: 2 * HOUR, agents, gaps: Vec::new() })
    };
    hold(&[15, 60].map(rolled));
}

#[test]
fn an_agent_tells_of_itself() {
    let counter =
        |per_minute: f64| move |now: u64, _: u64| Some((now.saturating_sub(FAULT) / 60) as f64 * per_minute);
    let export = move |result: &str, per_minute: f64| {
        let name = format!("gateprobe_agent_exports_total{{signal=\"metrics\",result=\"{result}\"}}");
        further(&name, counter(per_minute))
    };
    // Late runs are 10 % since the fault.
    let lag = |le: &str, share: f64| {
        let name = format!("gateprobe_agent_scheduler_lag_seconds_bucket{{le=\"{le}\"}}");
        further(&name, move |now, _| Some(now.min(FAULT) as f64 + now.saturating_sub(FAULT) as f64 * share))
    };
    let reloaded = |now: u64, _: u64| Some(f64::from(u8::from(now < FAULT)));
    let agent = move || Agent {
        further: vec![
            export("failure", 1.0),
            export("success", 0.2),
            further("gateprobe_metric_series_dropped_total{reason=\"limit\"}", counter(5.0)),
            lag("0.25", 0.9),
            lag("1", 1.0),
            lag("+Inf", 1.0),
            further("gateprobe_agent_config_last_reload_success", reloaded),
        ],
        ..Agent::with(vec![])
    };
    let own = [
        ("GateprobeExportFailing", "signal=\"metrics\"", FAULT + 15 * MINUTE),
        ("GateprobeSeriesDropped", "reason=\"limit\"", FAULT + 5 * MINUTE),
        ("GateprobeSchedulerLag", "severity=\"warning\"", FAULT + 25 * MINUTE),
        ("GateprobeConfigReloadFailed", "severity=\"warning\"", FAULT + 8 * MINUTE),
    ];
    // One for each agent: the fault is its own.
    hold(&variants("agent", FAULT + HOUR, agent, |world| {
        let told = own.repeat(world.agents.len());
        fires(world, &told, &[])
    }));
}

#[test]
fn a_paused_target_disturbs_nobody() {
    let agent = || Agent {
        pauses: vec![("chat", FAULT - 10 * MINUTE..u64::MAX)],
        further: vec![further(NOT_AFTER, |now, _| (now > FAULT).then_some(2.0 * HOUR as f64))],
        ..Agent::with(all_checks(|check, _| Box::new(fails(finding_of(check), FAULT, u64::MAX))))
    };
    hold(&variants("paused", 2 * HOUR + 600, agent, quiet));
}
