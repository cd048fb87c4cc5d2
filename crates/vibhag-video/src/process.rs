//! A child process that is never left behind, and whose complaints are kept.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vibhag_core::{Error, ErrorKind, Result};

/// Lines of stderr that an error shows, and bytes of one line that are kept.
const KEPT_LINES: usize = 6;
const KEPT_BYTES: usize = 400;
/// Time between looks at a child that should end.
const LOOK: Duration = Duration::from_millis(5);
/// What a thread at a pipe may take after the child has ended.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// What `ffprobe` may take for a header.
const QUERY_TIME: Duration = Duration::from_mins(1);

/// What a child said on stderr: the last lines, and how many of all lines told of broken frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct Complaints {
    last: VecDeque<String>,
    pub(crate) broken: u64,
    pub(crate) first_broken: Option<String>,
    pub(crate) cut_off: bool,
}

/// What ffmpeg 4 to 8 say, once a frame, of one that they could not decode, or not without guessing.
const BROKEN: &[&str] =
    &["Error while decoding stream", "Error submitting packet to decoder", "Decoding error", "corrupt decoded frame"];

/// What they say of a file that ends before its time.
const CUT_OFF: &[&str] = &["partial file", "prematurely", "File is truncated", "Packet corrupt"];

impl Complaints {
    fn add(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        if BROKEN.iter().any(|sign| line.contains(sign)) {
            self.broken += 1;
            self.first_broken.get_or_insert_with(|| line.to_owned());
        }
        self.cut_off |= CUT_OFF.iter().any(|sign| line.contains(sign));
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }
}

/// Which way data go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipe {
    /// From the child's stdout.
    From,
    /// Into the child's stdin.
    Into,
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    complaints: Arc<Mutex<Complaints>>,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` with a pipe in one direction; the other is closed.
    pub(crate) fn start(command: &mut Command, pipe: Pipe) -> Result<Self> {
        let name = command.get_program();
        let name = Path::new(name).file_stem().unwrap_or(name).to_string_lossy().into_owned();
        let (stdin, stdout) = match pipe {
            Pipe::From => (Stdio::null(), Stdio::piped()),
            Pipe::Into => (Stdio::piped(), Stdio::null()),
        };
        let spawned = command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| {
            Error::new(ErrorKind::Io, format!("{name} cannot be started: {error}"))
                .at_path(command.get_program())
                .because(error)
        })?;
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        // stderr must be read all the time: a child blocks when that pipe is full.
        let listener = child.stderr.take().map(|stderr| {
            let complaints = Arc::clone(&complaints);
            std::thread::spawn(move || listen(stderr, &complaints))
        });
        Ok(Self { name, child, complaints, listener })
    }

    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn complaints(&self) -> Complaints {
        lock(&self.complaints).clone()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// When it does not end within `limit`, or ends with a failure; the error holds what it said.
    pub(crate) fn finish(&mut self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if start.elapsed() > limit => {
                    self.kill();
                    return Err(self.error(format!("did not end within {} s", limit.as_secs())));
                }
                Ok(None) => std::thread::sleep(LOOK),
                Err(error) => return Err(self.error("cannot be waited for").because(error)),
            }
        };
        self.join();
        if status.success() { Ok(()) } else { Err(self.error(ended(status))) }
    }

    /// Ends it at once. What it said stays.
    pub(crate) fn kill(&mut self) {
        // Both fail for a child that has already ended, which is what is wanted.
        let _ = self.child.kill();
        // A child that hangs in the kernel, in a driver or on a lost disk, dies when that lets go.
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < GRACE {
            std::thread::sleep(LOOK);
        }
        self.join();
    }

    /// An error about this child: `what` it did, and its last words.
    pub(crate) fn error(&self, what: impl AsRef<str>) -> Error {
        let last: Vec<String> = lock(&self.complaints).last.iter().cloned().collect();
        let error = Error::new(ErrorKind::Decode, format!("{} {}", self.name, what.as_ref()));
        if last.is_empty() { error.at("it gave no reason") } else { error.at(last.join(" | ")) }
    }

    fn join(&mut self) {
        if let Some(listener) = self.listener.take() {
            settled(listener, GRACE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was ended from outside ({status})"),
    }
}

/// Reads lines of any length until the pipe closes. Ends of lines are `\n` or `\r`.
fn listen(mut pipe: ChildStderr, complaints: &Mutex<Complaints>) {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    loop {
        let count = match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for &byte in &buffer[..count] {
            if byte == b'\n' || byte == b'\r' {
                lock(complaints).add(&String::from_utf8_lossy(&line));
                line.clear();
            } else if line.len() < KEPT_BYTES {
                line.push(byte);
            }
        }
    }
    lock(complaints).add(&String::from_utf8_lossy(&line));
}

/// Runs `command` to its end and returns what it wrote to stdout.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than a minute.
pub(crate) fn query(command: &mut Command) -> Result<Vec<u8>> {
    let mut process = Process::start(command, Pipe::From)?;
    let reader = process.stdout().map(|mut stdout| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_| text)
        })
    });
    process.finish(QUERY_TIME)?;
    match reader.and_then(|reader| settled(reader, GRACE)) {
        Some(Ok(text)) => Ok(text),
        _ => Err(process.error("gave no answer")),
    }
}

/// The result of a thread that reads or writes a child's pipe. A grandchild may hold the pipe open for ever, so a thread
/// that does not end within `limit` is left behind.
pub(crate) fn settled<T>(thread: JoinHandle<T>, limit: Duration) -> Option<T> {
    let start = Instant::now();
    while !thread.is_finished() {
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(LOOK);
    }
    thread.join().ok()
}

/// The lock, whether or not another thread has died with it: all that it guards is valid at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_carries_the_last_words() {
        let error = query(&mut shell("echo no such codec >&2; exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "sh failed with exit code 3 (no such codec)");
        let error = query(&mut shell("kill -9 $$")).unwrap_err();
        assert!(error.to_string().contains("ended from outside"), "{error}");
        assert_eq!(query(&mut shell("printf yes")).unwrap(), b"yes");
    }

    #[test]
    fn floods_on_both_pipes_do_not_block_it() {
        let flood = "i=0; while [ $i -lt 4000 ]; do echo $i 0123456789012345678901234567890123456789 >&2; \
                     echo $i 0123456789012345678901234567890123456789; i=$((i+1)); done";
        assert!(query(&mut shell(flood)).unwrap().len() > 160_000);
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let mut process = Process::start(&mut shell("exec sleep 600"), Pipe::From).unwrap();
        let error = process.finish(Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        let start = Instant::now();
        drop(Process::start(&mut shell("exec sleep 600"), Pipe::From).unwrap());
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipes_does_not_hold_us() {
        let start = Instant::now();
        let mut process = Process::start(&mut shell("sleep 30 & exit 0"), Pipe::From).unwrap();
        process.finish(Duration::from_secs(20)).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn broken_frames_are_counted_among_other_lines() {
        let mut complaints = Complaints::default();
        for line in
            ["[h264] error", "Error while decoding stream #0:0: Invalid data", "", "corrupt decoded frame in stream 0"]
        {
            complaints.add(line);
        }
        assert_eq!(complaints.broken, 2);
        assert_eq!(complaints.first_broken.as_deref(), Some("Error while decoding stream #0:0: Invalid data"));
        assert!(complaints.last.len() == 3 && !complaints.cut_off);
        complaints.add("[mov] stream 0, offset 0x1f: partial file");
        assert!(complaints.cut_off);
    }
}
