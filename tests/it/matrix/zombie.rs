//! Faults of the clean-up of silent connections.

use gateprobe::checks::zombie::Assertion;

use super::session::{Row, zombie};

const NO_RECOVERY: &str = "recovery: false";
const STALLED: &str = "modes: [stalled], recovery: false";
const HALF_DEAD: &str = "modes: [half_dead], recovery: false";
const WATCHED_CLOSELY: &str = "bystander_every: 50ms";

/// Each assertion has a row that it alone turns red; 20 % beyond the tolerance is red, 20 % inside is green.
pub const ROWS: &[Row] = &[
    zombie("zombies_kept", NO_RECOVERY, "fail zombie_leaked", Some(Assertion::Cleaned)),
    zombie("zombies_kept", STALLED, "fail zombie_leaked", Some(Assertion::Cleaned)),
    zombie("zombies_late=480ms", NO_RECOVERY, "fail zombie_leaked", Some(Assertion::Cleaned)),
    zombie("zombies_late=320ms", NO_RECOVERY, "pass", None),
    zombie("zombies_early=480ms", NO_RECOVERY, "fail evicted_early", Some(Assertion::NotEarly)),
    zombie("zombies_early=320ms", "", "pass", None),
    zombie("zombies_half_closed", NO_RECOVERY, "fail half_closed_leak", Some(Assertion::Released)),
    zombie("healthy_evicted", NO_RECOVERY, "fail false_eviction", Some(Assertion::HealthyStays)),
    zombie("recovered_evicted", "", "fail recovered_evicted", Some(Assertion::Recovers)),
    zombie(
        "slow_beside_zombies=350ms",
        WATCHED_CLOSELY,
        "fail collateral_damage",
        Some(Assertion::BystanderServed),
    )
    .gateway("patient"),
    // The dialect's own heartbeat, and a clock that counts from our last data.
    zombie("application_zombies_kept", NO_RECOVERY, "fail zombie_leaked", None).gateway("application"),
    zombie("application_zombies_kept", HALF_DEAD, "fail zombie_leaked", None).gateway("application"),
    zombie("zombies_late=480ms", HALF_DEAD, "fail zombie_leaked", None).gateway("application"),
    zombie("zombies_early=480ms", HALF_DEAD, "fail evicted_early", None).gateway("application"),
    zombie("zombies_half_closed", HALF_DEAD, "fail half_closed_leak", None).gateway("application"),
    zombie("recovered_evicted", "", "fail recovered_evicted", None).gateway("application"),
    zombie("zombies_kept", NO_RECOVERY, "fail zombie_leaked", None).gateway("idle"),
    zombie("zombies_late=480ms", NO_RECOVERY, "fail zombie_leaked", None).gateway("idle"),
    zombie("zombies_late=320ms", NO_RECOVERY, "pass", None).gateway("idle"),
    zombie("zombies_early=480ms", NO_RECOVERY, "fail evicted_early", None).gateway("idle"),
    // How a gateway lets go is its own affair.
    zombie("zombies_cut", "", "pass", None),
    zombie("zombies_reset", "", "pass", None),
    zombie("zombies_reset", STALLED, "pass", None),
    zombie("zombies_code=1006", "", "pass", None),
    zombie("zombies_code=1001", "", "pass", None),
    // But whoever restarts, or has no capacity, closes everybody.
    zombie("zombies_code=1012", "", "inconclusive restarting", None),
    zombie("zombies_code=1013", "", "fail unavailable", None),
    zombie("stalled_fin", STALLED, "pass", None),
];
