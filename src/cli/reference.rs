//! `docs/cli.md` is what the commands say of themselves.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use super::Cli;

const HEAD: &str = "\
# Commands

Written by a test from what `tributary COMMAND --help` says. Facts go to standard output,
everything else to standard error. Exit 0: done; 64: the command is mistyped; 78: the
configuration or the key ring is wrong; 1: anything else.
";

fn written() -> String {
    let mut cli = Cli::command().term_width(88);
    cli.build();
    let mut text = HEAD.to_owned();
    section(&mut cli, &mut text);
    text
}

fn section(command: &mut Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("tributary").to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end()).unwrap();
    for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        section(command, text);
    }
}

#[test]
fn the_reference_is_what_the_commands_say() {
    let file = include_str!("../../docs/cli.md");
    assert!(file == written(), "docs/cli.md should be:\n{}", written());
}
