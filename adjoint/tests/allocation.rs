//! A backward sweep over a recorded tape allocates nothing: its workspace is made once.

#[path = "suite/problems.rs"]
mod problems;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use costate_adjoint::{Handwritten, Seeds, Tape, Tsit5Adjoint};
use costate_solvers::{Integrator, NoEvents, Samples, Tsit5};
use problems::{LotkaVolterra, assert_close, loss, range, tolerance};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the trait's contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the one of `System`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// One test only: another one's allocations would be counted, too.
#[test]
fn solving_again_and_sweeping_back_allocates_nothing() {
    let mut system = Handwritten::new(LotkaVolterra, &[1.5, 1.0, 3.0]);
    let (times, options) = ([0.0, 5.0, 10.0], tolerance(1e-6));
    let mut recorder = (Tape::new(), Samples::new(range(0.0, 0.05, 201)).unwrap());
    let mut integrator = Integrator::<f64, Tsit5<f64>>::new(&system);
    let mut adjoint = Tsit5Adjoint::default();
    let mut sample_bars = vec![0.0; 402];
    let (mut x0_bar, mut p_bar, mut time_bars) = ([0.0; 2], [0.0; 3], [0.0; 3]);
    let (mut counts, mut losses, mut once) = ([0; 2], [0.0; 2], [0.0; 3]);
    for (count, loss_of) in counts.iter_mut().zip(&mut losses) {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        integrator
            .run(
                &mut system,
                &mut [1.0, 1.0],
                &times,
                &options,
                &mut recorder,
            )
            .unwrap();
        for (bar, x) in sample_bars.iter_mut().zip(recorder.1.values()) {
            *bar = x - 1.0;
        }
        let seeds = Seeds {
            samples: recorder.1.places(),
            sample_bars: &sample_bars,
            ..Seeds::default()
        };
        adjoint
            .sweep(
                &mut system,
                &mut NoEvents,
                &recorder.0,
                &seeds,
                &mut x0_bar,
                &mut p_bar,
                Some(&mut time_bars),
            )
            .unwrap();
        *loss_of = loss(recorder.1.values());
        if once == [0.0; 3] {
            once = p_bar;
        }
        *count = ALLOCATIONS.load(Ordering::Relaxed) - before;
    }
    assert!(counts[0] > 0, "the first solve grows the tape");
    assert_eq!(
        counts[1], 0,
        "the second one runs in the memory of the first"
    );
    assert_eq!(losses[0].to_bits(), losses[1].to_bits());
    assert_close(
        &p_bar,
        &once.map(|g| 2.0 * g),
        1e-13,
        0.0,
        "two sweeps add up",
    );
}
