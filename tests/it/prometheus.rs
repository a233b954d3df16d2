//! A real Prometheus reads the agent: its own metrics, and `/probe`.

mod probe;
mod scrape;
