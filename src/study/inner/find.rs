//! What each parameter marked `profile_out` is, read off the expressions; or why it cannot be solved for.

use std::collections::BTreeSet;

use super::{Group, Inner, Role, Use};
use crate::diagnostic::Diagnostic;
use crate::model::graph::{InputId, PARAMETERS};
use crate::model::linearity::{Form, forms};
use crate::model::{Model, NodeId, TriggerModel};
use crate::scenario::{NoiseModel, Parameter, Scenario};
use crate::study::misfit::Misfit;
use crate::study::plan::ExperimentPlan;

/// An observable with measurements in an experiment.
#[derive(Clone, Copy)]
struct Pair {
    experiment: usize,
    observable: usize,
}

/// What is looked at.
struct Finder<'a> {
    scenario: &'a Scenario,
    model: &'a Model,
    misfits: &'a [Misfit],
    plans: &'a [ExperimentPlan],
    /// indices of the parameters
    parameters: Vec<usize>,
    pairs: Vec<Pair>,
}

impl Inner {
    /// The parameters marked `profile_out`; `None` where there is none, or one of them cannot be solved for, with the reasons.
    pub fn find(
        scenario: &Scenario,
        model: &Model,
        misfits: &[Misfit],
        plans: &[ExperimentPlan],
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let marked = |&i: &usize| scenario.parameters[i].fit && scenario.parameters[i].profile_out;
        let parameters: Vec<usize> = (0..scenario.parameters.len()).filter(marked).collect();
        if parameters.is_empty() {
            return (None, Vec::new());
        }
        let mut pairs = Vec::new();
        for (experiment, plan) in plans.iter().enumerate() {
            let measured: BTreeSet<usize> =
                plan.measurements.iter().map(|m| m.observable).collect();
            pairs.extend(measured.into_iter().map(|observable| Pair {
                experiment,
                observable,
            }));
        }
        let finder = Finder {
            scenario,
            model,
            misfits,
            plans,
            parameters,
            pairs,
        };
        match finder.inner() {
            Ok(inner) => (Some(inner), Vec::new()),
            Err(findings) => (None, findings),
        }
    }
}

impl Finder<'_> {
    fn inner(&self) -> Result<Inner, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let searched = self.scenario.parameters.iter().filter(|p| p.fit);
        if searched.count() == self.parameters.len() {
            let first = self.parameter(0);
            findings.push(refusal(
                first,
                "every fitted parameter is profiled out, and none is left to search for".into(),
                "leave out `profile_out` of one of them at least",
            ));
        }
        if self.scenario.fit.multiple_shooting.is_some() {
            findings.push(refusal(
                self.parameter(0),
                "`profile_out` and `multiple_shooting` do not go together".into(),
                "leave out one of the two",
            ));
        }
        let mut roles = Vec::new();
        let mut used = Vec::new();
        for k in 0..self.parameters.len() {
            match self.role(k) {
                Ok((role, pairs)) => {
                    roles.push(role);
                    used.push(pairs);
                }
                Err(finding) => findings.push(*finding),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let inner = self.groups(&roles, &used);
        inner.map_err(|finding| vec![*finding])
    }

    fn parameter(&self, k: usize) -> &Parameter {
        &self.scenario.parameters[self.parameters[k]]
    }

    /// The forms of nodes in an experiment (the scenario's own parameters where there is none) with respect to some parameters.
    fn forms(&self, own: &[NodeId], nodes: &[NodeId], marked: &[usize]) -> Vec<Form> {
        let graph = &self.model.graph;
        let of_scenario = |input: InputId| match input.group {
            PARAMETERS if marked.contains(&(input.index as usize)) => Form::Proportional,
            _ => Form::Free,
        };
        let own = forms(graph, own, &of_scenario);
        let of_experiment = |input: InputId| match input.group {
            PARAMETERS => own.get(input.index as usize).copied().unwrap_or(Form::Free),
            _ => Form::Free,
        };
        forms(graph, nodes, &of_experiment)
    }

    /// What a parameter is, and the pairs that depend on it.
    fn role(&self, k: usize) -> Result<(Role, Vec<usize>), Box<Diagnostic>> {
        let parameter = self.parameter(k);
        let name = &parameter.name.text;
        let refuse = |message: String, help: &str| Box::new(refusal(parameter, message, help));
        if parameter.prior.is_some() {
            return Err(refuse(
                format!("`{name}` has a prior, with which its best value has no closed form"),
                "leave out `prior`, or `profile_out`",
            ));
        }
        if let Some(place) = self.elsewhere(self.parameters[k]) {
            return Err(refuse(
                format!("`{name}` cannot be profiled out: it enters {place}"),
                "only a scale or an offset of observables, or a size of their noise, can be",
            ));
        }
        let mut found: Option<(Role, &str)> = None;
        let mut pairs = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            let Some(role) = self.role_in(k, *pair)? else {
                continue;
            };
            let observable = &self.scenario.observables[pair.observable].name.text;
            pairs.push(index);
            match found {
                Some((before, first)) if before != role => {
                    return Err(refuse(
                        format!(
                            "`{name}` cannot be profiled out: it is {} of `{first}` and {} of `{observable}`",
                            words(before),
                            words(role)
                        ),
                        "give each a parameter of its own",
                    ));
                }
                _ => found = Some((role, observable)),
            }
        }
        match found {
            Some((role, _)) => Ok((role, pairs)),
            None => Err(refuse(
                format!("`{name}` cannot be profiled out: no measurement depends on it"),
                "fix it (`fit = false`), or measure what depends on it",
            )),
        }
    }

    /// What a parameter is to the measurements of an observable in an experiment.
    fn role_in(&self, k: usize, pair: Pair) -> Result<Option<Role>, Box<Diagnostic>> {
        let parameter = self.parameter(k);
        let name = &parameter.name.text;
        let observable = &self.model.observables[pair.observable];
        let refuse = |message: String, help: &str| Err(Box::new(refusal(parameter, message, help)));
        let of_name = &observable.name;
        let [value, sigma] = self.value_and_sigma(pair, &[self.parameters[k]]);
        if value == Form::Free && sigma == Form::Free {
            return Ok(None);
        }
        let misfit = &self.misfits[pair.observable];
        let logarithmic = match (misfit.model, misfit.loss) {
            (None, None) | (Some(NoiseModel::Normal), _) => false,
            (Some(NoiseModel::LogNormal | NoiseModel::Log10Normal), _) => true,
            (Some(NoiseModel::Laplace | NoiseModel::LogLaplace | NoiseModel::Log10Laplace), _) => {
                return refuse(
                    format!(
                        "`{name}` cannot be profiled out: `{of_name}` has Laplace noise, whose best scale is a median without a derivative"
                    ),
                    "only normal and log-normal noise can be, or none",
                );
            }
            _ => {
                return refuse(
                    format!(
                        "`{name}` cannot be profiled out: the noise or loss of `{of_name}` has no closed form for it"
                    ),
                    "only normal and log-normal noise can be, or none",
                );
            }
        };
        let plan = &self.plans[pair.experiment];
        let mut own = plan.measurements.iter();
        if own.any(|m| m.observable == pair.observable && misfit.is_randomized(m.value)) {
            return refuse(
                format!(
                    "`{name}` cannot be profiled out: `{of_name}` has values beyond a limit of detection"
                ),
                "leave out `profile_out`",
            );
        }
        if value != Form::Free && sigma != Form::Free {
            return refuse(
                format!(
                    "`{name}` cannot be profiled out: it is in the value of `{of_name}` and in its sigma"
                ),
                "leave out `profile_out`, or make sigma another parameter",
            );
        }
        if sigma != Form::Free {
            return match sigma {
                Form::Proportional => Ok(Some(Role::Deviation)),
                _ => refuse(
                    format!(
                        "`{name}` cannot be profiled out: the sigma of `{of_name}` is not proportional to it"
                    ),
                    "a sigma such as `\"s\"` or `\"s*(1 + x)\"` is",
                ),
            };
        }
        match value {
            Form::Proportional if logarithmic => Ok(Some(Role::Factor)),
            Form::Affine if logarithmic => refuse(
                format!(
                    "`{name}` cannot be profiled out: `{of_name}` has noise on its logarithm, and is not proportional to it"
                ),
                "with log-normal noise a scale can be, an offset cannot",
            ),
            Form::Proportional | Form::Affine => Ok(Some(Role::Linear)),
            _ => refuse(
                format!("`{name}` cannot be profiled out: `{of_name}` is not linear in it"),
                "only a scale or an offset can be, as in `\"scale*x + offset\"`",
            ),
        }
    }

    /// Forms of the value and the sigma of a pair.
    fn value_and_sigma(&self, pair: Pair, marked: &[usize]) -> [Form; 2] {
        let observable = &self.model.observables[pair.observable];
        let own = &self.model.experiments[pair.experiment].parameters;
        let nodes: Vec<NodeId> = [observable.value]
            .into_iter()
            .chain(observable.sigma)
            .collect();
        let found = self.forms(own, &nodes, marked);
        [found[0], found.get(1).copied().unwrap_or(Form::Free)]
    }

    /// Where a parameter enters besides observables.
    fn elsewhere(&self, parameter: usize) -> Option<&'static str> {
        let model = self.model;
        let marked = [parameter];
        for experiment in &model.experiments {
            let enters = |own: &[NodeId], nodes: &[NodeId]| {
                let found = self.forms(own, nodes, &marked);
                found.iter().any(|&form| form != Form::Free)
            };
            let own = &experiment.parameters;
            if enters(own, &model.rhs) {
                return Some("the equations");
            }
            if enters(own, &experiment.initial) {
                return Some("an initial value");
            }
            let mass: Vec<NodeId> = model
                .mass
                .iter()
                .flatten()
                .map(|entry| entry.node)
                .collect();
            if enters(own, &mass) {
                return Some("the mass matrix");
            }
            if enters(own, &event_nodes(model)) {
                return Some("an event");
            }
            let stops = model.stops.iter();
            let times: Vec<NodeId> = stops
                .flat_map(|stop| [stop.at].into_iter().chain(stop.period))
                .collect();
            if enters(own, &times) {
                return Some("a signal");
            }
            if let Some(before) = &experiment.before
                && (enters(&before.parameters, &model.rhs)
                    || enters(&before.parameters, &before.initial))
            {
                return Some("the equilibrium before the start");
            }
        }
        None
    }

    /// Which parameters are solved for together.
    fn groups(&self, roles: &[Role], used: &[Vec<usize>]) -> Result<Inner, Box<Diagnostic>> {
        let count = roles.len();
        // by pair: the parameters it depends on
        let of_pair: Vec<Vec<usize>> = (0..self.pairs.len())
            .map(|pair| (0..count).filter(|&k| used[k].contains(&pair)).collect())
            .collect();
        let split = |all: &[usize]| -> (Vec<usize>, Vec<usize>) {
            all.iter().partition(|&&k| roles[k] != Role::Deviation)
        };
        // groups are joined as pairs tie their parameters together
        let mut group_of: Vec<usize> = (0..count).collect();
        for (index, tied) in of_pair.iter().enumerate() {
            let (locations, deviations) = split(tied);
            let observable = &self.scenario.observables[self.pairs[index].observable];
            if let [first, second, ..] = deviations[..] {
                return Err(self.two(first, second, &observable.name.text));
            }
            let marked: Vec<usize> = locations.iter().map(|&k| self.parameters[k]).collect();
            let linear = locations.iter().all(|&k| roles[k] == Role::Linear);
            if linear && self.value_and_sigma(self.pairs[index], &marked)[0] > Form::Affine {
                return Err(Box::new(refusal(
                    self.parameter(locations[0]),
                    format!(
                        "`{}` is linear in each of its parameters with `profile_out`, but not in all of them together",
                        observable.name.text
                    ),
                    "a product such as `scale*(x + offset)` is not; `scale*x + offset` is",
                )));
            }
            for pair in tied.windows(2) {
                let (from, to) = (group_of[pair[1]], group_of[pair[0]]);
                for group in &mut group_of {
                    if *group == from {
                        *group = to;
                    }
                }
            }
        }
        let mut groups: Vec<Group> = vec![Group::default(); count];
        for (k, role) in roles.iter().enumerate() {
            let group = &mut groups[group_of[k]];
            match role {
                Role::Deviation => match group.deviation {
                    Some(first) => {
                        return Err(self.two(
                            first,
                            k,
                            "measurements that share a scale or an offset",
                        ));
                    }
                    None => group.deviation = Some(k),
                },
                Role::Linear | Role::Factor => group.locations.push(k),
            }
        }
        let mut uses = vec![vec![None; self.scenario.observables.len()]; self.plans.len()];
        for (pair, tied) in self.pairs.iter().zip(&of_pair) {
            let Some(&any) = tied.first() else { continue };
            let group = group_of[any];
            let (locations, deviations) = split(tied);
            if let (Some(deviation), []) = (groups[group].deviation, &deviations[..]) {
                return Err(Box::new(refusal(
                    self.parameter(deviation),
                    format!(
                        "`{}` cannot be profiled out: it is the size of the noise of some measurements that share a scale or an offset, not of `{}`",
                        self.parameter(deviation).name.text,
                        self.scenario.observables[pair.observable].name.text
                    ),
                    "leave out its `profile_out`, or that of the scale or offset",
                )));
            }
            uses[pair.experiment][pair.observable] = Some(Use { group, locations });
        }
        Ok(Inner {
            parameters: self.parameters.clone(),
            roles: roles.to_vec(),
            groups,
            uses,
        })
    }

    fn two(&self, first: usize, second: usize, of: &str) -> Box<Diagnostic> {
        let [a, b] = [first, second].map(|k| &self.parameter(k).name.text);
        Box::new(refusal(
            self.parameter(second),
            format!(
                "`{a}` and `{b}` cannot both be profiled out: both are sizes of the noise of {of}"
            ),
            "leave out `profile_out` of one of them",
        ))
    }
}

fn event_nodes(model: &Model) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    for event in &model.events {
        match &event.trigger {
            TriggerModel::Root { node, .. } => nodes.push(*node),
            TriggerModel::Times { at } => nodes.extend(at),
            TriggerModel::Every { every, first } => nodes.extend([*every, *first]),
        }
        nodes.extend(event.set.iter().map(|&(_, node)| node));
        nodes.extend(event.guard);
    }
    nodes
}

fn words(role: Role) -> &'static str {
    match role {
        Role::Linear => "a scale or an offset",
        Role::Factor => "a factor, with noise on the logarithm,",
        Role::Deviation => "the size of the noise",
    }
}

fn refusal(parameter: &Parameter, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(
        "study::profile-out",
        message,
        Some(parameter.name.span.clone()),
    )
    .with_label("`profile_out = true`")
    .with_help(help)
}
