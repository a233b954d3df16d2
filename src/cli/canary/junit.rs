//! A verification as JUnit XML, as Jenkins, GitLab and others read it: a suite an arm, a case a comparison.
//! `failure` is the gateway's fault, `error` what could not be found out, `skipped` what was not asked.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::words::plain;
use crate::canary::words::{metric, quantity, shift};
use crate::canary::{Arm, Decision, Row, RowVerdict, RunCounts, Verdict};
use crate::gate::{Address, Report};

/// What became of a case.
enum Fate {
    Passed,
    Failure { kind: String, message: String, text: String },
    Error { kind: String, message: String, text: String },
    Skipped(String),
}

struct Case {
    name: String,
    fate: Fate,
    told: String,
}

struct Suite<'a> {
    name: String,
    address: &'a Address,
    cases: Vec<Case>,
}

/// The whole document.
pub(super) fn junit(report: &Report) -> String {
    let Some(decision) = report.decision() else { return String::new() };
    let mut suites = vec![canary(report, decision)];
    suites.extend(report.gateways.baseline.as_ref().map(|address| baseline(address, decision)));
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory can't fail, nor can what was text become none.
    let _ = document(&mut writer, report, decision, &suites);
    let mut text = String::from_utf8(writer.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

/// The verdict, and each comparison.
fn canary<'a>(report: &'a Report, decision: &Decision) -> Suite<'a> {
    let text = evidence(decision, |_| true);
    let (kind, message) = (decision.verdict.label().to_owned(), decision.sentence.clone());
    let fate = match decision.verdict {
        Verdict::Pass => Fate::Passed,
        Verdict::Fail => Fate::Failure { kind, message, text },
        Verdict::Inconclusive => Fate::Error { kind, message, text },
    };
    let told = decision.notes.join("\n");
    let verdict = Case { name: "verdict".to_owned(), fate, told };
    let compared = decision.rows.iter().map(|row| compared(decision, row));
    let left_out = counts(decision, Arm::Canary).filter(|counts| lacks_it(counts)).map(skipped);
    Suite {
        name: format!("canary {}", report.gateways.canary.name),
        address: &report.gateways.canary,
        cases: std::iter::once(verdict).chain(compared).chain(left_out).collect(),
    }
}

fn compared(decision: &Decision, row: &Row) -> Case {
    let (baseline, canary) = (quantity(row.baseline, &row.unit), quantity(row.canary, &row.unit));
    let mut told =
        format!("baseline {baseline} ({} runs), canary {canary} ({} runs)", row.n_baseline, row.n_canary);
    if row.shift.is_some() {
        told.push_str(&format!(", shift {}", shift(row)));
    }
    let message = match &row.note {
        Some(note) => format!("{note}: {told}"),
        None => told.clone(),
    };
    let kind = row.verdict.label().to_owned();
    let text = evidence(decision, |check| check == row.check);
    let fate = match row.verdict {
        verdict if verdict.fails() => Fate::Failure { kind, message, text },
        verdict if verdict.blocks() => Fate::Error { kind, message, text },
        RowVerdict::NotJudged => Fate::Skipped(message),
        _ => Fate::Passed,
    };
    Case { name: format!("{} {}", row.check, metric(row)), fate, told }
}

/// Whether the checks said anything of the baseline: its failures are no news, its silence is.
fn baseline<'a>(address: &'a Address, decision: &Decision) -> Suite<'a> {
    let case = |counts: &RunCounts| {
        if lacks_it(counts) {
            return skipped(counts);
        }
        let told = said(counts);
        let fate = match counts.pass + counts.fail {
            0 => Fate::Error {
                kind: "inconclusive".to_owned(),
                message: "no run of the baseline was conclusive".to_owned(),
                text: told.clone(),
            },
            _ => Fate::Passed,
        };
        Case { name: format!("{} runs", counts.check), fate, told }
    };
    let cases = counts(decision, Arm::Baseline).map(case).collect();
    Suite { name: format!("baseline {}", address.name), address, cases }
}

fn counts(decision: &Decision, arm: Arm) -> impl Iterator<Item = &RunCounts> {
    decision.runs.iter().filter(move |counts| counts.arm == arm)
}

fn lacks_it(counts: &RunCounts) -> bool {
    counts.unsupported > 0 && counts.pass + counts.fail == 0
}

fn skipped(counts: &RunCounts) -> Case {
    let fate = Fate::Skipped("the gateway does not support it".to_owned());
    Case { name: format!("{} runs", counts.check), fate, told: said(counts) }
}

fn said(counts: &RunCounts) -> String {
    let RunCounts { pass, fail, inconclusive, unsupported, planned, .. } = counts;
    format!(
        "{pass} passed, {fail} failed, {inconclusive} inconclusive, {unsupported} unsupported of {planned}"
    )
}

fn evidence(decision: &Decision, of: impl Fn(&str) -> bool) -> String {
    let found = decision.evidence.iter().filter(|found| of(&found.check));
    let lines = found.map(|found| {
        format!("{} {} {} ({}x): {}", found.arm.label(), found.check, found.reason, found.count, found.detail)
    });
    lines.collect::<Vec<_>>().join("\n")
}

type Out = Writer<Vec<u8>>;

fn document(out: &mut Out, report: &Report, decision: &Decision, suites: &[Suite<'_>]) -> io::Result<()> {
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let seconds = format!("{:.3}", decision.seconds);
    let mut root = out.create_element("testsuites").with_attribute(("name", "gateprobe canary"));
    for (name, value) in totals(&all) {
        root = root.with_attribute((name, value.as_str()));
    }
    root.with_attribute(("time", seconds.as_str())).write_inner_content(|out| {
        suites.iter().try_for_each(|suite| write_suite(out, report, suite, &seconds))
    })?;
    Ok(())
}

fn write_suite(out: &mut Out, report: &Report, suite: &Suite<'_>, seconds: &str) -> io::Result<()> {
    let cases: Vec<&Case> = suite.cases.iter().collect();
    let name = clean(&suite.name);
    let mut element = out.create_element("testsuite").with_attribute(("name", name.as_str()));
    for (name, value) in totals(&cases) {
        element = element.with_attribute((name, value.as_str()));
    }
    let skipped = cases.iter().filter(|case| matches!(case.fate, Fate::Skipped(_))).count().to_string();
    // xs:dateTime without a zone, in UTC, as the common schema has it.
    let began = report.started_at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let element = element
        .with_attribute(("skipped", skipped.as_str()))
        .with_attribute(("time", seconds))
        .with_attribute(("timestamp", began.as_str()));
    element.write_inner_content(|out| {
        out.create_element("properties").write_inner_content(|out| {
            let properties = [
                ("url", suite.address.url.as_str()),
                ("profile", report.profile.word()),
                ("verification", report.id.as_str()),
                ("gateprobe", report.gateprobe.as_str()),
            ];
            properties.into_iter().try_for_each(|(name, value)| {
                let value = clean(value);
                let property = out.create_element("property");
                property
                    .with_attribute(("name", name))
                    .with_attribute(("value", value.as_str()))
                    .write_empty()?;
                Ok(())
            })
        })?;
        suite.cases.iter().try_for_each(|case| write_case(out, &name, case))
    })?;
    Ok(())
}

fn write_case(out: &mut Out, suite: &str, case: &Case) -> io::Result<()> {
    let (class, name) = (format!("gateprobe.{}", suite.replace(' ', ".")), clean(&case.name));
    let element = out
        .create_element("testcase")
        .with_attribute(("name", name.as_str()))
        .with_attribute(("classname", class.as_str()))
        .with_attribute(("time", "0"));
    element.write_inner_content(|out| {
        match &case.fate {
            Fate::Passed => {}
            Fate::Failure { kind, message, text } => fault(out, "failure", kind, message, text)?,
            Fate::Error { kind, message, text } => fault(out, "error", kind, message, text)?,
            Fate::Skipped(message) => {
                let message = clean(message);
                out.create_element("skipped").with_attribute(("message", message.as_str())).write_empty()?;
            }
        }
        if !case.told.is_empty() {
            let told = clean(&case.told);
            out.create_element("system-out").write_text_content(BytesText::new(&told))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn fault(out: &mut Out, element: &str, kind: &str, message: &str, text: &str) -> io::Result<()> {
    let (message, text) = (clean(message), clean(text));
    let element = out.create_element(element).with_attribute(("type", kind));
    element.with_attribute(("message", message.as_str())).write_text_content(BytesText::new(&text))?;
    Ok(())
}

fn totals(cases: &[&Case]) -> [(&'static str, String); 3] {
    let count =
        |wanted: fn(&Fate) -> bool| cases.iter().filter(|case| wanted(&case.fate)).count().to_string();
    [
        ("tests", cases.len().to_string()),
        ("failures", count(|fate| matches!(fate, Fate::Failure { .. }))),
        ("errors", count(|fate| matches!(fate, Fate::Error { .. }))),
    ]
}

/// Without what XML 1.0 can't hold at all, not even escaped (section 2.2); line breaks stay.
fn clean(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}
