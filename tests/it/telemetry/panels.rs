//! What a panel of a dashboard shows for a target, as one number.

use super::scene::{PATIENCE, Scene};
use crate::dashboards::board::Board;
use crate::support::binary::within;

/// How a panel tells of a fault.
#[derive(Debug, Clone, Copy)]
pub struct Shows {
    /// The dashboard's file.
    pub board: &'static str,
    /// The panel's title.
    pub title: &'static str,
    /// Which of its series; all when empty.
    pub series: &'static [(&'static str, &'static str)],
    /// By how much at least it is more than before; less where negative.
    pub by: f64,
}

impl Shows {
    /// The sum of the series now; where there are none, nothing is drawn, which is as good as 0.
    pub fn value(&self, scene: &Scene, target: &str) -> f64 {
        let board = Board::all().into_iter().find(|board| board.file == self.board).expect("a dashboard");
        let panel = board.panels().into_iter().find(|panel| panel.title == self.title);
        let panel = panel.unwrap_or_else(|| panic!("{} has no panel {:?}", self.board, self.title));
        let all = panel.queries.iter().flat_map(|query| ask(scene, &query.expr, target));
        let meant =
            all.filter(|(labels, _)| self.series.iter().all(|(label, value)| labels[label] == *value));
        meant.map(|(_, value)| value).filter(|value| value.is_finite()).sum()
    }

    /// What it shows before a fault. What is to fall has to be there first.
    pub fn before(&self, scene: &Scene, target: &str) -> f64 {
        within(PATIENCE, &format!("{self:?} has something to show of {target}"), || {
            let value = self.value(scene, target);
            (self.by > 0.0 || value > 0.0).then_some(value)
        })
    }

    /// Waits until it shows something else than before.
    pub fn changes(&self, scene: &Scene, target: &str, before: f64) {
        within(PATIENCE, &format!("{target} shows in {self:?}, which was {before}"), || {
            let change = self.value(scene, target) - before;
            let enough = if self.by > 0.0 { change >= self.by } else { change <= self.by };
            enough.then_some(())
        });
    }
}

/// Asks as Grafana would: its variables filled in.
fn ask(scene: &Scene, expr: &str, target: &str) -> Vec<(serde_json::Value, f64)> {
    let values = [
        ("$__rate_interval", "30s"),
        ("$__range_s", "300"),
        ("$__range", "300s"),
        ("$job", ".+"),
        ("$instance", ".+"),
        ("$target", target),
        ("$check", ".+"),
    ];
    let query = values.iter().fold(expr.to_owned(), |query, (name, value)| query.replace(name, value));
    scene.prometheus.query(&query)
}
