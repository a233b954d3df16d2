//! Many at once: silent and healthy connections side by side, each told from the other.

use crate::support::binary::eventually;
use crate::support::reference::Reference;
use crate::support::session::{config, count, run_once, samples, undisturbed};
use crate::support::words;

/// The profile `full`, with a gateway in a process of its own.
#[test]
fn twenty_five_zombies_are_cleaned_beside_fifty_healthy_connections() {
    let settings = "profile: full, modes: [mute], beat_within: 1s, tolerance: 1s, \
                    window: { earliest: 2s, latest: 2s }";
    let (report, gateway) = undisturbed(|| {
        let gateway = Reference::start(&["--heartbeat-interval", "1s", "--heartbeat-timeout", "2s"]);
        (run_once(&config(&gateway.url, "zombie", settings)), gateway)
    });
    let detail = &report.detail;
    println!("{detail}");
    assert_eq!(words(&report), "pass", "{detail}");
    let told = |result| count(&report, "gateprobe_zombies_total", &["mute", result]);
    assert_eq!(["cleaned", "leaked", "evicted_early", "half_closed"].map(told), [25.0, 0.0, 0.0, 0.0]);
    assert_eq!(count(&report, "gateprobe_zombie_evictions_total", &["mute", "close"]), 25.0);
    assert_eq!(count(&report, "gateprobe_false_evictions_total", &[]), 0.0);
    let times = samples(&report, "gateprobe_zombie_cleanup_seconds", &["mute"]);
    // None where the machine was late.
    assert!(times.is_empty() || times.len() == 25, "{times:?}");
    for told in ["25 of 25 mute", "one that answered again was kept", "50 healthy"] {
        assert!(detail.contains(told), "{detail}");
    }

    // The gateway agrees: it cleaned up so many, and all others, of whom one was silent for a while, parted politely.
    eventually("25 zombies and 51 others in the gateway's log", || {
        let log = gateway.log();
        let closes =
            |event, code| log.iter().filter(|entry| entry.event == event && entry.code == code).count();
        assert_eq!(closes("close_sent", Some(1011)), 25);
        (closes("close_received", Some(1000)) == 51).then_some(())
    });
}
