//! What a derivative can be taken with respect to: parameters, initial values, the times of start and end.

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
    /// the time at which runs start, from the same initial values
    Start,
    /// the time at which runs end
    End,
}

impl Variable {
    /// Its name as in `--wrt`: a parameter's own, `initial.x`, `time.start` or `time.end`.
    pub fn name(self, scenario: &Scenario) -> String {
        match self {
            Self::Parameter(i) => scenario.parameters[i].name.text.clone(),
            Self::Initial(i) => format!("initial.{}", scenario.state_names().name(i)),
            Self::Start => "time.start".to_owned(),
            Self::End => "time.end".to_owned(),
        }
    }

    /// The variable of a name.
    ///
    /// # Errors
    /// [`StudyError::UnknownName`] where there is none, which an array as a whole is not: see [`Self::parse_all`].
    pub fn parse(name: &str, scenario: &Scenario) -> Result<Self, StudyError> {
        let name = name.trim();
        let unknown = |kind, name: &str, near: Option<&str>| StudyError::UnknownName {
            kind,
            name: name.to_owned(),
            hint: near.map(str::to_owned),
        };
        if let Some(state) = name.strip_prefix("initial.") {
            let near = || nearest(state, scenario.states.iter().map(|s| s.name.text.as_str()));
            let position = scenario.state_names().position(state);
            return position
                .map(Self::Initial)
                .ok_or_else(|| unknown("state", state, near()));
        }
        if let Some(k) = scenario.free_end.filter(|_| name == "time.end") {
            // its parameter, with which the knots of controls move
            return Ok(Self::Parameter(k));
        }
        if let Some(end) = name.strip_prefix("time.") {
            return match end {
                "start" => Ok(Self::Start),
                "end" => Ok(Self::End),
                _ => Err(unknown(
                    "time",
                    name,
                    nearest(name, ["time.start", "time.end"]),
                )),
            };
        }
        let names = || scenario.parameters.iter().map(|p| p.name.text.as_str());
        let arrays = scenario
            .parameter_arrays
            .iter()
            .map(|a| a.name.text.as_str());
        let position = names().position(|own| own == name);
        position
            .map(Self::Parameter)
            .ok_or_else(|| unknown("parameter", name, nearest(name, arrays.chain(names()))))
    }

    /// The variables of a name: one, or those of all elements of an array, in order.
    ///
    /// # Errors
    /// [`StudyError::UnknownName`] where there is none.
    pub fn parse_all(name: &str, scenario: &Scenario) -> Result<Vec<Self>, StudyError> {
        let name = name.trim();
        if let Some(state) = name.strip_prefix("initial.") {
            let names = scenario.state_names();
            let mut slots = scenario.states.iter().zip(names.slots());
            if let Some((_, slot)) = slots.find(|(own, _)| own.name.text == state) {
                return Ok((slot.first..slot.first + slot.len())
                    .map(Self::Initial)
                    .collect());
            }
        }
        let mut arrays = scenario.parameter_arrays.iter();
        if let Some(array) = arrays.find(|array| array.name.text == name) {
            let extents = scenario.extents(&array.over);
            let count: usize = extents.iter().map(|&n| n as usize).product();
            return Ok((array.first..array.first + count)
                .map(Self::Parameter)
                .collect());
        }
        Self::parse(name, scenario).map(|one| vec![one])
    }

    /// The parameters marked fit; those marked tune where none is; else all of them.
    pub fn default_set(scenario: &Scenario) -> Vec<Self> {
        let mut fitted = Self::fitted(scenario);
        if fitted.is_empty() {
            let tuned = |&i: &usize| scenario.parameters[i].tune;
            let all = (0..scenario.parameters.len()).filter(tuned);
            fitted = all.map(Self::Parameter).collect();
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::Backend;
    use crate::study::Study;

    #[test]
    fn arrays_are_named_whole_or_by_element() {
        let text = r#"
            [scenario]
            time = { start = 0.0, end = 1.0 }
            [indices]
            i = 2
            j = 3
            [parameters]
            a = 1.0
            k = { over = ["i", "j"], value = 2.0 }
            [states]
            w = 1.0
            x = { over = ["j"], initial = 1.0 }
            [equations]
            w = "-a*w"
            x = "-sum(i, k)*x"
        "#;
        let (study, findings) = Study::from_text(text, Path::new("."), Backend::Interpreter);
        let scenario = study.unwrap_or_else(|| panic!("{findings:?}")).scenario;
        let named = |name: &str| {
            let all = Variable::parse_all(name, &scenario).map_err(|error| error.to_string())?;
            Ok::<_, String>(all.iter().map(|v| v.name(&scenario)).collect::<Vec<_>>())
        };
        let ok = |names: &[&str]| Ok(names.iter().map(|&n| n.to_owned()).collect());
        assert_eq!(named("a"), ok(&["a"]));
        assert_eq!(named("k[2,1]"), ok(&["k[2,1]"]));
        assert_eq!(
            named(" k"),
            ok(&["k[1,1]", "k[1,2]", "k[1,3]", "k[2,1]", "k[2,2]", "k[2,3]"])
        );
        assert_eq!(named("initial.w"), ok(&["initial.w"]));
        assert_eq!(
            named("initial.x"),
            ok(&["initial.x[1]", "initial.x[2]", "initial.x[3]"])
        );
        assert_eq!(named("initial.x[3]"), ok(&["initial.x[3]"]));
        let unknown = named("kk").expect_err("there is no kk");
        assert!(unknown.contains("`k`"), "{unknown}");
    }
}
