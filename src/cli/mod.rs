//! The commands: one file each.
//!
//! Scripts may rely on: `--config FILE` and `--json` on every command; facts on standard
//! output, everything else on standard error; exit 0 when it is done, 64 when the command
//! is mistyped, 78 when the configuration or the key ring is wrong, else 1. A credential
//! is read from a file or standard input, never from the command line, and never shown.

mod account;
mod audit;
mod beside;
mod check_config;
mod demo;
mod desk;
mod directory;
mod doctor;
mod failure;
mod hardening;
mod keys;
mod points;
mod pool;
mod print;
mod ring;
mod serve;
mod table;
mod token;
mod usage;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use desk::Desk;
use failure::Failure;

use crate::vault::mask;

/// One OpenAI endpoint over the AI accounts that you already have.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// The configuration [default: gateway.toml in the working folder, if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print facts as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Account(account::Account),
    #[command(subcommand)]
    Pool(pool::Pool),
    #[command(subcommand)]
    Points(points::Points),
    Usage(usage::Usage),
    Audit(audit::Audit),
    #[command(subcommand)]
    Keys(keys::Keys),
    CheckConfig(check_config::CheckConfig),
    Doctor(doctor::Doctor),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    hardening::harden();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprint!("{}", without_values(&error.render().to_string(), std::env::args()));
            return failure::USAGE.into();
        }
        Err(help) => {
            let _ = help.print(); // A reader that has gone needs no help.
            return ExitCode::SUCCESS;
        }
    };
    let json = cli.common.json;
    // One thread: a gateway's requests have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(run(cli));
            // A gateway that was told twice to stop does not wait for its threads.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::Io { what: "a runtime".into(), error }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(json),
    }
}

/// A refusal of the command line without the long values in it: one may be a credential
/// that was typed where it does not belong, and terminals are logged.
fn without_values(text: &str, arguments: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = arguments
        .map(|argument| argument.rsplit('=').next().unwrap_or_default().to_owned())
        .filter(|value| value.len() >= 16 && !value.starts_with('-'))
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    mask(text, &values).into_owned()
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let common = &cli.common;
    match cli.command {
        Command::Serve(serve) => serve.run(&Desk::open(common)?).await,
        Command::Demo(demo) => demo.run(common).await,
        Command::User(user) => user.run(&Desk::open(common)?).await,
        Command::Token(token) => token.run(&Desk::open(common)?).await,
        Command::Account(account) => account.run(&Desk::open(common)?).await,
        Command::Pool(pool) => pool.run(&Desk::open(common)?).await,
        Command::Points(points) => points.run(&Desk::open(common)?).await,
        Command::Usage(usage) => usage.run(&Desk::open(common)?).await,
        Command::Keys(keys) => keys.run(common).await,
        Command::Audit(audit) => audit.run(&Desk::open(common)?).await,
        Command::CheckConfig(check) => check.run(common).await,
        Command::Doctor(doctor) => doctor.run(common).await,
    }
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_credential_on_the_command_line_is_not_repeated() {
        for argument in ["sk-0123456789abcdef-secret", "--key=sk-0123456789abcdef-secret"] {
            let line = ["tributary", "account", "add", argument];
            let refused = Cli::try_parse_from(line).unwrap_err().render().to_string();
            let told = without_values(&refused, line.map(str::to_owned).into_iter());
            assert!(!told.contains("0123456789abcdef"), "{told}");
        }
    }

    #[test]
    fn no_argument_takes_a_credential() {
        for command in ["account", "token", "keys", "user"] {
            let mut cli = Cli::command();
            let command = cli.find_subcommand_mut(command).unwrap();
            for sub in command.get_subcommands() {
                for argument in sub.get_arguments().filter_map(|argument| argument.get_long()) {
                    let is_file = argument.ends_with("-file");
                    let names = ["key", "secret", "password", "credential"];
                    let is_secret = names.iter().any(|name| argument.contains(name));
                    assert!(is_file || !is_secret, "--{argument}");
                }
            }
        }
    }
}
