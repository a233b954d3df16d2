//! A dashboard as it lies in `dashboards/`, read as Grafana reads it.

use serde_json::Value;

use crate::support::program::project;

/// The file of each dashboard, and the `uid` that links and bookmarks hold on to.
pub const ALL: [(&str, &str); 5] = [
    ("overview.json", "gateprobe-overview"),
    ("slo.json", "gateprobe-slo"),
    ("check.json", "gateprobe-check"),
    ("canary.json", "gateprobe-canary"),
    ("agent.json", "gateprobe-agent"),
];

/// A dashboard.
#[derive(Debug, Clone)]
pub struct Board {
    /// Its file.
    pub file: &'static str,
    /// All of it.
    pub json: Value,
}

/// A panel that draws something.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Where it is, for messages: the file and the title.
    pub place: String,
    /// Its title.
    pub title: String,
    /// What draws it.
    pub kind: String,
    /// Its queries.
    pub queries: Vec<Query>,
    /// All of it.
    pub json: Value,
}

/// A query of a panel.
#[derive(Debug, Clone)]
pub struct Query {
    /// In PromQL, with Grafana's variables in it.
    pub expr: String,
    /// How its series are named.
    pub legend: String,
    /// Whether only its last value is drawn.
    pub instant: bool,
}

impl Board {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let read = |(file, _)| {
            let path = project("dashboards").join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            Self { file, json: serde_json::from_str(&text).expect("JSON") }
        };
        ALL.into_iter().map(read).collect()
    }

    /// Its rows and panels, those of folded rows too.
    pub fn elements(&self) -> Vec<&Value> {
        let inner = |row| list(row, "panels");
        list(&self.json, "panels").flat_map(|panel| std::iter::once(panel).chain(inner(panel))).collect()
    }

    /// Its panels.
    pub fn panels(&self) -> Vec<Panel> {
        let drawn = self.elements().into_iter().filter(|element| element["type"] != "row");
        drawn.map(|json| Panel::read(self.file, json)).collect()
    }

    /// Its variables.
    pub fn variables(&self) -> Vec<&Value> {
        list(&self.json["templating"], "list").collect()
    }

    /// One of them.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables().into_iter().find(|variable| variable["name"] == name)
    }

    /// Its notes that ask Prometheus.
    pub fn notes(&self) -> Vec<&str> {
        list(&self.json["annotations"], "list").filter_map(|note| note["expr"].as_str()).collect()
    }
}

impl Panel {
    fn read(file: &str, json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let query = |query: &Value| Query {
            expr: text(&query["expr"]),
            legend: text(&query["legendFormat"]),
            instant: query["instant"] == true,
        };
        let title = text(&json["title"]);
        Self {
            place: format!("{file}: {title:?}"),
            title,
            kind: text(&json["type"]),
            queries: list(json, "targets").map(query).collect(),
            json: json.clone(),
        }
    }
}

/// The elements of a list; none where there is no list.
pub fn list<'a>(json: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    json[key].as_array().into_iter().flatten()
}
