//! Files and environment into a validated [`Plan`].
//!
//! The way of a config: each file becomes a tree with places (`tree`), the layers are merged by the
//! `config` crate (`layers`) with the environment on top (`environment`), `defaults` flow into the
//! targets (`cascade`), the result is held against the JSON Schema (`structure`) and then against the
//! rules (`validate`). All mistakes are collected on the way and told with the place of each. A dialect's
//! file goes the same way, without layers (`dialects`).

mod assemble;
mod cascade;
mod cost;
mod dialects;
mod endpoint;
mod environment;
mod files;
mod folder;
mod issuers;
mod layers;
mod load;
mod locate;
mod node;
mod otlp;
mod pause;
mod place;
mod plan;
mod problem;
mod refused;
mod route;
mod schema;
pub mod settings;
mod shard;
mod show;
mod sources;
mod structure;
#[cfg(test)]
mod tests;
mod tree;
mod twin;
mod unread;
mod validate;
mod words;

pub use cost::{CostRow, cost, cost_table, costs};
pub use dialects::read_dialect;
pub use environment::{is_setting, names_whom_to_watch};
pub use load::{
    Loaded, Loader, for_url, load, load_with, load_with_sources, load_with_twins, name_of,
    process_environment,
};
pub use locate::Origins;
pub use otlp::{Collector, Otlp};
pub use pause::{Pause, PauseError};
pub use place::{Path, Place};
pub use plan::{Job, Module, Plan, Slo, Target};
pub use problem::{Problem, Problems, Warning};
pub use route::{Route, TARGET_HEADER};
pub use settings::mask_url;
pub use shard::{Shard, shard_of};
pub use show::{in_force, to_yaml};
pub use sources::{Glimpse, Sources};
pub use twin::Twin;
pub use words::{nearest, unknown};

/// The JSON Schema of the file, for editors.
pub fn json_schema() -> &'static serde_json::Value {
    schema::schema().for_editors()
}

/// The JSON Schema of a dialect's file, for editors.
pub fn dialect_json_schema() -> &'static serde_json::Value {
    schema::dialect_schema().for_editors()
}
