//! Keeps the processors from halting while a time is measured. A virtual processor that halts must be woken by the
//! hypervisor, which takes longer than what is measured here, and counts as steal.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Result;

/// One process a processor that spins, in the scheduling class that gives way to every other at once (`SCHED_IDLE`,
/// sched(7)). They end when it is dropped.
pub struct Awake(Vec<Child>);

impl Awake {
    /// Starts them; none where there is no `chrt` (util-linux).
    pub fn keep() -> Result<Self> {
        let mut spinning = Self(Vec::new());
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0"]).arg(std::env::current_exe()?).arg("spin").stdin(Stdio::piped());
            match command.spawn() {
                Ok(child) => spinning.0.push(child),
                Err(error) => {
                    eprintln!("processors may halt while a time is measured: chrt can't be run ({error})");
                    break;
                }
            }
        }
        Ok(spinning)
    }

    /// The numbers of the processes.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(Child::id)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Such a process; ends with its standard input.
pub fn spin() -> Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        seen.store(true, Relaxed);
    });
    while !over.load(Relaxed) {
        std::hint::spin_loop();
    }
    Ok(())
}
