//! The `vibhag` command: parse, resolve, call, print.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("VIBHAG_LOG").unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let parsed = match cli::args::Cli::try_parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are not errors; a closed pipe is nobody's fault.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match cli::run(parsed.command) {
        Ok(code) => code,
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::explain(&error));
            ExitCode::from(2)
        }
    }
}
