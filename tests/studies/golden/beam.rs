//! The beam of Hairer & Wanner II, (IV.10.15) to (IV.10.20), spelled out: an inextensible elastic rod, clamped at one end,
//! pulled at the other, as n = 40 angles theta_l against the vertical.
//!
//! theta'' = C v + D w with w from C w = D v + theta'^2, where C is tridiagonal with diagonal (1, 2, ..., 2, 3) and off-diagonal
//! -cos(theta_l - theta_{l-1}), D antisymmetric with entries -+sin(theta_l - theta_{l-1}), and
//! v_l = n^4 (theta_{l-1} - 2 theta_l + theta_{l+1}) + n^2 (cos(theta_l) F_y - sin(theta_l) F_x), theta_0 = -theta_1,
//! theta_{n+1} = theta_n, F_y = -F_x = 1.5 sin(t)^2 until t = pi and 0 from then on.

use std::fmt::Write as _;

const N: usize = 40;

/// Definitions and equations; states y1 to y40 are the angles, y41 to y80 their rates.
pub fn equations() -> String {
    let mut text = "\n[definitions]\npull = \"if(t < pi, 1.5*sin(t)^2, 0)\"\n".to_owned();
    let mut define = |name: String, expression: String| {
        let _ = writeln!(text, "{name} = \"{expression}\"");
    };
    for l in 2..=N {
        define(format!("c{l}"), format!("cos(y{l} - y{})", l - 1));
        define(format!("s{l}"), format!("sin(y{l} - y{})", l - 1));
    }
    for l in 1..=N {
        let bend = match l {
            1 => "-3*y1 + y2".to_owned(),
            N => format!("y{} - y{l}", l - 1),
            _ => format!("y{} - 2*y{l} + y{}", l - 1, l + 1),
        };
        define(
            format!("v{l}"),
            format!("{N}^4*({bend}) + {N}^2*pull*(cos(y{l}) + sin(y{l}))"),
        );
    }
    // C w = D v + theta'^2 by elimination from the end, then substitution from the start: off-diagonal entry b_l = -c_l.
    for l in (1..=N).rev() {
        let before = (l > 1).then(|| format!(" - s{l}*v{}", l - 1));
        let after = (l < N).then(|| format!(" + s{0}*v{0}", l + 1));
        let right = format!(
            "y{}^2{}{}",
            N + l,
            before.unwrap_or_default(),
            after.unwrap_or_default()
        );
        let diagonal = match l {
            1 => 1,
            N => 3,
            _ => 2,
        };
        if l == N {
            define(format!("d{l}"), format!("{diagonal}"));
            define(format!("r{l}"), right);
        } else {
            let k = l + 1;
            define(format!("d{l}"), format!("{diagonal} - c{k}^2/d{k}"));
            define(format!("r{l}"), format!("{right} + r{k}*c{k}/d{k}"));
        }
    }
    for l in 1..=N {
        let carried = (l > 1).then(|| format!(" + c{l}*w{}", l - 1));
        define(
            format!("w{l}"),
            format!("(r{l}{})/d{l}", carried.unwrap_or_default()),
        );
    }
    text += "\n[equations]\n";
    for l in 1..=N {
        let _ = writeln!(text, "y{l} = \"y{}\"", N + l);
    }
    for l in 1..=N {
        let diagonal = match l {
            1 => 1,
            N => 3,
            _ => 2,
        };
        let mut sum = format!("{diagonal}*v{l}");
        if l > 1 {
            let _ = write!(sum, " - c{l}*v{0} - s{l}*w{0}", l - 1);
        }
        if l < N {
            let _ = write!(sum, " - c{0}*v{0} + s{0}*w{0}", l + 1);
        }
        let _ = writeln!(text, "y{} = \"{sum}\"", N + l);
    }
    // The pull's second derivative jumps at pi.
    text + "\n[solver]\nstop_times = [\"pi\"]\n"
}
