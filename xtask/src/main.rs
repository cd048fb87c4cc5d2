//! Developer tasks. `cargo xtask check` is what CI runs: every check, cheapest first, stopping at
//! the first that fails; `--fast` leaves out the documentation and the integration tests.

mod check;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask check [--fast]

  check          fmt, deny, clippy, doc, test; stops at the first failure
  check --fast   fmt, deny, clippy, unit tests only
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => check::run(false),
        ["check", "--fast"] => check::run(true),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
