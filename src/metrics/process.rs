//! The standard `process_*` metrics, read from `/proc` when they are asked for. Elsewhere than on Linux
//! there are none.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Clock ticks a second in `/proc/*/stat`: a constant of the kernel's interface (`USER_HZ`), whatever its
/// own clock does.
const TICKS: f64 = 100.0;

const CPU: (&str, &str) = ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds");
const RESIDENT: (&str, &str) = ("process_resident_memory_bytes", "Resident memory size in bytes");
const VIRTUAL: (&str, &str) = ("process_virtual_memory_bytes", "Virtual memory size in bytes");
const OPEN_FDS: (&str, &str) = ("process_open_fds", "Number of open file descriptors");
const MAX_FDS: (&str, &str) = ("process_max_fds", "Maximum number of open file descriptors");
const START: (&str, &str) =
    ("process_start_time_seconds", "Start time of the process since the Unix epoch in seconds");
const THREADS: (&str, &str) = ("process_threads", "Number of threads of the process");
const ALL: [(&str, &str); 7] = [CPU, RESIDENT, VIRTUAL, OPEN_FDS, MAX_FDS, START, THREADS];

/// A Prometheus collector over `/proc/self`.
pub(super) struct Process {
    descs: Vec<Desc>,
}

impl Process {
    pub(super) fn new() -> prometheus::Result<Self> {
        let desc = |(name, help): (&str, &str)| {
            Desc::new(name.to_owned(), help.to_owned(), Vec::new(), Default::default())
        };
        Ok(Self { descs: ALL.into_iter().map(desc).collect::<prometheus::Result<_>>()? })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
        let values = [
            (CPU, cpu_seconds(&stat)),
            (RESIDENT, field(&status, "VmRSS:").map(|kib| kib * 1024.0)),
            (VIRTUAL, field(&status, "VmSize:").map(|kib| kib * 1024.0)),
            (OPEN_FDS, open_fds()),
            (MAX_FDS, field(&read("/proc/self/limits"), "Max open files")),
            (START, start_seconds(&stat, &read("/proc/stat"))),
            (THREADS, field(&status, "Threads:")),
        ];
        values.into_iter().filter_map(|(metric, value)| Some(family(metric, value?))).collect()
    }
}

/// The number after a line's name.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Field `n` of a stat file, counted from 1 as in proc(5). The second one, the program's name, is in
/// parentheses and may hold anything.
fn stat_field(stat: &str, n: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(n - 3)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS)
}

fn start_seconds(stat: &str, system: &str) -> Option<f64> {
    Some(field(system, "btime")? + stat_field(stat, 22)? / TICKS)
}

fn open_fds() -> Option<f64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that is being read.
    Some(entries.saturating_sub(1) as f64)
}

fn family((name, help): (&str, &str), value: f64) -> MetricFamily {
    let (kind, metric) = if name.ends_with("_total") {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::default();
        metric.set_counter(counter);
        (MetricType::COUNTER, metric)
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        (MetricType::GAUGE, Metric::from_gauge(gauge))
    };
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(vec![metric]);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_stat_are_counted_behind_the_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 7 0 1000 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(start_seconds(stat, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_010.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_all_of_them() {
        let families = Process::new().unwrap().collect();
        let names: Vec<&str> = families.iter().map(MetricFamily::name).collect();
        assert_eq!(names, ALL.map(|(name, _)| name));
        let gauge = |name: &str| {
            let family = families.iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert!(gauge("process_open_fds") >= 3.0);
        assert!(gauge("process_max_fds") > gauge("process_open_fds"));
        assert!(gauge("process_resident_memory_bytes") > 1e6);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..86_400.0 * 365.0).contains(&(now - gauge("process_start_time_seconds"))));
    }
}
