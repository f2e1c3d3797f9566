//! `[networks]`: `growth = { inputs = 2, layers = [16, 1], seed = 3 }`. A network becomes index sets and parameters that
//! are arrays over them: `growth_w1` over `growth_1` and `growth_inputs`, `growth_b1` over `growth_1`, and so on.
//!
//! First weights are uniform in [-r, r] with r = sqrt(6/(inputs + units)) of their layer (Glorot & Bengio 2010), or
//! r = sqrt(6/inputs) where it is followed by `relu` or `swish` (He et al. 2015, doi 10.1109/ICCV.2015.123); biases are 0.
//! The random numbers are ChaCha8's of the seed.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use toml::de::DeValue;

use super::data::Csv;
use super::read_parameters::prior_of;
use super::reader::Names;
use super::types::{Activation, Index, Name, Network, Parameter, ParameterArray, Prior, Scale};
use super::values::{Reader, Section, shorten};
use crate::model::Slot;

/// Most weights and biases of a network.
const MOST_WEIGHTS: u64 = 1_000_000;
/// Most layers.
const MOST_LAYERS: usize = 16;

/// What networks bring with them.
pub(super) struct Brought<'a> {
    pub indices: &'a mut Vec<Index>,
    pub parameters: &'a mut Vec<Parameter>,
    pub arrays: &'a mut Vec<ParameterArray>,
}

/// The networks; what they bring is added to what the file has.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    names: &mut Names,
    mut brought: Brought<'_>,
) -> Vec<Network> {
    let mut networks = Vec::new();
    for (name, value) in reader.named(top, "networks", "a network", names) {
        if let Some(section) = reader.section("networks.*", &name.text, value)
            && let Some(network) = network(reader, name, &section, names, &mut brought)
        {
            networks.push(network);
        }
    }
    networks
}

fn network(
    reader: &mut Reader<'_>,
    name: Name,
    section: &Section<'_, '_>,
    names: &mut Names,
    brought: &mut Brought<'_>,
) -> Option<Network> {
    for key in ["inputs", "layers"] {
        if section.get(key).is_none() && !section.mistyped(key) {
            reader.missing(section, key);
        }
    }
    let inputs = reader.whole(section, "inputs", 1);
    let layers = layers(reader, section);
    let activation = reader
        .choice(section, "activation")
        .map_or(Activation::Tanh, activation);
    let output = reader
        .choice(section, "output_activation")
        .map_or(Activation::Identity, self::activation);
    let seed = reader.whole(section, "seed", 0).unwrap_or(0);
    let fit = reader.boolean(section, "fit").unwrap_or(true);
    let prior = prior_of(reader, section);
    let (inputs, layers) = (inputs?, layers?);
    let mut size = 0_u64;
    let mut before = inputs;
    for &units in &layers {
        size = size.saturating_add((before.saturating_add(1)).saturating_mul(u64::from(units)));
        before = u64::from(units);
    }
    if size > MOST_WEIGHTS {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!(
                "`{}` has {size} weights; at most {MOST_WEIGHTS} are offered",
                shorten(&name.text)
            ),
            section.range(),
        );
        diagnostic.help = Some("use fewer or narrower layers".to_owned());
        return None;
    }
    let network = Network {
        first_array: brought.arrays.len(),
        inputs: inputs as u32,
        layers,
        activation,
        output,
        name,
    };
    let first = brought.parameters.len();
    arrays(&network, seed, (fit, prior), names, brought, reader)?;
    if section.get("file").is_some() {
        from_file(reader, section, &mut brought.parameters[first..]);
    }
    Some(network)
}

fn activation(word: &str) -> Activation {
    use Activation::{Identity, Relu, Sigmoid, Softplus, Swish, Tanh};
    let all = [Tanh, Softplus, Relu, Sigmoid, Swish, Identity];
    let known = all.into_iter().find(|activation| activation.word() == word);
    known.unwrap_or(Tanh)
}

/// Units of each layer.
fn layers(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Vec<u32>> {
    let value = section.get("layers")?;
    let DeValue::Array(items) = value.get_ref() else {
        reader.wrong_type("layers", "an array of whole numbers", value);
        return None;
    };
    let mut units = Vec::new();
    for item in items {
        let number = reader.finite("layers", item)?;
        if number.fract() != 0.0 || !(1.0..=MOST_WEIGHTS as f64).contains(&number) {
            let diagnostic = reader.error(
                "scenario::out-of-range",
                "a layer has a whole number of units, at least 1",
                item.span(),
            );
            diagnostic.label = "no number of units".to_owned();
            diagnostic.help = Some("write `layers = [16, 16, 1]`".to_owned());
            return None;
        }
        units.push(number as u32);
    }
    if units.is_empty() || units.len() > MOST_LAYERS {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!(
                "a network has 1 to {MOST_LAYERS} layers, not {}",
                units.len()
            ),
            value.span(),
        );
        diagnostic.help = Some("the last layer is the output: write `layers = [16, 1]`".to_owned());
        return None;
    }
    Some(units)
}

/// Adds the index sets and the weights.
fn arrays(
    network: &Network,
    seed: u64,
    (fit, prior): (bool, Option<Prior>),
    names: &mut Names,
    brought: &mut Brought<'_>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let own = &network.name;
    let mut claim = |reader: &mut Reader<'_>, end: &str| {
        let name = Name {
            text: format!("{}_{end}", own.text),
            span: own.span.clone(),
        };
        if let Some((what, first)) = names.declare("a part of a network", &name) {
            let (line, _) = first.span.file.line_column(first.span.start);
            let text = &name.text;
            let message = format!(
                "the network `{}` has a part `{text}`, which is {what}",
                own.text
            );
            let place = own.span.start..own.span.end;
            let diagnostic = reader.error("scenario::duplicate-name", message, place);
            diagnostic.label = format!("`{text}` is given in line {line}");
            diagnostic.help = Some("rename one of the two".to_owned());
            return None;
        }
        Some(name)
    };
    let mut add_index =
        |reader: &mut Reader<'_>, end: &str, size: u32, indices: &mut Vec<Index>| {
            let name = claim(reader, end)?;
            indices.push(Index {
                name,
                size,
                ends: None,
            });
            Some(indices.len() - 1)
        };
    let mut before = add_index(reader, "inputs", network.inputs, brought.indices)?;
    let mut over = Vec::new();
    for (k, &units) in (1..).zip(&network.layers) {
        let index = add_index(reader, &format!("{k}"), units, brought.indices)?;
        over.push([index, before]);
        before = index;
    }
    for (k, &[units, inputs]) in (1..).zip(&over) {
        let (count, fan_in) = (brought.indices[units].size, brought.indices[inputs].size);
        let follows = if k == over.len() {
            network.output
        } else {
            network.activation
        };
        let fan = match follows {
            Activation::Relu | Activation::Swish => f64::from(fan_in),
            _ => f64::from(fan_in) + f64::from(count),
        };
        let reach = (6.0 / fan).sqrt();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(k as u64);
        let mut next = || {
            // in [0, 1), from the 53 high bits
            let uniform = (random.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON);
            reach * (2.0 * uniform - 1.0)
        };
        for (letter, over) in [("w", vec![units, inputs]), ("b", vec![units])] {
            let name = claim(reader, &format!("{letter}{k}"))?;
            let slot = Slot {
                name: name.text.clone(),
                first: 0,
                extents: over.iter().map(|&k| brought.indices[k].size).collect(),
            };
            brought.arrays.push(ParameterArray {
                name: name.clone(),
                over,
                first: brought.parameters.len(),
            });
            for element in 0..slot.len() {
                brought.parameters.push(Parameter {
                    name: Name {
                        text: slot.element(element),
                        span: name.span.clone(),
                    },
                    value: if letter == "w" { next() } else { 0.0 },
                    bounds: [f64::NEG_INFINITY, f64::INFINITY],
                    scale: Scale::Linear,
                    fit,
                    profile_out: false,
                    tune: false,
                    unit: None,
                    prior,
                });
            }
        }
    }
    Some(())
}

/// Values from a file with a row a weight, as `fit` writes `parameters.csv`; rows of other names are passed over.
fn from_file(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    weights: &mut [Parameter],
) -> Option<()> {
    let place = section.get("file")?.span();
    let file = reader.text(section, "file")?;
    let source = reader.data_file(&file, place.clone())?;
    let span = reader.sources.span(place.clone());
    let read = Csv::new(source).and_then(|csv| {
        let columns = [csv.column("name", &span)?, csv.column("value", &span)?];
        Ok((csv, columns))
    });
    let (csv, [name, value]) = match read {
        Ok(read) => read,
        Err(diagnostic) => {
            reader.report(*diagnostic);
            return None;
        }
    };
    let rows = csv.rows(&[], &[value]);
    let failed = !rows.findings.is_empty();
    reader.diagnostics.extend(rows.findings.finish(&csv));
    if failed {
        return None;
    }
    let values = rows.columns.first()?.iter().copied();
    let by_name: HashMap<String, f64> = csv.texts(name).into_iter().zip(values).collect();
    for weight in weights {
        match by_name.get(&weight.name.text) {
            Some(&value) if value.is_finite() => weight.value = value,
            _ => {
                let diagnostic = reader.error(
                    "scenario::network",
                    format!("`{}` has no value for `{}`", csv.name(), weight.name.text),
                    place,
                );
                diagnostic.help = Some(
                    "a row has a `name`, such as `growth_w1[1,2]`, and a `value`; a fit writes such a file, `parameters.csv`"
                        .to_owned(),
                );
                return None;
            }
        }
    }
    Some(())
}
