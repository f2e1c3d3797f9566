//! Once its buffers exist a solve allocates nothing: not a step, not a sample.

use std::alloc::{GlobalAlloc, Layout, System as SystemAllocator};
use std::cell::Cell;

use costate_solvers::{
    Bdf, ImplicitSystem, Integrator, Method, Ndf, Options, Pattern, Rodas5P, Samples, System, Tsit5,
};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; the count is a thread-local cell
// that needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { SystemAllocator.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc`, hence from the system's allocator.
        unsafe { SystemAllocator.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Oscillator {
    pattern: Pattern,
}

impl System<f64> for Oscillator {
    fn dim(&self) -> usize {
        2
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        dx[0] = x[1];
        dx[1] = -x[0];
    }
}

impl ImplicitSystem<f64> for Oscillator {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, _x: &[f64], values: &mut [f64]) {
        values.copy_from_slice(&[-1.0, 1.0]);
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }
}

fn allocations_of_a_second_solve<M: Method<f64, Oscillator>>() -> usize {
    let mut system = Oscillator {
        pattern: Pattern::from_entries(2, 2, &[(0, 1), (1, 0)]),
    };
    let mut integrator = Integrator::<f64, M>::new(&system);
    let times: Vec<f64> = (0..100).map(|k| k as f64 / 10.0).collect();
    let mut samples = Samples::new(times).expect("samples");
    let options = Options::default();
    let mut before = 0;
    for _ in 0..2 {
        before = COUNT.with(Cell::get);
        let mut x = [1.0, 0.0];
        let statistics = integrator
            .run(
                &mut system,
                &mut x,
                &[0.0, 3.0, 10.0],
                &options,
                &mut samples,
            )
            .expect("a solve");
        assert!(statistics.steps > 20 && samples.len() == 100);
    }
    COUNT.with(Cell::get) - before
}

#[test]
fn solves_allocate_nothing() {
    assert_eq!(allocations_of_a_second_solve::<Tsit5<f64>>(), 0);
    assert_eq!(allocations_of_a_second_solve::<Rodas5P<f64>>(), 0);
    assert_eq!(allocations_of_a_second_solve::<Bdf<f64>>(), 0);
    assert_eq!(allocations_of_a_second_solve::<Ndf<f64>>(), 0);
}
