//! `gateprobe drill`: a fault in a reference gateway, followed all the way to whoever is paged, and back.

mod agent;
mod alertmanager;
mod course;
mod gateway;
mod look;
mod place;
mod prometheus;
mod report;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::output::Output;
use super::{Exit, interrupted};
use crate::gateway::Fault;
use crate::model::Span;
use crate::wire::{TlsClient, TlsSettings};
use agent::Agent;
use alertmanager::Alertmanager;
use course::{Course, Unready};
use gateway::{Gateway, GatewayError};
use place::{Place, RequestError};
use prometheus::Prometheus;
use report::{Missing, Report, Step};
use webhook::Webhook;

/// Labels of an alert or a series.
type Labels = BTreeMap<String, String>;

/// Arguments of `gateprobe drill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gateprobe drill --control http://127.0.0.1:8081 --target drill --fault upgrade_status=503\n  \
    gateprobe drill --control http://127.0.0.1:8081 --target drill --fault accept_silent \\\n    \
      --prometheus http://127.0.0.1:9090 \\\n    \
      --alertmanager http://127.0.0.1:9093 --webhook 127.0.0.1:9095\n\n\
    The fault is switched off again however the drill ends. `gateprobe gateway --help` lists the faults;\n\
    docs/drills.md says how to set a drill up.\n\n\
    Exit codes: 0 every step was seen, 1 a step did not come, 2 usage, or somebody who takes part is not\n\
    as needed, 3 interrupted, 4 gateprobe's own error, or the fault may still be on")]
pub struct Args {
    /// The control API of the reference gateway that breaks
    #[arg(long, value_name = "URL")]
    control: Url,
    /// The token of the control API
    #[arg(long, value_name = "FILE")]
    control_token_file: Option<PathBuf>,
    /// What goes wrong
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = super::fault::parse)]
    fault: Fault,
    /// The agent that watches the gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    agent: Url,
    /// A token, or user:password, for the agent
    #[arg(long, value_name = "FILE")]
    agent_token_file: Option<PathBuf>,
    /// The gateway's name among the agent's targets
    #[arg(long, value_name = "NAME")]
    target: String,
    /// Only this check; any of the target's when absent
    #[arg(long, value_name = "KIND")]
    check: Option<String>,
    /// Follow the fault through this Prometheus: the metric, the alert pending, the alert firing
    #[arg(long, value_name = "URL")]
    prometheus: Option<Url>,
    /// A token, or user:password, for Prometheus
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    prometheus_token_file: Option<PathBuf>,
    /// The alert to follow
    #[arg(long, value_name = "ALERT", default_value = "GateprobeCheckFailing")]
    alert: String,
    /// Follow the alert into this Alertmanager; without --webhook, its own count says whether a notification got
    /// through, of any alert
    #[arg(long, value_name = "URL")]
    alertmanager: Option<Url>,
    /// A token, or user:password, for Alertmanager
    #[arg(long, value_name = "FILE", requires = "alertmanager")]
    alertmanager_token_file: Option<PathBuf>,
    /// Listen here for notifications, as a `webhook_configs` of Alertmanager; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    webhook: Option<SocketAddr>,
    /// A PEM file with the authorities to trust at https:// URLs, in place of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long each step may take
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    within: Span,
    /// How the steps are written; with json one object at the end, and the lines meanwhile go to standard error
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a drill is about.
#[derive(Debug, Clone)]
struct Subject {
    target: String,
    check: Option<String>,
    alert: String,
}

impl Subject {
    /// The labels that its alert has.
    fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let check = self.check.iter().map(|check| ("check", check.as_str()));
        [("alertname", self.alert.as_str()), ("target", self.target.as_str())].into_iter().chain(check)
    }

    /// Whether these are the labels of its alert.
    fn is_named_by(&self, labels: &Labels) -> bool {
        self.labels().all(|(name, value)| labels.get(name).is_some_and(|has| has == value))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target)?;
        self.check.as_ref().map_or(Ok(()), |check| write!(f, " {check}"))
    }
}

/// How a drill ended.
enum End {
    Seen,
    Missing(Missing),
    Interrupted,
    Broken,
}

/// Carries out a drill. The fault is off at the end, or the exit says that it may not be.
pub async fn run(args: Args) -> Exit {
    // Before the fault is on: none of these may end the process with it on.
    let mut stopped = Box::pin(stopped());
    let mut course = match course(&args).await {
        Ok(course) => course,
        Err(error) => {
            eprintln!("gateprobe drill: {error:#}");
            return Exit::Usage;
        }
    };
    let ready = tokio::select! {
        ready = course.prepare() => ready,
        () = &mut stopped => return Exit::Inconclusive,
    };
    if let Err(unready) = ready {
        eprintln!("gateprobe drill: {unready}");
        return exit_of(&unready);
    }
    if let Some(webhook) = &course.webhook {
        course.report.say(format_args!("listening for notifications at http://{}/", webhook.address));
    }
    let end = guarded(course.settle(), &mut stopped).await;
    if !matches!(end, End::Seen) {
        return finish(&course, &end, true);
    }
    let end = guarded(course.up(), &mut stopped).await;
    let off = course.switch_off().await.is_ok();
    let end = match end {
        End::Seen if off => guarded(course.down(), &mut stopped).await,
        end => end,
    };
    finish(&course, &end, off)
}

/// Neither an interruption nor a panic gets past this, so that the fault can be switched off after it.
async fn guarded(
    part: impl Future<Output = Result<(), Missing>>,
    stopped: &mut (impl Future<Output = ()> + Unpin),
) -> End {
    tokio::select! {
        biased;
        () = stopped => End::Interrupted,
        ended = AssertUnwindSafe(part).catch_unwind() => match ended {
            Ok(Ok(())) => End::Seen,
            Ok(Err(missing)) => End::Missing(missing),
            Err(_) => End::Broken,
        },
    }
}

fn finish(course: &Course, end: &End, off: bool) -> Exit {
    let why = match end {
        End::Seen => None,
        End::Missing(Missing(Step::FaultOn)) => Some("the gateway did not take the fault".to_owned()),
        End::Missing(Missing(step)) => {
            let within = course.within.as_secs_f64();
            Some(format!("the step `{}` did not come within {within} s", step.name()))
        }
        End::Interrupted => Some("interrupted".to_owned()),
        End::Broken => Some("gateprobe itself failed".to_owned()),
    };
    course.report.finish(&course.subject, &course.fault, off, why.as_deref());
    match end {
        _ if !off => Exit::Agent,
        End::Seen => Exit::Pass,
        // Such a fault could never show on that gateway.
        End::Missing(Missing(Step::FaultOn)) => Exit::Usage,
        End::Missing(_) => Exit::Fail,
        End::Interrupted => Exit::Inconclusive,
        End::Broken => Exit::Agent,
    }
}

fn exit_of(unready: &Unready) -> Exit {
    match unready {
        Unready::Gateway(GatewayError::Request(error)) | Unready::Request(error) => match error {
            RequestError::Unreachable { .. } | RequestError::Slow { .. } => Exit::Agent,
            RequestError::Status { .. } | RequestError::Unexpected { .. } => Exit::Usage,
        },
        Unready::Gateway(_) | Unready::NoRule(_) => Exit::Usage,
    }
}

async fn course(args: &Args) -> anyhow::Result<Course> {
    let tls = TlsSettings { authorities: args.ca_file.clone(), ..TlsSettings::default() };
    let tls = TlsClient::new(tls)?.client_config();
    let place = |what, url: &Url, token: &Option<PathBuf>| Place::new(what, url, token.as_deref(), &tls);
    let subject =
        Subject { target: args.target.clone(), check: args.check.clone(), alert: args.alert.clone() };
    let optional =
        |what, url: &Option<Url>, token| url.as_ref().map(|url| place(what, url, token)).transpose();
    let prometheus = optional("Prometheus", &args.prometheus, &args.prometheus_token_file)?;
    let alertmanager = optional("Alertmanager", &args.alertmanager, &args.alertmanager_token_file)?;
    let webhook = match args.webhook {
        Some(address) => Some(
            Webhook::listen(address, subject.clone())
                .await
                .map_err(|error| anyhow::anyhow!("can't listen on {address} for notifications: {error}"))?,
        ),
        None => None,
    };
    Ok(Course {
        gateway: Gateway::new(place("the gateway's control API", &args.control, &args.control_token_file)?),
        agent: Agent::new(place("the agent", &args.agent, &args.agent_token_file)?),
        prometheus: prometheus.map(Prometheus::new),
        alertmanager: alertmanager.map(Alertmanager::new),
        webhook,
        subject,
        fault: args.fault.clone(),
        within: args.within.get(),
        report: Report::new(args.output),
        waits: false,
    })
}

/// Ctrl-C, SIGTERM, or the end of the terminal.
fn stopped() -> impl Future<Output = ()> {
    let (interrupted, hangup) = (interrupted(), signal(SignalKind::hangup()));
    async move {
        let hangup = async {
            match hangup {
                Ok(mut hangup) => _ = hangup.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupted => {}
            () = hangup => {}
        }
    }
}
