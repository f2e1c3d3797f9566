//! From what a controller wants to its output: deadband, limits, quantization, rate limit, lag; and the sampler.
//!
//! ```text
//! unlimited   v, or v - clamp(v, -deadband, deadband)
//! command     clamp(q floor(v/q + 1/2), low, high), then at most rate_limit Ts from the one before
//! output      the command; continuous with a lag: output' = clamp((command - output)/actuator_lag, -rate_limit, rate_limit)
//! ```
//!
//! A sampled controller computes its command at start + offset + k Ts and holds it until the next. With a computation delay
//! the output changes so much later: the commands computed meanwhile wait in `command`, `command_1`, ...; how many there are
//! is decided by the file's values of delay and sample time, the times themselves are differentiated.

use super::Block;
use super::template::number;
use crate::model::Expression;
use crate::scenario::types::{Event, EventTrigger, Name};

/// Most commands that wait.
const MOST_WAITING: f64 = 1000.0;
/// Part of a sample by which a delay that is meant to be whole samples may miss them.
const WHOLE: f64 = 1e-9;

/// A discrete state of a sampled controller with its value after a sample.
pub(super) struct SampledState {
    /// the part of its name behind the controller's
    pub(super) part: &'static str,
    pub(super) next: Expression,
}

impl Block<'_, '_, '_, '_> {
    /// The sample time, where the controller has one.
    pub(super) fn sample_time(&mut self) -> Option<Expression> {
        // its own findings were reported when it was checked
        let before = self.reader.diagnostics.len();
        let found = self.optional("sample_time");
        self.reader.diagnostics.truncate(before);
        found
    }

    /// Checks the keys of sampling, and those that a sampled or a continuous controller alone has.
    pub(super) fn check_sampling(&mut self) -> Option<()> {
        let Some(period) = self.optional("sample_time") else {
            for (key, why) in [
                ("offset", "of a sampled controller"),
                ("computation_delay", "of a sampled controller"),
                (
                    "quantization",
                    "of a sampled controller: a continuous one would switch infinitely often in a loop",
                ),
            ] {
                if self.section.get(key).is_some() {
                    self.wrong(
                        key,
                        format!("`{key}` is {why}"),
                        "without `sample_time`",
                        format!("remove `{key}`, or write `sample_time = 0.01`"),
                    );
                    return None;
                }
            }
            if self.section.get("rate_limit").is_some()
                && self.section.get("actuator_lag").is_none()
            {
                self.wrong(
                    "rate_limit",
                    "a continuous rate limit needs the time constant of the actuator that has it"
                        .to_owned(),
                    "without `actuator_lag`",
                    "add `actuator_lag = ...`, a time short beside those of the loop".to_owned(),
                );
                return None;
            }
            return Some(());
        };
        if self.section.get("actuator_lag").is_some() {
            self.wrong(
                "actuator_lag",
                "`actuator_lag` is of a continuous controller".to_owned(),
                "besides `sample_time`",
                "remove it, and write the lag as a state of the plant: its input is the output held".to_owned(),
            );
            return None;
        }
        self.check_positive("sample_time", &period)?;
        let horizon = (self.known.end - self.known.start).abs();
        if let Some(value) = self.value(&period)
            && value > horizon
        {
            self.wrong(
                "sample_time",
                format!("the sample time, {value}, is longer than the run, {horizon}"),
                "longer than the run",
                "the controller would act once: shorten it, or end the run later".to_owned(),
            );
            return None;
        }
        for key in ["offset", "computation_delay"] {
            if let Some(given) = self.optional(key)
                && let Some(value) = self.value(&given).filter(|value| *value < 0.0)
            {
                self.wrong(
                    key,
                    format!("`{key}` of a controller is {value}; it cannot be below zero"),
                    "below zero",
                    format!("write a `{key}` of 0 or more"),
                );
                return None;
            }
        }
        Some(())
    }

    /// Lower and upper limit, where there are limits; `None` where they were reported.
    pub(super) fn limits(&mut self) -> Option<Option<[Expression; 2]>> {
        if self.section.get("limits").is_none() {
            return Some(None);
        }
        let before = self.reader.diagnostics.len();
        let limits = self.reader.expressions(&self.section, "limits");
        if self.reader.diagnostics.len() > before {
            return None;
        }
        let Ok([low, high]) = <[Expression; 2]>::try_from(limits) else {
            self.wrong(
                "limits",
                "`limits` of a controller are two: the lowest and the highest output".to_owned(),
                "not two",
                "write `limits = [-1.0, 1.0]`".to_owned(),
            );
            return None;
        };
        if let (Some(least), Some(most)) = (self.value(&low), self.value(&high))
            && least >= most
        {
            self.wrong(
                "limits",
                format!("the lower limit, {least}, is not below the upper one, {most}"),
                "in the wrong order",
                format!("write the lower one first: `limits = [{most}, {least}]`"),
            );
            return None;
        }
        Some(Some([low, high]))
    }

    /// The name of the value that the actuator is told: the output where that is it.
    pub(super) fn command_name(&mut self) -> String {
        let sampled = self.sample_time().is_some();
        let lag = self.section.get("actuator_lag").is_some();
        if sampled || lag {
            self.own("command")
        } else {
            self.controller.output.text.clone()
        }
    }

    /// Makes the output of what is wanted, and an event for what is sampled.
    pub(super) fn actuate(&mut self, wanted: &Expression, sampled: &[SampledState]) -> Option<()> {
        let limits = self.limits()?;
        let deadband = self.optional("deadband");
        if let Some(value) = deadband.as_ref().and_then(|width| self.value(width))
            && value < 0.0
        {
            let message = format!("`deadband` of a controller is {value}; it cannot be below zero");
            let help = "write a `deadband` of 0 or more".to_owned();
            self.wrong("deadband", message, "below zero", help);
            return None;
        }
        let quantum = self.optional("quantization");
        let rate = self.optional("rate_limit");
        for (key, given) in [("quantization", &quantum), ("rate_limit", &rate)] {
            if let Some(given) = given {
                self.check_positive(key, given)?;
            }
        }
        let period = self.sample_time();
        let changed = limits.is_some() || quantum.is_some() || rate.is_some();
        let mut value = wanted.clone();
        if let Some(width) = &deadband {
            self.define(self.own("wanted"), value);
            value = self.text(
                "_wanted - clamp(_wanted, -width, width)",
                &[("width", width)],
            );
        }
        if changed {
            self.define(self.own("unlimited"), value);
            value = self.text("_unlimited", &[]);
        }
        if let Some(quantum) = &quantum {
            value = self.text("q*floor(v/q + 0.5)", &[("v", &value), ("q", quantum)]);
        }
        if let Some([low, high]) = &limits {
            let bound = [("v", &value), ("low", low), ("high", high)];
            value = self.text("clamp(v, low, high)", &bound);
        }
        let output = self.controller.output.text.clone();
        match period {
            None => {
                let command = self.command_name();
                self.define(command.clone(), value);
                self.controller.command = Some(command.clone());
                if command != output {
                    let lag = self.required("actuator_lag")?;
                    self.check_positive("actuator_lag", &lag)?;
                    let command = self.name_expression(&command);
                    let own = self.name_expression(&output);
                    let mut bound = vec![("u", &command), ("y", &own), ("lag", &lag)];
                    let equation = match &rate {
                        None => self.text("(u - y)/lag", &bound),
                        Some(rate) => {
                            bound.push(("rate", rate));
                            self.text("clamp((u - y)/lag, -rate, rate)", &bound)
                        }
                    };
                    self.state(output, Some(equation));
                }
                Some(())
            }
            Some(period) => self.sample(value, rate, period, sampled),
        }
    }

    fn sample(
        &mut self,
        value: Expression,
        rate: Option<Expression>,
        period: Expression,
        sampled: &[SampledState],
    ) -> Option<()> {
        let output = self.controller.output.text.clone();
        let delay = self.optional("computation_delay");
        let delay = delay.filter(|delay| self.value(delay) != Some(0.0));
        let waiting = match &delay {
            None => None,
            Some(delay) => Some(self.waiting(delay, &period)?),
        };
        // the last command: the output where nothing waits
        let last = if delay.is_none() {
            output.clone()
        } else {
            self.own("held")
        };
        let value = match &rate {
            None => value,
            Some(rate) => {
                let last = self.name_expression(&last);
                let bound = [
                    ("v", &value),
                    ("last", &last),
                    ("rate", rate),
                    ("ts", &period),
                ];
                self.text("last + clamp(v - last, -rate*ts, rate*ts)", &bound)
            }
        };
        self.define(self.own("command"), value);
        let command = self.own("command");
        let mut set = vec![(last.clone(), self.name_expression(&command))];
        self.state(last.clone(), None);
        let mut arrives = None;
        if let Some((full, whole)) = waiting {
            let mut before = last;
            for k in 1..=full {
                let name = self.own(&format!("held_{k}"));
                if whole && k == full {
                    break;
                }
                self.state(name.clone(), None);
                set.push((name.clone(), self.name_expression(&before)));
                before = name;
            }
            self.state(output.clone(), None);
            let effect = (output, self.name_expression(&before));
            if whole {
                set.push(effect);
            } else {
                arrives = Some(effect);
            }
        }
        for state in sampled {
            let name = self.own(state.part);
            self.state(name.clone(), None);
            set.push((name, state.next.clone()));
        }
        let span = self.span();
        let start = number(self.known.start, &span);
        let offset = self.or("offset", 0.0);
        let zero = number(0.0, &span);
        let bound = [
            ("start", &start),
            ("offset", &offset),
            ("delay", delay.as_ref().unwrap_or(&zero)),
        ];
        let first = self.text("start + offset", &bound);
        let later = self.text("start + offset + delay", &bound);
        self.event("samples", &period, first, set);
        if let Some(effect) = arrives {
            self.event("acts", &period, later, vec![effect]);
        }
        Some(())
    }

    /// How many samples are taken while a command waits, and whether they are whole, so that the command acts at a sample.
    fn waiting(&mut self, delay: &Expression, period: &Expression) -> Option<(usize, bool)> {
        let (Some(delay), Some(period)) = (self.value(delay), self.value(period)) else {
            self.wrong(
                "computation_delay",
                "the computation delay of a controller is made of parameters and numbers alone"
                    .to_owned(),
                "not known before the run",
                "write a number, or an expression of parameters".to_owned(),
            );
            return None;
        };
        let ratio = delay / period;
        if ratio > MOST_WAITING {
            self.wrong(
                "computation_delay",
                format!("the computation delay, {delay}, is {ratio:.0} samples; at most {MOST_WAITING} are offered"),
                "too long",
                "shorten it, or take fewer samples".to_owned(),
            );
            return None;
        }
        let nearest = ratio.round();
        let whole = nearest >= 1.0 && (ratio - nearest).abs() <= WHOLE * nearest;
        let full = if whole { nearest } else { ratio.floor() };
        Some((full as usize, whole))
    }

    fn event(
        &mut self,
        what: &str,
        every: &Expression,
        first: Expression,
        set: Vec<(String, Expression)>,
    ) {
        let span = self.span();
        let name = |text: String| Name {
            text,
            span: span.clone(),
        };
        let event = Event {
            name: name(format!("{} {what}", self.controller.name.text)),
            trigger: EventTrigger::Every {
                every: every.clone(),
                first,
            },
            set: set
                .into_iter()
                .map(|(state, value)| (name(state), value))
                .collect(),
            terminal: false,
            only_if: None,
        };
        self.made.events.push(event);
    }
}
