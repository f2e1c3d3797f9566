//! Linear blocks by a rational function of s: lead-lag, notch, any proper transfer function, as controllers or as plants.
//!
//! `b(s)/a(s)` with a of degree n becomes the controllable canonical form in the scaled variable s/w,
//!
//! ```text
//! x_k' = w x_(k+1),   x_n' = w (u - sum_k a_k/(a_0 w^k) x_(n+1-k)),   y = b_0/a_0 u + sum_k (b_k/a_0 - b_0/a_0 a_k/a_0)/w^k x_(n+1-k)
//! ```
//!
//! where w is the power of two next to |a_n/a_0|^(1/n) at the file's values, so that the states are of one size. Sampled blocks
//! take Tustin's rule, s = 2/Ts (z - 1)/(z + 1): the coefficients in z are definitions, and the same form holds the states.

use super::Block;
use super::actuator::SampledState;
use super::template::{is, number};
use crate::model::Expression;

/// Highest degree of a denominator.
const MOST_DEGREE: usize = 30;
/// Names of the states of a sampled block.
const PARTS: [&str; MOST_DEGREE] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30",
];

impl Block<'_, '_, '_, '_> {
    pub(super) fn lead_lag(&mut self) -> Option<()> {
        let (gain, lead, lag) = (
            self.or("gain", 1.0),
            self.or("lead", 0.0),
            self.or("lag", 0.0),
        );
        let bound = [("k", &gain), ("lead", &lead)];
        if is(&lag, 0.0) && is(&lead, 0.0) {
            return self.rational(vec![gain], vec![number(1.0, &self.span())]);
        }
        let numerator = vec![self.text("k*lead", &bound), gain.clone()];
        self.rational(numerator, vec![lag, number(1.0, &self.span())])
    }

    pub(super) fn notch(&mut self) -> Option<()> {
        let frequency = self.required("frequency")?;
        self.check_positive("frequency", &frequency)?;
        let gain = self.or("gain", 1.0);
        let zero = self.or("zero_damping", 0.0);
        let pole = self.or("pole_damping", 1.0);
        let bound = [
            ("k", &gain),
            ("w", &frequency),
            ("zero", &zero),
            ("pole", &pole),
        ];
        let numerator = ["k", "k*2*zero*w", "k*w^2"].map(|text| self.text(text, &bound));
        let denominator = ["1", "2*pole*w", "w^2"].map(|text| self.text(text, &bound));
        self.rational(numerator.to_vec(), denominator.to_vec())
    }

    pub(super) fn transfer_function(&mut self) -> Option<()> {
        for key in ["numerator", "denominator"] {
            if self.section.get(key).is_none() {
                self.missing(key);
                return None;
            }
        }
        let before = self.reader.diagnostics.len();
        let numerator = self.reader.expressions(&self.section, "numerator");
        let denominator = self.reader.expressions(&self.section, "denominator");
        if self.reader.diagnostics.len() > before {
            return None;
        }
        self.rational(numerator, denominator)
    }

    /// What goes into the block, defined as `error` or `input`.
    fn input(&mut self) -> Option<Expression> {
        let setpoint = self.optional("setpoint");
        let measurement = self.optional("measurement");
        if let Some(input) = self.optional("input") {
            for key in ["setpoint", "measurement"] {
                if self.section.get(key).is_some() {
                    self.wrong(
                        key,
                        format!("a linear block has an `input`, or `setpoint` and `measurement`; this one has `{key}` besides `input`"),
                        "besides `input`",
                        "remove one of the two".to_owned(),
                    );
                    return None;
                }
            }
            self.define(self.own("input"), input);
            return Some(self.text("_input", &[]));
        }
        let Some(measurement) = measurement else {
            let kind = self.controller.kind;
            let diagnostic = self.reader.error(
                "scenario::missing",
                format!("a controller of kind `{kind}` needs `measurement` or `input`"),
                self.section.range(),
            );
            diagnostic.label = "no input".to_owned();
            diagnostic.help = Some(
                "add `measurement = ...` for a controller of `setpoint - measurement`, or `input = ...` for a block"
                    .to_owned(),
            );
            return None;
        };
        let setpoint = setpoint.unwrap_or_else(|| number(0.0, &self.span()));
        let error = self.text("r - y", &[("r", &setpoint), ("y", &measurement)]);
        self.define(self.own("error"), error);
        Some(self.text("_error", &[]))
    }

    /// The block of a numerator and a denominator, the highest powers first.
    fn rational(
        &mut self,
        mut numerator: Vec<Expression>,
        mut denominator: Vec<Expression>,
    ) -> Option<()> {
        for coefficients in [&mut numerator, &mut denominator] {
            let zeros = coefficients.iter().take_while(|c| is(c, 0.0)).count();
            coefficients.drain(..zeros);
        }
        let key = |block: &Self, key: &'static str, other: &'static str| {
            if block.section.get(key).is_some() {
                key
            } else {
                other
            }
        };
        let leads = denominator.first().map(|leading| self.value(leading));
        if denominator.is_empty() || leads == Some(Some(0.0)) {
            let key = key(self, "denominator", "lag");
            self.wrong(
                key,
                "the denominator's highest coefficient is 0".to_owned(),
                "no denominator",
                "begin with the coefficient of the highest power of s that there is".to_owned(),
            );
            return None;
        }
        let degree = denominator.len() - 1;
        if degree > MOST_DEGREE {
            let message =
                format!("the denominator is of degree {degree}; at most {MOST_DEGREE} are offered");
            let help = "write it as several blocks in a row".to_owned();
            self.wrong("denominator", message, "of too high a degree", help);
            return None;
        }
        if numerator.len() > denominator.len() {
            let key = key(self, "numerator", "lead");
            self.wrong(
                key,
                format!(
                    "the transfer function is improper: its numerator is of degree {}, its denominator of {degree}",
                    numerator.len() - 1
                ),
                "of a higher degree than the denominator",
                "add a fast pole to the denominator, as a filter: a system cannot differentiate".to_owned(),
            );
            return None;
        }
        let input = self.input()?;
        let zero = number(0.0, &self.span());
        while numerator.len() < denominator.len() {
            numerator.insert(0, zero.clone());
        }
        match self.sample_time() {
            None => self.continuous(&input, &numerator, &denominator),
            Some(period) => self.tustin(&input, &numerator, &denominator, &period),
        }
    }

    fn continuous(
        &mut self,
        input: &Expression,
        numerator: &[Expression],
        denominator: &[Expression],
    ) -> Option<()> {
        let degree = denominator.len() - 1;
        let scale = match (
            self.value(&denominator[0]),
            self.value(&denominator[degree]),
        ) {
            (Some(first), Some(last)) if degree > 0 => {
                let scale = (last / first).abs().powf(1.0 / degree as f64);
                scale.log2().round().exp2()
            }
            _ => 1.0,
        };
        let scale = if scale.is_finite() && scale > 0.0 {
            scale
        } else {
            1.0
        };
        let span = self.span();
        let power = |k: usize| number(scale.powi(k as i32), &span);
        let w = number(scale, &span);
        let leading = &denominator[0];
        let mut last = input.clone();
        let b0 = &numerator[0];
        let mut output = self.text("b/a*u", &[("b", b0), ("a", leading), ("u", input)]);
        for k in 1..=degree {
            let state = self.name_expression(&self.own(PARTS[degree - k]));
            let power = power(k);
            let bound = [
                ("x", &state),
                ("a0", leading),
                ("b0", b0),
                ("a", &denominator[k]),
                ("b", &numerator[k]),
                ("w", &power),
                ("rest", &last),
                ("y", &output),
            ];
            let next = self.text("rest - a/a0/w*x", &bound);
            output = self.text("y + (b/a0 - b0/a0*(a/a0))/w*x", &bound);
            last = next;
        }
        for k in 0..degree {
            let equation = if k + 1 < degree {
                let next = self.name_expression(&self.own(PARTS[k + 1]));
                self.text("w*x", &[("w", &w), ("x", &next)])
            } else {
                self.text("w*last", &[("w", &w), ("last", &last)])
            };
            self.state(self.own(PARTS[k]), Some(equation));
        }
        self.actuate(&output, &[])
    }

    fn tustin(
        &mut self,
        input: &Expression,
        numerator: &[Expression],
        denominator: &[Expression],
        period: &Expression,
    ) -> Option<()> {
        let degree = denominator.len() - 1;
        let span = self.span();
        let in_z = |block: &Self, coefficients: &[Expression], k: usize| {
            let mut sum = number(0.0, &span);
            for (place, coefficient) in coefficients.iter().enumerate() {
                let power = degree - place;
                let factor = number(bilinear(power, degree - power, k), &span);
                let exponent = number(power as f64, &span);
                let bound = [
                    ("sum", &sum),
                    ("c", coefficient),
                    ("f", &factor),
                    ("ts", period),
                    ("n", &exponent),
                ];
                let text = match power {
                    0 => "sum + f*c",
                    1 => "sum + f*(2/ts)*c",
                    _ => "sum + f*(2/ts)^n*c",
                };
                sum = block.text(text, &bound);
            }
            sum
        };
        let leading = in_z(self, denominator, 0);
        self.define(self.own("a0"), leading);
        for k in 0..=degree {
            let of_numerator = in_z(self, numerator, k);
            let of_numerator = self.text("b/_a0", &[("b", &of_numerator)]);
            self.define(self.own(&format!("b{k}")), of_numerator);
            if k > 0 {
                let of_denominator = in_z(self, denominator, k);
                let of_denominator = self.text("a/_a0", &[("a", &of_denominator)]);
                self.define(self.own(&format!("a{k}")), of_denominator);
            }
        }
        let mut last = input.clone();
        let mut output = self.text("_b0*u", &[("u", input)]);
        for k in 1..=degree {
            let state = self.name_expression(&self.own(PARTS[degree - k]));
            let bound = [("x", &state), ("rest", &last), ("y", &output)];
            let next = self.text(&format!("rest - _a{k}*x"), &bound);
            output = self.text(&format!("y + (_b{k} - _b0*_a{k})*x"), &bound);
            last = next;
        }
        let sampled: Vec<SampledState> = (0..degree)
            .map(|k| SampledState {
                part: PARTS[k],
                next: match PARTS.get(k + 1) {
                    Some(next) if k + 1 < degree => self.name_expression(&self.own(next)),
                    _ => last.clone(),
                },
            })
            .collect();
        self.actuate(&output, &sampled)
    }
}

/// The coefficient of z^(n + m - k) in (z - 1)^n (z + 1)^m.
fn bilinear(n: usize, m: usize, k: usize) -> f64 {
    (0..=k.min(n))
        .filter(|i| k - i <= m)
        .map(|i| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            sign * choose(n, i) * choose(m, k - i)
        })
        .sum()
}

/// n over k.
fn choose(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_the_bilinear_map_multiply_out() {
        // (z - 1)^2 (z + 1) = z^3 - z^2 - z + 1
        let all: Vec<f64> = (0..4).map(|k| bilinear(2, 1, k)).collect();
        assert_eq!(all, [1.0, -1.0, -1.0, 1.0]);
        assert_eq!(choose(10, 3), 120.0);
    }
}
