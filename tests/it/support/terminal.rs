//! A terminal that a program writes to.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A program with its standard output on a terminal; killed when dropped.
pub struct OnTerminal {
    child: Child,
    screen: File,
    /// All that was written, with the terminal's line ends.
    pub written: String,
}

impl OnTerminal {
    /// Starts it on a terminal of so many columns.
    pub fn start(mut command: Command, columns: u16) -> Self {
        let ours =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("its other end");
        let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&theirs, size).expect("its size");
        // The command holds the other end until it is dropped; the read would never end.
        let child = command.stdout(theirs).env_remove("NO_COLOR").env("TERM", "xterm").spawn().expect("runs");
        drop(command);
        Self { child, screen: File::from(ours), written: String::new() }
    }

    /// Reads on until `wanted` holds of all that was written; whether it did before the program ended.
    pub fn until(&mut self, wanted: impl Fn(&str) -> bool) -> bool {
        let mut chunk = [0; 4096];
        while !wanted(&self.written) {
            // A terminal whose other end was closed by all is an error to read.
            match self.screen.read(&mut chunk) {
                Ok(read @ 1..) => self.written.push_str(&String::from_utf8_lossy(&chunk[..read])),
                Ok(0) | Err(_) => return false,
            }
        }
        true
    }

    /// Reads to the end: all that was written, and the exit code.
    pub fn finish(mut self) -> (String, Option<i32>) {
        self.until(|_| false);
        let code = self.child.wait().expect("ends").code();
        (std::mem::take(&mut self.written), code)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Text without the sequences that paint it.
pub fn unpainted(text: &str) -> String {
    let mut plain = String::new();
    for (number, part) in text.split("\x1b[").enumerate() {
        let visible = if number == 0 { part } else { part.split_once('m').map_or(part, |(_, rest)| rest) };
        plain.push_str(visible);
    }
    plain.replace("\r\n", "\n")
}
