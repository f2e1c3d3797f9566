//! What the identifiers of a model stand for: parameters, definitions or states, and what they are called.

use std::collections::{BTreeMap, BTreeSet};

use super::super::algebra::{self, substitute, substitute_calls, visit};
use super::super::names::{Names, is_free};
use super::mathml::{OWN, PI, RATE_OF, TIME};
use super::model::{Assignment, Model, Reaction, Species, Stoichiometry};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Expression, ExpressionKind};

/// What a caller wants of the model beyond what the document says.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// identifiers that must stay parameters, or states, as experiments give them values
    pub kept: BTreeSet<String>,
    /// identifiers of states that experiments give values before an equilibrium: their initial values become parameters
    pub starts: BTreeSet<String>,
    /// values of parameters that replace the document's
    pub values: BTreeMap<String, f64>,
}

/// What an identifier stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// a compartment of size 1, left out
    One,
    /// a parameter
    Parameter,
    /// a definition that its rule or initial assignment gives; of a constant or not
    Definition,
    /// a state with an equation
    State,
    /// a state that events alone change
    Discrete,
    /// a concentration where the size varies: a definition, amount over size, the amount being the state
    Concentration,
    /// a reaction's rate
    Rate,
    /// a function
    Function,
}

/// An identifier.
#[derive(Debug, Clone)]
pub(super) struct Symbol {
    pub role: Role,
    /// its name in the scenario
    pub name: String,
    /// of a concentration: the name of the amount
    pub amount: String,
}

/// The identifiers of a model, looked up.
pub(super) struct Symbols<'m> {
    pub model: &'m Model,
    pub table: BTreeMap<&'m str, Symbol>,
    pub rules: BTreeMap<&'m str, &'m Assignment>,
    pub rates: BTreeMap<&'m str, &'m Assignment>,
    pub initial: BTreeMap<&'m str, &'m Assignment>,
    pub set_by_events: BTreeSet<&'m str>,
    pub species: BTreeMap<&'m str, &'m Species>,
    /// names of local parameters, by reaction and identifier
    pub local: BTreeMap<(&'m str, &'m str), String>,
    /// identifiers that formulas outside of kinetic laws' own participants use
    pub used: BTreeSet<String>,
    pub names: Names,
}

impl<'m> Symbols<'m> {
    pub fn new(model: &'m Model, asked: &Asked, findings: &mut Vec<Diagnostic>) -> Self {
        let by_target = |list: &'m [Assignment]| -> BTreeMap<&'m str, &'m Assignment> {
            list.iter()
                .map(|rule| (rule.of.id.as_str(), rule))
                .collect()
        };
        let mut symbols = Self {
            model,
            table: BTreeMap::new(),
            rules: by_target(&model.assignments),
            rates: by_target(&model.rates),
            initial: by_target(&model.initial),
            set_by_events: model
                .events
                .iter()
                .flat_map(|event| event.sets.iter().map(|set| set.of.id.as_str()))
                .collect(),
            species: model
                .species
                .iter()
                .map(|species| (species.identity.id.as_str(), species))
                .collect(),
            local: BTreeMap::new(),
            used: BTreeSet::new(),
            names: Names::default(),
        };
        symbols.collect_used();
        symbols.add_all(asked, findings);
        symbols.check_targets(findings);
        symbols.check_formulas(findings);
        symbols
    }

    fn collect_used(&mut self) {
        let mut used = BTreeSet::new();
        for formula in formulas(self.model) {
            visit(formula.0, &mut |e| {
                if let ExpressionKind::Name(text) = &e.kind {
                    used.insert(text.clone());
                }
            });
        }
        self.used = used;
    }

    /// Whether reactions change a species.
    pub fn reacts(&self, species: &Species) -> bool {
        let id = &species.identity.id;
        !species.boundary
            && !species.constant
            && self.model.reactions.iter().any(|reaction| {
                reaction.law.is_some()
                    && reaction
                        .reactants
                        .iter()
                        .chain(&reaction.products)
                        .any(|participant| participant.species.id == *id)
            })
    }

    /// Whether the name of a species means a concentration.
    pub fn is_concentration(&self, species: &Species) -> bool {
        !species.only_substance
            && self
                .model
                .compartments
                .iter()
                .any(|c| c.identity.id == species.compartment.id && c.dimensions != 0.0)
    }

    /// The role of what rules, events and initial assignments may change.
    fn role(&self, id: &str, asked: &Asked) -> Role {
        if self.rules.contains_key(id) {
            Role::Definition
        } else if self.rates.contains_key(id) {
            Role::State
        } else if self.set_by_events.contains(id) {
            Role::Discrete
        } else if self.initial.contains_key(id)
            && !asked.kept.contains(id)
            && !asked.values.contains_key(id)
        {
            Role::Definition
        } else {
            Role::Parameter
        }
    }

    fn add_all(&mut self, asked: &Asked, findings: &mut Vec<Diagnostic>) {
        let model = self.model;
        let mut spans: BTreeMap<&str, &Span> = BTreeMap::new();
        let mut order: Vec<(&'m str, Role)> = Vec::new();
        let mut add = |id: &'m str, role, span: &'m Span, findings: &mut Vec<Diagnostic>| {
            if id.is_empty() {
                return;
            }
            if let Some(first) = spans.get(id) {
                let (line, _) = first.file.line_column(first.start);
                findings.push(
                    Diagnostic::error(
                        "sbml::duplicate",
                        format!("`{id}` is an identifier already"),
                        Some(span.clone()),
                    )
                    .with_help(format!("it is given on line {line}; rename one of the two")),
                );
                return;
            }
            spans.insert(id, span);
            order.push((id, role));
        };
        for function in &model.functions {
            let id = &function.identity;
            add(&id.id, Role::Function, &id.span, findings);
        }
        let mut varying = BTreeSet::new();
        for compartment in &model.compartments {
            let id = &compartment.identity.id;
            let mut role = self.role(id, asked);
            if matches!(role, Role::State | Role::Discrete)
                || (role == Role::Definition && self.rules.contains_key(id.as_str()))
            {
                varying.insert(id.as_str());
            }
            let one = compartment.dimensions == 0.0 || compartment.size.unwrap_or(1.0) == 1.0;
            let free = !asked.kept.contains(id) && !asked.values.contains_key(id);
            if role == Role::Parameter && one && free {
                role = Role::One;
            }
            add(id, role, &compartment.identity.span, findings);
        }
        for species in &model.species {
            let id = &species.identity.id;
            let reacts = self.reacts(species);
            let moves =
                varying.contains(species.compartment.id.as_str()) && self.is_concentration(species);
            let mut role = self.role(id, asked);
            let ruled =
                self.rules.contains_key(id.as_str()) || self.rates.contains_key(id.as_str());
            if moves && !ruled {
                role = Role::Concentration;
            } else if reacts && !ruled {
                role = Role::State;
            }
            add(id, role, &species.identity.span, findings);
        }
        for parameter in &model.parameters {
            let id = &parameter.identity.id;
            add(id, self.role(id, asked), &parameter.identity.span, findings);
        }
        for reaction in &model.reactions {
            for participant in reaction.reactants.iter().chain(&reaction.products) {
                let id = participant.id.as_str();
                let known = self.used.contains(id)
                    || self.rules.contains_key(id)
                    || self.rates.contains_key(id)
                    || self.initial.contains_key(id)
                    || self.set_by_events.contains(id);
                if known {
                    add(
                        id,
                        self.role(id, asked),
                        &participant.species.span,
                        findings,
                    );
                }
            }
        }
        for reaction in &model.reactions {
            let id = &reaction.identity;
            add(&id.id, Role::Rate, &id.span, findings);
        }
        // names that need no change first, so that a changed one does not take theirs
        self.names
            .reserve(order.iter().map(|(id, _)| *id).filter(|id| is_free(id)));
        for (id, role) in order {
            let name = if role == Role::One {
                String::new()
            } else {
                self.names.of(id)
            };
            let amount = if role == Role::Concentration {
                self.names.fresh(&format!("{name}_amount"))
            } else {
                String::new()
            };
            self.table.insert(id, Symbol { role, name, amount });
        }
        self.add_local();
    }

    /// Names of local parameters: their own where nothing else has it, else with the reaction's before.
    fn add_local(&mut self) {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for reaction in &self.model.reactions {
            for parameter in &reaction.local {
                *count.entry(&parameter.identity.id).or_default() += 1;
            }
        }
        for reaction in &self.model.reactions {
            for parameter in &reaction.local {
                let id = parameter.identity.id.as_str();
                let reaction_id = reaction.identity.id.as_str();
                let alone = count.get(id) == Some(&1) && !self.table.contains_key(id);
                let name = if alone && is_free(id) {
                    self.names.fresh(id)
                } else {
                    let name = self.names.fresh(&format!("{reaction_id}_{id}"));
                    let was = format!("{id} of {reaction_id}");
                    self.names.changed.push((was, name.clone()));
                    name
                };
                self.local.insert((reaction_id, id), name);
            }
        }
    }

    /// A formula of the document in the scenario's words.
    pub fn translate(&self, formula: &Expression, reaction: Option<&Reaction>) -> Expression {
        let named = substitute(formula, &mut |id, span| {
            let name = match id {
                TIME => "t",
                PI => "pi",
                _ => {
                    let local =
                        reaction.and_then(|r| self.local.get(&(r.identity.id.as_str(), id)));
                    match (local, self.table.get(id)) {
                        (Some(name), _) => name,
                        (None, Some(symbol)) if symbol.role == Role::One => {
                            return Some(algebra::number(1.0, span));
                        }
                        (None, Some(symbol)) => &symbol.name,
                        (None, None) => return None,
                    }
                }
            };
            Some(algebra::name(name, span))
        });
        substitute_calls(&named, &mut |function, arguments, span| {
            let id = function.strip_prefix(OWN)?;
            let name = &self.table.get(id)?.name;
            Some(algebra::call(name, arguments.to_vec(), span))
        })
    }

    /// The role of an identifier.
    pub fn role_of(&self, id: &str) -> Option<Role> {
        self.table.get(id).map(|symbol| symbol.role)
    }
}

/// All formulas of a model but bodies of functions, with the reaction whose local names they may use.
pub(super) fn formulas(model: &Model) -> Vec<(&Expression, Option<&Reaction>)> {
    let mut all: Vec<(&Expression, Option<&Reaction>)> = Vec::new();
    for list in [&model.initial, &model.assignments, &model.rates] {
        all.extend(list.iter().map(|one| (&one.math, None)));
    }
    for reaction in &model.reactions {
        all.extend(reaction.law.iter().map(|law| (law, Some(reaction))));
        for participant in reaction.reactants.iter().chain(&reaction.products) {
            if let Stoichiometry::Formula(formula) = &participant.stoichiometry {
                all.push((formula, None));
            }
        }
    }
    for event in &model.events {
        all.push((&event.trigger, None));
        all.extend(event.delay.iter().map(|e| (e, None)));
        all.extend(event.priority.iter().map(|e| (e, None)));
        all.extend(event.sets.iter().map(|set| (&set.math, None)));
    }
    all
}

/// Whether an expression asks for the rate of something.
pub(super) fn asks_rate(e: &Expression) -> bool {
    let mut found = false;
    visit(e, &mut |e| {
        found |= matches!(&e.kind, ExpressionKind::Call(function, ..) if function == RATE_OF);
    });
    found
}
