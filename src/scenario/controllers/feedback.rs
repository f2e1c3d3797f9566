//! State feedback u = feedforward - sum k_i (x_i - r_i), with gains as given or of a linear-quadratic regulator.

use super::Block;
use super::template::number;
use crate::model::Expression;
use crate::scenario::types::{RegulatedState, Regulator};
use crate::scenario::values::{did_you_mean, list, shorten};

impl Block<'_, '_, '_, '_> {
    /// The states that can be fed back: those that are numbers and not of a controller.
    pub(super) fn plant_states(&self) -> Vec<String> {
        let states = self.known.states.iter();
        let single = states.filter(|state| state.over.is_empty() && !state.discrete);
        single.map(|state| state.name.text.clone()).collect()
    }

    /// The name that stands for a state: its own, or that of an observer's estimate.
    fn fed_back(&self, observer: Option<&str>, state: &str) -> String {
        match observer {
            Some(observer) => format!("{observer}_{state}"),
            None => state.to_owned(),
        }
    }

    /// The observer whose estimate is fed back, where one is named.
    fn observer_key(&mut self) -> Option<Option<String>> {
        if self.section.get("observer").is_none() {
            return Some(None);
        }
        let name = self.reader.text(&self.section, "observer")?;
        if self.known.observers.contains(&name) {
            return Some(Some(name));
        }
        let known = || self.known.observers.iter().map(String::as_str);
        let help = match known().next() {
            None => "add one: `[controllers.estimate]` with `kind = \"observer\"`".to_owned(),
            Some(_) => did_you_mean(&name, known())
                .unwrap_or_else(|| format!("observers: {}", list(known()))),
        };
        let message = format!("there is no observer `{}`", shorten(&name));
        self.wrong("observer", message, "no such observer", help);
        None
    }

    pub(super) fn state_feedback(&mut self) -> Option<()> {
        let observer = self.observer_key()?;
        let states = self.plant_states();
        let states: Vec<&str> = states.iter().map(String::as_str).collect();
        let gains = self.table("gains", &states)?;
        let reference = self.table("reference", &states)?;
        if gains.is_empty() {
            self.missing("gains");
            return None;
        }
        let mut wanted = self.or("feedforward", 0.0);
        for (state, gain) in &gains {
            let to = reference.iter().find(|(own, _)| own.text == state.text);
            let own = self.fed_back(observer.as_deref(), &state.text);
            wanted = self.feed_back(&wanted, &own, gain, to.map(|(_, to)| to));
        }
        self.actuate(&wanted, &[])
    }

    fn feed_back(
        &self,
        sum: &Expression,
        state: &str,
        gain: &Expression,
        to: Option<&Expression>,
    ) -> Expression {
        let zero = number(0.0, &self.span());
        let state = self.name_expression(state);
        let bound = [
            ("u", sum),
            ("k", gain),
            ("x", &state),
            ("r", to.unwrap_or(&zero)),
        ];
        self.text("u - k*(x - r)", &bound)
    }

    pub(super) fn regulator(&mut self) -> Option<()> {
        let observer = self.observer_key()?;
        let states = self.plant_states();
        let all: Vec<&str> = states.iter().map(String::as_str).collect();
        let weights = self.table("state_weights", &all)?;
        let at = self.table("operating_point", &all)?;
        let reference = self.table("reference", &all)?;
        if self.section.get("sample_time").is_some() {
            self.wrong(
                "sample_time",
                "a controller of kind `lqr` is continuous: its gains are those of the continuous Riccati equation".to_owned(),
                "sampled",
                "leave `sample_time` out, or give gains of your own with `kind = \"state-feedback\"`".to_owned(),
            );
            return None;
        }
        if weights.is_empty() {
            self.missing("state_weights");
            return None;
        }
        if all.len() > MOST_STATES {
            self.wrong(
                "state_weights",
                format!("a regulator feeds back all states of the plant, {} here; at most {MOST_STATES} are offered", all.len()),
                "too many states",
                "give gains of your own with `kind = \"state-feedback\"`".to_owned(),
            );
            return None;
        }
        let input_weight = self.or("input_weight", 1.0);
        self.check_positive("input_weight", &input_weight)?;
        for (state, weight) in &weights {
            if let Some(value) = self.value(weight).filter(|value| *value < 0.0) {
                self.wrong(
                    "state_weights",
                    format!(
                        "the weight of `{}` is {value}; it cannot be below zero",
                        state.text
                    ),
                    "below zero",
                    "write weights of 0 or more, one of them above".to_owned(),
                );
                return None;
            }
        }
        let zero = number(0.0, &self.span());
        let of = |table: &[(crate::scenario::types::Name, Expression)], state: &str| {
            let found = table.iter().find(|(own, _)| own.text == state);
            found.map(|(_, expression)| expression.clone())
        };
        let operating_input = self.or("operating_input", 0.0);
        let feedforward = self.or("feedforward", 0.0);
        let bound = [("u", &operating_input), ("f", &feedforward)];
        let mut wanted = self.text("u + f", &bound);
        let mut regulated = Vec::new();
        for state in &all {
            let gain = self.own(&format!("gain_{state}"));
            let name = self.declare("a gain of a controller", gain.clone());
            self.controller.definitions.push(gain.clone());
            let at = of(&at, state).unwrap_or_else(|| zero.clone());
            let to = of(&reference, state).unwrap_or_else(|| at.clone());
            let gain_expression = self.name_expression(&gain);
            let own = self.fed_back(observer.as_deref(), state);
            wanted = self.feed_back(&wanted, &own, &gain_expression, Some(&to));
            regulated.push(RegulatedState {
                name: crate::scenario::types::Name {
                    text: (*state).to_owned(),
                    span: name.span,
                },
                weight: of(&weights, state).unwrap_or_else(|| zero.clone()),
                at,
                gain,
            });
        }
        self.controller.regulator = Some(Regulator {
            states: regulated,
            input_weight,
            operating_input,
            measurement: None,
        });
        self.actuate(&wanted, &[])
    }
}

/// Most states of a plant whose regulator is found within the equations.
pub(super) const MOST_STATES: usize = 12;
