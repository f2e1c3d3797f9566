//! `completions` and `man`: made from the one definition of the command line.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::{Failure, print_text};

/// Writes shell completions.
pub fn run(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "costate", &mut text);
    print_text(&String::from_utf8_lossy(&text))
}

/// Writes the manual page of one command, or of the program and each command in turn.
pub fn manual(name: Option<&str>) -> Result<(), Failure> {
    let mut program = Arguments::command();
    program.build();
    let mut text = Vec::new();
    let mut render = |command: clap::Command| {
        clap_mangen::Man::new(command)
            .render(&mut text)
            .map_err(|e| Failure::Work(e.to_string()))
    };
    match name {
        Some(name) => match program.find_subcommand(name) {
            Some(command) => render(command.clone())?,
            None => {
                let names: Vec<&str> = program
                    .get_subcommands()
                    .map(clap::Command::get_name)
                    .collect();
                let hint = costate::diagnostic::nearest(name, names.iter().copied()).map_or_else(
                    || format!("one of {}", names.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(Failure::Usage(Some(format!("no command `{name}`: {hint}"))));
            }
        },
        None => {
            render(program.clone())?;
            for command in program.get_subcommands().filter(|c| c.get_name() != "help") {
                render(command.clone())?;
            }
        }
    }
    text.flush().map_err(|e| Failure::Work(e.to_string()))?;
    print_text(&String::from_utf8_lossy(&text))
}
