//! The checks, in order of cost.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// One cargo invocation that must succeed.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// What tells that the tool is there, and how to get it; `None` for what cargo itself does.
    tool: Option<Tool>,
    /// Also part of `check --fast`.
    fast: bool,
    fix: &'static str,
}

struct Tool {
    probe: &'static [&'static str],
    install: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        arguments: &["fmt", "--all", "--", "--check"],
        environment: &[],
        tool: Some(Tool { probe: &["fmt", "--version"], install: "rustup component add rustfmt" }),
        fast: true,
        fix: "cargo fmt --all",
    },
    Step {
        name: "deny",
        arguments: &["deny", "--locked", "--log-level", "error", "check", "licenses", "bans", "sources"],
        environment: &[],
        tool: Some(Tool { probe: &["deny", "--version"], install: "cargo install cargo-deny --locked" }),
        fast: true,
        fix: "choose another dependency, or amend deny.toml with the reason; a stale Cargo.lock is renewed by `cargo check`",
    },
    Step {
        name: "clippy",
        arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        environment: &[],
        tool: Some(Tool { probe: &["clippy", "--version"], install: "rustup component add clippy" }),
        fast: true,
        fix: "repair the lint, or allow it on the item with `#[expect(.., reason = \"..\")]`",
    },
    Step {
        name: "doc",
        arguments: &["doc", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        tool: None,
        fast: false,
        fix: "repair the link or markup that rustdoc names",
    },
    Step {
        name: "test",
        arguments: &["test", "--workspace"],
        environment: &[],
        tool: None,
        fast: false,
        fix: "rerun the one that failed: cargo test -p CRATE NAME",
    },
];

const UNIT_TESTS: Step = Step {
    name: "test (units)",
    arguments: &["test", "--workspace", "--lib"],
    environment: &[],
    tool: None,
    fast: true,
    fix: "rerun the one that failed: cargo test -p CRATE --lib NAME",
};

enum Outcome {
    Passed,
    /// With what to do about it.
    Failed(&'static str),
    Skipped,
}

/// Runs the checks and prints what ran, for how long, and how to repair the first failure.
pub(crate) fn run(fast: bool) -> ExitCode {
    let steps: Vec<&Step> = if fast {
        STEPS.iter().filter(|step| step.fast).chain([&UNIT_TESTS]).collect()
    } else {
        STEPS.iter().collect()
    };
    // A tool that is absent is a note on a developer's machine and a failure in CI.
    let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let mut summary = Vec::new();
    for step in steps {
        let start = Instant::now();
        let outcome = run_step(step, strict);
        let elapsed = start.elapsed();
        match outcome {
            Outcome::Passed => summary.push(line("ok", step.name, elapsed)),
            Outcome::Skipped => summary.push(line("skipped", step.name, elapsed)),
            Outcome::Failed(fix) => {
                summary.push(line("FAILED", step.name, elapsed));
                print_summary(&summary);
                eprintln!("\nhow to fix {}: {fix}", step.name);
                return ExitCode::FAILURE;
            }
        }
    }
    print_summary(&summary);
    ExitCode::SUCCESS
}

fn run_step(step: &Step, strict: bool) -> Outcome {
    if let Some(tool) = &step.tool
        && !succeeds_silently(tool.probe)
    {
        eprintln!("==> {}: the tool is not installed; get it with: {}", step.name, tool.install);
        return if strict { Outcome::Failed(tool.install) } else { Outcome::Skipped };
    }
    let shown: Vec<String> = step
        .environment
        .iter()
        .map(|(key, value)| format!("{key}=\"{value}\""))
        .chain(["cargo".to_owned()])
        .chain(step.arguments.iter().map(|&word| word.to_owned()))
        .collect();
    eprintln!("==> {}: {}", step.name, shown.join(" "));
    match cargo(step.arguments).envs(step.environment.iter().copied()).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(_) => Outcome::Failed(step.fix),
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            Outcome::Failed("put cargo on the path")
        }
    }
}

fn succeeds_silently(arguments: &[&str]) -> bool {
    cargo(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The cargo that runs this task, in the workspace root.
fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(here.parent().unwrap_or(here));
    command
}

fn line(outcome: &str, name: &str, elapsed: Duration) -> String {
    format!("{outcome:>8}  {name:<13} {:7.1} s", elapsed.as_secs_f64())
}

fn print_summary(lines: &[String]) {
    eprintln!("\n{}", lines.join("\n"));
}
