//! What there is to see of a simulation: states, single or arrays, their elements, and observables.

use costate::diagnostic::nearest;
use costate::model::{ExpressionKind, Names};
use costate::scenario::{Controller, Scenario};
use costate::study::Simulation;

/// A number or an array over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// its name; an element's is `u[3,4]`
    pub name: String,
    /// unit text
    pub unit: Option<String>,
    /// of an array: the names and sizes of its indices
    pub indices: Vec<(String, usize)>,
    /// drawn only if it is named: an observable that is a state by another name, or a state that a controller keeps to itself
    pub aside: bool,
    source: Source,
}

/// Where its values are among the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// from this state on
    States(usize),
    /// this observable
    Observable(usize),
}

impl Quantity {
    /// Numbers at each time.
    pub fn len(&self) -> usize {
        self.indices.iter().map(|(_, size)| size).product()
    }
    /// Whether it is one number, no array.
    pub fn is_single(&self) -> bool {
        self.indices.is_empty()
    }
    /// Name and unit, as on an axis.
    pub fn label(&self) -> String {
        match &self.unit {
            Some(unit) => format!("{} ({unit})", self.name),
            None => self.name.clone(),
        }
    }
    /// The values of element `k` over time.
    pub fn series<'a>(&self, result: &'a Simulation, k: usize) -> &'a [f64] {
        let values = match self.source {
            Source::States(first) => result.states.get(first + k),
            Source::Observable(o) => result.observables.get(o),
        };
        values.map_or(&[], Vec::as_slice)
    }
    /// The values of all elements over time, in order.
    pub fn all_series<'a>(&self, result: &'a Simulation) -> impl Iterator<Item = &'a [f64]> {
        (0..self.len()).map(|k| self.series(result, k))
    }
    /// Columns of a table: the name of each element.
    pub fn columns(&self) -> impl Iterator<Item = String> {
        let extents = self.indices.iter().map(|(_, size)| *size as u32).collect();
        let mut names = Names::default();
        names.push(&self.name, extents);
        (0..self.len()).map(move |k| names.name(k))
    }
}

/// The states, then the observables that are not called as a state is.
pub fn all(scenario: &Scenario) -> Vec<Quantity> {
    let names = scenario.state_names();
    let is_inside = |name: &str| {
        // (an observer's states are what it is for)
        let made = |c: &Controller| {
            !c.is_observer() && c.output.text != name && c.states.iter().any(|s| s == name)
        };
        scenario.controllers.iter().any(made)
    };
    let states = scenario
        .states
        .iter()
        .zip(names.slots())
        .map(|(state, slot)| Quantity {
            name: state.name.text.clone(),
            unit: state.unit.clone(),
            indices: state
                .over
                .iter()
                .map(|&k| &scenario.indices[k])
                .map(|index| (index.name.text.clone(), index.size as usize))
                .collect(),
            aside: is_inside(&state.name.text),
            source: Source::States(slot.first),
        });
    let is_state = |name: &str| scenario.states.iter().any(|s| s.name.text == name);
    let observables = scenario
        .observables
        .iter()
        .enumerate()
        .filter(|(_, o)| !is_state(&o.name.text))
        .map(|(k, o)| Quantity {
            name: o.name.text.clone(),
            unit: o.unit.clone(),
            indices: Vec::new(),
            aside: matches!(&o.expression.kind, ExpressionKind::Name(name) if is_state(name)),
            source: Source::Observable(k),
        });
    states.chain(observables).collect()
}

/// The state, element or observable of this name.
pub fn find(scenario: &Scenario, name: &str) -> Result<Quantity, String> {
    let there_are = all(scenario);
    if let Some(found) = there_are.iter().find(|q| q.name == name) {
        return Ok(found.clone());
    }
    let names = scenario.state_names();
    if let Some(place) = names.position(name) {
        let base = name.split('[').next().unwrap_or(name).trim();
        let array = there_are.iter().find(|q| q.name == base);
        return Ok(Quantity {
            name: names.name(place),
            unit: array.and_then(|q| q.unit.clone()),
            indices: Vec::new(),
            aside: false,
            source: Source::States(place),
        });
    }
    let base = name.split('[').next().unwrap_or(name).trim();
    if let Some(array) = there_are.iter().find(|q| q.name == base) {
        let sizes: Vec<String> = array.indices.iter().map(|(_, n)| n.to_string()).collect();
        return Err(if sizes.is_empty() {
            format!("`{base}` is no array: it has no `{name}`")
        } else {
            format!(
                "`{base}` is {}, places count from 1: it has no `{name}`",
                sizes.join(" x ")
            )
        });
    }
    if let Some(found) = scenario.definitions.iter().find(|d| d.name.text == base) {
        let element = if found.over.is_empty() || name.contains('[') {
            name.to_owned()
        } else {
            format!("{base}[{}]", vec!["1"; found.over.len()].join(","))
        };
        return Err(format!(
            "`{base}` is a definition, which is seen as an observable: `[observables] seen = \"{element}\"`"
        ));
    }
    let hint = nearest(name, there_are.iter().map(|q| q.name.as_str()))
        .map(|near| format!(": did you mean `{near}`?"));
    Err(format!(
        "there is no state and no observable `{name}`{}",
        hint.unwrap_or_default()
    ))
}

/// The names of a list such as `u[3,4],v`: commas inside brackets separate nothing.
pub fn split(list: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0_usize;
    for c in list.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                names.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(name) = names.last_mut() {
            name.push(c);
        }
    }
    names.iter().map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn commas_inside_brackets_separate_nothing() {
        assert_eq!(split("u[3,4], v,w[1]"), ["u[3,4]", "v", "w[1]"]);
        assert_eq!(split("x"), ["x"]);
        assert_eq!(split("x,"), ["x", ""]);
    }
}
