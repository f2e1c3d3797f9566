use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn file(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile {
        path: PathBuf::from("scenario.toml"),
        text: text.to_owned(),
    })
}

fn ok(text: &str) -> Expression {
    let (expression, diagnostics) = parse(text, &file(text), 0);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    expression.expect("an expression where there is no error")
}

fn errors(text: &str) -> Vec<Diagnostic> {
    let (expression, diagnostics) = parse(text, &file(text), 0);
    assert!(expression.is_none(), "{text} parsed");
    assert!(!diagnostics.is_empty(), "{text}: no finding");
    diagnostics
}

/// Fully parenthesized, so that grouping shows.
fn grouped(e: &Expression) -> String {
    match &e.kind {
        ExpressionKind::Number(value) => format!("{value}"),
        ExpressionKind::Name(name) => name.clone(),
        ExpressionKind::Negate(a) => format!("(-{})", grouped(a)),
        ExpressionKind::Not(a) => format!("(not {})", grouped(a)),
        ExpressionKind::Arithmetic(operator, a, b) => {
            let sign = match operator {
                Arithmetic::Add => '+',
                Arithmetic::Subtract => '-',
                Arithmetic::Multiply => '*',
                Arithmetic::Divide => '/',
                Arithmetic::Power => '^',
            };
            format!("({}{sign}{})", grouped(a), grouped(b))
        }
        ExpressionKind::Compare(c, a, b) => format!("({}{c:?}{})", grouped(a), grouped(b)),
        ExpressionKind::And(a, b) => format!("({} and {})", grouped(a), grouped(b)),
        ExpressionKind::Or(a, b) => format!("({} or {})", grouped(a), grouped(b)),
        ExpressionKind::Element(name, _, places) => format!(
            "{name}<{}>",
            places.iter().map(grouped).collect::<Vec<_>>().join(",")
        ),
        ExpressionKind::Call(name, _, arguments) => format!(
            "{name}[{}]",
            arguments.iter().map(grouped).collect::<Vec<_>>().join(",")
        ),
        ExpressionKind::Output(call, which) => format!("{}<{}>", grouped(call), grouped(which)),
    }
}

#[test]
fn precedence_follows_the_page() {
    for (text, expected) in [
        ("a+b*c", "(a+(b*c))"),
        ("a-b-c", "((a-b)-c)"),
        ("a/b/c", "((a/b)/c)"),
        ("-x^2", "(-(x^2))"),
        ("2^-1", "(2^(-1))"),
        ("a^b^c", "(a^(b^c))"),
        ("-a*b", "((-a)*b)"),
        ("a*-b", "(a*(-b))"),
        ("2^-x^2*3", "((2^(-(x^2)))*3)"),
        (
            "a < b + 1 and not c == d or e",
            "(((aLess(b+1)) and (not (cEquald))) or e)",
        ),
        ("not a and b", "((not a) and b)"),
        (
            "if(a >= 0, 1.5e-3, .5)",
            "if[(aGreaterOrEqual0),0.0015,0.5]",
        ),
        ("objective()", "objective[]"),
        ("2*u[i+1, j-1]^2", "(2*(u<(i+1),(j-1)>^2))"),
        ("--a", "(-(-a))"),
        ("(a+b)*c", "((a+b)*c)"),
        ("2e3 + 5.", "(2000+5)"),
    ] {
        assert_eq!(grouped(&ok(text)), expected, "{text}");
    }
}

#[test]
fn places_are_bytes_of_the_file() {
    let whole = "x = \"é + sin(b)\"";
    let source = file(whole);
    let (expression, _) = parse("é + sin(b)", &source, 5);
    let expression = expression.expect("parses");
    assert_eq!(expression.span.text(), "é + sin(b)");
    let ExpressionKind::Arithmetic(_, left, right) = &expression.kind else {
        panic!("a sum")
    };
    assert_eq!(left.span.text(), "é");
    assert_eq!(right.span.text(), "sin(b)");
    let ExpressionKind::Call(_, name, arguments) = &right.kind else {
        panic!("a call")
    };
    assert_eq!(name.text(), "sin");
    assert_eq!(arguments[0].span.text(), "b");
}

#[test]
fn slips_are_named_with_the_right_word() {
    for (text, message, help) in [
        ("a = b", "`=`", "`==`"),
        ("a && b", "`&&`", "`and`"),
        ("a || b", "`||`", "`or`"),
        ("!a", "`!`", "`not`"),
        ("a ** b", "`**`", "`^`"),
        ("a % b", "`%`", "`mod(a, b)`"),
        ("a <> b", "`<>`", "`!=`"),
        ("", "empty", "number"),
        ("   ", "empty", "number"),
        ("a +", "nothing stands after `+`", "missing"),
        ("* a", "nothing stands before `*`", "missing"),
        ("a + * b", "nothing stands between `+` and `*`", "missing"),
        ("(a + b", "`(` is never closed", "`)`"),
        ("a + b)", "`)` closes nothing", "remove"),
        ("f(a, )", "nothing stands between `,` and `)`", "missing"),
        ("f(a", "`(` is never closed", "`)`"),
        ("()", "nothing stands between `(` and `)`", "missing"),
        ("a $ b", "`$`", "an expression"),
        ("2x", "no operator between `2` and `x`", "a*b"),
        ("a b", "no operator between `a` and `b`", "a*b"),
        ("a < b < c", "chain", "a < b and b < c"),
        ("1e999", "too large", "1.8e308"),
        ("a, b", "`,` outside", "decimal"),
        ("2[1]", "`[`", "parentheses"),
        ("a ? b : c", "`?`", "if("),
        ("a + not b", "`not` needs", "(not a)"),
    ] {
        let found = errors(text);
        assert!(found[0].message.contains(message), "{text}: {found:?}");
        let advice = found[0].help.as_deref().unwrap_or("");
        assert!(advice.contains(help), "{text}: {advice}");
    }
}

#[test]
fn one_pass_finds_several() {
    assert_eq!(errors("a && b ** c + f(d,, e) = g)").len(), 5);
    assert_eq!(errors("(a = 1) * (b % 2)").len(), 2);
}

#[test]
fn hostile_texts_end_in_a_finding() {
    for (text, code) in [
        ("(".repeat(100_000), "expression::nesting"),
        (
            "(".repeat(100_000) + "a" + &")".repeat(100_000),
            "expression::nesting",
        ),
        ("-".repeat(100_000) + "a", "expression::nesting"),
        ("not ".repeat(100_000) + "a", "expression::nesting"),
        ("f(".repeat(100_000), "expression::nesting"),
        ("a^".repeat(100_000) + "a", "expression::nesting"),
        ("a+".repeat(500_000) + "a", "expression::size"),
        ("a ".repeat(500_000), "expression::missing-operator"),
        (")".repeat(500_000), "expression::missing-operand"),
        ("@#".repeat(500_000), "expression::character"),
        (",".repeat(500_000), "expression::missing-operand"),
    ] {
        let found = errors(&text);
        assert_eq!(found[0].code, code, "{}", &text[..20]);
        assert!(found.len() <= MOST_FINDINGS);
    }
    // as deep as is allowed still works, printing and dropping included
    let nested = "(".repeat(MOST_NESTING - 1) + "a" + &")".repeat(MOST_NESTING - 1);
    assert_eq!(ok(&nested).to_string(), "a");
    let chain = "a + ".repeat(MOST_HEIGHT - 1) + "a";
    assert_eq!(ok(&chain).to_string(), chain);
}

/// The tree with all places alike, for comparing.
fn bare(mut e: Expression, place: &Span) -> Expression {
    e.span = place.clone();
    let inner = |e: Box<Expression>| Box::new(bare(*e, place));
    e.kind = match e.kind {
        ExpressionKind::Negate(a) => ExpressionKind::Negate(inner(a)),
        ExpressionKind::Not(a) => ExpressionKind::Not(inner(a)),
        ExpressionKind::Arithmetic(o, a, b) => ExpressionKind::Arithmetic(o, inner(a), inner(b)),
        ExpressionKind::Compare(c, a, b) => ExpressionKind::Compare(c, inner(a), inner(b)),
        ExpressionKind::And(a, b) => ExpressionKind::And(inner(a), inner(b)),
        ExpressionKind::Or(a, b) => ExpressionKind::Or(inner(a), inner(b)),
        ExpressionKind::Call(name, _, arguments) => ExpressionKind::Call(
            name,
            place.clone(),
            arguments.into_iter().map(|a| bare(a, place)).collect(),
        ),
        other => other,
    };
    e
}

fn any_expression() -> impl Strategy<Value = Expression> {
    let place = Span {
        file: file(""),
        start: 0,
        end: 0,
    };
    let wrap = move |kind| Expression {
        kind,
        span: place.clone(),
    };
    let wrap_leaf = wrap.clone();
    let leaf = prop_oneof![
        (0.0..1e3_f64).prop_map(ExpressionKind::Number),
        prop::num::f64::POSITIVE.prop_map(ExpressionKind::Number),
        "[a-d_][a-z0-9_]{0,3}"
            .prop_filter("not a word of the language", |name| {
                !["and", "or", "not"].contains(&name.as_str())
            })
            .prop_map(ExpressionKind::Name),
    ]
    .prop_map(wrap_leaf);
    leaf.prop_recursive(6, 48, 3, move |inner| {
        let wrap = wrap.clone();
        let pair = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        let place = wrap(ExpressionKind::Number(0.0)).span;
        prop_oneof![
            inner
                .clone()
                .prop_map(|a| ExpressionKind::Negate(Box::new(a))),
            inner.clone().prop_map(|a| ExpressionKind::Not(Box::new(a))),
            (
                prop::sample::select(vec![
                    Arithmetic::Add,
                    Arithmetic::Subtract,
                    Arithmetic::Multiply,
                    Arithmetic::Divide,
                    Arithmetic::Power
                ]),
                pair.clone()
            )
                .prop_map(|(o, (a, b))| ExpressionKind::Arithmetic(o, a, b)),
            (
                prop::sample::select(vec![
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                    Comparison::Equal,
                    Comparison::NotEqual
                ]),
                pair.clone()
            )
                .prop_map(|(c, (a, b))| ExpressionKind::Compare(c, a, b)),
            pair.clone().prop_map(|(a, b)| ExpressionKind::And(a, b)),
            pair.prop_map(|(a, b)| ExpressionKind::Or(a, b)),
            ("[f-h][a-z]{0,3}", prop::collection::vec(inner, 0..3)).prop_map(
                move |(name, arguments)| ExpressionKind::Call(name, place.clone(), arguments)
            ),
        ]
        .prop_map(wrap)
    })
}

proptest! {
    #[test]
    fn parse_undoes_print(e in any_expression()) {
        let text = e.to_string();
        let (again, diagnostics) = parse(&text, &file(&text), 0);
        prop_assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
        prop_assert_eq!(bare(again.expect("parses"), &e.span), e, "{}", text);
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,40}") {
        let (expression, diagnostics) = parse(&text, &file(&text), 0);
        prop_assert_eq!(expression.is_some(), diagnostics.is_empty());
    }

    #[test]
    fn any_tokens_are_survived(words in prop::collection::vec(prop::sample::select(vec![
        "a", "1", "(", ")", ",", "+", "-", "^", "<", "and", "not", "f(", "=", "!", "**", "$",
    ]), 0..30)) {
        let text = words.join(" ");
        let (expression, diagnostics) = parse(&text, &file(&text), 0);
        prop_assert_eq!(expression.is_some(), diagnostics.is_empty());
    }
}
