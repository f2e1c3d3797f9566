//! A [`Model`] to a [`System`]: reactions become equations, rules definitions, amounts and concentrations what their names mean.
//!
//! The name of a species means its concentration, amount over size of its compartment, or its amount
//! (`hasOnlySubstanceUnits`). A state is what the name means, unless the size varies: then the amount is the state, as
//! reactions change amounts, and the concentration a definition. A reaction's rate is an amount a unit of time; where
//! all it changes are concentrations in one compartment and the compartment is a factor of it, it is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::super::algebra::{constant, name, number, quotient};
use super::super::system::{Definition, Parameter, State, System};
use super::model::{Identity, Model, Participant, Species, Stoichiometry};
use super::rates::scheme;
use super::symbols::{Asked, Role, Symbols};
use super::{events, units};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Expression, ExpressionKind};

/// A model as a scenario, and what its identifiers became.
#[derive(Debug, Clone)]
pub struct Translated {
    /// the scenario
    pub system: System,
    /// by identifier
    pub targets: BTreeMap<String, Target>,
    /// names given
    pub names: super::super::names::Names,
}

/// What an identifier of the model is in the scenario.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// a parameter of this name
    Parameter(String),
    /// a state of this name; the parameter that is its initial value, if one is; what a value given for the identifier
    /// is multiplied by
    State {
        /// its name
        name: String,
        /// the parameter that is its initial value
        start: Option<String>,
        /// the size of the compartment where the state is an amount and the identifier a concentration
        factor: Option<Expression>,
    },
    /// a definition of this name
    Definition(String),
    /// nothing: a compartment of size 1
    One,
}

/// Translates a model; `None` where something is wrong with it.
pub fn translate(
    model: &Model,
    asked: &Asked,
    findings: &mut Vec<Diagnostic>,
) -> Option<Translated> {
    let before = findings.len();
    let symbols = Symbols::new(model, asked, findings);
    if failed(&findings[before..]) {
        return None;
    }
    let mut builder = Builder {
        symbols,
        asked,
        system: System::default(),
        targets: BTreeMap::new(),
        starts: BTreeMap::new(),
        visiting: BTreeSet::new(),
        findings,
        varying: BTreeMap::new(),
    };
    builder.build();
    let done = Translated {
        system: builder.system,
        targets: builder.targets,
        names: builder.symbols.names,
    };
    (!failed(&findings[before..])).then_some(done)
}

fn failed(findings: &[Diagnostic]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == crate::diagnostic::Severity::Error)
}

pub(super) struct Builder<'m, 'a> {
    pub symbols: Symbols<'m>,
    pub asked: &'a Asked,
    pub system: System,
    targets: BTreeMap<String, Target>,
    /// initial values of states by name, in terms of parameters
    pub starts: BTreeMap<String, Expression>,
    pub visiting: BTreeSet<String>,
    pub findings: &'a mut Vec<Diagnostic>,
    /// whether a definition varies along a run, by name
    pub varying: BTreeMap<String, bool>,
}

impl<'m> Builder<'m, '_> {
    fn build(&mut self) {
        let model = self.symbols.model;
        self.system.title = match (&*model.name, &*model.id) {
            ("", "") => "SBML model".to_owned(),
            ("", id) => id.to_owned(),
            (name, _) => name.to_owned(),
        };
        if !model.notes.is_empty() {
            self.system.header.push(model.notes.clone());
        }
        let time = model.time_units.as_deref();
        let defines = |id: &str| model.units.iter().any(|unit| unit.identity.id == id);
        self.system.time_unit =
            units::text(model, time.or_else(|| defines("time").then_some("time")));
        self.functions();
        self.parameters();
        self.rules();
        self.rate_definitions();
        self.concentrations();
        self.states();
        events::add(self);
        self.rates_of();
        self.system.renamed.clone_from(&self.symbols.names.changed);
        let unit_sizes: Vec<&str> = model
            .compartments
            .iter()
            .filter(|c| self.symbols.role_of(&c.identity.id) == Some(Role::One))
            .map(|c| c.identity.id.as_str())
            .collect();
        if !unit_sizes.is_empty() {
            let listed = unit_sizes.join(", ");
            let s = if unit_sizes.len() == 1 { "" } else { "s" };
            self.system
                .header
                .push(format!("Left out as of size 1: compartment{s} {listed}."));
            for id in unit_sizes {
                self.targets.insert(id.to_owned(), Target::One);
            }
        }
    }

    pub fn error(&mut self, code: &'static str, message: String, span: &Span) {
        self.findings
            .push(Diagnostic::error(code, message, Some(span.clone())));
    }

    /// Parameters, and whatever else is one number.
    fn parameters(&mut self) {
        let model = self.symbols.model;
        for parameter in &model.parameters {
            let id = &parameter.identity;
            let unit = units::text(model, parameter.units.as_deref());
            if self.symbols.role_of(&id.id) == Some(Role::Parameter) {
                self.parameter(&id.id, parameter.value, unit, comment(id), &id.span);
            }
        }
        for compartment in &model.compartments {
            let id = &compartment.identity;
            let unit = compartment
                .units
                .as_deref()
                .or(model.volume_units.as_deref());
            let unit = units::text(model, unit);
            if self.symbols.role_of(&id.id) == Some(Role::Parameter) {
                let about = with("size of the compartment", &comment(id));
                let value = Some(compartment.size.unwrap_or(1.0));
                self.parameter(&id.id, value, unit, about, &id.span);
            }
        }
        for species in &model.species {
            let id = &species.identity;
            if self.symbols.role_of(&id.id) == Some(Role::Parameter) {
                let about = with("does not change", &comment(id));
                let unit = self.species_unit(species);
                match self.initial_of_species(species) {
                    value if constant(&value).is_some() || self.asked.kept.contains(&id.id) => {
                        self.parameter(&id.id, constant(&value), unit, about, &id.span);
                        if constant(&value).is_none()
                            && let Some(last) = self.system.parameters.last_mut()
                        {
                            last.default = Some(value);
                        }
                    }
                    value => {
                        let name = self.symbols.names.of(&id.id);
                        self.define(&id.id, name, value, about);
                    }
                }
            }
        }
        for reaction in &model.reactions {
            for parameter in &reaction.local {
                let id = &parameter.identity;
                let key = (reaction.identity.id.as_str(), id.id.as_str());
                let name = self.symbols.local.get(&key).cloned().unwrap_or_default();
                let Some(value) = parameter.value else {
                    let message = format!("`{}` has no value", id.id);
                    self.error("sbml::missing", message, &id.span);
                    continue;
                };
                self.system.parameters.push(Parameter {
                    name,
                    value,
                    unit: units::text(model, parameter.units.as_deref()),
                    comment: with(&format!("of {}", reaction.identity.id), &comment(id)),
                    ..Parameter::default()
                });
            }
            for participant in reaction.reactants.iter().chain(&reaction.products) {
                if self.symbols.role_of(&participant.id) == Some(Role::Parameter)
                    && let Stoichiometry::Number(value) = participant.stoichiometry
                {
                    let about =
                        format!("of {} in {}", participant.species.id, reaction.identity.id);
                    let span = &participant.species.span;
                    self.parameter(&participant.id, Some(value), None, about, span);
                }
            }
        }
    }

    fn parameter(
        &mut self,
        id: &str,
        value: Option<f64>,
        unit: Option<String>,
        comment: String,
        span: &Span,
    ) {
        let given = self.asked.values.get(id).copied().or(value);
        let kept = self.asked.kept.contains(id);
        let default = match (self.symbols.initial.get(id).copied(), kept) {
            (Some(formula), true) => {
                let formula = self.symbols.translate(&formula.math, None);
                Some(self.at_start(&formula))
            }
            _ => None,
        };
        let value = match (given, &default) {
            (_, Some(default)) if constant(default).is_some() => constant(default).unwrap_or(0.0),
            (Some(value), _) => value,
            (None, _) if kept => 0.0,
            (None, _) => {
                let message = format!("`{id}` has no value");
                self.error("sbml::missing", message, span);
                return;
            }
        };
        let name = self.symbols.names.of(id);
        self.targets
            .insert(id.to_owned(), Target::Parameter(name.clone()));
        self.system.parameters.push(Parameter {
            name,
            value,
            default: default.filter(|default| constant(default).is_none()),
            unit,
            comment,
            ..Parameter::default()
        });
    }

    pub fn define(&mut self, id: &str, name: String, expression: Expression, comment: String) {
        self.targets
            .insert(id.to_owned(), Target::Definition(name.clone()));
        self.system.definitions.push(Definition {
            name,
            expression,
            comment,
        });
    }

    /// Assignment rules, and initial assignments to what does not change.
    fn rules(&mut self) {
        let model = self.symbols.model;
        for rule in &model.assignments {
            let id = rule.of.id.as_str();
            let name = self.symbols.names.of(id);
            let expression = self.symbols.translate(&rule.math, None);
            let about = self.comment_of(id);
            self.define(id, name, expression, about);
        }
        for initial in &model.initial {
            let id = initial.of.id.as_str();
            if self.symbols.role_of(id) == Some(Role::Definition)
                && !self.symbols.rules.contains_key(id)
            {
                let name = self.symbols.names.of(id);
                let expression = self.symbols.translate(&initial.math, None);
                let expression = if self.varies(&expression) {
                    self.at_start(&expression)
                } else {
                    expression
                };
                let about = self.comment_of(id);
                self.define(id, name, expression, about);
            }
        }
    }

    fn comment_of(&self, id: &str) -> String {
        let model = self.symbols.model;
        let species = model.species.iter().map(|s| &s.identity);
        let parameters = model.parameters.iter().map(|p| &p.identity);
        let compartments = model.compartments.iter().map(|c| &c.identity);
        species
            .chain(parameters)
            .chain(compartments)
            .find(|identity| identity.id == id)
            .map_or_else(String::new, comment)
    }

    /// Rates of reactions as definitions, each with its scheme as a comment.
    fn rate_definitions(&mut self) {
        let model = self.symbols.model;
        for reaction in &model.reactions {
            if reaction.law.is_none() {
                continue;
            }
            let id = &reaction.identity;
            let (rate, _) = self.rate(reaction);
            let name = self.symbols.names.of(&id.id);
            self.define(&id.id, name, rate, with(&scheme(reaction), &comment(id)));
        }
    }

    /// Concentrations where sizes vary.
    fn concentrations(&mut self) {
        let model = self.symbols.model;
        for species in &model.species {
            let Some(symbol) = self.symbols.table.get(species.identity.id.as_str()) else {
                continue;
            };
            if symbol.role != Role::Concentration {
                continue;
            }
            let span = &species.identity.span;
            let (amount, shown) = (name(&symbol.amount, span), symbol.name.clone());
            let expression = quotient(amount, self.size(species));
            let about = with("concentration", &comment(&species.identity));
            self.define(&species.identity.id.clone(), shown, expression, about);
        }
    }

    /// The size of the compartment of a species.
    pub fn size(&self, species: &Species) -> Expression {
        let span = &species.compartment.span;
        match self.symbols.table.get(species.compartment.id.as_str()) {
            Some(symbol) if symbol.role != Role::One => name(&symbol.name, span),
            _ => number(1.0, span),
        }
    }

    fn states(&mut self) {
        let model = self.symbols.model;
        for species in &model.species {
            let id = &species.identity;
            let Some(symbol) = self.symbols.table.get(id.id.as_str()).cloned() else {
                continue;
            };
            let rate = match symbol.role {
                Role::State if self.symbols.rates.contains_key(id.id.as_str()) => {
                    self.ruled_rate(&id.id)
                }
                Role::State | Role::Concentration if self.symbols.reacts(species) => {
                    Some(self.net_rate(species))
                }
                Role::Discrete | Role::Concentration => None,
                _ => continue,
            };
            let unit = self.species_unit(species);
            let (shown, unit, about) = if symbol.role == Role::Concentration {
                (symbol.amount, None, with("amount", &comment(id)))
            } else {
                (symbol.name, unit, comment(id))
            };
            self.state(&id.id, shown, rate, unit, about, &id.span);
        }
        let parameters = model
            .parameters
            .iter()
            .map(|p| (&p.identity, p.units.as_deref()));
        let compartments = model
            .compartments
            .iter()
            .map(|c| (&c.identity, c.units.as_deref()));
        let others: Vec<(&Identity, Option<&str>)> = parameters.chain(compartments).collect();
        for (id, unit) in others {
            if let Some(Role::State | Role::Discrete) = self.symbols.role_of(&id.id) {
                let rate = self.ruled_rate(&id.id);
                let shown = self.symbols.names.of(&id.id);
                let unit = units::text(model, unit);
                self.state(&id.id, shown, rate, unit, comment(id), &id.span);
            }
        }
        let participants: Vec<&Participant> = model
            .reactions
            .iter()
            .flat_map(|reaction| reaction.reactants.iter().chain(&reaction.products))
            .collect();
        for participant in participants {
            if let Some(Role::State | Role::Discrete) = self.symbols.role_of(&participant.id) {
                let rate = self.ruled_rate(&participant.id);
                let shown = self.symbols.names.of(&participant.id);
                let about = format!("stoichiometry of {}", participant.species.id);
                let span = &participant.species.span;
                self.state(&participant.id, shown, rate, None, about, span);
            }
        }
    }

    fn ruled_rate(&self, id: &str) -> Option<Expression> {
        let rule = self.symbols.rates.get(id)?;
        Some(self.symbols.translate(&rule.math, None))
    }

    fn state(
        &mut self,
        id: &str,
        shown: String,
        rate: Option<Expression>,
        unit: Option<String>,
        comment: String,
        span: &Span,
    ) {
        let initial = self.start_of(&shown, span);
        let start = match (&initial.kind, self.asked.starts.contains(id)) {
            (ExpressionKind::Name(parameter), true) => Some(parameter.clone()),
            _ => None,
        };
        let species = self.symbols.species.get(id).copied();
        let is_amount = self.symbols.role_of(id) == Some(Role::Concentration);
        let factor = species.filter(|_| is_amount).map(|species| {
            let size = self.size(species);
            self.at_start(&size)
        });
        let target = Target::State {
            name: shown.clone(),
            start,
            factor,
        };
        self.targets.insert(id.to_owned(), target);
        self.system.states.push(State {
            name: shown,
            initial,
            rate,
            unit,
            comment,
        });
    }
}

/// What is said of something: its name where that is not its identifier, then its notes.
pub(super) fn comment(identity: &Identity) -> String {
    let name = if identity.name == identity.id {
        ""
    } else {
        &identity.name
    };
    with(name, &identity.notes)
}

/// Two remarks as one.
fn with(first: &str, second: &str) -> String {
    match (first, second) {
        ("", second) => second.to_owned(),
        (first, "") => first.to_owned(),
        (first, second) => format!("{first}; {second}"),
    }
}
