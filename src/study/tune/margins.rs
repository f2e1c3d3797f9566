//! Bounds on the linearized loop among the constraints: `phase_margin(speed)` of the controller `speed`, at the equilibrium.
//!
//! | call | of |
//! |---|---|
//! | `gain_margin(c)`, `phase_margin(c)` (degrees), `delay_margin(c)` (time), `disk_margin(c)` | the loop around controller c |
//! | `sensitivity_peak(c)`, `complementary_peak(c)`, `bandwidth(c)` | the same: Ms, Mt, angular frequency |
//! | `damping()`, `spectral_abscissa()` | the poles of the closed loop: the least -Re p/|p|, the largest Re p |
//!
//! Values and first derivatives are those of [`crate::study::LinearStudy`]; second derivatives are differences of the first.

use crate::diagnostic::Diagnostic;
use crate::model::{Expression, ExpressionKind};
use crate::study::Study;
use crate::study::error::StudyError;
use crate::study::linearize::{Channel, LinearStudy, Requirement};

/// What stands for a margin that nothing uses up.
const UNLIMITED: f64 = 1e6;

const MARGINS: [(&str, Requirement); 9] = [
    ("gain_margin", Requirement::GainMargin),
    ("phase_margin", Requirement::PhaseMargin),
    ("delay_margin", Requirement::DelayMargin),
    ("disk_margin", Requirement::DiskMargin),
    ("sensitivity_peak", Requirement::SensitivityPeak),
    ("complementary_peak", Requirement::ComplementaryPeak),
    ("bandwidth", Requirement::Bandwidth),
    ("damping", Requirement::Damping),
    ("spectral_abscissa", Requirement::SpectralAbscissa),
];

fn requirement(expression: &Expression) -> Option<(&str, Requirement, &[Expression])> {
    let ExpressionKind::Call(name, _, arguments) = &expression.kind else {
        return None;
    };
    let (name, kind) = MARGINS.iter().find(|(own, _)| own == name)?;
    Some((name, *kind, arguments))
}

/// Whether it is one of these.
pub(super) fn is_margin(expression: &Expression) -> bool {
    requirement(expression).is_some()
}

/// One of these, ready to be evaluated.
pub(super) struct Margin {
    kind: Requirement,
    linear: LinearStudy,
}

impl Margin {
    /// That of an expression for which [`is_margin`] holds.
    pub fn new(study: &Study, expression: &Expression) -> Result<Self, Vec<Diagnostic>> {
        let Some((name, kind, arguments)) = requirement(expression) else {
            return Err(Vec::new());
        };
        let of_poles = matches!(kind, Requirement::Damping | Requirement::SpectralAbscissa);
        let channel = match arguments {
            [] if of_poles => Channel::Autonomous,
            [
                Expression {
                    kind: ExpressionKind::Name(controller),
                    ..
                },
            ] if !of_poles => Channel::Around {
                controller: controller.clone(),
            },
            _ => {
                let message = match of_poles {
                    true => format!("`{name}()` is of the closed loop and takes nothing"),
                    false => format!("`{name}` takes the name of a controller"),
                };
                let span = Some(expression.span.clone());
                let example = match of_poles {
                    true => format!("write `{name}()`"),
                    false => format!("write `{name}(speed)`, where `[controllers.speed]` is"),
                };
                let found = Diagnostic::error("tune::margin", message, span);
                return Err(vec![found.with_help(example)]);
            }
        };
        let placed = |mut found: Diagnostic| {
            found.span.get_or_insert_with(|| expression.span.clone());
            found
        };
        let linear = LinearStudy::new(study, &channel)
            .map_err(|all| all.into_iter().map(placed).collect::<Vec<_>>())?;
        Ok(Self { kind, linear })
    }

    /// Its value, and its derivatives in all parameters.
    pub fn at(&self, study: &Study, p: &[f64]) -> Result<(f64, Vec<f64>), StudyError> {
        let found = self.linear.requirement(study, p, self.kind)?;
        if found.value.is_nan() || found.value >= UNLIMITED {
            return Ok((UNLIMITED, vec![0.0; p.len()]));
        }
        Ok((found.value, found.gradient))
    }
}
