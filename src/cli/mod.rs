//! The command line: one file a command, arguments in, one study call, output out.
//!
//! This is the only room that prints and exits. Results go to standard output, everything else to standard
//! error. Exit codes: 0 done, 1 the work failed, 2 the command line or the scenario is wrong, 3 a check said
//! no, 130 interrupted.

mod arguments;
mod best_fit;
mod builtin;
mod check;
mod compare;
mod completions;
mod design;
mod diagnostics;
mod figures;
mod fit;
mod fit_effort;
mod fit_figures;
mod fit_journal;
mod gradient;
mod import;
mod interrupt;
mod linearize;
mod list;
mod load;
mod look;
mod memory;
mod new;
mod profile;
mod sample;
mod show;
mod simulate;
mod sweep;
mod tune;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};

/// How a command ended, when not with code 0.
#[derive(Debug)]
pub enum Failure {
    /// the scenario or the command line is wrong; findings are printed already, or in the text
    Usage(Option<String>),
    /// the work failed, and why
    Work(String),
    /// a check said no; already printed
    Check,
    /// ended by the user; what was done is saved
    Interrupted,
    /// ended by the user before there was anything to save
    Stopped,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Work(_) => 1,
            Self::Usage(_) => 2,
            Self::Check => 3,
            Self::Interrupted | Self::Stopped => 130,
        }
    }
}

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own exit code for a wrong command line is 2, and 0 for --help.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match dispatch(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::Usage(Some(text)) | Failure::Work(text) => tell(&format!("error: {text}")),
                Failure::Usage(None) | Failure::Check => {}
                Failure::Interrupted => tell("interrupted: what was done is saved"),
                Failure::Stopped => {
                    tell("interrupted: nothing was done yet that could be saved");
                }
            }
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::New {
            name,
            template,
            json,
        } => new::run(&name, &template, json),
        Command::Check { common } => check::run(&common),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Gradient(arguments) => gradient::run(&arguments),
        Command::Fit(arguments) => fit::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Design(arguments) => design::run(&arguments),
        Command::Sample(arguments) => sample::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Linearize(arguments) => linearize::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Import(format) => import::run(&format),
        Command::List { json } => list::run(json),
        Command::Show { common } => show::run(&common),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { command } => completions::manual(command.as_deref()),
    }
}

/// Prints one JSON document on standard output; a reader that went away is not an error.
fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Work(e.to_string()))?;
    print_text(&(text + "\n"))
}

/// A line on standard error, if anyone still reads it.
fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints text on standard output; a reader that went away is not an error.
fn print_text(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Work(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
