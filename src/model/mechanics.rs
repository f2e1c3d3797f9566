//! Equations of motion from energies, by differentiating their nodes twice.
//!
//! With coordinates q, velocities v and L = T - V (Lagrange's equations of the first kind):
//!
//! ```text
//! p = dL/dv,   M = dp/dv (n x n),   G = dg/dq (m x n)
//! M v' = Q - dD/dv + dL/dq - (dp/dt + dp/dq v + dp/dz z') - G^T lambda
//! ```
//!
//! where z are the scenario's other states and dp/dt is the partial derivative in time. T need not be quadratic in v, and
//! V may depend on v (a magnetic field): M is the Hessian of L. Where T jumps in time, velocities go on as they are. M is
//! factored as L D L^T within the graph (`mechanics/factors.rs`), so it must be positive definite; the multipliers follow
//! from the Schur complement G M^-1 G^T, factored alike (`mechanics/constrained.rs`). Everything is ordinary nodes,
//! differentiated like any right-hand side.

mod constrained;
mod degree;
mod factors;
mod start;

use constrained::Constrained;
use factors::{Factors, Sparse};
pub(super) use start::Start;

use super::derivative::{jacobian, jvp, vjp};
use super::graph::{Graph, InputId, NodeId, Op, STATES, TIME};
use super::lower::{Context, Lowering};
use super::scope::{Binding, Role};
use crate::diagnostic::Diagnostic;
use crate::scenario::{Mechanics, Scenario};

/// The equations of motion, M v' = load - G^T lambda, before they are solved for v'.
#[derive(Debug, Clone, PartialEq)]
pub struct MechanicsModel {
    /// indices of the velocities among the states, in the order of the coordinates
    pub velocities: Vec<usize>,
    /// entries (row, column, node) of the lower triangle of M that are not structurally zero
    pub mass: Vec<(usize, usize, NodeId)>,
    /// the right-hand side without the forces of constraint, by coordinate
    pub load: Vec<NodeId>,
    /// the constraints g
    pub constraints: Vec<NodeId>,
    /// entries (constraint, coordinate, node) of G that are not structurally zero
    pub constraint_jacobian: Vec<(usize, usize, NodeId)>,
    /// the multipliers lambda
    pub multipliers: Vec<NodeId>,
    /// the accelerations v'
    pub accelerations: Vec<NodeId>,
    /// the energy v . dL/dv - L, which is T + V where T is quadratic in v
    pub energy: NodeId,
    /// whether the energy is constant: no forces, no dissipation, nothing that depends on time or on other states
    pub conservative: bool,
}

/// What the energies' nodes are functions of.
struct Variables {
    /// q
    coordinates: Vec<NodeId>,
    /// v
    velocities: Vec<NodeId>,
    /// the scenario's other states, with their names
    others: Vec<(NodeId, String)>,
    /// t, and the middle of the present stretch
    time: [NodeId; 2],
}

/// The lowered entries of the table.
struct Energies {
    kinetic: NodeId,
    potential: NodeId,
    dissipation: NodeId,
    forces: Sparse,
    constraints: Vec<NodeId>,
}

const CONSTRAINT: Context = Context {
    what: "a constraint",
    ..Context::ANY
};

impl Lowering<'_> {
    /// Derives the equations and puts them into `rhs`, which holds those of the other states; also gives what is to be true at
    /// the start. `None` where something was reported, here or before.
    pub(super) fn mechanics(
        &mut self,
        mechanics: &Mechanics,
        scenario: &Scenario,
        rhs: &mut [Option<NodeId>],
    ) -> Option<(MechanicsModel, Start)> {
        if let Some(array) = scenario.states.iter().find(|state| !state.over.is_empty()) {
            self.report(
                Diagnostic::error(
                    "model::mechanics",
                    format!("`{}` is an array, which a scenario with `[mechanics]` cannot have", array.name.text),
                    Some(array.name.span.clone()),
                )
                .with_help("write the equations of motion in `[equations]`, or the array's elements as single states"),
            );
            return None;
        }
        let variables = self.variables(mechanics, scenario)?;
        let energies = self.energies(mechanics, &variables);
        let rows = self.check_mass_rows(mechanics, scenario);
        let energies = energies?;
        rows?;
        // a kinetic energy that is missing was reported
        if self
            .graph
            .constant_value(energies.kinetic)
            .is_some_and(f64::is_nan)
        {
            return None;
        }
        let Variables {
            coordinates: q,
            velocities: v,
            ..
        } = &variables;

        // p = dL/dv, M = dp/dv, and what of dp/dt is known before v'
        let lagrangian = self.graph.sub(energies.kinetic, energies.potential);
        let one = self.graph.constant(1.0);
        let momenta = vjp(self.graph, &[lagrangian], &[one], v);
        let slopes = vjp(self.graph, &[lagrangian], &[one], q);
        let losses = vjp(self.graph, &[energies.dissipation], &[one], v);
        let mut seeds: Vec<_> = q.iter().copied().zip(v.iter().copied()).collect();
        seeds.push((variables.time[0], one));
        seeds.extend(self.others_change(mechanics, scenario, &variables, &momenta, rhs)?);
        let changes = jvp(self.graph, &momenta, &seeds);
        let load: Vec<NodeId> = (0..q.len())
            .map(|i| {
                let inertial = self.graph.sub(slopes[i], changes[i]);
                let damped = self.graph.sub(inertial, losses[i]);
                match energies.forces[i] {
                    Some(force) => self.graph.add(damped, force),
                    None => damped,
                }
            })
            .collect();
        let entries = jacobian(self.graph, &momenta, v);
        let matrix = lower_triangle(q.len(), &entries);
        let mass = entries_of(&matrix);
        let factors = match Factors::new(self.graph, matrix) {
            Ok(factors) => factors,
            Err(row) => {
                self.report(no_mass(mechanics, row));
                return None;
            }
        };

        let span = scenario.end - scenario.start;
        let constrained = Constrained::new(self.graph, &factors, &energies.constraints, &variables);
        let constrained = match constrained {
            Ok(constrained) => constrained,
            Err(row) => {
                self.report(redundant(mechanics, row));
                return None;
            }
        };
        let motion = constrained.motion(self.graph, &factors, &variables, &load, span);
        for (node, value) in q
            .iter()
            .zip(&motion.drift)
            .chain(v.iter().zip(&motion.accelerations))
        {
            if let Some(slot) = state(self.graph, *node).and_then(|index| rhs.get_mut(index)) {
                *slot = Some(*value);
            }
        }
        let start = Start::new(self.graph, &factors, &constrained, &mass, &variables);

        let energy = self.energy(&energies, &variables, &momenta);
        let model = MechanicsModel {
            velocities: v
                .iter()
                .filter_map(|&node| state(self.graph, node))
                .collect(),
            conservative: self.is_conservative(&energies, &variables, &losses),
            mass,
            load,
            constraint_jacobian: constrained.entries(),
            constraints: energies.constraints,
            multipliers: motion.multipliers,
            accelerations: motion.accelerations,
            energy,
        };
        self.name_results(mechanics, &model);
        Some((model, start))
    }

    /// The inputs of coordinates, velocities and other states; `None` where a name is another's, which was reported.
    fn variables(&mut self, mechanics: &Mechanics, scenario: &Scenario) -> Option<Variables> {
        let input = |name: &str| {
            let node = self.scope.names.get(name)?.node?;
            state(self.graph, node).map(|_| node)
        };
        let all = &mechanics.coordinates;
        let coordinates: Vec<NodeId> = all
            .iter()
            .map(|c| input(&c.name.text))
            .collect::<Option<_>>()?;
        let velocities: Vec<NodeId> = all
            .iter()
            .map(|c| input(&c.velocity))
            .collect::<Option<_>>()?;
        let others = scenario
            .states
            .iter()
            .filter_map(|other| Some((input(&other.name.text)?, other.name.text.clone())))
            .filter(|(node, _)| !coordinates.contains(node) && !velocities.contains(node))
            .collect();
        Some(Variables {
            coordinates,
            velocities,
            others,
            time: [self.graph.input(TIME, 0), self.graph.input(TIME, 1)],
        })
    }

    /// The entries of the table, each lowered for its findings.
    fn energies(&mut self, mechanics: &Mechanics, variables: &Variables) -> Option<Energies> {
        let zero = self.graph.constant(0.0);
        let kinetic = self.lower(&mechanics.kinetic, Context::ANY);
        let [potential, dissipation] =
            [&mechanics.potential, &mechanics.dissipation].map(|energy| {
                energy
                    .as_ref()
                    .map_or(Some(zero), |energy| self.lower(energy, Context::ANY))
            });
        if let (Some(node), Some(expression)) = (dissipation, &mechanics.dissipation)
            && node != zero
            && !uses(self.graph, node, &variables.velocities)
        {
            self.report(
                Diagnostic::warning(
                    "model::mechanics",
                    "the dissipation depends on no velocity, so it has no effect",
                    Some(expression.span.clone()),
                )
                .with_help("write it as Rayleigh's function, such as `0.5*c*x_dot^2`: the force along x is -dD/dx_dot"),
            );
        }
        let forces: Vec<Option<Sparse>> = mechanics
            .coordinates
            .iter()
            .map(|coordinate| match &coordinate.force {
                None => Some(vec![None]),
                Some(force) => Some(vec![Some(self.lower(force, Context::ANY)?)]),
            })
            .collect();
        let constraints: Vec<Option<NodeId>> = (0..mechanics.constraints.len())
            .map(|index| self.constraint(mechanics, index, variables))
            .collect();
        Some(Energies {
            kinetic: kinetic?,
            potential: potential?,
            dissipation: dissipation?,
            forces: forces.into_iter().collect::<Option<Vec<_>>>()?.concat(),
            constraints: constraints.into_iter().collect::<Option<_>>()?,
        })
    }

    /// A constraint's node: a function of the coordinates that is smooth in time.
    fn constraint(
        &mut self,
        mechanics: &Mechanics,
        index: usize,
        variables: &Variables,
    ) -> Option<NodeId> {
        let expression = &mechanics.constraints[index];
        let node = self.lower(expression, CONSTRAINT)?;
        let coordinates = &variables.coordinates;
        let names = mechanics.coordinates.iter().map(|c| &c.velocity);
        let velocities = variables.velocities.iter().zip(names);
        let live = self.graph.live(&[node]);
        let foreign = velocities
            .chain(variables.others.iter().map(|(node, name)| (node, name)))
            .find(|(input, _)| live.binary_search(input).is_ok());
        let (message, help) = if let Some((_, name)) = foreign {
            (
                format!(
                    "a constraint is a function of the coordinates and of time, and `{name}` is no coordinate"
                ),
                "constraints on velocities are not offered; leave it out, or write its force in `forces`",
            )
        } else if !uses(self.graph, node, coordinates) {
            (
                "the constraint depends on no coordinate".to_owned(),
                "write an expression of coordinates that is to stay 0, such as `x^2 + y^2 - l^2`",
            )
        } else if uses(self.graph, node, &variables.time[1..]) {
            (
                "the constraint jumps or has kinks in time: the velocities would jump, too"
                    .to_owned(),
                "use smooth functions of time: sines, expressions of `t`, tables with `interpolation = \"cubic\"`",
            )
        } else if index >= coordinates.len() {
            (
                format!(
                    "there are more constraints than the {} coordinates",
                    coordinates.len()
                ),
                "leave out what follows from the others",
            )
        } else {
            return Some(node);
        };
        self.report(
            Diagnostic::error("model::mechanics", message, Some(expression.span.clone()))
                .with_help(help),
        );
        None
    }

    /// Rows of `[mass]` may not be those of coordinates and velocities.
    fn check_mass_rows(&mut self, mechanics: &Mechanics, scenario: &Scenario) -> Option<()> {
        let mut fine = Some(());
        for row in scenario.mass.iter().flatten() {
            let name = &row.state.text;
            if mechanics
                .coordinates
                .iter()
                .any(|c| c.name.text == *name || c.velocity == *name)
            {
                self.report(
                    Diagnostic::error(
                        "model::mechanics",
                        format!(
                            "`[mass]` has a row of `{name}`, whose equation `[mechanics]` derives"
                        ),
                        Some(row.state.span.clone()),
                    )
                    .with_help("remove the row: the mass matrix follows from the kinetic energy"),
                );
                fine = None;
            }
        }
        fine
    }

    /// The other states that momenta depend on, with their derivatives.
    fn others_change(
        &mut self,
        mechanics: &Mechanics,
        scenario: &Scenario,
        variables: &Variables,
        momenta: &[NodeId],
        rhs: &[Option<NodeId>],
    ) -> Option<Vec<(NodeId, NodeId)>> {
        let mut seeds = Vec::new();
        let live = self.graph.live(momenta);
        for (node, name) in &variables.others {
            if live.binary_search(node).is_err() {
                continue;
            }
            if scenario
                .mass
                .iter()
                .flatten()
                .any(|row| row.state.text == *name)
            {
                self.report(
                    Diagnostic::error(
                        "model::mechanics",
                        format!("the kinetic energy depends on `{name}`, whose derivative a row of `[mass]` leaves implicit"),
                        Some(mechanics.kinetic.span.clone()),
                    )
                    .with_help(format!("write `{name}` as an ordinary state, or take it out of the kinetic energy")),
                );
                return None;
            }
            let index = state(self.graph, *node)?;
            let change = rhs.get(index).copied().flatten()?;
            if self.graph.constant_value(change) != Some(0.0) {
                seeds.push((*node, change));
            }
        }
        Some(seeds)
    }

    /// v . dL/dv - L; where T is quadratic and V free of velocities, this is T + V (Euler's theorem on homogeneous functions).
    fn energy(&mut self, energies: &Energies, variables: &Variables, momenta: &[NodeId]) -> NodeId {
        let v = &variables.velocities;
        if degree::degree(self.graph, energies.kinetic, v) == Some(2)
            && !uses(self.graph, energies.potential, v)
        {
            return self.graph.add(energies.kinetic, energies.potential);
        }
        let mut sum = self.graph.sub(energies.potential, energies.kinetic);
        for (&velocity, &momentum) in v.iter().zip(momenta) {
            let part = self.graph.mul(velocity, momentum);
            sum = self.graph.add(sum, part);
        }
        sum
    }

    /// Whether the energy is constant along every exact solution, by the structure of what it is made of.
    fn is_conservative(
        &mut self,
        energies: &Energies,
        variables: &Variables,
        losses: &[NodeId],
    ) -> bool {
        let graph = &*self.graph;
        let absent = |node: NodeId| graph.constant_value(node) == Some(0.0);
        let all = [energies.kinetic, energies.potential];
        let others = variables.others.iter().map(|&(node, _)| node);
        let changing: Vec<NodeId> = variables.time.into_iter().chain(others).collect();
        energies
            .forces
            .iter()
            .flatten()
            .chain(losses)
            .all(|&node| absent(node))
            && (all.iter().chain(&energies.constraints)).all(|&node| !uses(graph, node, &changing))
    }

    /// Energy, accelerations and multipliers become names for what is lowered after them, where no other has the name.
    fn name_results(&mut self, mechanics: &Mechanics, model: &MechanicsModel) {
        let accelerations = mechanics
            .coordinates
            .iter()
            .map(|coordinate| format!("{}_ddot", coordinate.name.text))
            .zip(model.accelerations.iter().copied());
        let multipliers = (1..)
            .map(|k| format!("lambda_{k}"))
            .zip(model.multipliers.iter().copied());
        let energy = [("energy".to_owned(), model.energy)];
        for (name, node) in accelerations.chain(multipliers).chain(energy) {
            self.scope.names.entry(name).or_insert(Binding {
                role: Role::Definition,
                node: Some(node),
            });
        }
    }
}

/// The index of the state that a node is.
fn state(graph: &Graph, node: NodeId) -> Option<usize> {
    match graph.op(node) {
        Op::Input(InputId {
            group: STATES,
            index,
        }) => Some(index as usize),
        _ => None,
    }
}

/// Whether a node is computed from any of some inputs.
fn uses(graph: &Graph, node: NodeId, inputs: &[NodeId]) -> bool {
    let live = graph.live(&[node]);
    inputs.iter().any(|input| live.binary_search(input).is_ok())
}

/// The rows of the lower triangle of a symmetric matrix from entries of the whole of it.
fn lower_triangle(n: usize, entries: &[(usize, usize, NodeId)]) -> Vec<Sparse> {
    let mut rows: Vec<Sparse> = (0..n).map(|i| vec![None; i + 1]).collect();
    for &(row, column, node) in entries {
        if row >= column {
            rows[row][column] = Some(node);
        } else {
            rows[column][row].get_or_insert(node);
        }
    }
    rows
}

/// (row, column, node) of what is not structurally zero.
fn entries_of(rows: &[Sparse]) -> Vec<(usize, usize, NodeId)> {
    let of_row = |(i, row): (usize, &Sparse)| {
        let entries = row.iter().enumerate();
        entries
            .filter_map(|(j, entry)| Some((i, j, (*entry)?)))
            .collect::<Vec<_>>()
    };
    rows.iter().enumerate().flat_map(of_row).collect()
}

fn no_mass(mechanics: &Mechanics, row: usize) -> Diagnostic {
    let coordinate = &mechanics.coordinates[row];
    Diagnostic::error(
        "model::mechanics",
        format!(
            "the coordinate `{}` has no kinetic energy: the mass matrix has no pivot for `{}`",
            coordinate.name.text, coordinate.velocity
        ),
        Some(coordinate.name.span.clone()),
    )
    .with_label("has no mass")
    .with_help(format!(
        "give it a term such as `0.5*m*{}^2` in `kinetic`, or make it a state with an equation of its own",
        coordinate.velocity
    ))
}

fn redundant(mechanics: &Mechanics, row: usize) -> Diagnostic {
    Diagnostic::error(
        "model::mechanics",
        "the constraint follows from the others, or holds nothing",
        Some(mechanics.constraints[row].span.clone()),
    )
    .with_help("leave it out: each constraint must take one freedom more")
}
