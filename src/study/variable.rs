//! What a derivative can be taken with respect to: parameters and initial values.

use super::error::StudyError;
use crate::diagnostic::nearest;
use crate::scenario::Scenario;

/// Something a derivative is taken with respect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// parameter by index
    Parameter(usize),
    /// initial value of a state by index: an increment to it in every experiment
    Initial(usize),
}

impl Variable {
    /// Its name as in `--wrt`: a parameter's own, or `initial.x`.
    pub fn name(self, scenario: &Scenario) -> String {
        match self {
            Self::Parameter(i) => scenario.parameters[i].name.text.clone(),
            Self::Initial(i) => format!("initial.{}", scenario.state_names().name(i)),
        }
    }

    /// The variable of a name.
    pub fn parse(name: &str, scenario: &Scenario) -> Result<Self, StudyError> {
        let name = name.trim();
        if let Some(state) = name.strip_prefix("initial.") {
            let position = scenario.state_names().position(state);
            return position
                .map(Self::Initial)
                .ok_or_else(|| StudyError::UnknownName {
                    kind: "state",
                    name: state.to_owned(),
                    hint: nearest(state, scenario.states.iter().map(|s| s.name.text.as_str()))
                        .map(str::to_owned),
                });
        }
        let position = scenario.parameters.iter().position(|p| p.name.text == name);
        position
            .map(Self::Parameter)
            .ok_or_else(|| StudyError::UnknownName {
                kind: "parameter",
                name: name.to_owned(),
                hint: nearest(
                    name,
                    scenario.parameters.iter().map(|p| p.name.text.as_str()),
                )
                .map(str::to_owned),
            })
    }

    /// The parameters marked fit; all of them where none is.
    pub fn default_set(scenario: &Scenario) -> Vec<Self> {
        let fitted = Self::fitted(scenario);
        if fitted.is_empty() {
            (0..scenario.parameters.len())
                .map(Self::Parameter)
                .collect()
        } else {
            fitted
        }
    }

    /// The parameters marked fit.
    pub fn fitted(scenario: &Scenario) -> Vec<Self> {
        (0..scenario.parameters.len())
            .filter(|&i| scenario.parameters[i].fit)
            .map(Self::Parameter)
            .collect()
    }
}
