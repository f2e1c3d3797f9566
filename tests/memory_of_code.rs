//! Native code is freed with its function: a test alone in its process, whose memory it measures.
#![cfg(target_os = "linux")]

use costate::compile::{Backend, Function, Output};
use costate::model::graph::{Graph, InputId, Op};

/// Pages this process maps, from the kernel.
fn mapped_pages() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the kernel's statistics");
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

#[test]
fn memory_of_native_code_is_freed() {
    let mut graph = Graph::new();
    let a = graph.intern(Op::Input(InputId { group: 0, index: 0 }));
    let sum = graph.intern(Op::Add(a, a));
    let outputs = [Output::store(vec![sum])];
    let compile = || Function::new(&graph, &outputs, Backend::Native).expect("native code");
    for _ in 0..100 {
        drop(compile());
    }
    let before = mapped_pages();
    const TIMES: usize = 10_000;
    for _ in 0..TIMES {
        drop(compile());
    }
    // the code of a function takes at least a page: leaked, it would be 10,000 pages
    let grown = mapped_pages().saturating_sub(before);
    assert!(grown < TIMES / 20, "grew by {grown} pages");
}
