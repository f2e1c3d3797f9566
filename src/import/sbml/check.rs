//! Whether what a model names is there, and may be what it is used for.

use std::collections::BTreeSet;

use super::super::algebra::visit;
use super::mathml::{OWN, PI, TIME};
use super::symbols::{Role, Symbols, formulas};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::model::{Expression, ExpressionKind};

impl Symbols<'_> {
    /// Everything that names something names something that is there and may be changed.
    pub fn check_targets(&self, findings: &mut Vec<Diagnostic>) {
        let model = self.model;
        let mut unknown = |id: &str, span: &Span, what: &str, known: Vec<&str>| {
            if known.contains(&id) {
                return;
            }
            let diagnostic = Diagnostic::error(
                "sbml::unknown",
                format!("there is no {what} `{id}`"),
                Some(span.clone()),
            );
            findings.push(match nearest(id, known.iter().copied()) {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        };
        let compartments: Vec<&str> = model
            .compartments
            .iter()
            .map(|c| c.identity.id.as_str())
            .collect();
        let species: Vec<&str> = self.species.keys().copied().collect();
        for one in &model.species {
            let place = &one.compartment;
            unknown(&place.id, &place.span, "compartment", compartments.clone());
        }
        for reaction in &model.reactions {
            for participant in reaction.reactants.iter().chain(&reaction.products) {
                let place = &participant.species;
                unknown(&place.id, &place.span, "species", species.clone());
            }
        }
        let targets: Vec<&str> = self
            .table
            .iter()
            .filter(|(_, symbol)| !matches!(symbol.role, Role::Function | Role::Rate))
            .map(|(id, _)| *id)
            .collect();
        let sets = model.events.iter().flat_map(|event| &event.sets);
        for target in model
            .initial
            .iter()
            .chain(&model.assignments)
            .chain(&model.rates)
            .chain(sets)
        {
            let place = &target.of;
            unknown(&place.id, &place.span, "variable", targets.clone());
        }
        let factors = model.species.iter().map(|s| s.conversion_factor.as_ref());
        for factor in factors.chain([model.conversion_factor.as_ref()]).flatten() {
            unknown(&factor.id, &factor.span, "parameter", targets.clone());
        }
        for id in self.rules.keys() {
            if let (true, Some(rule)) = (
                self.rates.contains_key(id) || self.set_by_events.contains(id),
                self.rules.get(id),
            ) {
                findings.push(
                    Diagnostic::error(
                        "sbml::rule",
                        format!("`{id}` has an assignment rule and is changed otherwise, too"),
                        Some(rule.of.span.clone()),
                    )
                    .with_help("remove one of the two"),
                );
            }
        }
        for list in [&model.assignments, &model.rates, &model.initial] {
            let mut seen = BTreeSet::new();
            for one in list {
                if !seen.insert(&one.of.id) {
                    findings.push(Diagnostic::error(
                        "sbml::duplicate",
                        format!("a second formula for `{}`", one.of.id),
                        Some(one.of.span.clone()),
                    ));
                }
            }
        }
    }

    /// Formulas use names that are there.
    pub fn check_formulas(&self, findings: &mut Vec<Diagnostic>) {
        for (formula, reaction) in formulas(self.model) {
            let local: BTreeSet<&str> = reaction
                .iter()
                .flat_map(|reaction| &reaction.local)
                .map(|parameter| parameter.identity.id.as_str())
                .collect();
            self.check_formula(formula, &local, findings);
        }
        for function in &self.model.functions {
            let arguments = function.arguments.iter().map(String::as_str).collect();
            self.check_formula(&function.body, &arguments, findings);
        }
    }

    fn check_formula(
        &self,
        formula: &Expression,
        local: &BTreeSet<&str>,
        findings: &mut Vec<Diagnostic>,
    ) {
        visit(formula, &mut |e| {
            let (what, id, known) = match &e.kind {
                ExpressionKind::Name(id) => {
                    let known = local.contains(id.as_str())
                        || matches!(id.as_str(), TIME | PI)
                        || self
                            .table
                            .get(id.as_str())
                            .is_some_and(|symbol| symbol.role != Role::Function);
                    ("name", id.as_str(), known)
                }
                ExpressionKind::Call(function, ..) => match function.strip_prefix(OWN) {
                    Some(id) => {
                        let known = self
                            .table
                            .get(id)
                            .is_some_and(|symbol| symbol.role == Role::Function);
                        ("function", id, known)
                    }
                    None => return,
                },
                _ => return,
            };
            if known {
                return;
            }
            let functions = what == "function";
            let candidates = self
                .table
                .iter()
                .filter(|(_, symbol)| (symbol.role == Role::Function) == functions)
                .map(|(id, _)| *id);
            let diagnostic = Diagnostic::error(
                "sbml::unknown",
                format!("there is no {what} `{id}`"),
                Some(e.span.clone()),
            );
            findings.push(match nearest(id, candidates.chain(local.iter().copied())) {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        });
    }
}
