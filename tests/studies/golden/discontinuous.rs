//! Class F of DETEST, whose right-hand sides are not smooth at whole numbers: spelled out, for the file has them in words.

/// The equations of a problem of the class.
pub fn equations(id: &str) -> Option<String> {
    let whole: Vec<String> = (1..20).map(|i| format!("{i}.0")).collect();
    let stops = format!("\n[solver]\nstop_times = [{}]\n", whole.join(", "));
    match id.strip_prefix("detest_discontinuous/")? {
        // A pulse ends steps where it jumps.
        "F1" => Some(
            r#"
[signals]
s = { kind = "pulse", start = 0.0, width = 1.0, period = 2.0, low = -1.0, high = 1.0 }

[equations]
y1 = "y2"
y2 = "0.2*y2 - (pi^2 + 0.01)*y1 + s"
"#
            .to_owned(),
        ),
        // The kinks of |sin(pi t)| are the scenario's to name.
        "F3" => Some(format!(
            r#"
[equations]
y1 = "y2"
y2 = "0.01*y2*(1 - y1^2) - y1 - abs(sin(pi*t))"
{stops}"#
        )),
        // sign(u) |u|^(1/3) is the real cube root.
        "F5" => {
            let sum = |term: &dyn Fn(i32) -> String| {
                let terms: Vec<String> = (1..20).map(term).collect();
                terms.join(" + ")
            };
            let roots = sum(&|i| format!("cbrt(t - {i})"));
            let c = sum(&|i| format!("{i}^(4/3)"));
            Some(format!(
                r#"
[definitions]
roots = "{roots}"
c = "{c}"

[equations]
y1 = "y1*4/(3*c)*roots"
{stops}"#
            ))
        }
        _ => None,
    }
}
