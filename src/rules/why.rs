//! What was wrong, for the texts of alerts: Prometheus asks itself when it writes them.

/// No outage: an alert of its own tells of it.
const SOON: &str = "reason!=\"tls_expires_soon\"";

/// The reasons of failed runs, the most frequent first, after a colon; nothing where there are none. Of a quarter of an
/// hour, and of six hours where a check runs so seldom that none failed in it.
pub(super) fn reasons() -> String {
    list("gateprobe_check_failures_total", "reason", SOON, &["15m", "6h"])
}

/// What is wrong today, as one location sees it.
pub(super) fn reasons_in_location() -> String {
    let matcher = format!("{SOON},location=%[3]q");
    list("gateprobe_check_failures_total", "reason", &matcher, &["15m", "6h"])
        .replace("$labels.check)", "$labels.check $labels.location)")
}

/// The reasons of failed runs within a window.
pub(super) fn reasons_within(window: &str) -> String {
    list("gateprobe_check_failures_total", "reason", SOON, &[window])
}

/// Why nothing was found out.
pub(super) fn causes() -> String {
    list("gateprobe_check_inconclusive_total", "cause", "", &["15m", "6h"])
}

/// A text in the template language of Prometheus. `%[1]q` is the first of the values, quoted.
fn list(counter: &str, label: &str, matcher: &str, windows: &[&str]) -> String {
    let selector = format!("{counter}{{target=%[1]q,check=%[2]q,{}}}", matcher.replace('"', "\\\""));
    let selector = selector.replace(",}", "}");
    let within = |window: &&str| format!("sum by ({label}) (increase({selector}[@{window}@])) > 0");
    let windows: Vec<String> = windows.iter().map(within).collect();
    let query = windows.join(" or on () ");
    format!(
        "{{{{ with query (printf \"sort_desc({query})\" $labels.target $labels.check) }}}}: \
         {{{{ range $index, $found := . }}}}{{{{ if $index }}}}, {{{{ end }}}}{{{{ $found.Labels.{label} }}}}{{{{ end }}}}{{{{ end }}}}"
    )
}
