//! What `linearize` prints.

use costate::control::Peak;
use costate::report::table::{Cell, Table, significant};
use costate::study::{Channel, Study};
use nalgebra::Complex;

use super::{Found, damping};

pub(super) fn summary(study: &Study, found: &Found, folder: &str) -> String {
    let linear = &found.linear;
    let unit = study.scenario.time_unit.as_deref();
    let frequency = unit.map_or_else(|| "rad".to_owned(), |unit| format!("rad/{unit}"));
    let mut text = format!("{}\n\n", study.scenario.title);
    let states = study.scenario.states.iter().zip(&linear.x);
    let states: Vec<String> = states
        .take(8)
        .map(|(state, x)| format!("{} = {}", state.name.text, significant(*x, 6)))
        .collect();
    let more = if linear.x.len() > 8 { ", ..." } else { "" };
    text += &format!(
        "at t = {}  {}{more}{}\n",
        significant(linear.t, 6),
        states.join(", "),
        match linear.residual {
            r if r > 1e-6 => format!("; it moves by {} a unit of time", significant(r, 3)),
            _ => String::new(),
        }
    );
    let system = &linear.system;
    match &found.channel {
        Channel::Autonomous => {}
        Channel::Through { input, output } => {
            let u = linear.u.map_or_else(String::new, |u| significant(u, 6));
            text += &format!("from {input} = {u} to {output}\n");
        }
        Channel::Around { controller } => {
            let u = linear.u.map_or_else(String::new, |u| significant(u, 6));
            text += &format!("around the loop of `{controller}`, whose output is {u}\n");
        }
    }
    let stable = if found.poles.iter().all(|p| p.re < 0.0) {
        "stable"
    } else {
        "not stable"
    };
    let of = match &found.of_loop {
        Some(_) => "poles of the closed loop",
        None => "poles",
    };
    text += &format!("\n{of}, {stable}\n");
    text += &table(&found.poles, &frequency);
    if let Channel::Through { .. } = found.channel {
        if found.open_poles != found.poles {
            text += "\npoles with the input in the place of what made it\n";
            text += &table(&found.open_poles, &frequency);
        }
    } else if found.of_loop.is_some() {
        text += "\npoles of the open loop\n";
        text += &table(&found.open_poles, &frequency);
    }
    if !found.zeros.is_empty() {
        text += "\nzeros\n";
        text += &table(&found.zeros, &frequency);
    }
    text += "\n";
    let mut line = |name: &str, value: String| text += &format!("{name:<31} {value}\n");
    let at = |value: f64, unit: &str, w: f64| {
        let place = if w == 0.0 {
            " at frequency 0".to_owned()
        } else if w.is_infinite() {
            " at high frequencies".to_owned()
        } else {
            format!(" at {} {frequency}", significant(w, 5))
        };
        format!("{}{unit}{place}", significant(value, 6))
    };
    if let Some((_, margins)) = &found.of_loop {
        let none = |found: Option<String>| found.unwrap_or_else(|| "none: never reached".into());
        let decibel = |value: f64| format!(" ({} dB)", significant(20.0 * value.log10(), 4));
        line(
            "gain margin",
            none(
                margins
                    .gain
                    .map(|m| at(m.value, &decibel(m.value), m.frequency)),
            ),
        );
        if let Some(m) = margins.gain_reduction {
            let shown = at(m.value, &decibel(m.value), m.frequency);
            line("gain margin, reducing", shown);
        }
        line(
            "phase margin",
            none(
                margins
                    .phase
                    .map(|m| at(m.value.to_degrees(), " degrees", m.frequency)),
            ),
        );
        let time = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        line(
            "delay margin",
            none(margins.delay.map(|m| at(m.value, &time, m.frequency))),
        );
        let peak = |p: Option<Peak>| none(p.map(|p| at(p.value, "", p.frequency)));
        line("disk margin", peak(margins.disk));
        line("peak of the sensitivity, Ms", peak(margins.sensitivity));
        line("and of its complement, Mt", peak(margins.complementary));
    }
    if found.channel != Channel::Autonomous {
        let closed = if found.of_loop.is_some() {
            " of the closed loop"
        } else {
            ""
        };
        if found.of_loop.is_none() {
            line("gain at frequency 0", significant(system.dc_gain(), 6));
        }
        if let Some(w) = found.bandwidth {
            line(
                &format!("bandwidth{closed}"),
                format!("{} {frequency}", significant(w, 6)),
            );
        }
        if found.of_loop.is_none()
            && let Some(peak) = found.peak
        {
            line("H-infinity norm", at(peak.value, "", peak.frequency));
        }
        if let Some(norm) = found.h2.filter(|norm| norm.is_finite()) {
            line(&format!("H2 norm{closed}"), significant(norm, 6));
        }
    }
    if let Some(locus) = &found.locus {
        line(
            "root locus",
            format!("{} values of {}", locus.values.len(), locus.name),
        );
    }
    line("results", folder.to_owned());
    text
}

fn table(poles: &[Complex<f64>], frequency: &str) -> String {
    let mut table = Table::new([
        "real",
        "imaginary",
        "damping",
        &format!("frequency ({frequency})"),
    ]);
    for pole in poles.iter().filter(|pole| pole.im >= 0.0) {
        let number = Cell::Number;
        let imaginary = match pole.im {
            0.0 => Cell::Text("0".into()),
            im => Cell::Text(format!("±{}", significant(im, 5))),
        };
        table.push([
            number(pole.re),
            imaginary,
            number(damping(pole)),
            number(pole.norm()),
        ]);
    }
    table.render()
}
