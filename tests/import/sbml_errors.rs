//! Documents that are wrong or beyond what can be imported: each is told with its place, and nothing is written.

use super::sbml::{L2, L3, document, import};

fn errors(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (imported, findings) = import(text, folder.path());
    assert!(
        imported.is_none(),
        "imported what is wrong: {findings:?}\n{text}"
    );
    findings.iter().map(ToString::to_string).collect()
}

const MATH: &str = "http://www.w3.org/1998/Math/MathML";

fn rule(formula: &str) -> String {
    format!(
        "<listOfParameters><parameter id=\"p\" constant=\"false\" value=\"1\"/></listOfParameters>\n<listOfRules><assignmentRule variable=\"p\">\n<math xmlns=\"{MATH}\">{formula}</math></assignmentRule></listOfRules>"
    )
}

fn event(trigger: &str, more: &str) -> String {
    format!(
        "<listOfParameters><parameter id=\"p\" constant=\"false\" value=\"1\"/><parameter id=\"x\" constant=\"false\" value=\"1\"/></listOfParameters><listOfRules><rateRule variable=\"x\"><math xmlns=\"{MATH}\"><cn>1</cn></math></rateRule></listOfRules>\n<listOfEvents><event id=\"e\" useValuesFromTriggerTime=\"true\">\n<trigger initialValue=\"true\" persistent=\"true\"><math xmlns=\"{MATH}\">{trigger}</math></trigger>{more}<listOfEventAssignments><eventAssignment variable=\"p\"><math xmlns=\"{MATH}\"><ci>x</ci></math></eventAssignment></listOfEventAssignments></event></listOfEvents>"
    )
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let species = "<listOfCompartments><compartment id=\"c\" size=\"1\"/></listOfCompartments>\n<listOfSpecies>";
    let above = "<apply><gt/><ci>x</ci><cn>2</cn></apply>";
    let cases: Vec<(String, [&str; 2])> = vec![
        ("not xml at all".to_owned(), ["model.xml:1:1", "not XML"]),
        (String::new(), ["model.xml:1:1", "no element"]),
        (document(L2, "<listOfSpecies>"), ["model.xml:5:", "not XML"]),
        ("<?xml version=\"1.0\"?>\n<sbml xmlns=\"http://www.sbml.org/sbml/level2/version4\">\n<model>".to_owned(), ["model.xml:3:1", "never closed"]),
        (document(L2, "&bomb;"), ["model.xml:4:1", "unknown entity"]),
        ("<html/>".to_owned(), ["model.xml:1:1", "not `<sbml>`"]),
        ("<sbml xmlns=\"http://www.sbml.org/sbml/level1\" level=\"1\" version=\"2\"><model/></sbml>".to_owned(), ["model.xml:1:1", "Level 1"]),
        ("<sbml xmlns=\"http://www.sbml.org/sbml/level9\"><model/></sbml>".to_owned(), ["model.xml:1:1", "none of SBML's"]),
        (format!("<sbml xmlns=\"{L2}\"></sbml>"), ["model.xml:1:1", "no `<model>`"]),
        (document(L2, "<listOfSpecie/>"), ["model.xml:4:1", "did you mean `<listOfSpecies>`"]),
        (document(L2, &format!("{species}\n<species id=\"a\" compartment=\"C\" initialAmount=\"1\"/></listOfSpecies>")), ["model.xml:6:30", "no compartment `C`"]),
        (document(L2, &format!("{species}\n<species compartment=\"c\" initialAmount=\"1\"/></listOfSpecies>")), ["model.xml:6:1", "without `id`"]),
        (document(L2, &format!("{species}\n<species id=\"a\" compartment=\"c\" initialAmount=\"much\"/></listOfSpecies>")), ["model.xml:6:48", "`much`, not a number"]),
        (document(L2, &format!("{species}\n<species id=\"c\" compartment=\"c\" initialAmount=\"1\"/></listOfSpecies>")), ["model.xml:6:1", "`c` is an identifier already"]),
        (document(L2, "<listOfParameters>\n<parameter id=\"k\"/></listOfParameters>"), ["model.xml:5:1", "`k` has no value"]),
        (document(L2, &rule("<ci>q</ci>")), ["model.xml:6:50", "there is no name `q`"]),
        (document(L2, &rule("<apply><ci>f</ci><cn>1</cn></apply>")), ["model.xml:6:", "there is no function `f`"]),
        (document(L2, &rule("<apply><sine/><cn>1</cn></apply>")), ["model.xml:6:57", "unknown operator `<sine/>`"]),
        (document(L2, &rule("<apply><divide/><cn>1</cn></apply>")), ["model.xml:6:57", "with 1 operands"]),
        (document(L2, &rule("<cn>1,5</cn>")), ["model.xml:6:50", "`1,5` is not a number"]),
        (document(L2, &rule("")), ["model.xml:6:1", "an empty `<math>`"]),
        (document(L2, &rule("<apply><csymbol encoding=\"text\" definitionURL=\"http://www.sbml.org/sbml/symbols/delay\">d</csymbol><ci>p</ci><cn>1</cn></apply>")), ["model.xml:6:57", "a delay cannot be imported"]),
        (document(L2, &rule("<apply><factorial/><ci>p</ci></apply>")), ["model.xml:6:57", "factorial"]),
        (document(L2, &rule("<infinity/>")), ["model.xml:6:50", "`<infinity/>` cannot be imported"]),
        (document(L2, &format!("<listOfRules><algebraicRule><math xmlns=\"{MATH}\"><cn>1</cn></math></algebraicRule></listOfRules>")), ["model.xml:4:14", "an algebraic rule cannot be imported"]),
        (document(L2, &rule("<ci>p</ci>")), ["", "`p` is defined by itself"]),
        (document(L2, "<listOfReactions>\n<reaction id=\"v\" fast=\"true\"/></listOfReactions>"), ["model.xml:5:24", "a fast reaction cannot be imported"]),
        (document(L3, &event("<apply><eq/><ci>x</ci><cn>2</cn></apply>", "")), ["model.xml:", "a trigger that is not made of inequalities"]),
        (document(L3, &event(above, &format!("<delay><math xmlns=\"{MATH}\"><cn>1</cn></math></delay>"))), ["model.xml:", "a delay after what states trigger"]),
        (document(L3, &event(above, &format!("<priority><math xmlns=\"{MATH}\"><ci>x</ci></math></priority>"))), ["model.xml:", "a priority that is not a number"]),
        (format!("<sbml xmlns=\"{L3}\" xmlns:comp=\"http://www.sbml.org/sbml/level3/version1/comp/version1\" level=\"3\" version=\"2\" comp:required=\"true\"><model>\n<comp:listOfSubmodels/></model></sbml>"), ["model.xml:2:1", "of the package"]),
    ];
    assert!(cases.len() >= 20);
    let mut missing = Vec::new();
    for (text, parts) in cases {
        let errors = errors(&text);
        if !errors
            .iter()
            .any(|e| parts.iter().all(|part| e.contains(part)))
        {
            missing.push((parts, errors));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn deep_documents_end_in_a_message() {
    let deep = "<a>".repeat(100_000);
    assert!(errors(&deep)[0].contains("elements inside one another"));
    let nested = "<apply><minus/>".repeat(400) + "<cn>1</cn>" + &"</apply>".repeat(400);
    assert!(errors(&document(L2, &rule(&nested)))[0].contains("inside one another"));
}
