//! What allocates nothing: its process has the allocator that counts, each thread its own count.

mod compiled;
mod counting;
mod objectives;
