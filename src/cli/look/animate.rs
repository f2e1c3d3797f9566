//! stub
use super::choose::View;
use crate::cli::arguments::LookArguments;
use costate::report::figure::FigureError;
use costate::scenario::Scenario;
use costate::study::Simulation;
pub fn gif(
    _scenario: &Scenario,
    _views: &[View],
    _result: &Simulation,
    _arguments: &LookArguments,
) -> Result<Vec<u8>, FigureError> {
    Ok(Vec::new())
}
