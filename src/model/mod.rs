//! Equations as one hash-consed graph: parsing, lowering, simplification, derivatives.
//!
//! Text becomes a syntax tree ([`parser`]), a scenario of trees becomes a [`Model`] of nodes ([`mod@build`]), and
//! derivatives are further nodes of the same graph ([`derivative`]).

pub mod algebra;
pub mod array_jacobian;
pub mod arrays;
pub mod build;
pub mod delay;
pub mod derivative;
pub mod evaluate;
pub mod event;
pub mod expression;
pub mod functional;
mod functional_searches;
pub mod functions;
pub mod graph;
mod knots;
mod lexer;
pub mod linearity;
pub mod lists;
mod lower;
mod lower_arrays;
mod lower_graphs;
mod lower_networks;
pub mod mass;
pub mod mechanics;
pub mod names;
pub mod nonsmooth;
pub mod parser;
pub mod prepare;
pub mod print;
pub mod readable;
mod riccati;
mod scope;
pub mod share;
mod signal;
mod switches;
pub mod table;
pub mod trace;
mod transpose;
pub mod unroll;

pub use array_jacobian::{ArrayJacobian, array_jacobian, array_jacobian_values};
pub use build::{BeforeModel, ExperimentModel, Model, ObservableModel, StopTime, build};
pub use delay::{LagModel, echoes};
pub use derivative::{jacobian, jvp, second_order_vjp, vjp};
pub use evaluate::evaluate;
pub use event::{EventModel, TriggerModel};
pub use expression::{Arithmetic, Expression, ExpressionKind};
pub use functional::{Functional, PathBounds, When, functional, functionals};
pub use functional_searches::{Search, SearchFor};
pub use graph::{Graph, NodeId, Op};
pub(crate) use lower_arrays::values_over;
pub use mass::MassEntry;
pub use mechanics::MechanicsModel;
pub use names::{Names, Slot};
pub use nonsmooth::{Margin, NonSmooth};
pub use parser::parse;
pub use prepare::{Prepared, prepare};
pub use readable::readable;
pub use share::share;
pub use table::PiecewisePolynomial;
pub use trace::Traced;
