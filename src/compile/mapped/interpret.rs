//! Loops run step by step, over any scalar.

use std::sync::Arc;

use costate_solvers::Scalar;

use super::nest::{Among, Element, Nest, PARTS, SHARED, Step};
use crate::compile::interpreter::compute;
use crate::model::graph::Op;
use crate::model::table::PiecewisePolynomial;

/// What the steps of a run read and write.
struct Run<'a, S> {
    inputs: &'a [&'a [S]],
    registers: &'a mut [S],
    tables: &'a [Arc<PiecewisePolynomial>],
    places: [u32; MOST_SLOTS],
}

/// Most loops of a nest, those of sums among them.
pub(super) const MOST_SLOTS: usize = 32;

impl Nest {
    /// Runs the loops.
    pub fn interpret<S: Scalar>(
        &self,
        inputs: &[&[S]],
        outputs: &mut [&mut [S]],
        shared: &mut [S],
        registers: &mut Vec<S>,
    ) {
        if registers.len() < self.registers {
            registers.resize(self.registers, S::from(0.0));
        }
        let mut run = Run {
            inputs,
            registers,
            tables: &self.tables,
            places: [0; MOST_SLOTS],
        };
        run.steps(&self.levels[0], shared);
        self.level(&mut run, 0, 0, outputs, shared);
    }

    /// The loop number `level`, and those inside it; `first` is the place of its first element.
    fn level<S: Scalar>(
        &self,
        run: &mut Run<'_, S>,
        level: usize,
        first: usize,
        outputs: &mut [&mut [S]],
        shared: &mut [S],
    ) {
        let Some(&extent) = self.extents.get(level) else {
            for target in &self.targets {
                let place = target.base as usize + first * target.stride as usize;
                let value = run.registers[target.value as usize];
                let array = if target.array == u32::from(SHARED) {
                    &mut *shared
                } else {
                    &mut *outputs[target.array as usize]
                };
                if target.accumulate {
                    array[place] += value;
                } else {
                    array[place] = value;
                }
            }
            return;
        };
        for place in 0..extent {
            run.places[level] = place;
            run.steps(&self.levels[level + 1], shared);
            let first = first * extent as usize + place as usize;
            self.level(run, level + 1, first, outputs, shared);
        }
    }
}

impl<S: Scalar> Run<'_, S> {
    fn steps(&mut self, steps: &[Step], shared: &[S]) {
        for step in steps {
            match step {
                Step::Compute { to, op } => {
                    self.registers[*to as usize] = match *op {
                        Op::Input(input) if input.group == SHARED => shared[input.index as usize],
                        _ => compute(op, self.inputs, self.registers, self.tables),
                    };
                }
                Step::Index { to, slot } => {
                    self.registers[*to as usize] = S::from(f64::from(self.places[*slot]) + 1.0);
                }
                Step::Load { to, from } => {
                    self.registers[*to as usize] = match self.place(from) {
                        Some(place) if from.group == SHARED => shared[place],
                        Some(place) => self.inputs[usize::from(from.group)][place],
                        None => S::from(0.0),
                    };
                }
                Step::Listed { to, slot, list } => {
                    let element = list[self.places[*slot] as usize];
                    self.registers[*to as usize] = S::from(f64::from(element) + 1.0);
                }
                Step::Sum(sum) => {
                    for &(to, _) in &sum.terms {
                        let to = to as usize;
                        self.registers[to..to + PARTS].fill(S::from(0.0));
                    }
                    let among = sum.among.as_ref();
                    let group = among.map(|among| self.group(among));
                    let count = group.map_or(sum.extent, |group| group.len() as u32);
                    for k in 0..count {
                        self.places[sum.slot] = group.map_or(k, |group| group[k as usize]);
                        self.steps(&sum.steps, shared);
                        for &(to, term) in &sum.terms {
                            let term = self.registers[term as usize];
                            self.registers[to as usize + k as usize % PARTS] += term;
                        }
                    }
                    for &(to, _) in &sum.terms {
                        let to = to as usize;
                        let part = |k: usize| self.registers[to + k];
                        self.registers[to] = (part(0) + part(2)) + (part(1) + part(3));
                    }
                }
            }
        }
    }

    /// The places that are summed.
    fn group<'g>(&self, among: &'g Among) -> &'g [u32] {
        let element = match &among.follow {
            Some(follow) => follow.position(self.places[follow.slot]),
            None => Some(among.base),
        };
        element.map_or(&[], |element| among.groups.of(element))
    }

    fn place(&self, from: &Element) -> Option<usize> {
        let mut place = from.base;
        for follow in &from.follows {
            place += follow.stride * follow.position(self.places[follow.slot])?;
        }
        Some(place as usize)
    }
}
