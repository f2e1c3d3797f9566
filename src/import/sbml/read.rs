//! An SBML document to a [`Model`], Level 2 and Level 3 core.

use std::sync::Arc;

use super::mathml;
use super::model::{
    Assignment, Compartment, Function, Identity, Model, Parameter, Reference, Species, Unit,
    UnitDefinition,
};
use super::xml::{self, Attribute, Element};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::model::Expression;

/// Reads a document; a model exactly where no finding is an error.
pub fn read(file: &Arc<SourceFile>, findings: &mut Vec<Diagnostic>) -> Option<Model> {
    let root = match xml::read(file) {
        Ok(root) => root,
        Err(finding) => {
            findings.push(*finding);
            return None;
        }
    };
    let before = findings.len();
    let mut reader = Reader {
        findings,
        core: String::new(),
        level: [0, 0],
    };
    let model = reader.document(&root);
    let failed = findings[before..]
        .iter()
        .any(|finding| finding.severity == crate::diagnostic::Severity::Error);
    model.filter(|_| !failed)
}

pub(super) struct Reader<'a> {
    pub findings: &'a mut Vec<Diagnostic>,
    /// the namespace of SBML core that the document is in
    core: String,
    pub level: [u32; 2],
}

fn level_of(namespace: &str) -> Option<[u32; 2]> {
    Some(
        match namespace.strip_prefix("http://www.sbml.org/sbml/level")? {
            "1" => [1, 2],
            "2" => [2, 1],
            "2/version2" => [2, 2],
            "2/version3" => [2, 3],
            "2/version4" => [2, 4],
            "2/version5" => [2, 5],
            "3/version1/core" => [3, 1],
            "3/version2/core" => [3, 2],
            _ => return None,
        },
    )
}

impl Reader<'_> {
    pub fn error(&mut self, code: &'static str, message: String, span: &Span) -> &mut Diagnostic {
        let at = self.findings.len();
        self.findings
            .push(Diagnostic::error(code, message, Some(span.clone())));
        &mut self.findings[at]
    }

    pub fn warn(&mut self, message: String, span: &Span, help: &str) {
        self.findings.push(
            Diagnostic::warning("sbml::ignored", message, Some(span.clone())).with_help(help),
        );
    }

    pub fn unsupported(&mut self, what: &str, span: &Span, help: &str) {
        let diagnostic = self.error(
            "sbml::unsupported",
            format!("{what} cannot be imported"),
            span,
        );
        diagnostic.label = "not supported".to_owned();
        diagnostic.help = Some(help.to_owned());
    }

    pub fn document(&mut self, root: &Element) -> Option<Model> {
        let level = level_of(&root.namespace).filter(|_| root.name == "sbml");
        let Some(level) = level else {
            let found = if root.name == "sbml" {
                format!("the namespace `{}` is none of SBML's", root.namespace)
            } else {
                format!("the document is `<{}>`, not `<sbml>`", root.name)
            };
            let diagnostic = self.error("sbml::document", found, &root.span);
            diagnostic.help =
                Some("give an SBML file of Level 2 or 3, such as `model.xml`".to_owned());
            return None;
        };
        if level[0] < 2 {
            self.unsupported(
                "SBML Level 1",
                &root.span,
                "convert the document to Level 2 or 3",
            );
            return None;
        }
        self.core.clone_from(&root.namespace);
        self.level = level;
        let required: Vec<String> = root
            .attributes
            .iter()
            .filter(|a| a.name == "required" && a.value == "true")
            .filter_map(|a| a.namespace.clone())
            .collect();
        self.packages(root, &required);
        let Some(model) = self.only(root, "model") else {
            let diagnostic = self.error(
                "sbml::document",
                "the document has no `<model>`".to_owned(),
                &root.span,
            );
            diagnostic.help = Some("is it cut off?".to_owned());
            return None;
        };
        Some(self.model(model))
    }

    /// Names what packages of Level 3 add, where it changes the model.
    pub fn packages(&mut self, root: &Element, required: &[String]) {
        let mut stack = vec![root];
        let mut seen: Vec<&str> = Vec::new();
        let mut ignored: Vec<&str> = Vec::new();
        while let Some(element) = stack.pop() {
            if matches!(element.name.as_str(), "annotation" | "notes" | "message") {
                continue;
            }
            if element.namespace.contains("/sbml/level3/") && element.namespace != self.core {
                if required.contains(&element.namespace) {
                    if !seen.contains(&element.namespace.as_str()) {
                        seen.push(&element.namespace);
                        let what =
                            format!("`<{}>` of the package {}", element.name, element.namespace);
                        self.unsupported(
                            &what,
                            &element.span,
                            "flatten the model to SBML core, without packages",
                        );
                    }
                } else if !ignored.contains(&element.namespace.as_str()) {
                    ignored.push(&element.namespace);
                    self.warn(
                        format!(
                            "`<{}>` of the package {} is not read",
                            element.name, element.namespace
                        ),
                        &element.span,
                        "it does not change what the model computes",
                    );
                }
                continue;
            }
            stack.extend(element.elements());
        }
    }

    /// The elements of SBML core inside an element; others are named unless they are of a package.
    pub fn inside<'e>(&mut self, element: &'e Element, known: &[&str]) -> Vec<&'e Element> {
        let mut found = Vec::new();
        for inner in element.elements() {
            if inner.namespace != self.core || matches!(&*inner.name, "notes" | "annotation") {
                continue;
            }
            if known.contains(&inner.name.as_str()) {
                found.push(inner);
            } else {
                let message = format!(
                    "`<{}>` does not belong into `<{}>`",
                    inner.name, element.name
                );
                let diagnostic = self.error("sbml::element", message, &inner.span);
                diagnostic.help = Some(
                    match crate::diagnostic::nearest(&inner.name, known.iter().copied()) {
                        Some(near) => format!("did you mean `<{near}>`?"),
                        None => format!("known are {}", known.join(", ")),
                    },
                );
            }
        }
        found
    }

    pub fn only<'e>(&mut self, element: &'e Element, name: &str) -> Option<&'e Element> {
        let core = self.core.clone();
        element
            .elements()
            .find(|inner| inner.name == name && inner.namespace == core)
    }

    pub fn list<'e>(&mut self, model: &'e Element, list: &str, items: &[&str]) -> Vec<&'e Element> {
        match self.only(model, list) {
            Some(list) => self.inside(list, items),
            None => Vec::new(),
        }
    }

    pub fn text(&self, element: &Element, attribute: &str) -> Option<String> {
        let text = element.attribute(attribute)?.value.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub fn reference(&self, element: &Element, attribute: &str) -> Option<Reference> {
        let found = element.attribute(attribute)?;
        let id = found.value.trim().to_owned();
        (!id.is_empty()).then(|| Reference {
            id,
            span: found.span.clone(),
        })
    }

    pub fn needed(&mut self, element: &Element, attribute: &str) -> Reference {
        self.reference(element, attribute).unwrap_or_else(|| {
            let message = format!("`<{}>` without `{attribute}`", element.name);
            let diagnostic = self.error("sbml::missing", message, &element.span);
            diagnostic.label = format!("needs `{attribute}=\"...\"`");
            Reference {
                id: String::new(),
                span: element.span.clone(),
            }
        })
    }

    pub fn number(&mut self, element: &Element, attribute: &str) -> Option<f64> {
        let found = element.attribute(attribute)?;
        self.parse_number(found)
    }

    pub fn parse_number(&mut self, found: &Attribute) -> Option<f64> {
        let text = found.value.trim();
        // (documents write unknown values as NaN)
        match text.parse::<f64>() {
            Ok(value) if value.is_nan() => None,
            Ok(value) if value.is_finite() => Some(value),
            _ => {
                let message = format!("`{}` is `{text}`, not a number", found.name);
                let diagnostic = self.error("sbml::value", message, &found.span);
                diagnostic.help = Some("write a finite number, such as `1.5e-3`".to_owned());
                None
            }
        }
    }

    pub fn boolean(&mut self, element: &Element, attribute: &str, default: bool) -> bool {
        let Some(found) = element.attribute(attribute) else {
            return default;
        };
        match found.value.trim() {
            "true" | "1" => true,
            "false" | "0" => false,
            other => {
                let message = format!("`{attribute}` is `{other}`, not true or false");
                self.error("sbml::value", message, &found.span);
                default
            }
        }
    }

    pub fn identity(&mut self, element: &Element, needs_id: bool) -> Identity {
        let id = if needs_id {
            self.needed(element, "id").id
        } else {
            self.text(element, "id").unwrap_or_default()
        };
        if !id.is_empty() {
            let mut bytes = id.bytes();
            let starts = bytes
                .next()
                .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            if !starts || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                let span = element.attribute("id").map_or(&element.span, |a| &a.span);
                let diagnostic =
                    self.error("sbml::value", format!("`{id}` is no identifier"), span);
                diagnostic.help =
                    Some("an identifier has letters, digits and `_`, no digit first".to_owned());
            }
        }
        Identity {
            id,
            name: self.text(element, "name").unwrap_or_default(),
            notes: self.notes(element),
            span: element.span.clone(),
        }
    }

    pub fn notes(&mut self, element: &Element) -> String {
        let notes = self.only(element, "notes").map(Element::text);
        notes.unwrap_or_default()
    }

    pub fn math(&mut self, element: &Element) -> Option<Expression> {
        let Some(math) = element.child("math") else {
            let message = format!("`<{}>` without `<math>`", element.name);
            if self.level == [3, 2] {
                // since Level 3 Version 2 a formula may be left out, which makes the element say nothing
                self.warn(message, &element.span, "it says nothing and is left out");
            } else {
                self.error("sbml::missing", message, &element.span);
            }
            return None;
        };
        mathml::expression(math, self.findings)
    }

    pub fn model(&mut self, element: &Element) -> Model {
        const LISTS: &[&str] = &[
            "listOfFunctionDefinitions",
            "listOfUnitDefinitions",
            "listOfCompartmentTypes",
            "listOfSpeciesTypes",
            "listOfCompartments",
            "listOfSpecies",
            "listOfParameters",
            "listOfInitialAssignments",
            "listOfRules",
            "listOfConstraints",
            "listOfReactions",
            "listOfEvents",
        ];
        self.inside(element, LISTS);
        let constraints = self.list(element, "listOfConstraints", &["constraint"]);
        if let Some(first) = constraints.first() {
            self.warn(
                format!("{} constraints are not read", constraints.len()),
                &first.span,
                "they do not change what the model computes",
            );
        }
        let units = self.list(element, "listOfUnitDefinitions", &["unitDefinition"]);
        let units = units.into_iter().map(|e| self.unit_definition(e)).collect();
        let functions = self.list(
            element,
            "listOfFunctionDefinitions",
            &["functionDefinition"],
        );
        let functions = functions
            .into_iter()
            .filter_map(|e| self.function(e))
            .collect();
        let compartments = self.list(element, "listOfCompartments", &["compartment"]);
        let compartments = compartments
            .into_iter()
            .map(|e| self.compartment(e))
            .collect();
        let species = self.list(element, "listOfSpecies", &["species"]);
        let species = species.into_iter().map(|e| self.species(e)).collect();
        let parameters = self.list(element, "listOfParameters", &["parameter"]);
        let parameters = parameters.into_iter().map(|e| self.parameter(e)).collect();
        let initial = self.list(element, "listOfInitialAssignments", &["initialAssignment"]);
        let initial = initial
            .into_iter()
            .filter_map(|e| self.assignment(e, "symbol"))
            .collect();
        let (mut assignments, mut rates) = (Vec::new(), Vec::new());
        for rule in self.list(
            element,
            "listOfRules",
            &["assignmentRule", "rateRule", "algebraicRule"],
        ) {
            match rule.name.as_str() {
                "assignmentRule" => assignments.extend(self.assignment(rule, "variable")),
                "rateRule" => rates.extend(self.assignment(rule, "variable")),
                _ => self.unsupported(
                    "an algebraic rule",
                    &rule.span,
                    "solve it for one of its variables and write an assignment rule",
                ),
            }
        }
        let reactions = self.list(element, "listOfReactions", &["reaction"]);
        let reactions = reactions.into_iter().map(|e| self.reaction(e)).collect();
        let events = self.list(element, "listOfEvents", &["event"]);
        let events = events.into_iter().filter_map(|e| self.event(e)).collect();
        Model {
            level: self.level,
            id: self.text(element, "id").unwrap_or_default(),
            name: self.text(element, "name").unwrap_or_default(),
            notes: self.notes(element),
            time_units: self.text(element, "timeUnits"),
            substance_units: self.text(element, "substanceUnits"),
            volume_units: self.text(element, "volumeUnits"),
            conversion_factor: self.reference(element, "conversionFactor"),
            units,
            compartments,
            species,
            parameters,
            functions,
            initial,
            assignments,
            rates,
            reactions,
            events,
        }
    }

    pub fn unit_definition(&mut self, element: &Element) -> UnitDefinition {
        let identity = self.identity(element, true);
        let units = self.list(element, "listOfUnits", &["unit"]);
        let units = units
            .into_iter()
            .map(|unit| {
                if unit
                    .attribute("offset")
                    .is_some_and(|a| a.value.trim() != "0")
                {
                    self.warn(
                        "the offset of a unit is not read".to_owned(),
                        &unit.span,
                        "units are text for axes; no value is converted",
                    );
                }
                Unit {
                    kind: self.needed(unit, "kind").id,
                    exponent: self.number(unit, "exponent").unwrap_or(1.0),
                    scale: self.number(unit, "scale").unwrap_or(0.0),
                    multiplier: self.number(unit, "multiplier").unwrap_or(1.0),
                }
            })
            .collect();
        UnitDefinition { identity, units }
    }

    pub fn function(&mut self, element: &Element) -> Option<Function> {
        let identity = self.identity(element, true);
        let Some(math) = element.child("math") else {
            self.math(element);
            return None;
        };
        let (arguments, body) = mathml::lambda(math, self.findings)?;
        Some(Function {
            identity,
            arguments,
            body,
        })
    }

    pub fn compartment(&mut self, element: &Element) -> Compartment {
        Compartment {
            identity: self.identity(element, true),
            size: self.number(element, "size"),
            dimensions: self.number(element, "spatialDimensions").unwrap_or(3.0),
            units: self.text(element, "units"),
        }
    }

    pub fn species(&mut self, element: &Element) -> Species {
        Species {
            identity: self.identity(element, true),
            compartment: self.needed(element, "compartment"),
            amount: self.number(element, "initialAmount"),
            concentration: self.number(element, "initialConcentration"),
            only_substance: self.boolean(element, "hasOnlySubstanceUnits", false),
            boundary: self.boolean(element, "boundaryCondition", false),
            constant: self.boolean(element, "constant", false),
            conversion_factor: self.reference(element, "conversionFactor"),
            units: self.text(element, "substanceUnits"),
        }
    }

    pub fn parameter(&mut self, element: &Element) -> Parameter {
        Parameter {
            identity: self.identity(element, true),
            value: self.number(element, "value"),
            units: self.text(element, "units"),
        }
    }

    pub fn assignment(&mut self, element: &Element, of: &str) -> Option<Assignment> {
        let of = self.needed(element, of);
        let math = self.math(element)?;
        Some(Assignment { of, math })
    }
}
