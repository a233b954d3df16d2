//! Rules for the agent's own settings.

use std::net::{IpAddr, SocketAddr};

use super::text::{is_header_text, is_host_port};
use super::{Path, Report};
use crate::config::settings::{AgentSettings, Sharding};
use crate::config::shard::Shard;
use crate::config::sources::Use;
use crate::config::words::quoted;
use crate::model::Span;

/// Checks the agent's own settings.
pub fn agent(report: &mut Report<'_>, settings: &AgentSettings) {
    let root = Path::root();
    listen(report, settings);
    for (field, text) in [("contact", &settings.contact), ("user_agent", &settings.user_agent)] {
        if text.as_ref().is_some_and(|text| text.is_empty() || !is_header_text(text)) {
            report
                .problem(&root.key(field), "goes into a header; write printable ASCII, no blanks around it");
        }
    }
    if settings.location.as_ref().is_some_and(String::is_empty) {
        report.problem(&root.key("location"), "is an empty label; write a name, or remove the field");
    }
    if let Some(control) = &settings.control
        && !is_host_port(&control.address)
    {
        let message =
            format!("{} is not a host with a port, such as one.example.net:443", quoted(&control.address));
        report.problem(&root.dotted("control.address"), message);
    }
    for (index, server) in settings.resolver.servers.iter().enumerate() {
        if server.parse::<IpAddr>().is_err() && server.parse::<SocketAddr>().is_err() {
            let message = format!(
                "{} is not the address of a DNS server, such as 10.0.0.2 or 10.0.0.2:53",
                quoted(server)
            );
            report.problem(&root.dotted("resolver.servers").index(index), message);
        }
    }
    if let Some(file) = &settings.http.token_file
        && let Err(error) = report.files.read(file, Use::Anew)
    {
        let message = format!("{} can't be read: {error}", file.display());
        report.warning(&root.dotted("http.token_file"), message);
    }
    if let Some(otlp) = &settings.otlp {
        super::otlp(report, otlp);
    }
    spans(report, settings);
}

fn listen(report: &mut Report<'_>, settings: &AgentSettings) {
    let path = Path::of(&["http", "listen"]);
    let listen = &settings.http.listen;
    match listen.parse::<SocketAddr>() {
        Err(_) => {
            let message = format!(
                "{} is not an address with a port, such as 127.0.0.1:9464, 0.0.0.0:9464 or [::]:9464",
                quoted(listen)
            );
            report.problem(&path, message);
        }
        Ok(address) if !address.ip().is_loopback() && settings.http.token_file.is_none() => {
            report.warning(&path, "others can reach this address; reloads, runs, pauses and canaries are for loopback only until http.token_file is set");
        }
        Ok(_) => {}
    }
}

/// Which shard this agent is, if that is well said.
pub fn sharding(report: &mut Report<'_>, settings: &Sharding) -> Option<Shard> {
    let path = Path::of(&["sharding"]);
    let (shards, at) = (settings.shards, path.key("index"));
    let Some(index) = &settings.index else {
        report
            .problem(&at, "missing; set the variable GATEPROBE__SHARDING__INDEX to a number or a pod's name");
        return None;
    };
    let Some(index) = index.number() else {
        report.problem(&at, "has no number behind its last hyphen; the name of a StatefulSet's pod has one");
        return None;
    };
    if index >= shards {
        let message = format!(
            "{index} is not below the number of shards, {shards}; they are counted from 0, and the number must be \
             the same for all"
        );
        report.problem(&at, message);
        return None;
    }
    Some(Shard { index, shards })
}

fn spans(report: &mut Report<'_>, settings: &AgentSettings) {
    let control = settings.control.as_ref().map(|control| control.timeout);
    let spans = [
        ("lag_bound", Some(settings.lag_bound), Span::millis(10), Span::secs(10)),
        ("http.header_timeout", Some(settings.http.header_timeout), Span::millis(100), Span::secs(60)),
        ("http.probe_timeout", Some(settings.http.probe_timeout), Span::secs(1), Span::secs(300)),
        ("control.timeout", control, Span::millis(100), Span::secs(30)),
        ("shutdown.drain_grace", Some(settings.shutdown.drain_grace), Span::secs(0), Span::secs(3_600)),
    ];
    for (field, span, least, most) in spans {
        let Some(span) = span else { continue };
        if span < least || span > most {
            let message = format!("{span} is out of range; write {least} to {most}");
            report.problem(&Path::root().dotted(field), message);
        }
    }
}
