//! What an import writes: a scenario as its author would think of it, with comments.

use crate::model::Expression;

/// A scenario to write.
#[derive(Debug, Clone, Default)]
pub struct System {
    /// its title
    pub title: String,
    /// comments at the top, a paragraph each
    pub header: Vec<String>,
    /// start and end of the run
    pub time: [f64; 2],
    /// unit of time
    pub time_unit: Option<String>,
    /// a comment on the span
    pub time_comment: String,
    /// `[parameters]`
    pub parameters: Vec<Parameter>,
    /// `[states]` and `[equations]`
    pub states: Vec<State>,
    /// `[functions]`
    pub functions: Vec<Function>,
    /// `[definitions]`
    pub definitions: Vec<Definition>,
    /// `[[events]]`
    pub events: Vec<Event>,
    /// `[observables]`
    pub observables: Vec<Observable>,
    /// `[[experiments]]`
    pub experiments: Vec<Experiment>,
    /// data files
    pub data: Vec<DataFile>,
    /// names that had to be changed: as they were, as they are
    pub renamed: Vec<(String, String)>,
}

/// A parameter.
#[derive(Debug, Clone, Default)]
pub struct Parameter {
    /// its name
    pub name: String,
    /// its value
    pub value: f64,
    /// what it is where an experiment says nothing else, where that is no number
    pub default: Option<Expression>,
    /// lower and upper bound
    pub bounds: Option<[f64; 2]>,
    /// the scale it is searched on
    pub scale: Option<&'static str>,
    /// whether a fit estimates it
    pub fit: bool,
    /// its prior
    pub prior: Option<Prior>,
    /// its unit
    pub unit: Option<String>,
    /// a comment
    pub comment: String,
}

/// A prior distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// its family, as scenarios name it
    pub distribution: &'static str,
    /// location and scale, or low and high of a uniform one
    pub numbers: [f64; 2],
    /// whether it is of the value on the search scale
    pub scaled: bool,
}

/// A state with its equation.
#[derive(Debug, Clone)]
pub struct State {
    /// its name
    pub name: String,
    /// its initial value
    pub initial: Expression,
    /// its time derivative; `None` for a discrete one
    pub rate: Option<Expression>,
    /// its unit
    pub unit: Option<String>,
    /// a comment
    pub comment: String,
}

/// A function.
#[derive(Debug, Clone)]
pub struct Function {
    /// its name
    pub name: String,
    /// its arguments
    pub arguments: Vec<String>,
    /// its value
    pub body: Expression,
    /// a comment
    pub comment: String,
}

/// A definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// its name
    pub name: String,
    /// what it stands for
    pub expression: Expression,
    /// a comment
    pub comment: String,
}

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// its name
    pub name: String,
    /// when it happens
    pub trigger: Trigger,
    /// a guard
    pub only_if: Option<Expression>,
    /// what it sets
    pub sets: Vec<(String, Expression)>,
    /// a comment
    pub comment: String,
}

/// When an event happens.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// where an expression crosses zero, rising or falling
    Crossing {
        /// the expression
        when: Expression,
        /// whether it rises then
        rising: bool,
    },
    /// at a time
    At(Expression),
}

/// An observable.
#[derive(Debug, Clone)]
pub struct Observable {
    /// its name
    pub name: String,
    /// what is measured
    pub expression: Expression,
    /// the noise model, as scenarios name it, and its width: an expression, or the name of a data column
    pub noise: Option<(&'static str, Expression)>,
    /// a comment
    pub comment: String,
}

/// An experiment.
#[derive(Debug, Clone, Default)]
pub struct Experiment {
    /// its name
    pub name: String,
    /// a comment
    pub comment: String,
    /// parameters with another value
    pub parameters: Vec<(String, Expression)>,
    /// states with another initial value
    pub initial: Vec<(String, Expression)>,
    /// parameters with another value until the equilibrium before the start, where there is one
    pub before: Option<Vec<(String, Expression)>>,
    /// its data file
    pub data: Option<String>,
}

/// A data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// its path from the scenario
    pub path: String,
    /// names of its columns, the time first
    pub columns: Vec<String>,
    /// its rows; `None` where nothing was measured
    pub rows: Vec<Vec<Option<f64>>>,
}
