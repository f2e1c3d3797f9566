//! What can go wrong between a graph and a call of its code.

/// Why a function could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// An output or operand names a node that does not exist, or one that does not come before its user.
    #[error("node {node} is used where only the first {nodes} nodes may be")]
    NodeOutOfRange {
        /// the node named
        node: u32,
        /// how many nodes may be named there
        nodes: usize,
    },
    /// A table is named that the graph does not hold.
    #[error("table {table} is used, but there are {tables}")]
    TableOutOfRange {
        /// the table named
        table: u32,
        /// how many there are
        tables: usize,
    },
    /// A table without pieces, or with a number of breaks that does not fit its pieces.
    #[error(
        "table {table} has {pieces} pieces and {breaks} breaks, not one break more than pieces"
    )]
    MalformedTable {
        /// the table
        table: u32,
        /// its pieces
        pieces: usize,
        /// its breaks
        breaks: usize,
    },
    /// More input or output arrays than a call can pass.
    #[error("{arrays} arrays, of which a call passes at most {most}")]
    TooManyArrays {
        /// arrays asked for
        arrays: usize,
        /// arrays a call can pass
        most: usize,
    },
    /// Loops, those of sums among them, are nested too deeply.
    #[error("{loops} loops inside each other, of which there may be {most}")]
    TooManyLoops {
        /// loops asked for
        loops: usize,
        /// loops there may be
        most: usize,
    },
    /// An input is read that lies outside the arrays the function is called with.
    #[error("input {index} of group {group} is used, which holds {given}")]
    InputOutOfRange {
        /// the group
        group: usize,
        /// the place in it
        index: usize,
        /// length of the group's array
        given: usize,
    },
    /// A right-hand side with another number of equations than states.
    #[error("{equations} equations for {states} states")]
    NotSquare {
        /// entries of f
        equations: usize,
        /// states
        states: usize,
    },
    /// Native code cannot be made for this machine, or the code generator refused the program.
    #[error("no native code: {reason}")]
    Native {
        /// what the code generator said
        reason: String,
    },
}

/// Why a call was refused: an array is missing or too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// an input array
    #[error("input array {array} has {length} numbers, needs {required}")]
    Input {
        /// which
        array: usize,
        /// its length, 0 where it is missing
        length: usize,
        /// the length it needs
        required: usize,
    },
    /// the derivative asked for could not be compiled, though the function itself was
    #[error("the derivative asked for could not be compiled")]
    NotCompiled,
    /// an output array
    #[error("output array {array} has {length} places, needs {required}")]
    Output {
        /// which
        array: usize,
        /// its length, 0 where it is missing
        length: usize,
        /// the length it needs
        required: usize,
    },
}
