//! Threads that go through the loops of a step together: they are called once a step, and wait for each other between its
//! loops by looking, which takes a fraction of a microsecond where waking a thread takes tens.
//!
//! No one waits for a thread that is not at work. The one that leads goes through all loops; others take shares of the
//! loop it is at whenever they come, and it goes on when no share is left and no one is at one. So a step ends however
//! busy the other threads are, with other steps too.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

thread_local! {
    /// the team that this thread leads
    static LED: Cell<*const Team> = const { Cell::new(ptr::null()) };
}

/// A loop: what its shares do.
type Body<'a> = &'a (dyn Fn(usize) + Sync);

/// Looks at what has changed before the processor is offered to others.
const LOOKS: u32 = 4096;

/// What the members of a team share.
struct Team {
    /// the loop that is run; null between loops
    body: Cell<*const Body<'static>>,
    /// its number from 1, 0 while there is none
    open: AtomicUsize,
    /// members at the loop besides the one that leads
    inside: AtomicUsize,
    ended: AtomicBool,
    /// by member: the shares that it takes first
    parts: Vec<Part>,
}

/// A range of shares, on a cache line of its own.
#[repr(align(128))]
struct Part {
    next: AtomicUsize,
    end: AtomicUsize,
}

// SAFETY: `body` is written by the thread that leads alone, while `open` is 0 and `inside` is 0: so no one reads it.
unsafe impl Sync for Team {}

/// Looks until something holds.
fn look_until(holds: impl Fn() -> bool) {
    let mut looks = 0;
    while !holds() {
        if looks < LOOKS {
            looks += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

impl Team {
    fn new(members: usize) -> Self {
        let part = || Part {
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
        };
        Self {
            body: Cell::new(ptr::null()),
            open: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            parts: std::iter::repeat_with(part).take(members).collect(),
        }
    }

    /// Takes shares until none is left: a member's own part first, so that it finds in its cache what it left there.
    fn work(&self, member: usize, body: Body<'_>) {
        let (before, from) = self.parts.split_at(member);
        for part in from.iter().chain(before) {
            loop {
                let share = part.next.fetch_add(1, Ordering::Relaxed);
                if share >= part.end.load(Ordering::Relaxed) {
                    break;
                }
                body(share);
            }
        }
    }

    /// Leads through a loop.
    fn lead(&self, number: usize, count: usize, body: Body<'_>) {
        let members = self.parts.len();
        for (k, part) in self.parts.iter().enumerate() {
            part.next.store(k * count / members, Ordering::Relaxed);
            let end = (k + 1) * count / members;
            part.end.store(end, Ordering::Relaxed);
        }
        let place: *const Body<'_> = &raw const body;
        self.body.set(place.cast());
        self.open.store(number, Ordering::SeqCst);
        // closes the loop and waits for its members, when a share panics too: they use what is borrowed here
        let _closed = OnDrop(|| {
            self.open.store(0, Ordering::SeqCst);
            look_until(|| self.inside.load(Ordering::SeqCst) == 0);
        });
        self.work(0, body);
    }

    /// Takes shares of loop after loop, until the team ends.
    fn follow(&self, member: usize) {
        let mut last = 0;
        loop {
            look_until(|| {
                let open = self.open.load(Ordering::SeqCst);
                self.ended.load(Ordering::SeqCst) || (open != 0 && open != last)
            });
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            self.inside.fetch_add(1, Ordering::SeqCst);
            let _outside = OnDrop(|| {
                self.inside.fetch_sub(1, Ordering::SeqCst);
            });
            let open = self.open.load(Ordering::SeqCst);
            if open == 0 || open == last {
                continue;
            }
            last = open;
            // SAFETY: the loop was open after this thread was counted inside, and who leads leaves the loop, to which
            // what `body` points to belongs, only when it has closed it and found no one inside.
            let body: Body<'_> = unsafe { *self.body.get() };
            self.work(member, body);
        }
    }
}

/// Does something at the end of a scope, also when it is left by a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Does work whose loops ([`for_each`]) are run by a team, where there are threads for one.
pub(super) fn together<R>(work: impl FnOnce() -> R) -> R {
    let threads = rayon::current_num_threads();
    if threads < 2 || !LED.get().is_null() {
        return work();
    }
    let team = Team::new(threads);
    rayon::in_place_scope(|scope| {
        for member in 1..threads {
            let team = &team;
            scope.spawn(move |_| team.follow(member));
        }
        LED.set(&raw const team);
        let _ended = OnDrop(|| {
            LED.set(ptr::null());
            team.ended.store(true, Ordering::SeqCst);
        });
        work()
    })
}

/// Runs the shares of a loop, so many, on the team of this thread, or on the threads there are.
pub(super) fn for_each(count: usize, body: Body<'_>) {
    thread_local! {
        /// loops led so far
        static LOOPS: Cell<usize> = const { Cell::new(0) };
    }
    let team = LED.get();
    if team.is_null() {
        if count < 2 || rayon::current_num_threads() < 2 {
            return (0..count).for_each(body);
        }
        return (0..count).into_par_iter().for_each(body);
    }
    let number = LOOPS.get().wrapping_add(1).max(1);
    LOOPS.set(number);
    // SAFETY: `together` set this on this thread, and sets it back before its team goes.
    unsafe { (*team).lead(number, count, body) };
}

/// Runs `body` on the pieces of an array, so long each but for the last, with the place of each one's first number.
pub(super) fn for_each_piece(
    array: &mut [f64],
    length: usize,
    body: &(dyn Fn(usize, &mut [f64]) + Sync),
) {
    let (whole, first) = (array.len(), Pointer(array.as_mut_ptr()));
    for_each(whole.div_ceil(length), &|piece| {
        let start = piece * length;
        let length = length.min(whole - start);
        // SAFETY: pieces are within the array, which is borrowed exclusively, and no two of them overlap.
        let own = unsafe { std::slice::from_raw_parts_mut(first.at(start), length) };
        body(start, own);
    });
}

/// An address that threads share.
struct Pointer(*mut f64);

// SAFETY: an address alone; who follows it says why that is right.
unsafe impl Sync for Pointer {}

impl Pointer {
    fn at(&self, place: usize) -> *mut f64 {
        self.0.wrapping_add(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads").install(work)
    }

    #[test]
    fn each_share_is_run_once_in_each_loop_and_loops_follow_each_other() {
        for threads in [1, 2, 3, 8] {
            let mut numbers = vec![0.0; 1000];
            on_threads(threads, || {
                together(|| {
                    for round in 0..500 {
                        for_each_piece(&mut numbers, 7, &|start, own| {
                            for (place, number) in (start..).zip(own) {
                                // right only where every earlier loop has been here, once
                                assert_eq!(*number, (place * round) as f64);
                                *number += place as f64;
                            }
                        });
                    }
                });
            });
            assert!((0..1000).all(|k| numbers[k] == (k * 500) as f64));
        }
    }

    #[test]
    fn teams_of_several_threads_do_not_wait_for_each_other() {
        on_threads(2, || {
            (0..16).into_par_iter().for_each(|_| {
                let mut numbers = vec![0.0; 64];
                for _ in 0..100 {
                    together(|| for_each_piece(&mut numbers, 8, &|_, own| own[0] += 1.0));
                }
                assert!(numbers.iter().step_by(8).all(|&n| n == 100.0));
            });
        });
    }

    #[test]
    fn a_panic_in_a_share_ends_the_team_and_reaches_its_leader() {
        for guilty in [0, 63] {
            let caught = std::panic::catch_unwind(|| {
                on_threads(2, || {
                    together(|| for_each(64, &|share| assert_ne!(share, guilty)));
                });
            });
            assert!(caught.is_err());
        }
    }
}
