//! Observers: a copy of the plant that runs along and is drawn to what is measured,
//!
//! ```text
//! z' = f(t, z, u) + L (y - h(z)),     y the measurement, u the outputs of the other controllers
//! ```
//!
//! with gains L as given (Luenberger 1966, doi 10.1109/TAC.1966.1098323) or of the stationary Kalman filter of the model linearized at the operating
//! point (Kalman and Bucy 1961, doi 10.1115/1.3658902). The copy has the plant's own equations, definitions that read states among them, so that
//! parameters move both.

use std::collections::HashMap;

use super::Block;
use super::feedback::MOST_STATES;
use super::template::number;
use crate::model::Expression;
use crate::scenario::schema::controllers::SHARED;
use crate::scenario::types::{Name, RegulatedState, Regulator};

/// What an observer has of what every controller may have.
const OF_OBSERVERS: [&str; 3] = ["kind", "output", "initial"];

impl Block<'_, '_, '_, '_> {
    pub(super) fn observer(&mut self) -> Option<()> {
        for key in SHARED.iter().filter(|key| !OF_OBSERVERS.contains(key)) {
            if self.section.get(key).is_some() {
                self.wrong(
                    key,
                    format!("an observer has no `{key}`: it drives nothing"),
                    "not of an observer",
                    "give it to the controller that uses the estimate".to_owned(),
                );
                return None;
            }
        }
        let states = self.plant_states();
        let all: Vec<&str> = states.iter().map(String::as_str).collect();
        let whole = all.len() == self.known.states.iter().filter(|s| !s.discrete).count();
        if self.known.implicit || !whole {
            self.wrong(
                "kind",
                "an observer copies equations of states that are single numbers; this model has `[mechanics]`, `[mass]` or arrays"
                    .to_owned(),
                "not offered here",
                "write the observer's equations as `[equations]`".to_owned(),
            );
            return None;
        }
        let measurement = self.required("measurement")?;
        let measured = self.optional("measured");
        let measured = measured.unwrap_or_else(|| measurement.clone());
        let gains = self.table("gains", &all)?;
        let noise = self.table("process_noise", &all)?;
        if gains.is_empty() == noise.is_empty() {
            self.wrong(
                "kind",
                format!(
                    "an observer needs `gains` or `process_noise`, and has {}",
                    if gains.is_empty() { "neither" } else { "both" }
                ),
                "how fast does it follow?",
                "give `gains = { x = 4.0 }`, or `process_noise = { x = 0.1 }` with `measurement_noise` for the gains of a Kalman filter"
                    .to_owned(),
            );
            return None;
        }
        let copies = self.copies(&all);
        let estimated = measurement.renamed(&copies);
        let bound = [("y", &measured), ("h", &estimated)];
        let innovation = self.text("y - h", &bound);
        self.define(self.own("innovation"), innovation);
        let by_state = match noise.is_empty() {
            true => gains
                .into_iter()
                .map(|(state, gain)| (state.text, gain))
                .collect(),
            false => self.filter(&all, &noise, &measurement)?,
        };
        for state in &all {
            let place = self
                .known
                .states
                .iter()
                .position(|own| own.name.text == *state);
            let equation = place.and_then(|place| self.known.equations.get(place))?;
            let copied = equation.renamed(&copies);
            let zero = number(0.0, &self.span());
            let gain = by_state.get(*state).unwrap_or(&zero);
            let equation = self.text("f + l*_innovation", &[("f", &copied), ("l", gain)]);
            self.state(self.own(state), Some(equation));
        }
        self.define(self.controller.output.text.clone(), estimated);
        Some(())
    }

    /// What the plant's names are called in the copy: its states, and definitions that read them, which are copied, too.
    fn copies(&mut self, states: &[&str]) -> HashMap<String, String> {
        let own = |block: &Self, name: &str| (name.to_owned(), block.own(name));
        let mut copies: HashMap<String, String> = states.iter().map(|s| own(self, s)).collect();
        let definitions = self.known.definitions;
        loop {
            let reads = |expression: &Expression| {
                expression.names().iter().any(|n| copies.contains_key(*n))
            };
            let found = definitions
                .iter()
                .find(|d| !copies.contains_key(&d.name.text) && reads(&d.expression));
            let Some(found) = found else { break };
            let (name, copy) = own(self, &found.name.text);
            copies.insert(name, copy);
        }
        for definition in definitions {
            if let Some(copy) = copies.get(&definition.name.text).cloned() {
                let expression = definition.expression.renamed(&copies);
                self.define(copy, expression);
            }
        }
        copies
    }

    /// The gains of a Kalman filter, by state.
    fn filter(
        &mut self,
        all: &[&str],
        noise: &[(Name, Expression)],
        measurement: &Expression,
    ) -> Option<HashMap<String, Expression>> {
        if all.len() > MOST_STATES {
            self.wrong(
                "process_noise",
                format!("a filter estimates all states of the plant, {} here; at most {MOST_STATES} are offered", all.len()),
                "too many states",
                "give `gains` of your own".to_owned(),
            );
            return None;
        }
        let measurement_noise = self.required("measurement_noise")?;
        self.check_positive("measurement_noise", &measurement_noise)?;
        let at = self.table("operating_point", all)?;
        let operating_input = self.or("operating_input", 0.0);
        let zero = number(0.0, &self.span());
        let of = |table: &[(Name, Expression)], state: &str| {
            let found = table.iter().find(|(own, _)| own.text == state);
            found.map_or_else(|| zero.clone(), |(_, expression)| expression.clone())
        };
        let mut filtered = Vec::new();
        let mut gains = HashMap::new();
        for state in all {
            let gain = self.own(&format!("gain_{state}"));
            let name = self.declare("a gain of an observer", gain.clone());
            self.controller.definitions.push(gain.clone());
            gains.insert((*state).to_owned(), self.name_expression(&gain));
            filtered.push(RegulatedState {
                name: Name {
                    text: (*state).to_owned(),
                    span: name.span,
                },
                weight: of(noise, state),
                at: of(&at, state),
                gain,
            });
        }
        self.controller.regulator = Some(Regulator {
            states: filtered,
            input_weight: measurement_noise,
            operating_input,
            measurement: Some(measurement.clone()),
        });
        Some(gains)
    }
}
