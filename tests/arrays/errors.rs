//! What is wrong with an array is told with its place.

use std::path::Path;

use costate::compile::Backend;
use costate::diagnostic::Severity;
use costate::study::Study;

const SOUND: &str = r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[indices]
i = { size = 10 }
j = { size = 8, boundary = "clamp" }
[parameters]
k = { over = ["i"], value = "0.1*i" }
[states]
u = { over = ["i", "j"], initial = "i+j" }
w = 1.0
[equations]
u = "k*(u[i,j-1] - u)"
w = "-w + mean(u)"
"#;

/// What is written instead of what, and the first error: its code, the text it points at, a part of its message and of its help.
const WRONG: &[(&str, &str, [&str; 4])] = &[
    (
        "u[i,j-1]",
        "u[i-1,j]",
        [
            "model::array",
            "i-1",
            "no place 0 along `i`, which has no boundary",
            "boundary = \"periodic\"",
        ],
    ),
    (
        "u[i,j-1]",
        "u[i,j-9]",
        ["model::array", "j-9", "9 places away along `j`", "8 places"],
    ),
    (
        "u[i,j-1]",
        "u[i]",
        ["model::array", "u", "`u` has 2 indices, not 1", "`i`, `j`"],
    ),
    (
        "u[i,j-1]",
        "w[1]",
        ["model::unknown-name", "w", "`w` is a state, no array", ""],
    ),
    (
        "u[i,j-1]",
        "v[1]",
        ["model::unknown-name", "v", "there is no array `v`", ""],
    ),
    (
        "u[i,j-1]",
        "u[2*i,j]",
        ["model::array", "2*i", "a place is an index", "`u[i+1]`"],
    ),
    (
        "u[i,j-1]",
        "u[11,1]",
        [
            "model::array",
            "11",
            "no place 11 along `i`",
            "from 1 to 10",
        ],
    ),
    (
        "u[i,j-1]",
        "u[i,j-1",
        ["expression::bracket", "[", "`[` is never closed", "`]`"],
    ),
    (
        "\"i\", \"j\"]",
        "\"i\", \"jj\"]",
        [
            "scenario::index",
            "\"jj\"",
            "`[indices]` has no `jj`",
            "`j`",
        ],
    ),
    (
        "\"i\", \"j\"]",
        "\"i\", \"i\"]",
        ["scenario::index", "\"i\"", "`i` is given twice", "i2 = 10"],
    ),
    (
        "-w + mean(u)",
        "-w + u",
        [
            "model::array",
            "u",
            "`u` is an array over `i`, `j`",
            "`sum(u)`",
        ],
    ),
    (
        "mean(u)",
        "mean(m, u)",
        [
            "model::unknown-name",
            "m",
            "goes over an index, which `m` is not",
            "",
        ],
    ),
    (
        "mean(u)",
        "mean(w)",
        [
            "model::array",
            "mean",
            "`mean` of one number",
            "over an array",
        ],
    ),
    (
        "mean(u)",
        "i*w",
        [
            "model::unknown-name",
            "i",
            "there is no `i`",
            "`i` is an index",
        ],
    ),
    (
        "k*(u",
        "sum(i, u)*(u",
        [
            "model::array",
            "i",
            "`i` is bound already",
            "another index of the same size",
        ],
    ),
    (
        "\"clamp\"",
        "\"clmp\"",
        [
            "scenario::index",
            "\"clmp\"",
            "`clmp` is no boundary",
            "`clamp`",
        ],
    ),
    (
        "size = 10",
        "size = 0",
        ["scenario::out-of-range", "0", "at least 1", ""],
    ),
    (
        "0.1*i",
        "0.1*q",
        ["model::unknown-name", "q", "there is no `q`", ""],
    ),
    (
        "0.1*i",
        "0.1*w",
        ["model::unknown-name", "w", "there is no `w`", ""],
    ),
    (
        "\"0.1*i\" }",
        "\"1/(i-3)\" }",
        [
            "scenario::not-finite",
            "\"1/(i-3)\"",
            "inf at its element 3",
            "row by row",
        ],
    ),
    (
        "value = \"0.1*i\"",
        "file = \"none.csv\"",
        ["file::missing", "\"none.csv\"", "none.csv", ""],
    ),
];

#[test]
fn every_slip_is_told_with_its_place() {
    let sound = Study::from_text(SOUND, Path::new("."), Backend::Auto);
    assert!(sound.0.is_some() && sound.1.is_empty(), "{:?}", sound.1);
    for (from, to, [code, place, message, help]) in WRONG {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND, "{from}");
        let (_, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let first = findings.iter().find(|d| d.severity == Severity::Error);
        let first = first.unwrap_or_else(|| panic!("{to}: nothing is wrong"));
        let told = first.help.as_deref().unwrap_or("");
        assert_eq!(first.code, *code, "{to}: {first:?}");
        assert!(first.message.contains(message), "{to}: {}", first.message);
        assert!(told.contains(help), "{to}: {told}");
        let span = first.span.as_ref().expect("a place");
        assert_eq!(span.text(), *place, "{to}");
    }
}
