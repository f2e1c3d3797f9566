//! What SBML's constructs mean, on small documents whose solutions are known, Level 2 and Level 3.

use std::fs;
use std::path::Path;

use costate::compile::Backend;
use costate::diagnostic::Diagnostic;
use costate::import::{Imported, SbmlOptions, import_sbml};
use costate::study::{Study, check_expectations};

use super::petab::write;

pub const L2: &str = "http://www.sbml.org/sbml/level2/version4";
pub const L3: &str = "http://www.sbml.org/sbml/level3/version2/core";

/// A document of a level with this inside its model.
pub fn document(namespace: &str, inside: &str) -> String {
    let (level, version) = if namespace == L2 { (2, 4) } else { (3, 2) };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sbml xmlns=\"{namespace}\" level=\"{level}\" version=\"{version}\">\n<model id=\"m\">\n{inside}\n</model>\n</sbml>\n"
    )
}

pub fn import(text: &str, folder: &Path) -> (Option<Imported>, Vec<Diagnostic>) {
    let path = folder.join("model.xml");
    fs::write(&path, text).expect("the document");
    import_sbml(&path, SbmlOptions { end: Some(4.0) })
}

fn math(formula: &str) -> String {
    format!("<math xmlns=\"http://www.w3.org/1998/Math/MathML\">{formula}</math>")
}

fn apply(operator: &str, operands: &[&str]) -> String {
    format!("<apply><{operator}/>{}</apply>", operands.concat())
}

fn ci(name: &str) -> String {
    format!("<ci>{name}</ci>")
}

fn cn(value: f64) -> String {
    format!("<cn>{value}</cn>")
}

const TIME: &str = "<csymbol encoding=\"text\" definitionURL=\"http://www.sbml.org/sbml/symbols/time\">t</csymbol>";

/// A list of what a model has.
fn list(name: &str, items: &str) -> String {
    format!("<listOf{name}>{items}</listOf{name}>")
}

fn rate_rule(of: &str, formula: &str) -> String {
    format!("<rateRule variable=\"{of}\">{}</rateRule>", math(formula))
}

fn assignment_rule(of: &str, formula: &str) -> String {
    format!(
        "<assignmentRule variable=\"{of}\">{}</assignmentRule>",
        math(formula)
    )
}

fn reaction(id: &str, reactants: &[&str], products: &[&str], law: &str) -> String {
    let side = |name: &str, species: &[&str]| {
        let references: String = species
            .iter()
            .map(|s| {
                format!("<speciesReference species=\"{s}\" stoichiometry=\"1\" constant=\"true\"/>")
            })
            .collect();
        if references.is_empty() {
            String::new()
        } else {
            list(name, &references)
        }
    };
    format!(
        "<reaction id=\"{id}\" reversible=\"false\">{}{}<kineticLaw>{}</kineticLaw></reaction>",
        side("Reactants", reactants),
        side("Products", products),
        math(law)
    )
}

/// The text of the scenario, and values of functionals.
fn evaluate(text: &str, of: &[&str]) -> (String, Vec<f64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (imported, findings) = import(text, folder.path());
    let imported = imported.unwrap_or_else(|| panic!("{findings:?}\n{text}"));
    let out = folder.path().join("out");
    write(&imported, &out);
    let scenario = imported.files[0].1.replace("rtol = 1e-8", "rtol = 1e-11");
    let expectations: String = of
        .iter()
        .map(|functional| format!("\n[[expect]]\nexpression = \"{functional}\"\nvalue = 1.0\n"))
        .collect();
    fs::write(out.join("scenario.toml"), scenario.clone() + &expectations).expect("the scenario");
    let (study, findings) = Study::load(&out.join("scenario.toml"), &[], Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}\n{scenario}"));
    let values = check_expectations(&study)
        .into_iter()
        .map(|result| match result.value {
            Ok(value) => value,
            Err(e) => panic!("{}: {e}\n{scenario}", result.text),
        })
        .collect();
    (scenario, values)
}

fn check(text: &str, expected: &[(&str, f64)]) -> String {
    let of: Vec<&str> = expected.iter().map(|(functional, _)| *functional).collect();
    let (scenario, values) = evaluate(text, &of);
    for ((functional, expected), value) in expected.iter().zip(values) {
        // the solver's tolerances are 1e-11 and 1e-10
        assert!(
            (value - expected).abs() <= 1e-8 * (1.0 + expected.abs()),
            "{functional} is {value}, not {expected}\n{scenario}"
        );
    }
    scenario
}

fn decay() -> f64 {
    (-0.5_f64).exp()
}

#[test]
fn concentrations_in_compartments_that_are_not_of_size_one() {
    for namespace in [L2, L3] {
        // v = V k a is an amount a time: a' = -v/V; b lives in a compartment four times as large
        let inside = list(
            "Compartments",
            "<compartment id=\"V\" size=\"2\" spatialDimensions=\"3\" constant=\"true\"/><compartment id=\"W\" size=\"8\" spatialDimensions=\"3\" constant=\"true\"/>",
        ) + &list(
            "Species",
            "<species id=\"a\" compartment=\"V\" initialConcentration=\"3\" hasOnlySubstanceUnits=\"false\" boundaryCondition=\"false\" constant=\"false\"/><species id=\"b\" compartment=\"W\" initialAmount=\"4\" hasOnlySubstanceUnits=\"false\" boundaryCondition=\"false\" constant=\"false\"/>",
        ) + &list(
            "Parameters",
            "<parameter id=\"k\" value=\"0.5\" constant=\"true\"/>",
        ) + &list(
            "Reactions",
            &reaction(
                "v",
                &["a"],
                &["b"],
                &apply("times", &[&ci("V"), &ci("k"), &ci("a")]),
            ),
        );
        let text = check(
            &document(namespace, &inside),
            &[
                ("at(a, 1)", 3.0 * decay()),
                ("at(b, 1)", 0.5 + 0.75 * (1.0 - decay())),
            ],
        );
        assert!(text.contains("b = \"4/W\""), "{text}");
    }
}

#[test]
fn a_compartment_that_is_a_factor_of_all_it_holds_is_left_out() {
    let inside = list("Compartments", "<compartment id=\"V\" size=\"2\"/>")
        + &list(
            "Species",
            "<species id=\"a\" compartment=\"V\" initialConcentration=\"3\"/><species id=\"b\" compartment=\"V\" initialConcentration=\"0\"/>",
        )
        + &list("Parameters", "<parameter id=\"k\" value=\"0.5\"/>")
        + &list(
            "Reactions",
            &reaction(
                "v",
                &["a"],
                &["b"],
                &apply("times", &[&ci("V"), &ci("k"), &ci("a")]),
            ),
        );
    let text = check(
        &document(L2, &inside),
        &[("at(b, 1)", 3.0 * (1.0 - decay()))],
    );
    assert!(text.contains("v = \"k*a\"   # a -> b"), "{text}");
    assert!(text.contains("a = \"-v\""), "{text}");
}

#[test]
fn amounts_where_species_have_only_substance_units() {
    // a is an amount: a' = -v = -k a
    let inside = list("Compartments", "<compartment id=\"V\" size=\"2\"/>")
        + &list(
            "Species",
            "<species id=\"a\" compartment=\"V\" initialConcentration=\"3\" hasOnlySubstanceUnits=\"true\"/>",
        )
        + &list("Parameters", "<parameter id=\"k\" value=\"0.5\"/>")
        + &list(
            "Reactions",
            &reaction("v", &["a"], &[], &apply("times", &[&ci("k"), &ci("a")])),
        );
    check(
        &document(L2, &inside),
        &[("at(a, 0)", 6.0), ("at(a, 1)", 6.0 * decay())],
    );
}

#[test]
fn concentrations_where_the_size_varies() {
    // V' = 1 from 2; the amount of a stays 6 but for the reaction, which takes 0.5 a unit of time
    let inside = list(
        "Compartments",
        "<compartment id=\"V\" size=\"2\" constant=\"false\"/>",
    ) + &list(
        "Species",
        "<species id=\"a\" compartment=\"V\" initialConcentration=\"3\"/><species id=\"b\" compartment=\"V\" initialAmount=\"1\" boundaryCondition=\"true\"/>",
    ) + &list("Rules", &rate_rule("V", &cn(1.0)))
        + &list("Reactions", &reaction("v", &["a"], &[], &cn(0.5)));
    let text = check(
        &document(L2, &inside),
        &[
            ("at(a, 2)", 5.0 / 4.0),
            ("at(b, 2)", 0.25),
            ("at(V, 2)", 4.0),
        ],
    );
    assert!(
        text.contains("a = \"a_amount/V\"") && text.contains("a_amount = 6.0"),
        "{text}"
    );
}

#[test]
fn rules_initial_assignments_and_functions() {
    let function = format!(
        "<functionDefinition id=\"scaled\">{}</functionDefinition>",
        math(&format!(
            "<lambda><bvar><ci>t</ci></bvar><bvar><ci>f</ci></bvar>{}</lambda>",
            apply("times", &[&ci("t"), &ci("f")])
        ))
    );
    let inside = list("FunctionDefinitions", &function)
        + &list(
            "Parameters",
            "<parameter id=\"k\" value=\"0.5\"/><parameter id=\"p\" constant=\"false\"/><parameter id=\"q\" constant=\"false\"/><parameter id=\"r\"/><parameter id=\"s\"/>",
        )
        + &list(
            "InitialAssignments",
            &format!(
                "<initialAssignment symbol=\"p\">{}</initialAssignment><initialAssignment symbol=\"r\">{}</initialAssignment><initialAssignment symbol=\"s\">{}</initialAssignment>",
                math(&apply("times", &[&cn(4.0), &ci("k")])),
                math(&apply("plus", &[&ci("p"), &ci("q"), TIME])),
                math(&apply("power", &[&ci("k"), &cn(2.0)])),
            ),
        )
        + &list(
            "Rules",
            &(rate_rule(
                "p",
                &apply("minus", &[&apply("times", &[&ci("k"), &ci("p")])]),
            ) + &assignment_rule(
                "q",
                &format!(
                    "<apply><ci>scaled</ci>{}<cn type=\"integer\">3</cn></apply>",
                    ci("p")
                ),
            )),
        );
    // p(0) = 2, q = 3 p, r = p(0) + q(0) = 8 for ever, s = 1/4
    let text = check(
        &document(L2, &inside),
        &[
            ("at(p, 1)", 2.0 * decay()),
            ("at(q, 1)", 6.0 * decay()),
            ("at(r, 1)", 8.0),
            ("at(s, 1)", 0.25),
        ],
    );
    assert!(text.contains("q = \"scaled(p, 3)\""), "{text}");
}

#[test]
fn boundary_and_constant_species() {
    let inside = list("Compartments", "<compartment id=\"c\" size=\"1\"/>")
        + &list(
            "Species",
            "<species id=\"a\" compartment=\"c\" initialConcentration=\"3\" boundaryCondition=\"true\"/><species id=\"b\" compartment=\"c\" initialConcentration=\"0\"/><species id=\"d\" compartment=\"c\" initialConcentration=\"7\" constant=\"true\" boundaryCondition=\"true\"/>",
        )
        + &list("Reactions", &reaction("v", &["a", "d"], &["b"], &ci("a")));
    let text = check(&document(L2, &inside), &[("at(b, 2)", 6.0)]);
    assert!(text.contains("d = 7.0   # does not change"), "{text}");
}

#[test]
fn stoichiometries_and_conversion_factors() {
    let reference =
        "<speciesReference id=\"n\" species=\"a\" stoichiometry=\"2\" constant=\"true\"/>";
    let law = format!(
        "<kineticLaw>{}{}</kineticLaw>",
        math(&ci("k")),
        list(
            "LocalParameters",
            "<localParameter id=\"k\" value=\"0.25\"/>"
        )
    );
    let inside = list(
        "Compartments",
        "<compartment id=\"c\" size=\"1\" spatialDimensions=\"3\" constant=\"true\"/>",
    ) + &list(
        "Species",
        "<species id=\"a\" compartment=\"c\" initialConcentration=\"1\" conversionFactor=\"cf\" hasOnlySubstanceUnits=\"false\" boundaryCondition=\"false\" constant=\"false\"/>",
    ) + &list(
        "Parameters",
        "<parameter id=\"cf\" value=\"10\" constant=\"true\"/><parameter id=\"k\" value=\"9\" constant=\"true\"/><parameter id=\"p\" constant=\"false\"/>",
    ) + &list(
        "Rules",
        &assignment_rule("p", &apply("times", &[&ci("n"), &ci("k")])),
    ) + &list(
        "Reactions",
        &format!(
            "<reaction id=\"v\" reversible=\"false\">{}{law}</reaction>",
            list("Products", reference)
        ),
    );
    // a' = 10 * 2 * 0.25, the local k; p = 2 * 9, the other k
    check(
        &document(L3, &inside),
        &[("at(a, 2)", 11.0), ("at(p, 2)", 18.0)],
    );
    // Level 2: a formula
    let reference = format!(
        "<speciesReference species=\"a\"><stoichiometryMath>{}</stoichiometryMath></speciesReference>",
        math(&apply("times", &[&cn(2.0), &ci("k")]))
    );
    let inside = list("Compartments", "<compartment id=\"c\" size=\"1\"/>")
        + &list(
            "Species",
            "<species id=\"a\" compartment=\"c\" initialConcentration=\"1\"/>",
        )
        + &list("Parameters", "<parameter id=\"k\" value=\"3\"/>")
        + &list(
            "Reactions",
            &format!(
                "<reaction id=\"v\">{}<kineticLaw>{}</kineticLaw></reaction>",
                list("Products", &reference),
                math(&cn(0.5))
            ),
        );
    check(&document(L2, &inside), &[("at(a, 1)", 4.0)]);
}

/// Every operator at one point, as assignment rules beside a clock.
#[test]
fn operators() {
    let x = 0.3_f64;
    let one = |operator: &str| apply(operator, &[&cn(x)]);
    let pair = |operator: &str, a: f64, b: f64| apply(operator, &[&cn(a), &cn(b)]);
    let truth = |condition: String| {
        format!(
            "<piecewise><piece><cn>1</cn>{condition}</piece><otherwise><cn>0</cn></otherwise></piecewise>"
        )
    };
    let cases: Vec<(String, f64)> = vec![
        (one("abs"), x), (one("exp"), x.exp()), (one("ln"), x.ln()), (one("log"), x.log10()),
        (format!("<apply><log/><logbase><cn>3</cn></logbase>{}</apply>", cn(x)), x.ln() / 3.0_f64.ln()),
        (format!("<apply><log/><logbase><cn>2</cn></logbase>{}</apply>", cn(x)), x.log2()),
        (one("root"), x.sqrt()),
        (format!("<apply><root/><degree><cn>3</cn></degree>{}</apply>", cn(x)), x.cbrt()),
        (format!("<apply><root/><degree><cn>4</cn></degree>{}</apply>", cn(x)), x.powf(0.25)),
        (one("floor"), 0.0), (one("ceiling"), 1.0),
        (apply("factorial", &["<cn type=\"integer\">5</cn>"]), 120.0),
        (one("sin"), x.sin()), (one("cos"), x.cos()), (one("tan"), x.tan()),
        (one("sec"), 1.0 / x.cos()), (one("csc"), 1.0 / x.sin()), (one("cot"), 1.0 / x.tan()),
        (one("sinh"), x.sinh()), (one("cosh"), x.cosh()), (one("tanh"), x.tanh()),
        (one("sech"), 1.0 / x.cosh()), (one("csch"), 1.0 / x.sinh()), (one("coth"), 1.0 / x.tanh()),
        (one("arcsin"), x.asin()), (one("arccos"), x.acos()), (one("arctan"), x.atan()),
        (apply("arcsec", &[&cn(2.0)]), 0.5_f64.acos()), (apply("arccsc", &[&cn(2.0)]), 0.5_f64.asin()), (apply("arccot", &[&cn(2.0)]), 0.5_f64.atan()),
        (one("arcsinh"), x.asinh()), (apply("arccosh", &[&cn(2.0)]), 2.0_f64.acosh()), (one("arctanh"), x.atanh()),
        (one("arcsech"), (1.0 / x).acosh()), (one("arccsch"), (1.0 / x).asinh()), (apply("arccoth", &[&cn(2.0)]), 0.5_f64.atanh()),
        (pair("minus", 5.0, 3.0), 2.0), (apply("minus", &[&cn(5.0)]), -5.0), (pair("divide", 5.0, 4.0), 1.25), (pair("power", 2.0, 5.0), 32.0),
        (apply("plus", &[]), 0.0), (apply("times", &[]), 1.0), (apply("plus", &[&cn(1.0), &cn(2.0), &cn(3.0)]), 6.0), (apply("times", &[&cn(2.0), &cn(3.0), &cn(4.0)]), 24.0),
        (pair("min", 2.0, 1.0), 1.0), (apply("max", &[&cn(2.0), &cn(1.0), &cn(3.0)]), 3.0),
        // towards zero, unlike floor; the remainder has the sign of the dividend
        (pair("quotient", -7.0, 2.0), -3.0), (pair("rem", -7.0, 2.0), -1.0),
        (truth(pair("lt", 1.0, 2.0)), 1.0), (truth(pair("leq", 2.0, 2.0)), 1.0), (truth(pair("gt", 1.0, 2.0)), 0.0), (truth(pair("geq", 2.0, 3.0)), 0.0),
        (truth(pair("eq", 2.0, 2.0)), 1.0), (truth(pair("neq", 2.0, 2.0)), 0.0),
        (truth(apply("lt", &[&cn(1.0), &cn(2.0), &cn(3.0)])), 1.0), (truth(apply("lt", &[&cn(1.0), &cn(3.0), &cn(2.0)])), 0.0),
        (truth(apply("and", &["<true/>", &pair("lt", 2.0, 1.0)])), 0.0), (truth(apply("or", &["<false/>", &pair("lt", 1.0, 2.0)])), 1.0),
        (truth(apply("not", &["<false/>"])), 1.0), (truth(apply("xor", &["<true/>", "<true/>", "<true/>"])), 1.0),
        (truth(apply("implies", &["<true/>", "<false/>"])), 0.0),
        ("<pi/>".to_owned(), std::f64::consts::PI), ("<exponentiale/>".to_owned(), std::f64::consts::E),
        ("<csymbol encoding=\"text\" definitionURL=\"http://www.sbml.org/sbml/symbols/avogadro\">N</csymbol>".to_owned(), 6.02214179e23),
        ("<cn type=\"e-notation\">1.5<sep/>-3</cn>".to_owned(), 1.5e-3), ("<cn type=\"rational\">3<sep/>8</cn>".to_owned(), 0.375),
        (TIME.to_owned(), 1.0),
    ];
    let mut parameters = "<parameter id=\"clock\" value=\"0\" constant=\"false\"/>".to_owned();
    let mut rules = rate_rule("clock", &cn(1.0));
    for (k, (formula, _)) in cases.iter().enumerate() {
        parameters += &format!("<parameter id=\"p{k}\" constant=\"false\"/>");
        rules += &assignment_rule(&format!("p{k}"), formula);
    }
    let text = document(
        L3,
        &(list("Parameters", &parameters) + &list("Rules", &rules)),
    );
    let names: Vec<String> = (0..cases.len()).map(|k| format!("at(p{k}, 1)")).collect();
    let expected: Vec<(&str, f64)> = names
        .iter()
        .map(String::as_str)
        .zip(cases.iter().map(|case| case.1))
        .collect();
    check(&text, &expected);
}

fn event(trigger: &str, more: &str, sets: &[(&str, &str)]) -> String {
    let sets: String = sets
        .iter()
        .map(|(of, formula)| {
            format!(
                "<eventAssignment variable=\"{of}\">{}</eventAssignment>",
                math(formula)
            )
        })
        .collect();
    format!(
        "<event id=\"e\" useValuesFromTriggerTime=\"true\">{trigger}{more}{}</event>",
        list("EventAssignments", &sets)
    )
}

/// x' = 1 from 0, n counts.
fn with_event(event: &str) -> String {
    let inside = list(
        "Parameters",
        "<parameter id=\"x\" value=\"0\" constant=\"false\"/><parameter id=\"n\" value=\"0\" constant=\"false\"/><parameter id=\"c\" value=\"1.5\" constant=\"true\"/>",
    ) + &list("Rules", &rate_rule("x", &cn(1.0)))
        + &list("Events", event);
    document(L3, &inside)
}

fn trigger(initial: bool, formula: &str) -> String {
    format!(
        "<trigger initialValue=\"{initial}\" persistent=\"true\">{}</trigger>",
        math(formula)
    )
}

#[test]
fn events_at_times_and_where_states_cross() {
    let step = apply("plus", &[&ci("n"), &cn(1.0)]);
    // time >= c
    let at_c = with_event(&event(
        &trigger(true, &apply("geq", &[TIME, &ci("c")])),
        "",
        &[("n", &step)],
    ));
    let text = check(&at_c, &[("at(n, 1.4)", 0.0), ("at(n, 1.6)", 1.0)]);
    assert!(text.contains("at = [\"c\"]"), "{text}");
    // x crosses 2 upwards, and is set back by 1: at t = 2, 3, 4
    let crossing = with_event(&event(
        &trigger(true, &apply("gt", &[&ci("x"), &cn(2.0)])),
        "",
        &[("x", &apply("minus", &[&ci("x"), &cn(1.0)])), ("n", &step)],
    ));
    let text = check(&crossing, &[("at(x, 2.5)", 1.5), ("at(n, 3.5)", 2.0)]);
    assert!(text.contains("direction = \"rising\""), "{text}");
    // both conditions; the later of the two decides
    let both = with_event(&event(
        &trigger(
            true,
            &apply(
                "and",
                &[
                    &apply("gt", &[&ci("x"), &cn(1.0)]),
                    &apply("geq", &[TIME, &cn(2.5)]),
                ],
            ),
        ),
        "",
        &[("n", &step)],
    ));
    check(
        &both,
        &[("at(n, 2.4)", 0.0), ("at(n, 2.6)", 1.0), ("final(n)", 1.0)],
    );
    // either; the earlier of the two
    let either = with_event(&event(
        &trigger(
            true,
            &apply(
                "or",
                &[
                    &apply("gt", &[&ci("x"), &cn(1.0)]),
                    &apply("geq", &[TIME, &cn(2.5)]),
                ],
            ),
        ),
        "",
        &[("n", &step)],
    ));
    check(
        &either,
        &[("at(n, 0.9)", 0.0), ("at(n, 1.1)", 1.0), ("final(n)", 1.0)],
    );
    // true from the start, and so never; or counted as false before it
    for (initial, count) in [(true, 0.0), (false, 1.0)] {
        let start = with_event(&event(
            &trigger(initial, &apply("geq", &[TIME, &cn(0.0)])),
            "",
            &[("n", &step)],
        ));
        if initial {
            let (_, values) = evaluate(&with_event(""), &["final(n)"]);
            assert_eq!(values, [count]);
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (_, findings) = import(&start, folder.path());
            assert!(
                findings
                    .iter()
                    .any(|f| f.message.contains("true from the start")),
                "{findings:?}"
            );
        } else {
            check(&start, &[("at(n, 1)", count)]);
        }
    }
    // a delay after a time
    let delayed = with_event(&event(
        &trigger(true, &apply("geq", &[TIME, &ci("c")])),
        &format!("<delay>{}</delay>", math(&cn(1.0))),
        &[("n", &cn(7.0))],
    ));
    check(&delayed, &[("at(n, 2.4)", 0.0), ("at(n, 2.6)", 7.0)]);
}

#[test]
fn names_that_are_words_here_are_changed_and_told() {
    let inside = list(
        "Parameters",
        "<parameter id=\"t\" value=\"2\" constant=\"true\"/><parameter id=\"max\" value=\"3\" constant=\"true\"/><parameter id=\"x\" value=\"0\" constant=\"false\"/>",
    ) + &list(
        "Rules",
        &rate_rule(
            "x",
            &apply("plus", &[&apply("times", &[&ci("t"), &ci("max")]), TIME]),
        ),
    );
    let text = check(&document(L3, &inside), &[("at(x, 2)", 14.0)]);
    assert!(
        text.contains("# Names that had to be changed: t is t_, max is max_."),
        "{text}"
    );
}

#[test]
fn the_rate_of_a_state_can_be_asked_for() {
    let rate = "<apply><csymbol encoding=\"text\" definitionURL=\"http://www.sbml.org/sbml/symbols/rateOf\">rateOf</csymbol><ci>x</ci></apply>";
    let inside = list(
        "Parameters",
        "<parameter id=\"x\" value=\"1\" constant=\"false\"/><parameter id=\"r\" constant=\"false\"/>",
    ) + &list(
        "Rules",
        &(rate_rule("x", &apply("times", &[&cn(-0.5), &ci("x")])) + &assignment_rule("r", rate)),
    );
    check(&document(L3, &inside), &[("at(r, 1)", -0.5 * decay())]);
}

#[test]
fn long_sums_and_units() {
    let terms: Vec<String> = (0..3000).map(|_| cn(1.0)).collect();
    let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
    let units = "<unitDefinition id=\"per_min\"><listOfUnits><unit kind=\"second\" multiplier=\"60\" exponent=\"-1\" scale=\"0\"/></listOfUnits></unitDefinition><unitDefinition id=\"nM\"><listOfUnits><unit kind=\"mole\" scale=\"-9\" exponent=\"1\" multiplier=\"1\"/><unit kind=\"litre\" exponent=\"-1\" scale=\"0\" multiplier=\"1\"/></listOfUnits></unitDefinition>";
    let inside = list("UnitDefinitions", units)
        + &list(
            "Parameters",
            "<parameter id=\"k\" value=\"1\" units=\"per_min\"/><parameter id=\"c\" value=\"1\" units=\"nM\"/><parameter id=\"x\" value=\"0\" constant=\"false\"/>",
        )
        + &list("Rules", &rate_rule("x", &apply("plus", &terms)));
    let text = check(&document(L2, &inside), &[("at(x, 1)", 3000.0)]);
    assert!(
        text.contains("unit = \"1/min\"") && text.contains("unit = \"nmol/l\""),
        "{text}"
    );
}
