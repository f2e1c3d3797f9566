//! `[graphs]`: `grid = { index = "bus", file = "edges.csv" }`. The edges become an index set of the graph's name.

use super::data::Csv;
use super::reader::Names;
use super::types::{EdgeSet, Index, Name};
use super::values::{Reader, Section, did_you_mean, list, shorten};

/// The graphs; their edges are added to the index sets.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    indices: &mut Vec<Index>,
    names: &mut Names,
) -> Vec<EdgeSet> {
    let nodes = indices.len();
    let mut graphs = Vec::new();
    for (name, value) in reader.named(top, "graphs", "a graph", names) {
        let Some(section) = reader.section("graphs.*", &name.text, value) else {
            continue;
        };
        let graph = graph(reader, &section, &name, &indices[..nodes]);
        // what could not be read is reported; the rest goes on with as many edges as there are rows
        let [from, to] = graph
            .as_ref()
            .map_or([&[][..]; 2], |(_, ends)| [&ends[0][..], &ends[1][..]]);
        indices.push(Index {
            name: name.clone(),
            size: u32::try_from(from.len()).map_or(u32::MAX, |size| size.max(1)),
            ends: None,
        });
        graphs.push(EdgeSet {
            edges: indices.len() - 1,
            nodes: graph.as_ref().map_or(0, |(nodes, _)| *nodes),
            from: from.into(),
            to: to.into(),
            directed: reader.boolean(&section, "directed").unwrap_or(false),
            name,
        });
    }
    graphs
}

/// The index set that edges join, and where each begins and ends.
fn graph(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    name: &Name,
    indices: &[Index],
) -> Option<(usize, [Vec<u32>; 2])> {
    for key in ["index", "file"] {
        if section.get(key).is_none() && !section.mistyped(key) {
            reader.missing(section, key);
        }
    }
    let index = reader.text(section, "index");
    let ends = ends(reader, section);
    let index = index?;
    let Some(nodes) = indices.iter().position(|own| own.name.text == index) else {
        let known = || indices.iter().map(|index| index.name.text.as_str());
        let help = did_you_mean(&index, known()).unwrap_or_else(|| {
            if indices.is_empty() {
                format!("add `[indices]` with `{} = 10`", shorten(&index))
            } else {
                format!("indices are {}", list(known()))
            }
        });
        let place = section.get("index")?.span();
        let message = format!("`[indices]` has no `{}`", shorten(&index));
        let diagnostic = reader.error("scenario::graph", message, place);
        diagnostic.help = Some(help);
        return None;
    };
    let (csv, columns, rows) = ends?;
    let size = indices[nodes].size;
    let mut findings = rows.findings;
    let mut ends: [Vec<u32>; 2] = Default::default();
    for (side, values) in rows.columns.iter().enumerate() {
        let mut faulty = None;
        for (row, &value) in values.iter().enumerate() {
            let place = value.is_nan() || value.fract() != 0.0 || value < 1.0;
            if place || value > f64::from(size) {
                faulty.get_or_insert(row);
                ends[side].push(0);
            } else {
                ends[side].push(value as u32 - 1);
            }
        }
        if let Some(row) = faulty {
            let why = format!("an edge joins places of `{index}`, which are 1 to {size}");
            findings.push(|| csv.bad_place(rows.places[row], columns[side], &why));
        }
    }
    let failed = !findings.is_empty();
    reader.diagnostics.extend(findings.finish(&csv));
    if !failed && ends[0].is_empty() {
        let place = section.get("file")?.span();
        let message = format!("`{}` has no edges", shorten(&name.text));
        let diagnostic = reader.error("scenario::graph", message, place);
        diagnostic.help = Some("a row of the file is an edge".to_owned());
    }
    Some((nodes, ends))
}

/// The columns of the file.
fn ends(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
) -> Option<(Csv, [usize; 2], super::data::Rows)> {
    let file = reader.text(section, "file")?;
    let place = section.get("file")?.span();
    let source = reader.data_file(&file, place.clone())?;
    let csv = match Csv::new(source) {
        Ok(csv) => csv,
        Err(diagnostic) => {
            reader.report(*diagnostic);
            return None;
        }
    };
    let mut columns = [None; 2];
    for (column, key) in columns.iter_mut().zip(["from", "to"]) {
        let name = reader.text(section, key).unwrap_or_else(|| key.to_owned());
        let asked = section.get(key).map_or_else(|| place.clone(), |v| v.span());
        let span = reader.sources.span(asked);
        match csv.column(&name, &span) {
            Ok(found) => *column = Some(found),
            Err(diagnostic) => {
                reader.report(*diagnostic);
            }
        }
    }
    let [Some(from), Some(to)] = columns else {
        return None;
    };
    let rows = csv.rows(&[], &[from, to]);
    Some((csv, [from, to], rows))
}
