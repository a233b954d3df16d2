//! The runbooks and pages that fit this version, for when nothing else can be reached.

use maud::{Markup, html};

use super::row::State;

/// A page by its name, in Markdown.
type Page = (&'static str, &'static str);

/// One a alert, by the alert's name.
static RUNBOOKS: &[Page] = &[
    ("GateprobeBadTokenAccepted", include_str!("../../../docs/runbooks/GateprobeBadTokenAccepted.md")),
    ("GateprobeBystanderHarmed", include_str!("../../../docs/runbooks/GateprobeBystanderHarmed.md")),
    ("GateprobeCertificateExpires", include_str!("../../../docs/runbooks/GateprobeCertificateExpires.md")),
    ("GateprobeCheckFailing", include_str!("../../../docs/runbooks/GateprobeCheckFailing.md")),
    (
        "GateprobeCheckFailingInOneLocation",
        include_str!("../../../docs/runbooks/GateprobeCheckFailingInOneLocation.md"),
    ),
    ("GateprobeCheckInconclusive", include_str!("../../../docs/runbooks/GateprobeCheckInconclusive.md")),
    ("GateprobeCheckStale", include_str!("../../../docs/runbooks/GateprobeCheckStale.md")),
    ("GateprobeCheckUnstable", include_str!("../../../docs/runbooks/GateprobeCheckUnstable.md")),
    ("GateprobeConfigReloadFailed", include_str!("../../../docs/runbooks/GateprobeConfigReloadFailed.md")),
    ("GateprobeDown", include_str!("../../../docs/runbooks/GateprobeDown.md")),
    ("GateprobeErrorBudgetBurn", include_str!("../../../docs/runbooks/GateprobeErrorBudgetBurn.md")),
    (
        "GateprobeErrorBudgetNearlySpent",
        include_str!("../../../docs/runbooks/GateprobeErrorBudgetNearlySpent.md"),
    ),
    (
        "GateprobeExpiredSessionServed",
        include_str!("../../../docs/runbooks/GateprobeExpiredSessionServed.md"),
    ),
    ("GateprobeExportFailing", include_str!("../../../docs/runbooks/GateprobeExportFailing.md")),
    ("GateprobeFalseEvictions", include_str!("../../../docs/runbooks/GateprobeFalseEvictions.md")),
    ("GateprobeLatencyRising", include_str!("../../../docs/runbooks/GateprobeLatencyRising.md")),
    ("GateprobeReplicaDown", include_str!("../../../docs/runbooks/GateprobeReplicaDown.md")),
    ("GateprobeSchedulerLag", include_str!("../../../docs/runbooks/GateprobeSchedulerLag.md")),
    ("GateprobeSeriesDropped", include_str!("../../../docs/runbooks/GateprobeSeriesDropped.md")),
    ("GateprobeShardMissing", include_str!("../../../docs/runbooks/GateprobeShardMissing.md")),
    ("GateprobeShardsDisagree", include_str!("../../../docs/runbooks/GateprobeShardsDisagree.md")),
    ("GateprobeZombiesLeaked", include_str!("../../../docs/runbooks/GateprobeZombiesLeaked.md")),
];

static PAGES: &[Page] = &[
    ("checks", include_str!("../../../docs/checks.md")),
    ("canary", include_str!("../../../docs/canary.md")),
    ("page", include_str!("../../../docs/page.md")),
];

/// A runbook by its name, also where `.md` follows: so do the alerts' links.
pub(super) fn of_alert(name: &str) -> Option<&'static str> {
    find(RUNBOOKS, name)
}

/// A page of the documentation by its name, also where `.md` follows.
pub(super) fn of_page(name: &str) -> Option<&'static str> {
    find(PAGES, name)
}

fn find(pages: &[Page], name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".md").unwrap_or(name);
    pages.iter().find(|(of, _)| *of == name).map(|(_, text)| *text)
}

/// The runbook for a job in such a state, for such a reason.
pub(super) fn runbook(state: State, reason: Option<&str>) -> Option<&'static str> {
    let name = match (state, reason) {
        (State::Stale, _) => "GateprobeCheckStale",
        (State::Inconclusive, _) => "GateprobeCheckInconclusive",
        (State::Failing | State::Paused, Some(reason)) => match reason {
            "tls_expired" | "tls_expires_soon" => "GateprobeCertificateExpires",
            "zombie_leaked" | "half_closed_leak" | "sessions_leaked" => "GateprobeZombiesLeaked",
            "false_eviction" | "recovered_evicted" | "evicted_early" => "GateprobeFalseEvictions",
            "collateral_damage" | "malformed_crash" => "GateprobeBystanderHarmed",
            "expired_session_survives" => "GateprobeExpiredSessionServed",
            "bad_token_accepted" | "token_not_required" => "GateprobeBadTokenAccepted",
            "too_slow" | "too_jittery" => "GateprobeLatencyRising",
            _ => "GateprobeCheckFailing",
        },
        _ => return None,
    };
    Some(name)
}

/// A text in Markdown, as it stands: it is made to be read that way, too. Headings are anchors.
pub(super) fn page(text: &str) -> Markup {
    html! {
        article class="doc" {
            @for block in blocks(text) {
                @match block {
                    Block::Heading(level, words) => (heading(level, words)),
                    Block::Text(text) => pre { (text) },
                }
            }
        }
    }
}

enum Block<'a> {
    Heading(usize, &'a str),
    Text(&'a str),
}

fn heading(level: usize, words: &str) -> Markup {
    let id = anchor(words);
    html! {
        @match level {
            1 => h1 id=(id) { (words) },
            2 => h2 id=(id) { (words) },
            _ => h3 id=(id) { (words) },
        }
    }
}

/// As forges make it of a heading.
fn anchor(words: &str) -> String {
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Headings, and what is between them. A `#` within a fence is no heading.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut begin, mut at, mut fenced) = (Vec::new(), 0, 0, false);
    for line in text.split_inclusive('\n') {
        fenced ^= line.starts_with("```");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if !fenced && level > 0 && line[level..].starts_with(' ') {
            blocks.push(Block::Text(text[begin..at].trim_matches('\n')));
            blocks.push(Block::Heading(level, line[level..].trim()));
            begin = at + line.len();
        }
        at += line.len();
    }
    blocks.push(Block::Text(text[begin..].trim_matches('\n')));
    blocks.retain(|block| !matches!(block, Block::Text("")));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Failure;

    #[test]
    fn every_failure_has_a_runbook_that_is_there() {
        for failure in Failure::ALL {
            let name = runbook(State::Failing, Some(failure.reason())).expect("one");
            assert!(of_alert(name).is_some_and(|text| text.starts_with("# ")), "{name}");
        }
        for state in [State::Stale, State::Inconclusive] {
            assert!(of_alert(runbook(state, Some("x")).expect("one")).is_some(), "{state:?}");
        }
        assert_eq!(runbook(State::Passing, None), None);
    }

    #[test]
    fn links_to_files_lead_to_the_pages() {
        assert!(
            of_alert("GateprobeDown").is_some() && of_alert("GateprobeDown") == of_alert("GateprobeDown.md")
        );
        assert_eq!(of_page("checks.md"), of_page("checks"));
        for nothing in ["", ".md", "GateprobeDown.md.md", "Gateprobe"] {
            assert_eq!(of_alert(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn all_runbooks_are_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbooks");
        let files =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for file in files.filter(|file| file != "README.md") {
            assert!(of_alert(file.trim_end_matches(".md")).is_some(), "{file}");
        }
    }

    #[test]
    fn headings_are_anchors_and_fences_are_left_alone() {
        let html = page("# A `b`\n\ntext <b>\n```sh\n# no heading\n```\n## Two words\n").into_string();
        assert!(html.contains("<h1 id=\"a-b\">") && html.contains("<h2 id=\"two-words\">"), "{html}");
        assert!(html.contains("# no heading") && html.contains("text &lt;b&gt;"), "{html}");
    }

    #[test]
    fn each_check_has_its_heading_on_the_page_on_checks() {
        let html = page(of_page("checks").unwrap()).into_string();
        for kind in crate::checks::CheckSpec::KINDS {
            assert!(html.contains(&format!("id=\"{kind}\"")), "{kind}");
        }
    }
}
