//! Rates of reactions, and what they make of species in a unit of time.

use std::collections::{BTreeMap, BTreeSet};

use super::super::algebra::{
    constant, difference, name, negated, number, product, quotient, substitute_calls, sum,
    without_factor,
};
use super::super::system::Trigger;
use super::equations::Builder;
use super::mathml::RATE_OF;
use super::model::{Participant, Reaction, Species, Stoichiometry};
use super::symbols::{Role, asks_rate};
use crate::diagnostic::Span;
use crate::model::{Expression, ExpressionKind};

impl Builder<'_, '_> {
    /// The rate of a reaction; the size it is divided by already, where it is.
    pub fn rate(&self, reaction: &Reaction) -> (Expression, Option<String>) {
        let Some(law) = &reaction.law else {
            return (number(0.0, &reaction.identity.span), None);
        };
        let law = self.symbols.translate(law, Some(reaction));
        match self.common_size(reaction) {
            Some(size) => match without_factor(&law, &size) {
                Some(rate) => (rate, Some(size)),
                None => (law, None),
            },
            None => (law, None),
        }
    }

    /// The size of the one compartment in which a reaction changes concentrations, where it changes nothing else.
    pub fn common_size(&self, reaction: &Reaction) -> Option<String> {
        if self.symbols.used.contains(&reaction.identity.id) {
            return None;
        }
        let mut common: Option<&str> = None;
        for participant in reaction.reactants.iter().chain(&reaction.products) {
            let species = self.symbols.species.get(participant.species.id.as_str())?;
            if !self.symbols.reacts(species)
                || self
                    .symbols
                    .rules
                    .contains_key(species.identity.id.as_str())
            {
                continue;
            }
            let compartment = species.compartment.id.as_str();
            if !self.symbols.is_concentration(species)
                || common.is_some_and(|other| other != compartment)
                || self.symbols.role_of(&species.identity.id) != Some(Role::State)
            {
                return None;
            }
            common = Some(compartment);
        }
        let symbol = self.symbols.table.get(common?)?;
        matches!(symbol.role, Role::Parameter | Role::Definition).then(|| symbol.name.clone())
    }

    /// What all reactions together make of a species in a unit of time.
    pub fn net_rate(&self, species: &Species) -> Expression {
        let id = species.identity.id.as_str();
        let span = &species.identity.span;
        let concentration =
            self.symbols.role_of(id) == Some(Role::State) && self.symbols.is_concentration(species);
        let size = match self.size(species) {
            size if concentration && constant(&size) != Some(1.0) => Some(size),
            _ => None,
        };
        // each term with whether it is still to be divided by the size
        let mut terms: Vec<(Expression, bool)> = Vec::new();
        for reaction in &self.symbols.model.reactions {
            if reaction.law.is_none() {
                continue;
            }
            let Some(coefficient) = self.coefficient(reaction, id) else {
                continue;
            };
            let (_, divided) = self.rate(reaction);
            let rate = name(
                &self.symbols.table[reaction.identity.id.as_str()].name,
                span,
            );
            terms.push((
                product(coefficient, rate),
                size.is_some() && divided.is_none(),
            ));
        }
        let together =
            |terms: Vec<Expression>| super::super::algebra::chain(terms, number(0.0, span), sum);
        let mut rate = match &size {
            Some(size) if terms.iter().all(|(_, divide)| *divide) => quotient(
                together(terms.into_iter().map(|(term, _)| term).collect()),
                size.clone(),
            ),
            size => together(
                terms
                    .into_iter()
                    .map(|(term, divide)| match (divide, size) {
                        (true, Some(size)) => quotient(term, size.clone()),
                        _ => term,
                    })
                    .collect(),
            ),
        };
        let model_factor = self.symbols.model.conversion_factor.as_ref();
        if let Some(factor) = species.conversion_factor.as_ref().or(model_factor)
            && let Some(symbol) = self.symbols.table.get(factor.id.as_str())
        {
            rate = product(name(&symbol.name, span), rate);
        }
        rate
    }

    /// How much of a species a reaction makes; `None` for nothing.
    pub fn coefficient(&self, reaction: &Reaction, species: &str) -> Option<Expression> {
        let mut total: Option<Expression> = None;
        let sides = [(&reaction.products, true), (&reaction.reactants, false)];
        for (participants, made) in sides {
            for participant in participants {
                if participant.species.id != species {
                    continue;
                }
                let span = &participant.species.span;
                let amount = match (
                    self.symbols.table.get(participant.id.as_str()),
                    &participant.stoichiometry,
                ) {
                    (Some(symbol), _) => name(&symbol.name, span),
                    (None, Stoichiometry::Number(value)) => number(*value, span),
                    (None, Stoichiometry::Formula(formula)) => {
                        self.symbols.translate(formula, None)
                    }
                };
                total = Some(match (total, made) {
                    (None, true) => amount,
                    (None, false) => negated(amount),
                    (Some(before), _) => match (constant(&before), constant(&amount)) {
                        (Some(a), Some(b)) => number(if made { a + b } else { a - b }, span),
                        _ if made => sum(before, amount),
                        _ => difference(before, amount),
                    },
                });
            }
        }
        total.filter(|total| constant(total) != Some(0.0))
    }

    /// Replaces the rate of something by its equation.
    pub fn rates_of(&mut self) {
        let equations: BTreeMap<String, Option<Expression>> = self
            .system
            .states
            .iter()
            .map(|state| (state.name.clone(), state.rate.clone()))
            .collect();
        let constants: BTreeSet<String> = self
            .system
            .parameters
            .iter()
            .map(|p| p.name.clone())
            .collect();
        let mut wrong: Vec<(String, Span)> = Vec::new();
        let mut replaced = |e: &mut Expression| {
            if !asks_rate(e) {
                return;
            }
            // (an equation may ask for a rate itself; one that asks for its own is no equation)
            for _ in 0..8 {
                *e = substitute_calls(e, &mut |function, arguments, span| {
                    if function != RATE_OF {
                        return None;
                    }
                    let of = match arguments {
                        [
                            Expression {
                                kind: ExpressionKind::Name(of),
                                ..
                            },
                        ] => of.as_str(),
                        _ => "",
                    };
                    match equations.get(of) {
                        Some(Some(rate)) => Some(rate.clone()),
                        Some(None) => Some(number(0.0, span)),
                        None if constants.contains(of) => Some(number(0.0, span)),
                        None => {
                            wrong.push((of.to_owned(), span.clone()));
                            Some(number(0.0, span))
                        }
                    }
                });
            }
            if asks_rate(e) {
                wrong.push((String::new(), e.span.clone()));
            }
        };
        for definition in &mut self.system.definitions {
            replaced(&mut definition.expression);
        }
        for state in &mut self.system.states {
            state.rate.iter_mut().for_each(&mut replaced);
        }
        for event in &mut self.system.events {
            if let Trigger::Crossing { when, .. } = &mut event.trigger {
                replaced(when);
            }
            event.only_if.iter_mut().for_each(&mut replaced);
            for (_, value) in &mut event.sets {
                replaced(value);
            }
        }
        for (of, span) in wrong {
            let message = if of.is_empty() {
                "a rate that depends on itself cannot be imported".to_owned()
            } else {
                format!("the rate of `{of}`, which has no equation of its own, cannot be imported")
            };
            self.error("sbml::unsupported", message, &span);
        }
    }
}

/// The scheme of a reaction: `2 A + B -> C`.
pub(super) fn scheme(reaction: &Reaction) -> String {
    let side = |participants: &[Participant]| {
        let parts: Vec<String> = participants
            .iter()
            .map(|participant| match participant.stoichiometry {
                Stoichiometry::Number(1.0) => participant.species.id.clone(),
                Stoichiometry::Number(value) => format!("{value} {}", participant.species.id),
                Stoichiometry::Formula(_) => format!("(...) {}", participant.species.id),
            })
            .collect();
        parts.join(" + ")
    };
    let arrow = if reaction.reversible { "<->" } else { "->" };
    let text = format!(
        "{} {arrow} {}",
        side(&reaction.reactants),
        side(&reaction.products)
    );
    text.trim().to_owned()
}
