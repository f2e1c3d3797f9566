//! `linearize`: A, B, C, D at an operating point; poles, zeros, margins, norms; Bode, Nyquist, pole map, root locus.

mod plots;
mod text;

use costate::control::{
    Grid, Loop, Margins, Peak, bandwidth, eigenvalues, h_infinity_norm, h2_norm,
};
use costate::diagnostic::Diagnostic;
use costate::report::csv::Column;
use costate::report::json::{named_numbers, number, numbers};
use costate::study::{Channel, LinearStudy, Linearization, OperatingPoint, Study, grid_points};
use nalgebra::Complex;
use serde_json::{Value, json};

use super::arguments::LinearizeArguments;
use super::{Failure, best_fit, load, print_json, print_text, sweep};

/// What was found.
struct Found {
    linear: Linearization,
    channel: Channel,
    poles: Vec<Complex<f64>>,
    /// of the channel
    open_poles: Vec<Complex<f64>>,
    zeros: Vec<Complex<f64>>,
    /// of a loop
    of_loop: Option<(Loop, Margins)>,
    bandwidth: Option<f64>,
    peak: Option<Peak>,
    h2: Option<f64>,
    locus: Option<Locus>,
}

/// Closed-loop poles over a parameter.
struct Locus {
    name: String,
    values: Vec<f64>,
    poles: Vec<Vec<Complex<f64>>>,
}

/// Runs the command.
pub fn run(arguments: &LinearizeArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let overrides = load::overrides(common, Some(&arguments.solver), None)?;
    let (study, _) = load::study(common, &overrides)?;
    let at = operating_point(&arguments.at)?;
    let channel = channel(&study, arguments)?;
    let usage = |findings: Vec<Diagnostic>| {
        super::diagnostics::print(&findings);
        Failure::Usage(None)
    };
    let linear_study = LinearStudy::new(&study, &channel).map_err(usage)?;
    let p = study.values();
    let mut linear = linear_study.at(&study, &p, at).map_err(best_fit::failed)?;
    linear.system.dead_time = dead_time(arguments)?;
    let locus = match &arguments.over {
        None => None,
        Some(text) => Some(locus(&study, &linear_study, at, text)?),
    };
    let found = found(linear, channel, locus);
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let shown = folder.path().display().to_string();
    let document = document(&study, &found, &shown);
    best_fit::write_result(&study, &document, &overrides, &mut folder)?;
    let mut write =
        |name: &str, columns: &[Column]| folder.write_csv(name, columns).map_err(best_fit::failed);
    write("poles.csv", &pole_columns(&found))?;
    if let Some(grid) = grid(&found) {
        write("frequency_response.csv", &response_columns(&grid))?;
    }
    if let Some(locus) = &found.locus {
        write("root_locus.csv", &locus_columns(locus))?;
    }
    if !arguments.no_plots {
        for (name, sheet) in plots::sheets(&study, &found) {
            let figure = sheet.draw().map_err(best_fit::failed)?;
            folder
                .write_figure(name, &figure)
                .map_err(best_fit::failed)?;
        }
    }
    if common.json {
        print_json(&document)
    } else {
        print_text(&text::summary(&study, &found, &shown))
    }
}

fn operating_point(text: &str) -> Result<OperatingPoint, Failure> {
    if text == "equilibrium" {
        return Ok(OperatingPoint::Equilibrium);
    }
    match text.parse::<f64>() {
        Ok(time) if time.is_finite() => Ok(OperatingPoint::Time(time)),
        _ => Err(Failure::Usage(Some(format!(
            "--at {text}: `equilibrium` or a time on the trajectory is expected"
        )))),
    }
}

fn dead_time(arguments: &LinearizeArguments) -> Result<f64, Failure> {
    match arguments.dead_time {
        Some(time) if !(time.is_finite() && time >= 0.0) => Err(Failure::Usage(Some(format!(
            "--dead-time {time}: a time of 0 or more is expected"
        )))),
        given => Ok(given.unwrap_or(0.0)),
    }
}

/// The channel asked for; the loop of the one continuous controller where nothing is.
fn channel(study: &Study, arguments: &LinearizeArguments) -> Result<Channel, Failure> {
    let usage = |text: &str| Err(Failure::Usage(Some(text.to_owned())));
    match (&arguments.input, &arguments.output, &arguments.around) {
        (Some(input), Some(output), None) => Ok(Channel::Through {
            input: input.clone(),
            output: output.clone(),
        }),
        (None, None, Some(controller)) => Ok(Channel::Around {
            controller: controller.clone(),
        }),
        (Some(_), None, _) => usage("--input: say what comes out, `--output EXPRESSION`"),
        (None, Some(_), _) => usage("--output: say where it goes in, `--input NAME`"),
        (Some(_), Some(_), Some(_)) => {
            usage("--loop: a loop has an input and an output of its own")
        }
        (None, None, None) => {
            let all = study.scenario.controllers.iter();
            let continuous: Vec<_> = all.filter(|c| c.command.is_some()).collect();
            Ok(match continuous[..] {
                [one] => Channel::Around {
                    controller: one.name.text.clone(),
                },
                _ => Channel::Autonomous,
            })
        }
    }
}

fn locus(
    study: &Study,
    linear: &LinearStudy,
    at: OperatingPoint,
    text: &str,
) -> Result<Locus, Failure> {
    let axis = sweep::axis(study, text).map_err(|text| Failure::Usage(Some(text)))?;
    let name = study.scenario.parameters[axis.parameter].name.text.clone();
    let parameter = axis.parameter;
    let values: Vec<f64> = grid_points(&[axis])
        .into_iter()
        .map(|point| point[0])
        .collect();
    let poles = values
        .iter()
        .map(|&value| {
            let mut p = study.values();
            p[parameter] = value;
            let found = linear.at(study, &p, at);
            found.map_or_else(|_| Vec::new(), |found| eigenvalues(&found.closed))
        })
        .collect();
    Ok(Locus {
        name,
        values,
        poles,
    })
}

fn found(linear: Linearization, channel: Channel, locus: Option<Locus>) -> Found {
    let poles = eigenvalues(&linear.closed);
    let has_input = channel != Channel::Autonomous;
    let system = &linear.system;
    let of_loop = matches!(channel, Channel::Around { .. }).then(|| {
        let of_loop = Loop::new(system.clone());
        let margins = of_loop.margins();
        (of_loop, margins)
    });
    // of a loop, those of the closed one
    let closed = match &of_loop {
        Some(_) => system.complementary(),
        None => has_input.then(|| system.clone()),
    };
    Found {
        bandwidth: match &of_loop {
            Some((of_loop, _)) => of_loop.bandwidth(),
            None => closed.as_ref().and_then(bandwidth),
        },
        peak: closed.as_ref().and_then(h_infinity_norm),
        h2: closed.as_ref().map(h2_norm),
        open_poles: if has_input {
            system.poles()
        } else {
            Vec::new()
        },
        zeros: if has_input {
            system.zeros()
        } else {
            Vec::new()
        },
        poles,
        of_loop,
        locus,
        channel,
        linear,
    }
}

/// The response of the channel.
fn grid(found: &Found) -> Option<Grid> {
    match (&found.of_loop, &found.channel) {
        (Some((of_loop, _)), _) => Some(of_loop.grid.clone()),
        (None, Channel::Autonomous) => None,
        _ => Some(Grid::new(&found.linear.system)),
    }
}

/// Phases in degrees, without jumps of 360.
fn phases(grid: &Grid) -> Vec<f64> {
    let mut last = 0.0;
    grid.points
        .iter()
        .enumerate()
        .map(|(k, (_, g))| {
            let mut phase = g.arg().to_degrees();
            if k > 0 {
                phase += 360.0 * ((last - phase) / 360.0_f64).round();
            }
            last = phase;
            phase
        })
        .collect()
}

fn response_columns(grid: &Grid) -> Vec<Column> {
    let of = |value: fn(&Complex<f64>) -> f64| -> Vec<f64> {
        grid.points.iter().map(|(_, g)| value(g)).collect()
    };
    let frequencies: Vec<f64> = grid.points.iter().map(|(w, _)| *w).collect();
    vec![
        Column::numbers("frequency", frequencies),
        Column::numbers("real", of(|g| g.re)),
        Column::numbers("imaginary", of(|g| g.im)),
        Column::numbers("magnitude", of(|g| g.norm())),
        Column::numbers("phase_degrees", phases(grid)),
    ]
}

fn pole_columns(found: &Found) -> Vec<Column> {
    let sorts = [
        ("pole", &found.poles),
        ("open-loop pole", &found.open_poles),
        ("zero", &found.zeros),
    ];
    let sorts = if found.of_loop.is_some() {
        &sorts[..]
    } else {
        &[sorts[0], sorts[2]][..]
    };
    let all: Vec<(&str, Complex<f64>)> = sorts
        .iter()
        .flat_map(|(sort, all)| all.iter().map(move |p| (*sort, *p)))
        .collect();
    let of = |value: fn(&Complex<f64>) -> f64| -> Vec<f64> {
        all.iter().map(|(_, p)| value(p)).collect()
    };
    let words: Vec<&str> = all.iter().map(|(sort, _)| *sort).collect();
    vec![
        Column::words(
            "what",
            words.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        ),
        Column::numbers("real", of(|p| p.re)),
        Column::numbers("imaginary", of(|p| p.im)),
        Column::numbers("damping", of(damping)),
        Column::numbers("frequency", of(|p| p.norm())),
    ]
}

fn damping(pole: &Complex<f64>) -> f64 {
    if pole.norm() == 0.0 {
        0.0
    } else {
        -pole.re / pole.norm()
    }
}

fn locus_columns(locus: &Locus) -> Vec<Column> {
    let all = || {
        let pairs = locus.values.iter().zip(&locus.poles);
        pairs.flat_map(|(value, poles)| poles.iter().map(move |pole| (*value, *pole)))
    };
    vec![
        Column::numbers(
            locus.name.clone(),
            all().map(|(v, _)| v).collect::<Vec<f64>>(),
        ),
        Column::numbers("real", all().map(|(_, p)| p.re).collect::<Vec<f64>>()),
        Column::numbers("imaginary", all().map(|(_, p)| p.im).collect::<Vec<f64>>()),
    ]
}

fn complex(all: &[Complex<f64>]) -> Value {
    all.iter()
        .map(|p| json!({"re": number(p.re), "im": number(p.im)}))
        .collect()
}

fn document(study: &Study, found: &Found, folder: &str) -> Value {
    let linear = &found.linear;
    let rows = |m: &nalgebra::DMatrix<f64>| -> Value {
        let row = |row: nalgebra::DVector<f64>| numbers(row.as_slice());
        m.row_iter().map(|r| row(r.transpose())).collect()
    };
    let states = study.scenario.states.iter().map(|s| s.name.text.as_str());
    let mut document = json!({
        "scenario": study.scenario.name,
        "at": {
            "t": linear.t,
            "states": named_numbers(states.zip(linear.x.iter().copied())),
            "input": linear.u.map(number),
            "residual": number(linear.residual),
        },
        "states": linear.states,
        "poles": complex(&found.poles),
        "stable": found.poles.iter().all(|p| p.re < 0.0),
        "folder": folder,
    });
    if found.channel == Channel::Autonomous {
        document["a"] = rows(&linear.closed);
        return document;
    }
    let system = &linear.system;
    document["a"] = rows(&system.a);
    document["b"] = numbers(system.b.as_slice());
    document["c"] = numbers(system.c.transpose().as_slice());
    document["d"] = number(system.d);
    document["dead_time"] = number(system.dead_time);
    document["open_loop_poles"] = complex(&found.open_poles);
    document["zeros"] = complex(&found.zeros);
    document["dc_gain"] = number(system.dc_gain());
    document["bandwidth"] = found.bandwidth.map_or(Value::Null, number);
    document["h_infinity_norm"] = found.peak.map_or(Value::Null, |peak| number(peak.value));
    document["h2_norm"] = found.h2.map_or(Value::Null, number);
    match &found.channel {
        Channel::Through { input, output } => {
            document["input"] = json!(input);
            document["output"] = json!(output);
        }
        Channel::Around { controller } => document["loop"] = json!(controller),
        Channel::Autonomous => {}
    }
    if let Some((_, margins)) = &found.of_loop {
        let entry = |found: Option<(f64, f64)>| match found {
            Some((value, w)) => json!({"value": number(value), "frequency": number(w)}),
            None => Value::Null,
        };
        let crossing =
            |c: Option<costate::control::Crossing>| entry(c.map(|c| (c.value, c.frequency)));
        let peak = |c: Option<Peak>| entry(c.map(|c| (c.value, c.frequency)));
        let mut phase = crossing(margins.phase);
        if let Some(found) = margins.phase {
            phase["value"] = number(found.value.to_degrees());
        }
        document["margins"] = json!({
            "gain": crossing(margins.gain),
            "gain_reduction": crossing(margins.gain_reduction),
            "phase_degrees": phase,
            "delay": crossing(margins.delay),
            "disk": peak(margins.disk),
            "sensitivity_peak": peak(margins.sensitivity),
            "complementary_sensitivity_peak": peak(margins.complementary),
        });
    }
    document
}
