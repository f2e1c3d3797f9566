//! A model as its SBML document says it: names, numbers and formulas with their places, nothing interpreted yet.

use crate::diagnostic::Span;
use crate::model::Expression;

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// level and version of SBML
    pub level: [u32; 2],
    /// its identifier, empty where it has none
    pub id: String,
    /// its name, empty where it has none
    pub name: String,
    /// the text of its notes
    pub notes: String,
    /// unit of time
    pub time_units: Option<String>,
    /// unit of substance of species that do not say
    pub substance_units: Option<String>,
    /// unit of size of compartments that do not say
    pub volume_units: Option<String>,
    /// the parameter that converts extents of reactions to substance, of species that do not say
    pub conversion_factor: Option<Reference>,
    /// definitions of units
    pub units: Vec<UnitDefinition>,
    /// compartments
    pub compartments: Vec<Compartment>,
    /// species
    pub species: Vec<Species>,
    /// parameters
    pub parameters: Vec<Parameter>,
    /// functions
    pub functions: Vec<Function>,
    /// values at the start
    pub initial: Vec<Assignment>,
    /// what always holds: assignment rules
    pub assignments: Vec<Assignment>,
    /// time derivatives: rate rules
    pub rates: Vec<Assignment>,
    /// reactions
    pub reactions: Vec<Reaction>,
    /// events
    pub events: Vec<Event>,
}

/// An identifier that stands for something else, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// the identifier
    pub id: String,
    /// its place
    pub span: Span,
}

/// What all things of a model have.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// its identifier
    pub id: String,
    /// its name, empty where it has none
    pub name: String,
    /// the text of its notes, empty where it has none
    pub notes: String,
    /// its place
    pub span: Span,
}

/// A definition of a unit: a product of powers of units.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitDefinition {
    /// what it is called
    pub identity: Identity,
    /// its factors
    pub units: Vec<Unit>,
}

/// (multiplier 10^scale kind)^exponent
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// base unit, such as `mole`
    pub kind: String,
    /// its power
    pub exponent: f64,
    /// power of ten
    pub scale: f64,
    /// factor
    pub multiplier: f64,
}

/// A compartment.
#[derive(Debug, Clone, PartialEq)]
pub struct Compartment {
    /// what it is called
    pub identity: Identity,
    /// its size, where the document gives it
    pub size: Option<f64>,
    /// number of its dimensions: with 0 it has no size
    pub dimensions: f64,
    /// unit of its size
    pub units: Option<String>,
}

/// A species.
#[derive(Debug, Clone, PartialEq)]
pub struct Species {
    /// what it is called
    pub identity: Identity,
    /// where it is
    pub compartment: Reference,
    /// its amount at the start
    pub amount: Option<f64>,
    /// its concentration at the start
    pub concentration: Option<f64>,
    /// whether its name means an amount in formulas, not a concentration
    pub only_substance: bool,
    /// whether reactions leave it as it is
    pub boundary: bool,
    /// whether nothing changes it
    pub constant: bool,
    /// the parameter that converts extents of reactions to its substance
    pub conversion_factor: Option<Reference>,
    /// unit of its substance
    pub units: Option<String>,
}

/// A parameter, of the model or of a kinetic law.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// what it is called
    pub identity: Identity,
    /// its value, where the document gives it
    pub value: Option<f64>,
    /// its unit
    pub units: Option<String>,
}

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// what it is called
    pub identity: Identity,
    /// names of its arguments
    pub arguments: Vec<String>,
    /// its value
    pub body: Expression,
}

/// A formula for something: an initial assignment, a rule, or what an event sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// what it is for
    pub of: Reference,
    /// the formula
    pub math: Expression,
}

/// A reaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction {
    /// what it is called
    pub identity: Identity,
    /// what it takes
    pub reactants: Vec<Participant>,
    /// what it makes
    pub products: Vec<Participant>,
    /// whether it is shown going both ways
    pub reversible: bool,
    /// its rate, extent a unit of time, where it has one
    pub law: Option<Expression>,
    /// parameters of its rate alone
    pub local: Vec<Parameter>,
}

/// A reactant or a product.
#[derive(Debug, Clone, PartialEq)]
pub struct Participant {
    /// the identifier of its stoichiometry, empty where it has none
    pub id: String,
    /// the species
    pub species: Reference,
    /// how much of it
    pub stoichiometry: Stoichiometry,
}

/// How much of a species a reaction takes or makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Stoichiometry {
    /// a number
    Number(f64),
    /// a formula
    Formula(Expression),
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// what it is called
    pub identity: Identity,
    /// the condition that becomes true
    pub trigger: Expression,
    /// whether the condition counts as true before the start, so that it cannot become true there
    pub initially_true: bool,
    /// time from trigger to execution
    pub delay: Option<Expression>,
    /// whether its values are those of the trigger, not of the execution
    pub values_from_trigger: bool,
    /// which of several comes first
    pub priority: Option<Expression>,
    /// what it sets
    pub sets: Vec<Assignment>,
}
