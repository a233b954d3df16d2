//! The driver of a canary's verification: runs of both gateways in turn, fed to the judge one by one until it may
//! stop. Knows neither HTTP nor the command line.

mod allotment;
mod baseline;
mod course;
mod critical;
mod dial;
mod drive;
mod fit;
mod measures;
mod profile;
mod queue;
mod report;
mod trial;

pub use course::{Course, CourseError, Request, Side};
pub use drive::{Ended, Progress, Stop, drive};
pub use profile::Profile;
pub use report::{Address, Addresses, Pending, Report, State, json_schema};
