//! How a program is cut into chunks, and which values travel between them.
//!
//! The time to generate a function's code grows faster than its length, so the cut keeps compilation linear.

use super::refused;
use crate::compile::error::CompileError;
use crate::compile::program::Program;
use crate::model::graph::Op;

/// Operations a chunk holds before the next one begins.
pub(super) const CHUNK_WEIGHT: usize = 700;

/// No spill slot.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// How a program is cut into chunks, and which values travel between them.
pub(super) struct Plan {
    /// first operation of every chunk, and the end
    pub starts: Vec<usize>,
    /// spill slot of every operation's value, or [`NO_SLOT`]
    pub slot_of: Vec<u32>,
    /// number of slots
    pub slots: usize,
    /// machine operations in all
    pub weight: usize,
}

impl Plan {
    pub fn new(program: &Program) -> Result<Self, CompileError> {
        let mut starts = vec![0];
        let (mut weight, mut in_chunk) = (0, 0);
        for (place, op) in program.ops.iter().enumerate() {
            if in_chunk >= CHUNK_WEIGHT {
                starts.push(place);
                in_chunk = 0;
            }
            let own = match *op {
                Op::Constant(_) => 0,
                Op::Input(_) => 1,
                Op::Powi(_, n) => 2 * (32 - n.unsigned_abs().leading_zeros() as usize),
                _ => 1,
            };
            weight += own;
            in_chunk += own;
        }
        starts.push(program.ops.len());
        // offsets of loads and stores have 32 bits and a sign
        let most = (i32::MAX / 8) as usize;
        let longest = program
            .input_lengths
            .iter()
            .chain(&program.output_lengths)
            .max();
        if longest.is_some_and(|&length| length > most) || program.ops.len() > most {
            return Err(refused("an array is too long"));
        }
        let (slot_of, slots) = Self::allot(program, &starts);
        Ok(Self {
            starts,
            slot_of,
            slots,
            weight,
        })
    }

    /// Gives a slot to every value that a later chunk reads; a slot is free again after the last such chunk.
    fn allot(program: &Program, starts: &[usize]) -> (Vec<u32>, usize) {
        let chunks = starts.len() - 1;
        let mut slot_of = vec![NO_SLOT; program.ops.len()];
        let mut slots = 0_u32;
        if chunks <= 1 {
            return (slot_of, 0);
        }
        let last_uses = program.last_uses();
        let chunk_of = |place: usize| starts.partition_point(|&start| start <= place) - 1;
        let mut free: Vec<u32> = Vec::new();
        let mut freed_after: Vec<Vec<u32>> = vec![Vec::new(); chunks];
        for chunk in 0..chunks {
            for place in starts[chunk]..starts[chunk + 1] {
                let travels = !matches!(program.ops[place], Op::Constant(_) | Op::Input(_))
                    && last_uses[place] as usize >= starts[chunk + 1];
                if travels {
                    let slot = free.pop().unwrap_or_else(|| {
                        slots += 1;
                        slots - 1
                    });
                    slot_of[place] = slot;
                    freed_after[chunk_of(last_uses[place] as usize)].push(slot);
                }
            }
            free.append(&mut freed_after[chunk]);
        }
        (slot_of, slots as usize)
    }
}
