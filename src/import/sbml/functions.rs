//! Functions of a model, those that something calls, and units of species.

use std::collections::{BTreeMap, BTreeSet};

use super::super::algebra::{name, substitute, visit};
use super::super::names::is_free;
use super::super::system::Function;
use super::equations::{Builder, comment};
use super::mathml::OWN;
use super::model::Species;
use super::symbols::formulas;
use super::units;
use crate::model::{Expression, ExpressionKind};

impl Builder<'_, '_> {
    pub fn functions(&mut self) {
        let model = self.symbols.model;
        let mut called = BTreeSet::new();
        let mut todo: Vec<&Expression> = formulas(model).into_iter().map(|(e, _)| e).collect();
        while let Some(formula) = todo.pop() {
            visit(formula, &mut |e| {
                if let ExpressionKind::Call(function, ..) = &e.kind
                    && let Some(id) = function.strip_prefix(OWN)
                    && called.insert(id.to_owned())
                {
                    let found = model.functions.iter().find(|f| f.identity.id == id);
                    todo.extend(found.map(|f| &f.body));
                }
            });
        }
        let mut unused = Vec::new();
        for function in &model.functions {
            if !called.contains(&function.identity.id) {
                unused.push(function.identity.id.as_str());
                continue;
            }
            // an argument may be called what is a word here; nothing outside sees its name
            let arguments: BTreeMap<&str, String> = function
                .arguments
                .iter()
                .map(|argument| {
                    let free = is_free(argument);
                    let shown = if free {
                        argument.clone()
                    } else {
                        format!("{argument}_")
                    };
                    (argument.as_str(), shown)
                })
                .collect();
            let own = substitute(&function.body, &mut |id, span| {
                arguments
                    .get(id)
                    .map(|shown| name(&format!("\u{1}{shown}"), span))
            });
            let body = substitute(&self.symbols.translate(&own, None), &mut |id, span| {
                id.strip_prefix('\u{1}').map(|shown| name(shown, span))
            });
            self.system.functions.push(Function {
                name: self.symbols.names.of(&function.identity.id),
                arguments: function
                    .arguments
                    .iter()
                    .map(|argument| arguments[argument.as_str()].clone())
                    .collect(),
                body,
                comment: comment(&function.identity),
            });
        }
        if !unused.is_empty() {
            self.system.header.push(format!(
                "Left out as nothing calls them: functions {}.",
                unused.join(", ")
            ));
        }
    }

    pub fn species_unit(&self, species: &Species) -> Option<String> {
        let model = self.symbols.model;
        let defined = |id: &'static str| {
            let known = model.units.iter().any(|unit| unit.identity.id == id);
            known.then_some(id)
        };
        let substance = species
            .units
            .as_deref()
            .or(model.substance_units.as_deref())
            .or_else(|| defined("substance"));
        let substance = units::text(model, substance)?;
        if !self.symbols.is_concentration(species) {
            return Some(substance);
        }
        let compartment = model
            .compartments
            .iter()
            .find(|c| c.identity.id == species.compartment.id)?;
        let volume = compartment
            .units
            .as_deref()
            .or(model.volume_units.as_deref())
            .or_else(|| defined("volume"));
        let volume = units::text(model, volume);
        units::ratio(Some(&substance), volume.as_deref())
    }
}
