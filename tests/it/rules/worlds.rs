//! Worlds at each pace of scraping, with one replica and with several.

use super::story::{Fire, Story};
use super::world::{Agent, End, Further, Job, World};

/// When faults begin.
pub const FAULT: u64 = 3_600;

pub const HOUR: u64 = 3_600;
pub const MINUTE: u64 = 60;

/// Seconds between scrapes, and replicas.
const VARIANTS: [(u64, usize); 4] = [(15, 2), (30, 1), (60, 1), (60, 3)];

/// The same story at each pace of scraping, with one replica and with several. `agent` is asked for each replica.
pub fn variants(
    name: &str,
    length: u64,
    agent: impl Fn() -> Agent,
    tell: impl Fn(World) -> Story,
) -> Vec<Story> {
    let of = |(scrape, replicas): (u64, usize)| {
        let names = [("a:9464", 0), ("b:9464", 7), ("c:9464", 16)];
        let agents =
            names.into_iter().take(replicas).map(|(name, phase)| agent().named(name, phase)).collect();
        let mut story = tell(World { scrape, length, agents, gaps: Vec::new() });
        story.name = format!("{name}, scraped each {scrape} s, replicas: {replicas}");
        story
    };
    VARIANTS.into_iter().map(of).collect()
}

/// A story in which nothing may fire.
pub fn quiet(world: World) -> Story {
    Story {
        name: String::new(),
        world,
        fire: Vec::new(),
        may: Vec::new(),
        quiet_until: 0,
        ended: Vec::new(),
        quiet_from: None,
        evaluation: MINUTE,
    }
}

/// A story in which these fire, nothing before the fault, and nothing but what may beside them.
pub fn fires(world: World, fire: &[Fire], may: &[&'static str]) -> Story {
    Story { fire: fire.to_vec(), may: may.to_vec(), quiet_until: FAULT - 1, ..quiet(world) }
}

/// Fails for a reason as long as a time lasts.
pub fn fails(reason: &'static str, from: u64, to: u64) -> impl Fn(u64) -> End {
    move |second| if (from..to).contains(&second) { End::Fail(reason) } else { End::Pass }
}

/// Fails for a reason in the first run after a second.
pub fn fails_once(reason: &'static str, from: u64, interval: u64) -> impl Fn(u64) -> End {
    fails(reason, from, from + interval)
}

/// Every check at about its default interval, each with an objective that a sane config would have.
pub fn all_checks(ends: impl Fn(&'static str, u64) -> Box<dyn Fn(u64) -> End>) -> Vec<Job> {
    let jobs = [
        ("handshake", 30, 0.999, 30),
        ("heartbeat", 60, 0.999, 30),
        ("zombie", 300, 0.99, 30),
        ("flapping", 600, 0.99, 90),
        ("malformed", 3_600, 0.95, 30),
        ("network_switch", 300, 0.995, 28),
        ("token_refresh", 300, 0.995, 7),
        ("hold", 60, 0.99, 1),
    ];
    let job = |(check, interval, objective, days)| Job {
        ends: ends(check, interval),
        ..Job::well(check, interval).slo(objective, days)
    };
    jobs.into_iter().map(job).collect()
}

/// A reason that a check may fail for and that an alert knows, if there is one.
pub fn finding_of(check: &str) -> &'static str {
    match check {
        "zombie" => "zombie_leaked",
        "flapping" | "malformed" => "collateral_damage",
        "token_refresh" => "bad_token_accepted",
        _ => "unavailable",
    }
}

/// A series that the tests of one alert need.
pub fn further(name: &str, value: impl Fn(u64, u64) -> Option<f64> + 'static) -> Further {
    (name.to_owned(), Box::new(value))
}
