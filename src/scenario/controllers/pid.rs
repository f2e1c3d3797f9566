//! Controllers of three terms, with r the setpoint, y the measurement, e = r - y:
//!
//! ```text
//! parallel   v = kp (b r - y) + I + D,   I' = ki e,         D = kd s/(tau s + 1) (c r - y)
//! ideal      kp = k, ki = k/ti, kd = k td
//! series     v = k w + I,                I' = k/ti w_I,     w = (b r - y) + D, w_I = e + D with kd = td
//! ```
//!
//! The filter of the derivative is the state `derivative`, z' = (c r - y - z)/tau, and D = kd (c r - y - z)/tau. A sampled
//! controller adds `Ts ki e` to the integral after each output (Euler's forward rule) and takes the derivative by backward
//! differences, D_k = (tau D_(k-1) + kd (d_k - d_(k-1)))/(tau + Ts) of d = c r - y, from the second sample on.
//!
//! With limits, where u is v within them, the integral is kept from winding up:
//!
//! ```text
//! back-calculation   I' = ki e + (u - v)/tracking_time
//! clamping           I' = 0 where v is beyond a limit and ki e would drive it further
//! conditional        I' = 0 where v is beyond a limit
//! ```
//!
//! In continuous time the last two would switch infinitely often where v slides along a limit, so that the integration fades
//! out over a band beyond it: by a factor of 1 - (v - high)/band there, 0 past the band.
//!
//! K. J. Astrom & T. Hagglund, Advanced PID Control, ISA, 2006, chapter 3.

use super::Block;
use super::actuator::SampledState;
use super::template::{is, number};
use crate::model::Expression;

/// The terms as coefficients, in any form.
struct Terms {
    proportional: Expression,
    /// of e, or of w_I in the series form
    integral: Option<Expression>,
    derivative: Option<Expression>,
    series: bool,
}

impl Block<'_, '_, '_, '_> {
    pub(super) fn pid(&mut self, kind: &str) -> Option<()> {
        let terms = self.terms(kind);
        let setpoint = self.or("setpoint", 0.0);
        let measurement = self.required("measurement");
        let weights = self.table("setpoint_weights", &["proportional", "derivative"])?;
        let (terms, measurement) = (terms?, measurement?);
        let weight = |name: &str| {
            let found = weights.iter().find(|(own, _)| own.text == name);
            found.map(|(_, expression)| expression.clone())
        };
        let span = self.span();
        let one = number(1.0, &span);
        let b = weight("proportional").unwrap_or_else(|| one.clone());
        let on_measurement =
            self.reader.choice(&self.section, "derivative_on") == Some("measurement");
        let c = weight("derivative").unwrap_or(if on_measurement {
            number(0.0, &span)
        } else {
            one
        });
        let bound = [("r", &setpoint), ("y", &measurement), ("b", &b), ("c", &c)];
        let error = self.text("r - y", &bound);
        self.define(self.own("error"), error);
        let weighted = |block: &Self, weight: &Expression, name: &str| {
            if is(weight, 1.0) {
                block.text("_error", &[])
            } else {
                block.text(&format!("{name}*r - y"), &bound)
            }
        };
        let proportional_error = weighted(self, &b, "b");
        let derivative_error = weighted(self, &c, "c");

        let mut sampled = Vec::new();
        let slope = match &terms.derivative {
            Some(kd) => Some(self.derivative(kd, &derivative_error, &mut sampled)?),
            None => None,
        };
        let zero = number(0.0, &span);
        let d = slope.as_ref().unwrap_or(&zero);
        let feedforward = self.or("feedforward", 0.0);
        let integral = if terms.integral.is_some() {
            self.text("_integral", &[])
        } else {
            zero.clone()
        };
        let bound = [
            ("kp", &terms.proportional),
            ("p", &proportional_error),
            ("d", d),
            ("i", &integral),
            ("f", &feedforward),
        ];
        let wanted = if terms.series {
            self.text("kp*(p + d) + i + f", &bound)
        } else {
            self.text("kp*p + i + d + f", &bound)
        };
        if let Some(ki) = &terms.integral {
            let series = if terms.series { d } else { &zero };
            let base = self.text("ki*(_error + d)", &[("ki", ki), ("d", series)]);
            let rate = self.without_windup(&base, &terms)?;
            if self.sample_time().is_none() {
                self.state(self.own("integral"), Some(rate));
            } else {
                sampled.push(SampledState {
                    part: "integral",
                    next: rate,
                });
            }
        }
        self.actuate(&wanted, &sampled)
    }

    fn terms(&mut self, kind: &str) -> Option<Terms> {
        let form = self.reader.choice(&self.section, "form");
        let gains = self.table("gains", &["kp", "ki", "kd", "k", "ti", "td"])?;
        let find = |name: &str| {
            let found = gains.iter().find(|(own, _)| own.text == name);
            found.map(|(_, expression)| expression.clone())
        };
        let parallel = ["kp", "ki", "kd"].map(find);
        let standard = ["k", "ti", "td"].map(find);
        let form = form.unwrap_or(if standard.iter().any(Option::is_some) {
            "ideal"
        } else {
            "parallel"
        });
        let (own, others, names) = if form == "parallel" {
            (parallel, standard, ["kp", "ki", "kd"])
        } else {
            (standard, parallel, ["k", "ti", "td"])
        };
        if others.iter().any(Option::is_some) {
            let message = format!(
                "the {form} form has the gains {}",
                super::list(names.iter().copied())
            );
            let help = if form == "parallel" {
                "`k`, `ti` and `td` are those of `form = \"ideal\"` and `form = \"series\"`"
            } else {
                "`kp`, `ki` and `kd` are those of `form = \"parallel\"`"
            };
            self.wrong("gains", message, "gains of another form", help.to_owned());
            return None;
        }
        let [proportional, integral, derivative] = own;
        if kind == "pi" && derivative.is_some() {
            self.wrong(
                "gains",
                format!("a controller of kind `pi` has no `{}`", names[2]),
                "a derivative",
                "write `kind = \"pid\"`".to_owned(),
            );
            return None;
        }
        if proportional.is_none()
            && (form != "parallel" || integral.is_none() && derivative.is_none())
        {
            self.wrong(
                "gains",
                format!(
                    "a controller of kind `{kind}` needs the gain `{}`",
                    names[0]
                ),
                "no gain",
                format!(
                    "write `gains = {{ {} = 1.0, {} = 0.5 }}`",
                    names[0], names[1]
                ),
            );
            return None;
        }
        let span = self.span();
        let proportional = proportional.unwrap_or_else(|| number(0.0, &span));
        let (integral, derivative) = if form == "parallel" {
            (integral, derivative)
        } else {
            let k = &proportional;
            let integral = integral.map(|ti| self.text("k/ti", &[("k", k), ("ti", &ti)]));
            let derivative = match form {
                "ideal" => derivative.map(|td| self.text("k*td", &[("k", k), ("td", &td)])),
                _ => derivative,
            };
            (integral, derivative)
        };
        Some(Terms {
            proportional,
            integral: integral.filter(|ki| !is(ki, 0.0)),
            derivative: derivative.filter(|kd| !is(kd, 0.0)),
            series: form == "series",
        })
    }

    /// The derivative of `error` times `kd`, filtered; its state is made or goes to what is sampled.
    fn derivative(
        &mut self,
        kd: &Expression,
        error: &Expression,
        sampled: &mut Vec<SampledState>,
    ) -> Option<Expression> {
        let filter = self.optional("derivative_filter").filter(|f| !is(f, 0.0));
        if let Some(filter) = &filter {
            self.check_positive("derivative_filter", filter)?;
        }
        let bound = |filter| [("kd", kd), ("e", error), ("tau", filter)];
        let Some(period) = self.sample_time() else {
            let Some(filter) = filter else {
                self.wrong(
                    "gains",
                    "the derivative of a continuous controller needs a filter".to_owned(),
                    "a derivative without a filter",
                    "add `derivative_filter = ...`, a time constant such as a tenth of td, or a `sample_time`".to_owned(),
                );
                return None;
            };
            let equation = self.text("(e - _derivative)/tau", &bound(&filter));
            self.state(self.own("derivative"), Some(equation));
            return Some(self.text("kd*(e - _derivative)/tau", &bound(&filter)));
        };
        let mut all = bound(filter.as_ref().unwrap_or(error)).to_vec();
        all.push(("ts", &period));
        let slope = match &filter {
            Some(_) => "(tau*_derivative + kd*(e - _last))/(tau + ts)",
            None => "kd*(e - _last)/ts",
        };
        let slope = self.text(&format!("if(_started > 0, {slope}, 0)"), &all);
        self.define(self.own("slope"), slope);
        if filter.is_some() {
            let next = self.text("_slope", &[]);
            sampled.push(SampledState {
                part: "derivative",
                next,
            });
        }
        sampled.push(SampledState {
            part: "last",
            next: error.clone(),
        });
        sampled.push(SampledState {
            part: "started",
            next: number(1.0, &self.span()),
        });
        Some(self.text("_slope", &[]))
    }

    /// The rate of the integral, or its next value where it is sampled, from its rate without limits.
    fn without_windup(&mut self, base: &Expression, terms: &Terms) -> Option<Expression> {
        let limits = self.limits()?;
        let period = self.sample_time();
        let method = self.reader.choice(&self.section, "anti_windup");
        let Some([low, high]) = limits else {
            for key in ["anti_windup", "tracking_time", "anti_windup_band"] {
                if self.section.get(key).is_some() {
                    self.wrong(
                        key,
                        format!("`{key}` of a controller belongs to `limits`, which this one does not have"),
                        "without `limits`",
                        format!("remove `{key}`, or write `limits = [-1.0, 1.0]`"),
                    );
                    return None;
                }
            }
            return Some(match &period {
                None => base.clone(),
                Some(ts) => self.text("_integral + ts*base", &[("ts", ts), ("base", base)]),
            });
        };
        let method = method.unwrap_or("back-calculation");
        let needs = [
            ("tracking_time", method == "back-calculation"),
            (
                "anti_windup_band",
                matches!(method, "clamping" | "conditional") && period.is_none(),
            ),
        ];
        for (key, needed) in needs {
            if !needed && self.section.get(key).is_some() {
                let sort = if period.is_some() {
                    "sampled"
                } else {
                    "continuous"
                };
                self.wrong(
                    key,
                    format!("`{key}` means nothing to `anti_windup = \"{method}\"` of a {sort} controller"),
                    "without effect",
                    format!("remove `{key}`"),
                );
                return None;
            }
        }
        let given = |block: &mut Self, key: &str| {
            let given = block.optional(key)?;
            Some(block.check_positive(key, &given).map(|()| given))
        };
        let command = self.command_name();
        let command = self.name_expression(&command);
        let ts = period.clone().unwrap_or_else(|| base.clone());
        match method {
            "back-calculation" => {
                let tracking = match given(self, "tracking_time") {
                    Some(tracking) => tracking?,
                    None => self.tracking_time(terms),
                };
                let bound = [
                    ("base", base),
                    ("u", &command),
                    ("tt", &tracking),
                    ("ts", &ts),
                ];
                Some(self.text(
                    match period {
                        None => "base + (u - _unlimited)/tt",
                        Some(_) => "_integral + ts*base + ts/tt*(u - _unlimited)",
                    },
                    &bound,
                ))
            }
            "none" => Some(match period {
                None => base.clone(),
                Some(_) => self.text("_integral + ts*base", &[("ts", &ts), ("base", base)]),
            }),
            _ if period.is_some() => {
                let bound = [("base", base), ("ts", &ts), ("low", &low), ("high", &high)];
                Some(self.text(
                    if method == "clamping" {
                        "_integral + if(_unlimited > high and base > 0 or _unlimited < low and base < 0, 0, ts*base)"
                    } else {
                        "_integral + if(_unlimited > high or _unlimited < low, 0, ts*base)"
                    },
                    &bound,
                ))
            }
            _ => {
                let band = match given(self, "anti_windup_band") {
                    Some(band) => band?,
                    None => self.text("0.01*(high - low)", &[("low", &low), ("high", &high)]),
                };
                let bound = [
                    ("base", base),
                    ("low", &low),
                    ("high", &high),
                    ("band", &band),
                ];
                Some(self.text(
                    if method == "clamping" {
                        "max(base, 0)*clamp(1 - (_unlimited - high)/band, 0, 1) + min(base, 0)*clamp(1 - (low - _unlimited)/band, 0, 1)"
                    } else {
                        "base*clamp(1 - max(_unlimited - high, low - _unlimited)/band, 0, 1)"
                    },
                    &bound,
                ))
            }
        }
    }

    /// ti without a derivative, sqrt(ti td) with one.
    fn tracking_time(&self, terms: &Terms) -> Expression {
        let span = self.span();
        let zero = number(0.0, &span);
        let ki = terms.integral.as_ref().unwrap_or(&zero);
        let bound = |kd| [("kp", &terms.proportional), ("ki", ki), ("kd", kd)];
        match &terms.derivative {
            // k td over k/ti
            Some(td) if terms.series => self.text("sqrt(kp*kd/ki)", &bound(td)),
            Some(kd) => self.text("sqrt(kd/ki)", &bound(kd)),
            None if is(&terms.proportional, 0.0) => number(1.0, &span),
            None => self.text("kp/ki", &bound(&zero)),
        }
    }
}
