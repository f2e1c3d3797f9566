//! Machine code of a loop nest.
//!
//! The innermost loop comes in two forms. Near the ends of a row, where elements are found by the rules of the edges,
//! it goes place by place; between, where every map is the place plus a constant and every condition on the place is
//! decided, it does two places at a time in the lanes of a vector. Where elements of outer dimensions lie is computed
//! once a row. Each lane rounds as a scalar does, so both forms give the same bits.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use costate_solvers::Comparison;
use costate_solvers::scalar::half_exponent;
use cranelift_codegen::ir;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, InstBuilder, MemFlagsData, Signature, UserFuncName, Value, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::operations::Operations;
use super::{CodeMemory, generate, generators};
use crate::compile::error::CompileError;
use crate::compile::function::MAX_ARRAYS;
use crate::compile::mapped::nest::{
    Among, By, Element, Follow, Nest, PARTS, SHARED, Step, SumLoop,
};
use crate::model::arrays::Edge;
use crate::model::graph::{Binary, Op};
use crate::model::lists::OUTSIDE;

/// Input arrays, output arrays, shared numbers, first place of the outermost loop and the place after its last.
type LoopFunction = unsafe extern "C" fn(*const *const f64, *const *mut f64, *mut f64, u64, u64);

/// Places at either end of a row that may be left to the form that goes place by place, so that conditions on the
/// place are decided between.
const WIDEST_EDGE: i64 = 16;

/// Machine code of a nest.
pub(in crate::compile) struct LoopCode {
    run: LoopFunction,
    _memory: CodeMemory,
}

impl fmt::Debug for LoopCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopCode").finish_non_exhaustive()
    }
}

impl LoopCode {
    /// Generates the code.
    pub fn new(nest: &Nest) -> Result<Self, CompileError> {
        let isa = &generators()?.optimizing;
        let (addresses, memory) = generate(isa, 1, |_, function, context| {
            Emitter::emit(nest, isa, function, context);
        })?;
        // SAFETY: the address is that of a finalized function generated with the signature of `LoopFunction` in the
        // platform's C calling convention.
        let run = unsafe { std::mem::transmute::<*const u8, LoopFunction>(addresses[0]) };
        Ok(Self {
            run,
            _memory: memory,
        })
    }

    /// Runs the loops, the outermost from one place to another.
    ///
    /// # Safety
    ///
    /// The code reads and writes the arrays as its nest says: they must be as long as that needs, and the stretch of
    /// the outputs that belongs to these places must be written by no one else meanwhile.
    pub unsafe fn run(
        &self,
        inputs: &[*const f64; MAX_ARRAYS],
        outputs: &[*mut f64; MAX_ARRAYS],
        shared: *mut f64,
        places: std::ops::Range<u64>,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            (self.run)(
                inputs.as_ptr(),
                outputs.as_ptr(),
                shared,
                places.start,
                places.end,
            );
        }
    }
}

/// What is known of the innermost loop between the ends of a row.
struct Interior {
    /// first place, and the place after the last
    range: [i64; 2],
    /// registers that are others there
    same_as: HashMap<u32, u32>,
    /// registers that are computed there
    needed: HashSet<u32>,
}

impl Interior {
    /// Of a loop in the place of `slot` with these steps, of whose registers `roots` are read; `constants` are steps that
    /// come before all loops. `None` where there is nothing between the ends.
    fn of(
        constants: &[Step],
        steps: &[Step],
        roots: impl Iterator<Item = u32>,
        slot: usize,
        places: u32,
    ) -> Option<Self> {
        let places = i64::from(places);
        let mut facts = Facts {
            slot,
            places,
            range: [0, places],
            constants: HashMap::new(),
            offsets: HashMap::new(),
            conditions: HashMap::new(),
        };
        facts.note(constants);
        facts.note(steps);
        let range = facts.range;
        if range[1] - range[0] < 2 {
            return None;
        }
        let mut same_as = HashMap::new();
        facts.decide(steps, &mut same_as);
        let resolve = |register: u32| same_as.get(&register).copied().unwrap_or(register);
        let mut needed: HashSet<u32> = roots.map(resolve).collect();
        need(steps, &same_as, &mut needed);
        Some(Self {
            range,
            same_as,
            needed,
        })
    }
}

/// The form of two lanes of a loop.
struct Lanes {
    /// the slot of its place
    slot: usize,
    /// registers that differ between the lanes
    varies: Vec<bool>,
    interior: Interior,
    /// registers of outer loops in both lanes
    spread: HashMap<u32, Value>,
}

/// Adds what needed steps need.
fn need(steps: &[Step], same_as: &HashMap<u32, u32>, needed: &mut HashSet<u32>) {
    let resolve = |register: u32| same_as.get(&register).copied().unwrap_or(register);
    for step in steps.iter().rev() {
        match step {
            Step::Compute { to, op } if needed.contains(to) => {
                needed.extend(op.operands().map(|operand| resolve(operand.0)));
            }
            Step::Sum(sum) => {
                let wanted = sum.terms.iter().filter(|(to, _)| needed.contains(to));
                let terms: Vec<u32> = wanted.map(|&(_, term)| resolve(term)).collect();
                needed.extend(terms);
                need(&sum.steps, same_as, needed);
            }
            _ => {}
        }
    }
}

/// What is gathered of the registers of a nest.
struct Facts {
    slot: usize,
    places: i64,
    range: [i64; 2],
    constants: HashMap<u32, f64>,
    /// registers that are the place of the innermost loop plus a number
    offsets: HashMap<u32, f64>,
    /// choices: comparison and the place where it changes
    conditions: HashMap<u32, (Comparison, f64)>,
}

impl Facts {
    /// Narrows the range to where maps do not leave arrays and conditions do not change. What follows lists goes place by
    /// place: the range is empty.
    fn note(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Index { to, slot } if *slot == self.slot => {
                    self.offsets.insert(*to, 1.0);
                }
                Step::Index { .. } => {}
                Step::Listed { slot, .. } if *slot == self.slot => self.range[1] = 0,
                Step::Listed { .. } => {}
                Step::Load { from, .. } => {
                    let slot = self.slot;
                    let follows = from.follows.iter().filter(|f| f.slot == slot);
                    follows.for_each(|follow| self.narrow(follow));
                }
                Step::Sum(sum) => {
                    let among = sum.among.as_ref();
                    let follow = among.and_then(|among| among.follow.as_ref());
                    if follow.is_some_and(|follow| follow.slot == self.slot) {
                        self.range[1] = 0;
                    }
                    self.note(&sum.steps);
                }
                Step::Compute { to, op } => self.note_operation(*to, op),
            }
        }
    }

    fn narrow(&mut self, follow: &Follow) {
        let By::Shift(shift, _) = follow.by else {
            self.range[1] = 0;
            return;
        };
        let (shift, extent) = (i64::from(shift), i64::from(follow.extent));
        self.range[0] = self.range[0].max(-shift);
        self.range[1] = self.range[1].min(extent - shift);
    }

    fn note_operation(&mut self, to: u32, op: &Op) {
        let offset = |id: &crate::model::NodeId| self.offsets.get(&id.0).copied();
        let constant = |id: &crate::model::NodeId| self.constants.get(&id.0).copied();
        match op {
            Op::Constant(bits) => {
                self.constants.insert(to, f64::from_bits(*bits));
            }
            Op::Add(a, b) => {
                let sum = match (offset(a), constant(b), constant(a), offset(b)) {
                    (Some(o), Some(c), ..) | (_, _, Some(c), Some(o)) => o + c,
                    _ => return,
                };
                self.offsets.insert(to, sum);
            }
            Op::Sub(a, b) => {
                if let (Some(o), Some(c)) = (offset(a), constant(b)) {
                    self.offsets.insert(to, o - c);
                }
            }
            Op::Select {
                comparison,
                left,
                right,
                ..
            } => {
                if let (Some(o), Some(c)) = (offset(left), constant(right)) {
                    let at = c - o;
                    let (first, last) = (at.floor() as i64, at.ceil() as i64);
                    let edge = WIDEST_EDGE.min(self.places / 4);
                    if last < edge {
                        self.range[0] = self.range[0].max(last + 1);
                    } else if first >= self.places - edge {
                        self.range[1] = self.range[1].min(first);
                    } else {
                        return;
                    }
                    self.conditions.insert(to, (*comparison, at));
                }
            }
            _ => {}
        }
    }

    /// Finds registers that are others in the range.
    fn decide(&self, steps: &[Step], same_as: &mut HashMap<u32, u32>) {
        let inside = self.range[0] as f64;
        for step in steps {
            match step {
                Step::Sum(sum) => self.decide(&sum.steps, same_as),
                Step::Compute { to, op } => {
                    let other = match op {
                        Op::Select { yes, no, .. } => self
                            .conditions
                            .get(to)
                            .map(|&(c, at)| if c.holds(inside, at) { yes.0 } else { no.0 }),
                        Op::Add(a, b) => {
                            let zero = |register: u32| {
                                let register = same_as.get(&register).copied().unwrap_or(register);
                                self.constants.get(&register) == Some(&0.0)
                            };
                            if zero(a.0) {
                                Some(b.0)
                            } else {
                                zero(b.0).then_some(a.0)
                            }
                        }
                        _ => None,
                    };
                    if let Some(other) = other {
                        let other = same_as.get(&other).copied().unwrap_or(other);
                        same_as.insert(*to, other);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Registers of steps that vary along the loop in the place of `slot`.
fn varying(steps: &[Step], slot: usize, registers: usize) -> Vec<bool> {
    fn note(steps: &[Step], slot: usize, varies: &mut [bool]) {
        for step in steps {
            match step {
                Step::Compute { to, op } => {
                    varies[*to as usize] = op.operands().any(|id| varies[id.0 as usize]);
                }
                Step::Index { to, slot: own } | Step::Listed { to, slot: own, .. } => {
                    varies[*to as usize] = *own == slot;
                }
                Step::Load { to, from } => {
                    varies[*to as usize] = from.follows.iter().any(|f| f.slot == slot);
                }
                Step::Sum(sum) => {
                    note(&sum.steps, slot, varies);
                    for &(to, term) in &sum.terms {
                        varies[to as usize] = varies[term as usize];
                    }
                }
            }
        }
    }
    let mut varies = vec![false; registers];
    note(steps, slot, &mut varies);
    varies
}

/// Where an element of outer dimensions lies: its address, and whether it is there at all where it may not be.
#[derive(Clone, Copy)]
struct Row {
    address: Value,
    inside: Option<Value>,
}

/// Names a row: input, first element, and how it follows the places of the outer loops.
type RowKey = (u16, u32, Vec<(usize, RuleKey, u32, u32)>);

/// Names a rule: of a list, where it stands in memory.
type RuleKey = Result<(i32, Edge), *const u32>;

fn key<'f>(from: &Element, follows: impl Iterator<Item = &'f Follow>) -> RowKey {
    let rule = |by: &By| match by {
        By::Shift(shift, edge) => Ok((*shift, *edge)),
        By::List(list) => Err(list.as_ptr()),
    };
    let follows = follows.map(|f| (f.slot, rule(&f.by), f.extent, f.stride));
    (from.group, from.base, follows.collect())
}

struct Emitter<'a, 'b> {
    nest: &'a Nest,
    ops: Operations<'a, 'b>,
    inputs: [Option<Value>; MAX_ARRAYS + 1],
    outputs: [Option<Value>; MAX_ARRAYS + 1],
    /// first and last place of the outermost loop
    range: [Value; 2],
    registers: Vec<Option<Value>>,
    places: Vec<Option<Value>>,
    rows: HashMap<RowKey, Row>,
    /// addresses of the present row of each target
    target_rows: Vec<Value>,
    /// in the form of two lanes
    lanes: Option<Lanes>,
    /// in the innermost loop of the nest
    innermost: bool,
}

impl<'a, 'b> Emitter<'a, 'b> {
    fn emit(
        nest: &'a Nest,
        isa: &OwnedTargetIsa,
        function: &'b mut ir::Function,
        context: &'b mut FunctionBuilderContext,
    ) {
        let pointer = isa.pointer_type();
        let mut signature = Signature::new(isa.default_call_conv());
        signature.params = vec![AbiParam::new(pointer); 3];
        signature.params.extend([AbiParam::new(types::I64); 2]);
        function.signature = signature;
        function.name = UserFuncName::user(0, 0);
        let mut builder = FunctionBuilder::new(function, context);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let parameters = builder.block_params(block).to_vec();
        let [inputs, outputs, shared, first, end] = parameters[..] else {
            return;
        };
        let mut emitter = Self {
            nest,
            ops: Operations::new(builder, pointer, &nest.tables),
            inputs: [None; MAX_ARRAYS + 1],
            outputs: [None; MAX_ARRAYS + 1],
            range: [first, end],
            registers: vec![None; nest.registers],
            places: vec![None; nest.slots],
            rows: HashMap::new(),
            target_rows: Vec::new(),
            lanes: None,
            innermost: false,
        };
        emitter.find_arrays(inputs, outputs, shared);
        emitter.steps(&nest.levels[0]);
        let loads: Vec<&Element> = nest
            .levels
            .iter()
            .flat_map(|steps| elements(steps))
            .collect();
        if nest.extents.is_empty() {
            for target in &nest.targets {
                let value = emitter.value(target.value);
                let place = emitter.outputs[target.array as usize].unwrap_or(shared);
                emitter.write(value, place, target.base as i32 * 8, target.accumulate);
            }
        } else {
            emitter.level(1, &loads);
        }
        emitter.ops.builder.ins().return_(&[]);
        emitter.ops.builder.finalize(isa.frontend_config());
    }

    /// Loads the addresses of all arrays.
    fn find_arrays(&mut self, inputs: Value, outputs: Value, shared: Value) {
        let bytes = self.ops.pointer.bytes() as i32;
        let pointer = self.ops.pointer;
        let flags = MemFlagsData::trusted().with_readonly();
        let mut groups: Vec<u16> = Vec::new();
        for steps in &self.nest.levels {
            groups.extend(elements(steps).iter().map(|from| from.group));
            groups.extend(inputs_of(steps));
        }
        for group in groups {
            let array = usize::from(group);
            if self.inputs[array].is_none() {
                self.inputs[array] = Some(if group == SHARED {
                    shared
                } else {
                    let builder = &mut self.ops.builder;
                    builder
                        .ins()
                        .load(pointer, flags, inputs, i32::from(group) * bytes)
                });
            }
        }
        for target in &self.nest.targets {
            let array = target.array as usize;
            if self.outputs[array].is_none() {
                self.outputs[array] = Some(if target.array == u32::from(SHARED) {
                    shared
                } else {
                    let builder = &mut self.ops.builder;
                    builder
                        .ins()
                        .load(pointer, flags, outputs, array as i32 * bytes)
                });
            }
        }
    }

    /// The loop number `level`, counted from 1, and those inside it.
    fn level(&mut self, level: usize, loads: &[&Element]) {
        let extent = self.integer(i64::from(self.nest.extents[level - 1]));
        let zero = self.integer(0);
        let [first, end] = if level == 1 {
            self.range
        } else {
            [zero, extent]
        };
        if level == self.nest.extents.len() {
            return self.innermost(level, first, end);
        }
        let (head, body, exit) = self.open_loop(first);
        let place = self.ops.builder.block_params(head)[0];
        let goes_on = self
            .ops
            .builder
            .ins()
            .icmp(IntCC::SignedLessThan, place, end);
        self.ops.builder.ins().brif(goes_on, body, &[], exit, &[]);
        self.enter(body);
        self.places[level - 1] = Some(place);
        self.find_rows(level, loads);
        let nest = self.nest;
        self.steps(&nest.levels[level]);
        self.level(level + 1, loads);
        self.close_loop(head, place, 1);
        self.ops.builder.seal_block(exit);
        self.ops.builder.switch_to_block(exit);
    }

    fn open_loop(&mut self, first: Value) -> (Block, Block, Block) {
        let builder = &mut self.ops.builder;
        let (head, body, exit) = (
            builder.create_block(),
            builder.create_block(),
            builder.create_block(),
        );
        builder.append_block_param(head, types::I64);
        builder.ins().jump(head, &[first.into()]);
        builder.switch_to_block(head);
        (head, body, exit)
    }

    fn enter(&mut self, body: Block) {
        self.ops.builder.seal_block(body);
        self.ops.builder.switch_to_block(body);
    }

    fn close_loop(&mut self, head: Block, place: Value, step: i64) {
        let next = self.ops.builder.ins().iadd_imm_s(place, step);
        self.ops.builder.ins().jump(head, &[next.into()]);
        self.ops.builder.seal_block(head);
    }

    fn integer(&mut self, value: i64) -> Value {
        self.ops.builder.ins().iconst(types::I64, value)
    }

    /// Where the elements of deeper loops lie, as far as the places up to this loop tell.
    fn find_rows(&mut self, level: usize, loads: &[&Element]) {
        for from in loads {
            let known = |f: &&Follow| f.slot < level;
            if !from.follows.iter().any(|f| f.slot == level - 1) {
                continue;
            }
            let name = key(from, from.follows.iter().filter(known));
            if self.rows.contains_key(&name) {
                continue;
            }
            let mut row = self.base(from);
            for follow in from.follows.iter().filter(known) {
                row = self.follow(row, follow);
            }
            self.rows.insert(name, row);
        }
    }

    fn base(&mut self, from: &Element) -> Row {
        let array = usize::from(from.group);
        let address = match self.inputs[array] {
            Some(address) => address,
            None => self.integer(0),
        };
        Row {
            address,
            inside: None,
        }
    }

    /// The row further on along one dimension, by the rules of its edge.
    fn follow(&mut self, row: Row, follow: &Follow) -> Row {
        let Some(place) = self.places[follow.slot] else {
            return row;
        };
        let (shift, edge) = match &follow.by {
            By::Shift(shift, edge) => (i64::from(*shift), *edge),
            By::List(list) => {
                let (element, there) = self.listed(list, place);
                let inside = match (row.inside, there) {
                    (Some(before), Some(there)) => Some(self.ops.builder.ins().band(before, there)),
                    (before, there) => before.or(there),
                };
                let address = self.offset(row.address, element, follow.stride);
                return Row { address, inside };
            }
        };
        let extent = i64::from(follow.extent);
        let last = i64::from(follow.places) - 1 + shift;
        let builder = &mut self.ops.builder;
        let mut position = match shift {
            0 => place,
            _ => builder.ins().iadd_imm_s(place, shift),
        };
        let mut inside = row.inside;
        match edge {
            _ if shift >= 0 && last < extent => {}
            Edge::Periodic => {
                if shift < -extent || last >= 2 * extent {
                    position = builder.ins().srem_imm_s(position, extent);
                }
                if shift < 0 {
                    let round = builder.ins().iadd_imm_s(position, extent);
                    let below = builder.ins().icmp_imm_s(IntCC::SignedLessThan, position, 0);
                    position = builder.ins().select(below, round, position);
                }
                if last >= extent {
                    let round = builder.ins().iadd_imm_s(position, -extent);
                    let above = IntCC::SignedGreaterThanOrEqual;
                    let above = builder.ins().icmp_imm_s(above, position, extent);
                    position = builder.ins().select(above, round, position);
                }
            }
            Edge::Clamp | Edge::Zero => {
                if edge == Edge::Zero {
                    let holds = IntCC::UnsignedLessThan;
                    let holds = builder.ins().icmp_imm_s(holds, position, extent);
                    inside = Some(match inside {
                        Some(before) => builder.ins().band(before, holds),
                        None => holds,
                    });
                }
                if shift < 0 {
                    let zero = builder.ins().iconst(types::I64, 0);
                    let below = builder.ins().icmp_imm_s(IntCC::SignedLessThan, position, 0);
                    position = builder.ins().select(below, zero, position);
                }
                if last >= extent {
                    let end = builder.ins().iconst(types::I64, extent - 1);
                    let above = IntCC::SignedGreaterThanOrEqual;
                    let above = builder.ins().icmp_imm_s(above, position, extent);
                    position = builder.ins().select(above, end, position);
                }
            }
        }
        let address = self.offset(row.address, position, follow.stride);
        Row { address, inside }
    }

    /// The element that a list has for a place; where the list has none for some, 0 and whether it has one.
    fn listed(&mut self, list: &Arc<[u32]>, place: Value) -> (Value, Option<Value>) {
        let element = self.entry(list, place);
        if !list.contains(&OUTSIDE) {
            return (element, None);
        }
        let builder = &mut self.ops.builder;
        let outside = i64::from(OUTSIDE);
        let there = builder.ins().icmp_imm_s(IntCC::NotEqual, element, outside);
        let zero = builder.ins().iconst(types::I64, 0);
        let element = builder.ins().select(there, element, zero);
        (element, Some(there))
    }

    /// The entry of a list at a place.
    fn entry(&mut self, list: &[u32], place: Value) -> Value {
        let pointer = self.ops.pointer;
        let builder = &mut self.ops.builder;
        let base = builder.ins().iconst(pointer, list.as_ptr() as i64);
        let offset = builder.ins().ishl_imm_s(place, 2);
        let address = builder.ins().iadd(base, offset);
        let flags = MemFlagsData::trusted().with_readonly();
        builder.ins().uload32(flags, address, 0)
    }

    /// address + position * stride numbers
    fn offset(&mut self, address: Value, position: Value, stride: u32) -> Value {
        let bytes = i64::from(stride) * 8;
        let builder = &mut self.ops.builder;
        let moved = if bytes.count_ones() == 1 {
            builder
                .ins()
                .ishl_imm_s(position, i64::from(bytes.trailing_zeros()))
        } else {
            builder.ins().imul_imm_s(position, bytes)
        };
        builder.ins().iadd(address, moved)
    }

    /// The innermost loop: place by place up to where the ends no longer matter, two at a time, and place by place
    /// again.
    fn innermost(&mut self, level: usize, first: Value, end: Value) {
        self.find_target_rows();
        let steps = &self.nest.levels[level];
        let roots = self.nest.targets.iter().map(|target| target.value);
        let slot = level - 1;
        let extent = self.nest.extents[slot];
        let interior = Interior::of(&self.nest.levels[0], steps, roots, slot, extent);
        let Some(interior) = interior else {
            let stop = [end, end];
            let exit = self.singly(level, first, stop);
            self.ops.builder.switch_to_block(exit);
            return;
        };
        // first <= from <= to <= end
        let [low, high] = interior.range.map(|place| self.integer(place));
        let builder = &mut self.ops.builder;
        let clamp = |builder: &mut FunctionBuilder<'_>, value: Value, least: Value, most: Value| {
            let below = builder.ins().icmp(IntCC::SignedLessThan, value, least);
            let value = builder.ins().select(below, least, value);
            let above = builder.ins().icmp(IntCC::SignedGreaterThan, value, most);
            builder.ins().select(above, most, value)
        };
        let from = clamp(builder, low, first, end);
        let to = clamp(builder, high, from, end);
        let length = builder.ins().isub(to, from);
        let length = builder.ins().band_imm_s(length, -2);
        let to = builder.ins().iadd(from, length);
        // the loop place by place serves both ends: it runs to `from`, then from `to` to `end`
        let exit = self.two_at_a_time(level, first, [from, to], end, interior);
        self.ops.builder.switch_to_block(exit);
    }

    fn find_target_rows(&mut self) {
        let extents = &self.nest.extents;
        let outer = extents.len() - 1;
        let mut row: Option<Value> = None;
        for (slot, &extent) in extents.iter().enumerate().take(outer) {
            let Some(place) = self.places[slot] else {
                continue;
            };
            row = Some(match row {
                Some(before) => {
                    let before = self.ops.builder.ins().imul_imm_s(before, i64::from(extent));
                    self.ops.builder.ins().iadd(before, place)
                }
                None => place,
            });
        }
        let inner = extents[outer];
        self.target_rows.clear();
        for target in &self.nest.targets {
            let zero = self.ops.builder.ins().iconst(types::I64, 0);
            let base = self.outputs[target.array as usize].unwrap_or(zero);
            let base = self
                .ops
                .builder
                .ins()
                .iadd_imm_s(base, i64::from(target.base) * 8);
            let address = match row {
                Some(row) => self.offset(base, row, inner * target.stride),
                None => base,
            };
            self.target_rows.push(address);
        }
    }

    /// A loop place by place from `first` to the first of `stop`; the block after it, not entered.
    fn singly(&mut self, level: usize, first: Value, stop: [Value; 2]) -> Block {
        let (head, body, exit) = self.open_loop(first);
        let place = self.ops.builder.block_params(head)[0];
        let goes_on = self
            .ops
            .builder
            .ins()
            .icmp(IntCC::SignedLessThan, place, stop[0]);
        self.ops.builder.ins().brif(goes_on, body, &[], exit, &[]);
        self.enter(body);
        self.body(level, place);
        self.close_loop(head, place, 1);
        self.ops.builder.seal_block(exit);
        exit
    }

    fn two_at_a_time(
        &mut self,
        level: usize,
        first: Value,
        [from, to]: [Value; 2],
        end: Value,
        interior: Interior,
    ) -> Block {
        let builder = &mut self.ops.builder;
        let (head, body, after) = (
            builder.create_block(),
            builder.create_block(),
            builder.create_block(),
        );
        let (pairs, exit) = (builder.create_block(), builder.create_block());
        // place by place: (place, up to where)
        builder.append_block_param(head, types::I64);
        builder.append_block_param(head, types::I64);
        builder.append_block_param(pairs, types::I64);
        let lanes = self.lanes_of(&self.nest.levels[level], level - 1, interior);
        let builder = &mut self.ops.builder;
        builder.ins().jump(head, &[first.into(), from.into()]);

        builder.switch_to_block(head);
        let (place, stop) = (builder.block_params(head)[0], builder.block_params(head)[1]);
        let goes_on = builder.ins().icmp(IntCC::SignedLessThan, place, stop);
        builder.ins().brif(goes_on, body, &[], after, &[]);
        self.enter(body);
        self.body(level, place);
        let next = self.ops.builder.ins().iadd_imm_s(place, 1);
        self.ops
            .builder
            .ins()
            .jump(head, &[next.into(), stop.into()]);

        // at `from` go on in pairs, at the end leave
        let builder = &mut self.ops.builder;
        builder.seal_block(after);
        builder.switch_to_block(after);
        let done = builder
            .ins()
            .icmp(IntCC::SignedGreaterThanOrEqual, place, end);
        let before_pairs = builder.ins().icmp(IntCC::SignedLessThan, place, to);
        let middle = builder.create_block();
        builder.ins().brif(done, exit, &[], middle, &[]);
        builder.seal_block(middle);
        builder.switch_to_block(middle);
        builder.ins().brif(
            before_pairs,
            pairs,
            &[from.into()],
            head,
            &[to.into(), end.into()],
        );

        builder.switch_to_block(pairs);
        let pair = builder.block_params(pairs)[0];
        let (pair_body, pair_exit) = (builder.create_block(), builder.create_block());
        let goes_on = builder.ins().icmp(IntCC::SignedLessThan, pair, to);
        builder.ins().brif(goes_on, pair_body, &[], pair_exit, &[]);
        self.enter(pair_body);
        self.lanes = Some(lanes);
        self.body(level, pair);
        self.lanes = None;
        self.close_loop(pairs, pair, 2);
        let builder = &mut self.ops.builder;
        builder.seal_block(pair_exit);
        builder.switch_to_block(pair_exit);
        builder.ins().jump(head, &[to.into(), end.into()]);
        builder.seal_block(head);
        builder.seal_block(exit);
        exit
    }

    /// The steps of the innermost loop at a place, or at that and the next.
    fn body(&mut self, level: usize, place: Value) {
        self.places[level - 1] = Some(place);
        let nest = self.nest;
        let before = self.registers.clone();
        let rows = self.rows.clone();
        self.innermost = true;
        self.steps(&nest.levels[level]);
        self.innermost = false;
        for (k, target) in nest.targets.iter().enumerate() {
            let value = self.value(target.value);
            let row = self.target_rows[k];
            let address = self.offset(row, place, target.stride);
            let write = |emitter: &mut Self, value: Value, offset: i32| {
                emitter.write(value, address, offset, target.accumulate);
            };
            if self.lanes.is_none() {
                write(self, value, 0);
                continue;
            }
            let value = self.ops.spread(value);
            if target.stride == 1 {
                write(self, value, 0);
            } else {
                for lane in 0..2 {
                    let one = self.ops.builder.ins().extractlane(value, lane);
                    write(self, one, i32::from(lane) * target.stride as i32 * 8);
                }
            }
        }
        self.registers = before;
        self.rows = rows;
    }

    fn write(&mut self, value: Value, address: Value, offset: i32, accumulate: bool) {
        let kind = self.ops.builder.func.dfg.value_type(value);
        let flags = MemFlagsData::new().with_notrap();
        let value = if accumulate {
            let old = self.ops.builder.ins().load(kind, flags, address, offset);
            self.ops.builder.ins().fadd(old, value)
        } else {
            value
        };
        self.ops.builder.ins().store(flags, value, address, offset);
    }

    /// The form of two lanes; registers of outer loops that it reads are put into both lanes here, before it begins.
    fn lanes_of(&mut self, steps: &[Step], slot: usize, interior: Interior) -> Lanes {
        let mut own = HashSet::new();
        registers_of(steps, &mut own);
        let mut outer: Vec<u32> = interior.needed.difference(&own).copied().collect();
        outer.sort_unstable();
        let mut spread = HashMap::new();
        for register in outer {
            if let Some(value) = self.registers[register as usize] {
                spread.insert(register, self.ops.spread(value));
            }
        }
        Lanes {
            slot,
            varies: varying(steps, slot, self.nest.registers),
            interior,
            spread,
        }
    }

    /// Whether a register differs between lanes.
    fn is_wide(&self, register: u32) -> bool {
        let lanes = self.lanes.as_ref();
        lanes.is_some_and(|lanes| lanes.varies[register as usize])
    }

    /// Whether a register need not be computed.
    fn is_idle(&self, register: u32) -> bool {
        let lanes = self.lanes.as_ref();
        lanes.is_some_and(|lanes| !lanes.interior.needed.contains(&register))
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            let to = match step {
                Step::Compute { to, .. }
                | Step::Index { to, .. }
                | Step::Listed { to, .. }
                | Step::Load { to, .. } => *to,
                Step::Sum(sum) => {
                    self.sum(sum);
                    continue;
                }
            };
            if self.is_idle(to) {
                continue;
            }
            let value = match step {
                Step::Compute { op, .. } => self.compute(to, op),
                Step::Index { slot, .. } => self.index(*slot),
                Step::Listed { slot, list, .. } => self.listed_number(*slot, list),
                Step::Load { from, .. } => self.load(from),
                Step::Sum(_) => continue,
            };
            self.registers[to as usize] = Some(value);
        }
    }

    /// The value of a register, as it is.
    fn value(&mut self, register: u32) -> Value {
        let register = self.resolve(register);
        match self.registers[register as usize] {
            Some(value) => value,
            None => self.ops.constant(f64::NAN),
        }
    }

    fn resolve(&self, register: u32) -> u32 {
        let lanes = self.lanes.as_ref();
        let same = lanes.and_then(|lanes| lanes.interior.same_as.get(&register));
        same.copied().unwrap_or(register)
    }

    /// The value in both lanes.
    fn both(&mut self, register: u32) -> Value {
        let register = self.resolve(register);
        let lanes = self.lanes.as_ref();
        match lanes.and_then(|lanes| lanes.spread.get(&register)) {
            Some(&value) => value,
            None => {
                let value = self.value(register);
                self.ops.spread(value)
            }
        }
    }

    fn compute(&mut self, to: u32, op: &Op) -> Value {
        if let Op::Input(input) = *op {
            let flags = MemFlagsData::trusted().with_readonly();
            let zero = self.integer(0);
            let base = self.inputs[usize::from(input.group)].unwrap_or(zero);
            let offset = input.index as i32 * 8;
            return self.ops.builder.ins().load(types::F64, flags, base, offset);
        }
        let half = match op {
            Op::Binary(Binary::Pow, _, exponent) => self.half_exponent(exponent.0),
            _ => None,
        };
        let varies = self.is_wide(to);
        let sides = if matches!(op, Op::Select { .. }) {
            2
        } else {
            0
        };
        let side_varies = op.operands().take(sides).any(|id| self.is_wide(id.0));
        let mut values = [Value::from_u32(0); 4];
        for (k, (value, operand)) in values.iter_mut().zip(op.operands()).enumerate() {
            let wide = if k < sides { side_varies } else { varies };
            *value = if wide {
                self.both(operand.0)
            } else {
                self.value(operand.0)
            };
        }
        self.ops.apply(op, values, half)
    }

    /// n where a register is the constant n / 2 for a small odd n.
    fn half_exponent(&self, register: u32) -> Option<i32> {
        let constant = self.nest.levels[0].iter().find_map(|step| match step {
            Step::Compute {
                to,
                op: Op::Constant(bits),
            } if *to == register => Some(f64::from_bits(*bits)),
            _ => None,
        });
        constant.and_then(half_exponent)
    }

    fn index(&mut self, slot: usize) -> Value {
        let Some(place) = self.places[slot] else {
            return self.ops.constant(f64::NAN);
        };
        let number = self.ops.builder.ins().iadd_imm_s(place, 1);
        let number = self.ops.builder.ins().fcvt_from_sint(types::F64, number);
        if self.lanes.as_ref().is_some_and(|lanes| lanes.slot == slot) {
            let one = self.ops.constant(1.0);
            let next = self.ops.builder.ins().fadd(number, one);
            return self.ops.join(number, next);
        }
        number
    }

    fn listed_number(&mut self, slot: usize, list: &[u32]) -> Value {
        let Some(place) = self.places[slot] else {
            return self.ops.constant(f64::NAN);
        };
        let element = self.entry(list, place);
        let number = self.ops.builder.ins().iadd_imm_s(element, 1);
        self.ops.builder.ins().fcvt_from_sint(types::F64, number)
    }

    fn load(&mut self, from: &Element) -> Value {
        let inner = self.lanes.as_ref().map(|lanes| lanes.slot);
        // the part of its place that outer loops have found
        let mut row = self.base(from);
        let mut rest = from.follows.iter().collect::<Vec<_>>();
        let found = (0..=from.follows.len()).rev().find_map(|count| {
            let slots = from.follows.iter().map(|f| f.slot);
            let mut ordered: Vec<usize> = slots.collect();
            ordered.sort_unstable();
            let last = *ordered.get(count.checked_sub(1)?)?;
            let name = key(from, from.follows.iter().filter(|f| f.slot <= last));
            self.rows.get(&name).map(|&row| (row, last))
        });
        if let Some((known, last)) = found {
            row = known;
            rest.retain(|f| f.slot > last);
        }
        let mut offset = i64::from(from.base) * 8;
        let mut stride = 0;
        for follow in rest {
            if let (true, By::Shift(shift, _)) = (inner == Some(follow.slot), &follow.by) {
                // between the ends: the place plus a constant
                let place = self.places[follow.slot].unwrap_or(row.address);
                row.address = self.offset(row.address, place, follow.stride);
                offset += i64::from(*shift) * i64::from(follow.stride) * 8;
                stride += follow.stride;
            } else {
                row = self.follow(row, follow);
            }
        }
        let wide = from.follows.iter().any(|f| inner == Some(f.slot));
        let flags = MemFlagsData::new().with_notrap();
        let Ok(small) = i32::try_from(offset) else {
            return self.ops.constant(f64::NAN);
        };
        let builder = &mut self.ops.builder;
        let value = if !wide {
            builder.ins().load(types::F64, flags, row.address, small)
        } else if stride == 1 {
            builder.ins().load(types::F64X2, flags, row.address, small)
        } else {
            let next = small + stride as i32 * 8;
            let low = builder.ins().load(types::F64, flags, row.address, small);
            let high = builder.ins().load(types::F64, flags, row.address, next);
            self.ops.join(low, high)
        };
        match row.inside {
            None => value,
            Some(inside) => {
                let zero = self.ops.constant(0.0);
                let zero = if wide { self.ops.spread(zero) } else { zero };
                self.ops.builder.ins().select(inside, value, zero)
            }
        }
    }

    /// Sums along one axis, in four parts each: the place k is added to part k modulo 4.
    ///
    /// A loop hands its parts on turned by one place, so that the part whose turn it is comes first. Where nothing else
    /// runs in lanes, the places between the ends go two at a time, and a vector holds two parts.
    fn sum(&mut self, sum: &SumLoop) {
        let wanted: Vec<(u32, u32)> = sum
            .terms
            .iter()
            .copied()
            .filter(|&(to, _)| !self.is_idle(to))
            .collect();
        if wanted.is_empty() {
            return;
        }
        let zero = self.ops.constant(0.0);
        let mut parts: Vec<Value> = Vec::with_capacity(PARTS * wanted.len());
        for &(to, _) in &wanted {
            let start = match self.is_wide(to) {
                true => self.ops.spread(zero),
                false => zero,
            };
            parts.extend([start; PARTS]);
        }
        let nested = sum.steps.iter().any(|step| matches!(step, Step::Sum(_)));
        let whole = sum.among.is_none();
        let interior = (whole && self.lanes.is_none() && !self.innermost && !nested)
            .then(|| {
                let roots = wanted.iter().map(|&(_, term)| term);
                let constants = &self.nest.levels[0];
                Interior::of(constants, &sum.steps, roots, sum.slot, sum.extent)
            })
            .flatten();
        let end = i64::from(sum.extent);
        match interior {
            None => {
                let range = match &sum.among {
                    None => [0, end].map(|place| self.integer(place)),
                    Some(among) => self.group(among),
                };
                parts = self.add_singly(sum, &wanted, range, parts);
            }
            Some(interior) => {
                let [from, to] = interior.range;
                let to = from + (to - from) / 2 * 2;
                let mut interior = Some(interior);
                for [first, last] in [[0, from], [to, end]] {
                    if first != last {
                        let range = [first, last].map(|place| self.integer(place));
                        parts = self.add_singly(sum, &wanted, range, parts);
                    }
                    if let Some(interior) = interior.take() {
                        parts = self.add_pairs(sum, &wanted, [from, to], parts, interior);
                    }
                }
            }
        }
        for (&(to, _), part) in wanted.iter().zip(parts.chunks_exact(PARTS)) {
            let builder = &mut self.ops.builder;
            let even = builder.ins().fadd(part[0], part[2]);
            let odd = builder.ins().fadd(part[1], part[3]);
            let total = builder.ins().fadd(even, odd);
            self.registers[to as usize] = Some(total);
        }
    }

    /// From where to where the places of a sum stand in the order of its groups.
    fn group(&mut self, among: &Among) -> [Value; 2] {
        let starts = &among.groups.starts;
        let (element, there) = match &among.follow {
            None => (self.integer(i64::from(among.base)), None),
            Some(follow) => {
                let place = self.places[follow.slot];
                let place = match place {
                    Some(place) => place,
                    None => self.integer(0),
                };
                match &follow.by {
                    By::Shift(..) => (place, None),
                    By::List(list) => self.listed(list, place),
                }
            }
        };
        let first = self.entry(starts, element);
        let next = self.ops.builder.ins().iadd_imm_s(element, 1);
        let end = self.entry(starts, next);
        match there {
            None => [first, end],
            Some(there) => [first, self.ops.builder.ins().select(there, end, first)],
        }
    }

    /// A loop from one place to another that carries values along; `body` gives those of the next turn.
    fn carry(
        &mut self,
        [first, end]: [Value; 2],
        step: i64,
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let builder = &mut self.ops.builder;
        let (head, inside, exit) = (
            builder.create_block(),
            builder.create_block(),
            builder.create_block(),
        );
        builder.append_block_param(head, types::I64);
        let mut arguments: Vec<ir::BlockArg> = vec![first.into()];
        for &value in carried {
            let kind = builder.func.dfg.value_type(value);
            builder.append_block_param(head, kind);
            arguments.push(value.into());
        }
        builder.ins().jump(head, &arguments);
        builder.switch_to_block(head);
        let parameters = builder.block_params(head).to_vec();
        let place = parameters[0];
        let goes_on = builder.ins().icmp(IntCC::SignedLessThan, place, end);
        builder.ins().brif(goes_on, inside, &[], exit, &[]);
        self.enter(inside);
        let before = self.registers.clone();
        let next = body(self, place, &parameters[1..]);
        self.registers = before;
        let further = self.ops.builder.ins().iadd_imm_s(place, step);
        let mut arguments: Vec<ir::BlockArg> = vec![further.into()];
        arguments.extend(next.into_iter().map(ir::BlockArg::from));
        self.ops.builder.ins().jump(head, &arguments);
        self.ops.builder.seal_block(head);
        self.ops.builder.seal_block(exit);
        self.ops.builder.switch_to_block(exit);
        parameters[1..].to_vec()
    }

    fn add_singly(
        &mut self,
        sum: &SumLoop,
        wanted: &[(u32, u32)],
        range: [Value; 2],
        parts: Vec<Value>,
    ) -> Vec<Value> {
        self.carry(range, 1, &parts, |emitter, turn, parts| {
            let place = match &sum.among {
                None => turn,
                Some(among) => emitter.entry(&among.groups.order, turn),
            };
            emitter.places[sum.slot] = Some(place);
            emitter.steps(&sum.steps);
            let mut next = Vec::with_capacity(parts.len());
            for (&(to, term), part) in wanted.iter().zip(parts.chunks_exact(PARTS)) {
                let term = match emitter.is_wide(to) {
                    true => emitter.both(term),
                    false => emitter.value(term),
                };
                next.extend_from_slice(&part[1..]);
                next.push(emitter.ops.builder.ins().fadd(part[0], term));
            }
            next
        })
    }

    fn add_pairs(
        &mut self,
        sum: &SumLoop,
        wanted: &[(u32, u32)],
        range: [i64; 2],
        parts: Vec<Value>,
        interior: Interior,
    ) -> Vec<Value> {
        let lanes = self.lanes_of(&sum.steps, sum.slot, interior);
        let pairs: Vec<Value> = parts
            .chunks_exact(2)
            .map(|pair| self.ops.join(pair[0], pair[1]))
            .collect();
        self.lanes = Some(lanes);
        let range = range.map(|place| self.integer(place));
        let pairs = self.carry(range, 2, &pairs, |emitter, place, pairs| {
            emitter.places[sum.slot] = Some(place);
            emitter.steps(&sum.steps);
            let mut next = Vec::with_capacity(pairs.len());
            for (&(_, term), pair) in wanted.iter().zip(pairs.chunks_exact(2)) {
                let term = emitter.both(term);
                let added = emitter.ops.builder.ins().fadd(pair[0], term);
                next.extend([pair[1], added]);
            }
            next
        });
        self.lanes = None;
        let lane = |emitter: &mut Self, pair: Value, lane: u8| {
            emitter.ops.builder.ins().extractlane(pair, lane)
        };
        let mut parts = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            parts.extend([lane(self, pair, 0), lane(self, pair, 1)]);
        }
        parts
    }
}

/// The elements that steps load.
fn elements(steps: &[Step]) -> Vec<&Element> {
    let mut found = Vec::new();
    for step in steps {
        match step {
            Step::Load { from, .. } => found.push(from),
            Step::Sum(sum) => found.extend(elements(&sum.steps)),
            _ => {}
        }
    }
    found
}

/// The inputs that steps read outside arrays.
fn inputs_of(steps: &[Step]) -> Vec<u16> {
    let of = |step: &Step| match step {
        Step::Compute {
            op: Op::Input(input),
            ..
        } => Some(input.group),
        _ => None,
    };
    steps.iter().filter_map(of).collect()
}

/// The registers that steps compute.
fn registers_of(steps: &[Step], found: &mut HashSet<u32>) {
    for step in steps {
        match step {
            Step::Compute { to, .. }
            | Step::Index { to, .. }
            | Step::Listed { to, .. }
            | Step::Load { to, .. } => {
                found.insert(*to);
            }
            Step::Sum(sum) => {
                found.extend(sum.terms.iter().map(|&(to, _)| to));
                registers_of(&sum.steps, found);
            }
        }
    }
}
