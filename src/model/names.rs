//! Names of the numbers in an input: single ones, and elements of arrays, written `u[3,4]`.

use std::fmt::Write as _;

/// Names in order; an array takes as many as it has elements, and the room of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    slots: Vec<Slot>,
}

/// A number, or an array of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// its name
    pub name: String,
    /// its first number's place
    pub first: usize,
    /// elements along each dimension; none: a single number
    pub extents: Vec<u32>,
}

impl Slot {
    /// How many numbers.
    pub fn len(&self) -> usize {
        self.extents.iter().map(|&extent| extent as usize).product()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The name of the so manieth.
    pub fn element(&self, mut k: usize) -> String {
        let mut name = self.name.clone();
        if self.extents.is_empty() {
            return name;
        }
        let mut places = Vec::with_capacity(self.extents.len());
        for &extent in self.extents.iter().rev() {
            places.push(k % extent as usize + 1);
            k /= extent as usize;
        }
        name.push('[');
        for (d, place) in places.iter().rev().enumerate() {
            let comma = if d > 0 { "," } else { "" };
            let _ = write!(name, "{comma}{place}");
        }
        name.push(']');
        name
    }
}

impl Names {
    /// Adds a number, or an array.
    pub fn push(&mut self, name: impl Into<String>, extents: Vec<u32>) {
        let (name, first) = (name.into(), self.len());
        self.slots.push(Slot {
            name,
            first,
            extents,
        });
    }
    /// Number of numbers.
    pub fn len(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.first + slot.len())
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Numbers and arrays, in order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
    /// The slot of a number.
    pub fn slot_of(&self, k: usize) -> Option<&Slot> {
        let after = self.slots.partition_point(|slot| slot.first <= k);
        self.slots[..after]
            .iter()
            .rev()
            .find(|slot| k < slot.first + slot.len())
    }
    /// The name of a number; empty where there is none.
    pub fn name(&self, k: usize) -> String {
        self.slot_of(k)
            .map_or_else(String::new, |slot| slot.element(k - slot.first))
    }
    /// All names, in order.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let of = |slot: &Slot| {
            let slot = slot.clone();
            (0..slot.len()).map(move |k| slot.element(k))
        };
        self.slots.iter().flat_map(of)
    }
    /// The place of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        let (base, places) = match name.split_once('[') {
            None => (name, None),
            Some((base, rest)) => (base, Some(rest.strip_suffix(']')?)),
        };
        let slot = self.slots.iter().find(|slot| slot.name == base.trim())?;
        let Some(places) = places else {
            return slot.extents.is_empty().then_some(slot.first);
        };
        let places: Vec<usize> = places
            .split(',')
            .map(|place| place.trim().parse().ok())
            .collect::<Option<_>>()?;
        if places.len() != slot.extents.len() || places.is_empty() {
            return None;
        }
        let mut k = 0;
        for (&place, &extent) in places.iter().zip(&slot.extents) {
            if place == 0 || place > extent as usize {
                return None;
            }
            k = k * extent as usize + place - 1;
        }
        Some(slot.first + k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_named_by_their_places() {
        let mut names = Names::default();
        names.push("a", Vec::new());
        names.push("u", vec![2, 3]);
        names.push("b", Vec::new());
        assert_eq!(names.len(), 8);
        let all: Vec<String> = names.iter().collect();
        assert_eq!(
            all,
            [
                "a", "u[1,1]", "u[1,2]", "u[1,3]", "u[2,1]", "u[2,2]", "u[2,3]", "b"
            ]
        );
        for (k, name) in all.iter().enumerate() {
            assert_eq!(names.position(name), Some(k));
            assert_eq!(names.name(k), *name);
        }
        assert_eq!(names.position("u[ 2, 3 ]"), Some(6));
        for none in ["u", "u[1]", "u[0,1]", "u[3,1]", "a[1]", "u[1,2", "v", "u[]"] {
            assert_eq!(names.position(none), None, "{none}");
        }
    }
}
