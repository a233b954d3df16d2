//! The dashboards of `dashboards/`: their form, and that a real Prometheus can answer what they ask. That it exists at all,
//! `rules::contract` holds against the catalogue.

pub mod board;
mod fresh;
mod live;
mod promql;
mod rules;
mod scene;
