//! Lists in the graph: maps from places on an axis to elements that no rule gives, such as the ends of a network's edges,
//! and the sums that are their transposes.
//!
//! A list sends the place k of its axis to the element l(k), or outside. Reading `x[l(k)]` is a [`super::arrays::Gather`]
//! whose place is [`At::Listed`]; its transpose, and the sum over the edges that end at a node, is
//!
//! ```text
//! Op::SumWhere:   y[j] = sum over all k with l(k) = j of v[k]
//! ```
//!
//! Both are closed under each other: where j is itself listed, lists are composed; the cotangent of `v[k]` is that of y at
//! l(k). So nothing is scattered, and a network of a million edges is one node of the graph.

use std::collections::HashMap;
use std::sync::Arc;

use super::arrays::{At, Axis, Edge, Tables};
use super::graph::{Graph, NodeId, Op};

/// A list, by its number in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub u32);

/// A sum over the places that a list sends to one element, by its number in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectionId(pub u32);

/// What a list holds for a place that it sends nowhere: the element there is 0.
pub const OUTSIDE: u32 = u32::MAX;

/// The places of an axis that a list sends to one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selection {
    /// the axis that is summed along
    pub axis: Axis,
    /// the list, as long as the axis
    pub list: ListId,
    /// how many elements there are
    pub count: u32,
    /// the element: a fixed one, that of an axis as long as `count`, or a listed one
    pub at: At,
}

/// The places of a list by the element that it sends them to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// where in `order` the places of each element begin, and where the last end
    pub starts: Vec<u32>,
    /// the places, those of one element together and ascending
    pub order: Vec<u32>,
}

impl Groups {
    fn new(list: &[u32], count: u32) -> Self {
        let mut starts = vec![0_u32; count as usize + 1];
        for &element in list.iter().filter(|&&element| element < count) {
            starts[element as usize + 1] += 1;
        }
        for k in 0..count as usize {
            starts[k + 1] += starts[k];
        }
        let mut next = starts.clone();
        let mut order = vec![0; starts[count as usize] as usize];
        for (place, &element) in (0..).zip(list) {
            if element < count {
                let to = &mut next[element as usize];
                order[*to as usize] = place;
                *to += 1;
            }
        }
        Self { starts, order }
    }

    /// The places that are sent to an element.
    pub fn of(&self, element: u32) -> &[u32] {
        let element = element as usize;
        &self.order[self.starts[element] as usize..self.starts[element + 1] as usize]
    }
}

/// Lists and selections of a graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    lists: Vec<Arc<[u32]>>,
    index: HashMap<Arc<[u32]>, ListId>,
    selections: Vec<Selection>,
    selection_index: HashMap<Selection, SelectionId>,
    groups: HashMap<(ListId, u32), Arc<Groups>>,
}

impl Tables {
    /// The elements of a list.
    pub fn list(&self, id: ListId) -> &Arc<[u32]> {
        &self.lists.lists[id.0 as usize]
    }

    /// What is summed by an [`Op::SumWhere`].
    pub fn selection(&self, id: SelectionId) -> Selection {
        self.lists.selections[id.0 as usize]
    }

    /// The places of a selection's axis by element.
    pub fn groups(&self, id: SelectionId) -> &Arc<Groups> {
        let selection = self.selection(id);
        &self.lists.groups[&(selection.list, selection.count)]
    }

    /// About how many places a selection has for one element: at least 1.
    pub fn places_of_one(&self, id: SelectionId) -> usize {
        let selection = self.selection(id);
        (self.extent(selection.axis) as usize).div_ceil(selection.count.max(1) as usize)
    }

    /// The place that a map comes to along one dimension of `extent` elements; `None` outside, where the element is 0.
    pub fn position(&self, at: At, extent: u32, on: impl Fn(Axis) -> u32) -> Option<u32> {
        match at {
            At::Fixed(place) => Some(place),
            At::Listed { axis, list } => {
                let element = self.list(list)[on(axis) as usize];
                (element != OUTSIDE).then_some(element)
            }
            At::Along { axis, shift, edge } => moved(i64::from(on(axis)), shift, edge, extent),
        }
    }
}

/// A place moved along a dimension, by the rules of its edge.
pub fn moved(place: i64, shift: i32, edge: Edge, extent: u32) -> Option<u32> {
    let (place, extent) = (place + i64::from(shift), i64::from(extent));
    let place = match edge {
        Edge::Periodic => place.rem_euclid(extent),
        Edge::Clamp => place.clamp(0, extent - 1),
        Edge::Zero if (0..extent).contains(&place) => place,
        Edge::Zero => return None,
    };
    u32::try_from(place).ok()
}

impl Graph {
    /// The list with these elements.
    pub fn list(&mut self, elements: &[u32]) -> ListId {
        let lists = &mut self.arrays_mut().lists;
        if let Some(&id) = lists.index.get(elements) {
            return id;
        }
        let id = ListId(lists.lists.len() as u32);
        let elements: Arc<[u32]> = elements.into();
        lists.lists.push(Arc::clone(&elements));
        lists.index.insert(elements, id);
        id
    }

    /// The element that a list sends the place on its axis to, as a number from 1.
    pub fn listed(&mut self, axis: Axis, list: ListId) -> NodeId {
        match self.plain(At::Listed { axis, list }) {
            At::Along { axis, .. } => self.index(axis),
            _ => self.intern(Op::Listed(axis, list)),
        }
    }

    /// A place as simple as it can be said: a list that leaves every place as it is is none.
    pub(super) fn plain(&self, at: At) -> At {
        if let At::Listed { axis, list } = at
            && (0..)
                .zip(self.arrays().list(list).iter())
                .all(|(k, &element)| k == element)
        {
            return At::Along {
                axis,
                shift: 0,
                edge: Edge::Periodic,
            };
        }
        at
    }

    /// The sum of values over the places of an axis that a list sends to the element `at` of `count`.
    pub fn sum_where(&mut self, selection: Selection, values: NodeId) -> NodeId {
        let Selection {
            axis,
            list,
            count,
            at,
        } = selection;
        let at = match at {
            At::Along { axis, shift, .. } if shift == 0 && self.arrays().extent(axis) == count => {
                at
            }
            At::Along { axis, .. } => {
                let elements: Vec<u32> = (0..self.arrays().extent(axis))
                    .map(|place| self.arrays().position(at, count, |_| place))
                    .map(|element| element.unwrap_or(OUTSIDE))
                    .collect();
                let list = self.list(&elements);
                At::Listed { axis, list }
            }
            // the transpose of a place on an axis is a place on every element: there must be as many
            At::Listed { axis, .. } if self.arrays().extent(axis) == count => self.plain(at),
            At::Listed { .. } | At::Fixed(_) => at,
        };
        // as in a plain sum, one name for the axis of equal sums
        let mut others = self.axes(values).without(axis);
        if let Some(own) = at.axis() {
            others = others.with(own);
        }
        let extent = self.arrays().extent(axis);
        let (bound, values) = self.bind(axis, extent, others, values);
        let lists = &mut self.arrays_mut().lists;
        let elements = &lists.lists[list.0 as usize];
        lists
            .groups
            .entry((list, count))
            .or_insert_with(|| Arc::new(Groups::new(elements, count)));
        let selection = Selection {
            axis: bound,
            list,
            count,
            at,
        };
        let next = SelectionId(lists.selections.len() as u32);
        let id = *lists.selection_index.entry(selection).or_insert(next);
        if id == next {
            lists.selections.push(selection);
        }
        self.intern(Op::SumWhere(id, values))
    }

    /// The place along a dimension of `extent` elements, which was `own`, after `at` is put in place of that on `axis`;
    /// `None` where it is outside, and the element 0.
    pub(super) fn composed(&mut self, own: At, extent: u32, axis: Axis, at: At) -> Option<At> {
        if own.axis() != Some(axis) {
            return Some(own);
        }
        match (own, at) {
            (_, At::Fixed(place)) => self
                .arrays()
                .position(own, extent, |_| place)
                .map(At::Fixed),
            (
                At::Along { shift, edge, .. },
                At::Along {
                    axis,
                    shift: further,
                    ..
                },
            ) => Some(At::Along {
                axis,
                shift: shift + further,
                edge,
            }),
            (_, At::Along { axis, shift, .. }) => {
                let length = i64::from(self.arrays().extent(axis));
                let last = i64::from(self.arrays().extent(own.axis()?)) - 1;
                let places = (0..length).map(|k| (k + i64::from(shift)).clamp(0, last) as u32);
                Some(self.through(own, extent, axis, &places.collect::<Vec<u32>>()))
            }
            (_, At::Listed { axis, list }) => {
                let places = Arc::clone(self.arrays().list(list));
                Some(self.through(own, extent, axis, &places))
            }
        }
    }

    /// A place reached by way of listed places on its axis.
    fn through(&mut self, own: At, extent: u32, axis: Axis, places: &[u32]) -> At {
        let tables = self.arrays();
        let element = |&place: &u32| match place {
            OUTSIDE => OUTSIDE,
            place => tables.position(own, extent, |_| place).unwrap_or(OUTSIDE),
        };
        let elements: Vec<u32> = places.iter().map(element).collect();
        let list = self.list(&elements);
        self.plain(At::Listed { axis, list })
    }
}
