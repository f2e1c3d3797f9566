//! Units as text: `nmol/l`, `1/(mmol s)`.

use super::model::{Model, Unit};

/// The text of a unit that a document names: one it defines, or a base unit; `None` for none and for what has no short form.
pub fn text(model: &Model, id: Option<&str>) -> Option<String> {
    let id = id?;
    let text = match model.units.iter().find(|unit| unit.identity.id == id) {
        Some(definition) => product(definition.units.iter().map(factor).collect::<Option<_>>()?),
        None => product(vec![(symbol(id)?.to_owned(), 1.0)]),
    };
    (!text.is_empty()).then_some(text)
}

/// The text of one unit over another.
pub fn ratio(above: Option<&str>, below: Option<&str>) -> Option<String> {
    let (above, below) = (above?, below?);
    let below = if below.contains([' ', '/']) {
        format!("({below})")
    } else {
        below.to_owned()
    };
    Some(format!("{above}/{below}"))
}

/// A unit's symbol with its prefix, and its power.
fn factor(unit: &Unit) -> Option<(String, f64)> {
    let symbol = symbol(&unit.kind)?;
    if symbol.is_empty() {
        return (unit.multiplier == 1.0 && unit.scale == 0.0).then(|| (String::new(), 1.0));
    }
    if unit.kind == "second" && unit.scale == 0.0 {
        let longer = match unit.multiplier {
            60.0 => "min",
            3600.0 => "h",
            86400.0 => "day",
            604_800.0 => "week",
            31_536_000.0 | 31_557_600.0 => "year",
            1.0 => "s",
            _ => return None,
        };
        return Some((longer.to_owned(), unit.exponent));
    }
    // a multiplier that is a power of ten is a prefix, too
    let power = unit.scale + unit.multiplier.log10();
    let whole = power.round();
    if (power - whole).abs() > 1e-9 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a number without fraction")]
    let prefix = match whole as i64 {
        -18 => "a",
        -15 => "f",
        -12 => "p",
        -9 => "n",
        -6 => "u",
        -3 => "m",
        -2 => "c",
        -1 => "d",
        0 => "",
        3 => "k",
        6 => "M",
        9 => "G",
        _ => return None,
    };
    Some((format!("{prefix}{symbol}"), unit.exponent))
}

fn symbol(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "mole" => "mol",
        "litre" | "liter" => "l",
        "second" => "s",
        "metre" | "meter" => "m",
        "gram" => "g",
        "kilogram" => "kg",
        "item" => "items",
        "dimensionless" | "radian" | "steradian" | "avogadro" => "",
        "ampere" => "A",
        "coulomb" => "C",
        "farad" => "F",
        "hertz" => "Hz",
        "joule" => "J",
        "kelvin" => "K",
        "newton" => "N",
        "ohm" => "Ohm",
        "pascal" => "Pa",
        "siemens" => "S",
        "volt" => "V",
        "watt" => "W",
        "katal" => "kat",
        "becquerel" => "Bq",
        "candela" => "cd",
        "gray" => "Gy",
        "henry" => "H",
        "lumen" => "lm",
        "lux" => "lx",
        "sievert" => "Sv",
        "tesla" => "T",
        "weber" => "Wb",
        _ => return None,
    })
}

fn product(factors: Vec<(String, f64)>) -> String {
    let side = |above: bool| {
        let parts: Vec<String> = factors
            .iter()
            .filter(|(symbol, power)| {
                !symbol.is_empty() && (*power > 0.0) == above && *power != 0.0
            })
            .map(|(symbol, power)| match power.abs() {
                1.0 => symbol.clone(),
                power => format!("{symbol}^{power}"),
            })
            .collect();
        parts
    };
    let (above, below) = (side(true), side(false));
    let top = if above.is_empty() && !below.is_empty() {
        "1".to_owned()
    } else {
        above.join(" ")
    };
    match below.len() {
        0 => top,
        1 => format!("{top}/{}", below[0]),
        _ => format!("{top}/({})", below.join(" ")),
    }
}
