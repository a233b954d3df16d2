//! Each alert fires in time when it should, once for two replicas, and heals; at every pace of scraping.

use super::story::{Story, hold};
use super::world::{Agent, End, Job, World};
use super::worlds::{FAULT, HOUR, MINUTE, all_checks, fails, fires, further, quiet, variants};

#[test]
fn total_outage_pages_within_three_runs_and_two_minutes() {
    let mut stories = Vec::new();
    for (check, interval) in
        [("handshake", 30), ("heartbeat", 60), ("network_switch", 300), ("handshake", 3_600)]
    {
        // The slowest replica has run three times by then.
        let by = FAULT + 3 * interval + 2 * MINUTE;
        let end = by + 3 * interval + 20 * MINUTE;
        let agent = move || {
            Agent::with(vec![Job::well(check, interval).ends(fails("unavailable", FAULT, by + interval))])
        };
        stories.extend(variants(&format!("outage of {check} each {interval} s"), end, agent, |world| {
            Story {
                quiet_until: FAULT + 2 * interval,
                quiet_from: Some(by + 2 * interval + 8 * MINUTE),
                ..fires(
                    world,
                    &[("GateprobeCheckFailing", "severity=\"critical\"", by)],
                    &["GateprobeCheckUnstable"],
                )
            }
        }));
    }
    hold(&stories);
}

#[test]
fn what_mistreats_a_gateway_and_fails_waits_for_office_hours() {
    let by = FAULT + 3 * 300 + 2 * MINUTE;
    let agent = || Agent::with(vec![Job::well("zombie", 300).ends(fails("unavailable", FAULT, 3 * HOUR))]);
    hold(&variants("zombie", 3 * HOUR, agent, |world| {
        fires(world, &[("GateprobeCheckFailing", "severity=\"warning\"", by)], &[])
    }));
}

#[test]
fn an_outage_goes_on_when_an_agent_restarts_in_its_middle() {
    let agent = || Agent {
        down: vec![FAULT + 900..FAULT + 960],
        ..Agent::with(vec![Job::well("handshake", 30).ends(fails("unavailable", FAULT, 3 * HOUR))])
    };
    for at in [FAULT + 900, FAULT + 990, FAULT + 1_100] {
        hold(&variants("restart", 2 * HOUR, agent, |world| {
            fires(world, &[("GateprobeCheckFailing", "severity=\"critical\"", at)], &[])
        }));
    }
}

/// Two locations with two replicas each; so many of them see the fault.
fn in_two_locations(seen_by: usize, check: fn() -> Job) -> impl Fn(u64) -> World {
    move |scrape| {
        let places = [("fra", "a:1", 0), ("fra", "b:1", 7), ("nyc", "c:1", 3), ("nyc", "d:1", 11)];
        let agent = |(index, (location, instance, phase)): (usize, (&'static str, &'static str, u64))| {
            let job = if index / 2 < seen_by { check() } else { check().ends(|_| End::Pass) };
            Agent::with(vec![job]).at(location).named(instance, phase)
        };
        let agents = places.into_iter().enumerate().map(agent).collect();
        World { scrape, length: FAULT + HOUR, agents, gaps: Vec::new() }
    }
}

#[test]
fn where_there_are_two_locations_two_must_see_it() {
    let job = || Job::well("handshake", 30).slo(0.999, 30).ends(fails("unavailable", FAULT, u64::MAX));
    let (one, two) = (in_two_locations(1, job), in_two_locations(2, job));
    let critical = "severity=\"critical\"";
    let mut stories = Vec::new();
    for scrape in [15, 30, 60] {
        let own = ("GateprobeCheckFailingInOneLocation", "location=\"fra\"", FAULT + 10 * MINUTE);
        // Over all locations, half of the runs fail: the budget burns, but nobody is woken.
        let may = ["GateprobeErrorBudgetBurn"];
        let mut story = fires(one(scrape), &[own], &may);
        story.name = format!("one of two locations, scraped each {scrape} s");
        stories.push(story);
        let by = FAULT + 90 + 30 + 2 * MINUTE;
        let burn = ("GateprobeErrorBudgetBurn", "severity=\"critical\",window=\"1h\"", FAULT + 15 * MINUTE);
        let mut story = fires(two(scrape), &[("GateprobeCheckFailing", critical, by), burn], &[]);
        story.name = format!("both locations, scraped each {scrape} s");
        stories.push(story);
    }
    hold(&stories);
    // And no page from the one location, by any rule.
    let mut story = fires(one(60), &[], &["GateprobeCheckFailingInOneLocation"]);
    story.name = "no page from one of two locations".into();
    hold(&[story]);
}

#[test]
fn a_check_that_comes_and_goes_is_told() {
    let agent = || {
        // Two bad runs, two good ones.
        let ends = |second: u64| match second {
            ..FAULT => End::Pass,
            second if second < FAULT + HOUR && (second / 60) % 2 == 0 => End::Fail("unavailable"),
            _ => End::Pass,
        };
        Agent::with(vec![Job::well("handshake", 30).ends(ends)])
    };
    hold(&variants("unstable", FAULT + 3 * HOUR, agent, |world| Story {
        quiet_from: Some(FAULT + 2 * HOUR + 10 * MINUTE),
        ..fires(world, &[("GateprobeCheckUnstable", "check=\"handshake\"", FAULT + 25 * MINUTE)], &[])
    }));
}

#[test]
fn a_burning_budget_is_told_at_each_rate() {
    // One run in so many fails, so many times what 99.9 % allows; none fails three times in a row.
    let burning = |one_in: u64| {
        move || {
            let ends = move |second: u64| {
                let bad = second >= FAULT && (second / 30) % one_in == 0;
                if bad { End::Fail("unavailable") } else { End::Pass }
            };
            Agent::with(vec![Job::well("handshake", 30).slo(0.999, 30).ends(ends)])
        }
    };
    let burn = "GateprobeErrorBudgetBurn";
    let rates: [(u64, &str, u64, &[(&str, &str)]); 4] = [
        // 50 times: 1h and 5m.
        (20, "window=\"1h\"", FAULT + HOUR, &[("severity", "critical")]),
        // 10 times: 6h and 30m.
        (100, "window=\"6h\"", FAULT + 5 * HOUR, &[("severity", "critical")]),
        // 5 times: 1d and 2h.
        (200, "window=\"1d\"", FAULT + 8 * HOUR, &[("severity", "warning")]),
        // 2 times: 3d and 6h.
        (500, "window=\"3d\"", FAULT + 20 * HOUR, &[("severity", "warning")]),
    ];
    for (one_in, labels, by, severity) in rates {
        let (_, severity) = severity[0];
        let labels: &'static str = Box::leak(format!("{labels},severity=\"{severity}\"").into_boxed_str());
        let agent = burning(one_in);
        hold(&variants(&format!("one run in {one_in} fails"), by, agent, |world| {
            fires(world, &[(burn, labels, by)], &[burn, "GateprobeCheckUnstable"])
        }));
    }
}

#[test]
fn a_nearly_spent_budget_is_told_for_periods_short_and_long() {
    // Of a day, 1 % may fail: 14 runs of a minute. Of a week 100; of a month, which is longer than this, 432.
    for (days, bad, fire) in [(1, 15, true), (7, 95, true), (7, 60, false), (30, 60, false)] {
        let agent = move || {
            let bad = FAULT..FAULT + bad * 120;
            let ends = move |second: u64| {
                let bad = bad.contains(&second) && (second / 60) % 2 == 0;
                if bad { End::Fail("unavailable") } else { End::Pass }
            };
            Agent::with(vec![Job::well("heartbeat", 60).slo(0.99, days).ends(ends)])
        };
        let by = FAULT + bad * 120 + HOUR + 15 * MINUTE;
        let told: &[_] = &[("GateprobeErrorBudgetNearlySpent", "check=\"heartbeat\"", by)];
        let told = if fire { told } else { &[] };
        let may = ["GateprobeErrorBudgetBurn", "GateprobeCheckUnstable"];
        hold(&variants(&format!("period of {days} d"), by, agent, |world| fires(world, told, &may)));
    }
}

#[test]
fn findings_alert_when_they_are_seen_again() {
    let findings = [
        ("zombie", "zombie_leaked", "GateprobeZombiesLeaked", "severity=\"warning\""),
        ("zombie", "half_closed_leak", "GateprobeZombiesLeaked", "severity=\"warning\""),
        ("zombie", "false_eviction", "GateprobeFalseEvictions", "severity=\"warning\""),
        ("zombie", "evicted_early", "GateprobeFalseEvictions", "severity=\"warning\""),
        ("flapping", "collateral_damage", "GateprobeBystanderHarmed", "severity=\"critical\""),
        ("token_refresh", "bad_token_accepted", "GateprobeBadTokenAccepted", "severity=\"critical\""),
        ("handshake", "token_not_required", "GateprobeBadTokenAccepted", "severity=\"critical\""),
        (
            "token_refresh",
            "expired_session_survives",
            "GateprobeExpiredSessionServed",
            "severity=\"critical\"",
        ),
    ];
    let mut stories = Vec::new();
    for (check, reason, alert, labels) in findings {
        // Two runs of the slower replica, a scrape and an evaluation.
        let (to, by) = (FAULT + 3 * 300, FAULT + 2 * 300 + 7 + 2 * MINUTE);
        let agent = move || Agent::with(vec![Job::well(check, 300).ends(fails(reason, FAULT, to))]);
        stories.extend(variants(reason, FAULT + 3 * HOUR, agent, |world| Story {
            quiet_until: FAULT + 299,
            quiet_from: Some(to + 300 + HOUR + 5 * MINUTE),
            ..fires(world, &[(alert, labels, by)], &["GateprobeCheckFailing"])
        }));
    }
    hold(&stories);
}

#[test]
fn a_certificate_is_told_at_three_weeks_and_at_one() {
    let not_after = (22 * 24 * HOUR) as f64;
    let agent = move || {
        let name =
            "gateprobe_tls_certificate_not_after_timestamp_seconds{target=\"chat\",check=\"handshake\"}";
        let renewed = (100 * 24 * HOUR) as f64;
        Agent {
            // Renewed on the seventeenth day.
            further: vec![further(name, move |now, _| {
                Some(if now < 17 * 24 * HOUR { not_after } else { renewed })
            })],
            ..Agent::with(vec![])
        }
    };
    let (week, day) = (7 * 24 * HOUR, 24 * HOUR);
    let warning = ("GateprobeCertificateExpires", "severity=\"warning\"", day + 12 * MINUTE);
    let critical = ("GateprobeCertificateExpires", "severity=\"critical\"", 15 * day + 12 * MINUTE);
    let world = |scrape| World { scrape, length: 18 * day, agents: vec![agent()], gaps: Vec::new() };
    let story = |scrape| Story {
        name: format!("certificate, scraped each {scrape} s"),
        quiet_until: day - MINUTE,
        quiet_from: Some(17 * day + 10 * MINUTE),
        ..fires(world(scrape), &[warning, critical], &[])
    };
    assert!(week == 7 * day);
    hold(&[story(60)]);
}

#[test]
fn a_gateway_that_grows_slow_is_told_early() {
    // A ping a second; from the fault on they take 40 to 100 ms, and took 2 to 5 before.
    const DAY: u64 = 24 * HOUR;
    let bucket = |le: &'static str, slow: bool| {
        let name = format!(
            "gateprobe_heartbeat_rtt_seconds_bucket{{target=\"chat\",check=\"heartbeat\",level=\"protocol\",le=\"{le}\"}}"
        );
        further(&name, move |now, _| Some(if slow { now as f64 } else { now.min(DAY) as f64 }))
    };
    let count =
        "gateprobe_heartbeat_rtt_seconds_count{target=\"chat\",check=\"heartbeat\",level=\"protocol\"}";
    let agent = move || Agent {
        further: vec![
            further(
                "gateprobe_heartbeat_rtt_seconds_bucket{target=\"chat\",check=\"heartbeat\",level=\"protocol\",le=\"0.0025\"}",
                |_, _| Some(0.0),
            ),
            bucket("0.005", false),
            bucket("0.05", false),
            bucket("0.1", true),
            bucket("+Inf", true),
            further(count, |now, _| Some(now as f64)),
        ],
        ..Agent::with(vec![])
    };
    let told = [("GateprobeLatencyRising", "severity=\"info\",level=\"protocol\"", DAY + 30 * MINUTE)];
    hold(&variants("latency", DAY + HOUR, agent, |world| Story {
        quiet_until: DAY,
        ..fires(world, &told, &[])
    }));
}

#[test]
fn a_check_that_can_not_tell_is_told() {
    for (check, interval) in [("heartbeat", 60), ("malformed", 3_600)] {
        let agent = move || {
            let ends = |second: u64| if second < FAULT { End::Pass } else { End::Inconclusive };
            Agent::with(vec![Job::well("handshake", 30), Job::well(check, interval).ends(ends)])
        };
        let by = FAULT + 3 * interval + 15 * MINUTE + 2 * MINUTE;
        hold(&variants("inconclusive", by + HOUR, agent, |world| {
            fires(world, &[("GateprobeCheckInconclusive", "severity=\"warning\"", by)], &[])
        }));
    }
    // Where the handshake fails, that is what is wrong.
    let agent = || {
        let ends = |second: u64| if second < FAULT { End::Pass } else { End::Inconclusive };
        let failing = Job::well("handshake", 30).ends(fails("unavailable", FAULT, u64::MAX));
        Agent::with(vec![failing, Job::well("heartbeat", 60).ends(ends)])
    };
    hold(&variants("in an outage", 3 * HOUR, agent, |world| fires(world, &[], &["GateprobeCheckFailing"])));
}

#[test]
fn a_check_that_nothing_drives_is_told_and_a_pause_is_no_standstill() {
    for interval in [10, 300] {
        let agent = move || {
            let stuck = Job { stuck_from: Some(FAULT), ..Job::well("handshake", interval) };
            Agent::with(vec![stuck, Job::well("heartbeat", interval)])
        };
        let by = FAULT + 3 * interval + MINUTE + 3 * MINUTE;
        hold(&variants("stale", by + HOUR, agent, |world| {
            fires(world, &[("GateprobeCheckStale", "check=\"handshake\"", by)], &[])
        }));
    }
    // It has never run, either.
    let agent = || Agent::with(vec![Job { stuck_from: Some(0), ..Job::well("handshake", 30) }]);
    hold(&variants("never ran", HOUR, agent, |world| Story {
        quiet_until: 0,
        ..fires(world, &[("GateprobeCheckStale", "check=\"handshake\"", 3 * 30 + MINUTE + 3 * MINUTE)], &[])
    }));
}

#[test]
fn agents_that_are_gone_are_told() {
    let agent = || Agent { down: vec![FAULT..u64::MAX], ..Agent::with(vec![Job::well("handshake", 30)]) };
    let told = |replicas: usize| {
        let mut told = vec![("GateprobeDown", "severity=\"critical\"", FAULT + 8 * MINUTE)];
        told.extend(vec![("GateprobeReplicaDown", "severity=\"warning\"", FAULT + 8 * MINUTE); replicas]);
        told
    };
    hold(&variants("all down", 2 * HOUR, agent, |world| {
        let told = told(world.agents.len());
        fires(world, &told, &[])
    }));
    let world = |scrape| {
        let well = Agent::with(vec![Job::well("handshake", 30)]);
        World { scrape, length: 2 * HOUR, agents: vec![well.named("b:9464", 7), agent()], gaps: Vec::new() }
    };
    let story = |scrape| Story {
        name: format!("one of two down, scraped each {scrape} s"),
        ..fires(world(scrape), &told(1)[1..], &[])
    };
    hold(&[story(15), story(30), story(60)]);
}

#[test]
fn an_agent_tells_of_itself() {
    let counter =
        |per_minute: f64| move |now: u64, _: u64| Some((now.saturating_sub(FAULT) / 60) as f64 * per_minute);
    let export = |result: &str, per_minute: f64| {
        further(
            &format!("gateprobe_agent_exports_total{{signal=\"metrics\",result=\"{result}\"}}"),
            counter(per_minute),
        )
    };
    let lag = |le: &str, share: f64| {
        let name = format!("gateprobe_agent_scheduler_lag_seconds_bucket{{le=\"{le}\"}}");
        further(&name, move |now, _| Some(now.min(FAULT) as f64 + now.saturating_sub(FAULT) as f64 * share))
    };
    let reloaded = |now: u64, _: u64| Some(f64::from(u8::from(now < FAULT)));
    let exports: Box<dyn Fn() -> Agent> = Box::new(move || Agent {
        further: vec![export("failure", 1.0), export("success", 0.2)],
        ..Agent::with(vec![])
    });
    let dropped: Box<dyn Fn() -> Agent> = Box::new(move || Agent {
        further: vec![further("gateprobe_metric_series_dropped_total{reason=\"limit\"}", counter(5.0))],
        ..Agent::with(vec![])
    });
    let late: Box<dyn Fn() -> Agent> = Box::new(move || Agent {
        further: vec![lag("0.25", 0.9), lag("1", 0.99), lag("+Inf", 1.0)],
        ..Agent::with(vec![])
    });
    let broken: Box<dyn Fn() -> Agent> = Box::new(move || Agent {
        further: vec![further("gateprobe_agent_config_last_reload_success", reloaded)],
        ..Agent::with(vec![])
    });
    let cases: [(&'static str, Box<dyn Fn() -> Agent>, u64); 4] = [
        ("GateprobeExportFailing", exports, 15),
        ("GateprobeSeriesDropped", dropped, 5),
        ("GateprobeSchedulerLag", late, 25),
        ("GateprobeConfigReloadFailed", broken, 8),
    ];
    for (alert, agent, minutes) in cases {
        hold(&variants(alert, FAULT + HOUR, agent, |world| {
            // One for each agent: the fault is its own.
            let told = vec![(alert, "severity=\"warning\"", FAULT + minutes * MINUTE); world.agents.len()];
            fires(world, &told, &[])
        }));
    }
}

#[test]
fn a_paused_target_disturbs_nobody() {
    let agent = || Agent {
        pauses: vec![("chat", FAULT - 10 * MINUTE..u64::MAX)],
        further: vec![further(
            "gateprobe_tls_certificate_not_after_timestamp_seconds{target=\"chat\",check=\"handshake\"}",
            |_, _| Some(HOUR as f64),
        )],
        ..Agent::with(all_checks(|check, _| {
            Box::new(fails(super::worlds::finding_of(check), FAULT, u64::MAX))
        }))
    };
    hold(&variants("paused", 5 * HOUR, agent, |world| Story {
        // The certificate's alert is from before the pause.
        may: vec!["GateprobeCertificateExpires"],
        ..quiet(world)
    }));
}
