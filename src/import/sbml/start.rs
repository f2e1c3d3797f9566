//! Values at the start of a run, in terms of parameters: what initial assignments, amounts and concentrations give.

use std::collections::BTreeMap;

use super::super::algebra::{constant, name, names, number, product, quotient, substitute};
use super::super::system::Parameter;
use super::equations::Builder;
use super::model::{Species, Stoichiometry};
use super::symbols::{Role, asks_rate};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::Expression;

impl Builder<'_, '_> {
    /// The initial value of a species, as its name means it, in terms of parameters.
    pub fn initial_of_species(&mut self, species: &Species) -> Expression {
        let id = species.identity.id.as_str();
        let span = &species.identity.span;
        if let Some(value) = self.asked.values.get(id) {
            return number(*value, span);
        }
        if let Some(formula) = self.symbols.initial.get(id).copied() {
            let formula = self.symbols.translate(&formula.math, None);
            return self.at_start(&formula);
        }
        let size = self.size(species);
        let size = self.at_start(&size);
        let concentration = self.symbols.is_concentration(species);
        match (species.concentration, species.amount) {
            (Some(value), _) if concentration => number(value, span),
            (Some(value), _) => product(number(value, span), size),
            (None, Some(amount)) if concentration => quotient(number(amount, span), size),
            (None, Some(amount)) => number(amount, span),
            (None, None) => {
                self.findings.push(
                    Diagnostic::warning(
                        "sbml::missing",
                        format!("`{id}` has no initial value"),
                        Some(span.clone()),
                    )
                    .with_help("0 is taken"),
                );
                number(0.0, span)
            }
        }
    }

    /// The initial value of a state of the scenario, in terms of parameters.
    pub fn start_of(&mut self, shown: &str, span: &Span) -> Expression {
        if let Some(known) = self.starts.get(shown) {
            return known.clone();
        }
        if !self.visiting.insert(shown.to_owned()) {
            self.error(
                "sbml::cycle",
                format!("the initial value of `{shown}` depends on itself"),
                span,
            );
            return number(0.0, span);
        }
        let model = self.symbols.model;
        let found = self
            .symbols
            .table
            .iter()
            .find(|(_, symbol)| {
                symbol.amount == shown || (symbol.name == shown && symbol.amount.is_empty())
            })
            .map(|(id, symbol)| (*id, symbol.role));
        let value = match found {
            Some((id, role)) => {
                if let Some(species) = self.symbols.species.get(id).copied() {
                    let given =
                        self.symbols.initial.contains_key(id) || self.asked.values.contains_key(id);
                    match (role, species.amount) {
                        (Role::Concentration, Some(amount)) if !given => number(amount, span),
                        (Role::Concentration, _) => {
                            let value = self.initial_of_species(species);
                            let size = self.size(species);
                            let size = self.at_start(&size);
                            match (constant(&value), constant(&size)) {
                                (Some(a), Some(b)) => number(a * b, span),
                                _ => product(value, size),
                            }
                        }
                        _ => self.initial_of_species(species),
                    }
                } else if let Some(value) = self.asked.values.get(id) {
                    number(*value, span)
                } else if let Some(formula) = self.symbols.initial.get(id).copied() {
                    let formula = self.symbols.translate(&formula.math, None);
                    self.at_start(&formula)
                } else {
                    let parameters = model.parameters.iter();
                    let of_parameter = parameters
                        .filter(|p| p.identity.id == id)
                        .find_map(|p| p.value);
                    let compartments = model.compartments.iter();
                    let of_compartment = compartments
                        .filter(|c| c.identity.id == id)
                        .map(|c| c.size.unwrap_or(1.0))
                        .next();
                    let of_participant = model
                        .reactions
                        .iter()
                        .flat_map(|reaction| reaction.reactants.iter().chain(&reaction.products))
                        .filter(|participant| participant.id == id)
                        .find_map(|participant| match participant.stoichiometry {
                            Stoichiometry::Number(value) => Some(value),
                            Stoichiometry::Formula(_) => None,
                        });
                    match of_parameter.or(of_compartment).or(of_participant) {
                        Some(value) => number(value, span),
                        None => {
                            let message = format!("`{id}` has no initial value");
                            self.error("sbml::missing", message, span);
                            number(0.0, span)
                        }
                    }
                }
            }
            None => number(0.0, span),
        };
        self.visiting.remove(shown);
        let value = match found {
            Some((id, _)) if self.asked.starts.contains(id) => self.start_parameter(shown, value),
            _ => value,
        };
        self.starts.insert(shown.to_owned(), value.clone());
        value
    }

    /// A parameter for the initial value of a state.
    pub fn start_parameter(&mut self, shown: &str, value: Expression) -> Expression {
        let parameter = self.symbols.names.fresh(&format!("{shown}_initial"));
        let given = constant(&value);
        let initial = name(&parameter, &value.span);
        self.system.parameters.push(Parameter {
            name: parameter,
            value: given.unwrap_or(0.0),
            default: given.is_none().then_some(value),
            comment: format!("initial value of {shown}"),
            ..Parameter::default()
        });
        initial
    }

    /// An expression at the start: states as their initial values, what varies written out, t as 0.
    pub fn at_start(&mut self, e: &Expression) -> Expression {
        if !self.varies(e) {
            return e.clone();
        }
        let mut values: BTreeMap<String, Expression> = BTreeMap::new();
        for used in names(e) {
            let span = &e.span;
            let lone = name(&used, span);
            if used == "t" {
                values.insert(used, number(0.0, span));
            } else if let Some(expression) = self.expression_of(&used) {
                if self.varies(&lone) {
                    if !self.visiting.insert(used.clone()) {
                        let message = format!("`{used}` is defined by itself");
                        self.error("sbml::cycle", message, span);
                        continue;
                    }
                    let value = self.at_start(&expression);
                    self.visiting.remove(&used);
                    values.insert(used, value);
                }
            } else if self.is_state(&used) {
                let value = self.start_of(&used, span);
                values.insert(used, value);
            }
        }
        substitute(e, &mut |used, _| values.get(used).cloned())
    }

    pub fn is_state(&self, shown: &str) -> bool {
        self.symbols.table.values().any(|symbol| match symbol.role {
            Role::State | Role::Discrete => symbol.name == shown,
            Role::Concentration => symbol.amount == shown,
            _ => false,
        })
    }

    /// What a name that is defined stands for, in the scenario's words.
    pub fn expression_of(&self, shown: &str) -> Option<Expression> {
        let (id, symbol) = self
            .symbols
            .table
            .iter()
            .find(|(_, symbol)| symbol.name == shown)?;
        match symbol.role {
            Role::Definition => {
                let rule = self
                    .symbols
                    .rules
                    .get(id)
                    .or(self.symbols.initial.get(id))?;
                Some(self.symbols.translate(&rule.math, None))
            }
            Role::Concentration => {
                let species = self.symbols.species.get(id)?;
                let span = &species.identity.span;
                Some(quotient(name(&symbol.amount, span), self.size(species)))
            }
            Role::Rate => {
                let reactions = &self.symbols.model.reactions;
                let reaction = reactions.iter().find(|r| r.identity.id == *id)?;
                Some(self.rate(reaction).0)
            }
            _ => None,
        }
    }

    /// Whether an expression varies along a run.
    pub fn varies(&mut self, e: &Expression) -> bool {
        asks_rate(e)
            || names(e).iter().any(|used| {
                if used == "t" || self.is_state(used) {
                    return true;
                }
                if let Some(&known) = self.varying.get(used) {
                    return known;
                }
                let Some(expression) = self.expression_of(used) else {
                    return false;
                };
                // what an initial assignment gave does not vary, whatever it read
                let id = self.symbols.table.iter().find(|(_, s)| s.name == *used);
                let from_start = id.is_some_and(|(id, symbol)| {
                    symbol.role == Role::Definition && !self.symbols.rules.contains_key(id)
                });
                if from_start {
                    return false;
                }
                self.varying.insert(used.clone(), false);
                let varies = self.varies(&expression);
                self.varying.insert(used.clone(), varies);
                varies
            })
    }
}
