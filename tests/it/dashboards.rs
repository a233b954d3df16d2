//! The dashboards of `dashboards/`: their form, what they ask for, and that a real Prometheus can answer.

pub mod board;
mod catalogue;
mod fresh;
mod live;
mod promql;
mod rules;
mod scene;
