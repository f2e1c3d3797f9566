//! Kinks, jumps and singular points that runs meet: found with their times, and told apart.

use std::path::Path;

use costate::compile::Backend;
use costate::study::{
    FunctionalStudy, GradientOf, Meeting, Met, Solving, Study, Variable, certify, meetings,
};

fn study(body: &str) -> Study {
    let text = format!(
        "[scenario]\ntitle = \"t\"\ntime = {{ start = 0.0, end = 10.0 }}\n{body}\n[solver]\nmethod = \"tsit5\"\nrtol = 1e-8\natol = 1e-8\n"
    );
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn met(study: &Study, of: &str) -> Vec<Met> {
    let functional = FunctionalStudy::parse(study, of).unwrap_or_else(|f| panic!("{f:?}"));
    let solving = Solving::choose(study).expect("a method");
    let of = GradientOf::Functional(&functional);
    meetings(study, &solving, of, &study.values()).expect("a run")
}

fn objections(study: &Study, of: &str) -> Vec<String> {
    let functional = FunctionalStudy::parse(study, of).unwrap_or_else(|f| panic!("{f:?}"));
    let solving = Solving::choose(study).expect("a method");
    let variables: Vec<Variable> = (0..study.values().len()).map(Variable::Parameter).collect();
    let of = GradientOf::Functional(&functional);
    let certificate = certify(study, &solving, of, &study.values(), &variables, 0);
    certificate.expect("a certificate").objections()
}

const COOLS: &str =
    "[parameters]\nk = 1.0\nhot = 0.5\n[states]\nx = { initial = 1.0 }\ny = { initial = 0.0 }\n";

/// All derivatives of y agree, and none sees that the switch moves.
#[test]
fn a_jump_that_is_no_event_makes_gradients_wrong() {
    let study = study(&format!(
        "{COOLS}[equations]\nx = \"-k*x\"\ny = \"if(x > hot, 1, 2)\""
    ));
    let found = met(&study, "final(y)");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].meeting, Meeting::Jump);
    assert_eq!(found[0].count, 1);
    // the dense output is as good as the tolerance
    assert!((found[0].t - 2.0_f64.ln()).abs() < 1e-6, "{}", found[0].t);
    let why = objections(&study, "final(y)");
    assert!(why.iter().any(|w| w.contains("jump")), "{why:?}");
    // a run that ends before does not meet it
    assert!(met(&study, "at(y, 0.5)").is_empty());
}

/// The same switch as an event: nothing to report, and the certificate holds.
#[test]
fn an_event_has_the_jump() {
    let study = study(
        "[parameters]\nk = 1.0\nhot = 0.5\n[states]\nx = { initial = 1.0 }\ny = { initial = 0.0 }\nmode = { initial = 1.0, discrete = true }\n\
         [equations]\nx = \"-k*x\"\ny = \"if(mode > 0, 1, 2)\"\n\
         [[events]]\nname = \"cold\"\nwhen = \"x - hot\"\ndirection = \"falling\"\nset = { mode = 0.0 }",
    );
    assert!(met(&study, "final(y)").is_empty());
    assert_eq!(objections(&study, "final(y)"), Vec::<String>::new());
    // a comparison that changes where an event is has its time differentiated, too
    let beside = self::study(
        "[parameters]\nk = 1.0\nhot = 0.5\n[states]\nx = { initial = 1.0 }\ny = { initial = 0.0 }\nn = { initial = 0.0, discrete = true }\n\
         [equations]\nx = \"-k*x\"\ny = \"if(x > hot, 1, 2)\"\n\
         [[events]]\nname = \"cold\"\nwhen = \"x - hot\"\nset = { n = \"n + 1\" }",
    );
    assert!(met(&beside, "final(y)").is_empty());
}

/// Continuous on both sides: a kink, counted.
#[test]
fn kinks_are_counted() {
    let study = study(
        "[parameters]\nk = 1.0\n[functions]\ncut = { arguments = [\"a\"], expression = \"max(a, 0)\" }\n\
         [states]\nx = { initial = 1.0 }\nv = { initial = 0.0 }\ny = { initial = 0.0 }\nz = { initial = 0.0 }\n\
         [equations]\nx = \"v\"\nv = \"-k*x\"\ny = \"cut(x) + 2*cut(x + 0.5)\"\nz = \"abs(x - 2) + min(x, 3) + clamp(x, -0.5, 5)\"",
    );
    let found = met(&study, "final(y)");
    let what: Vec<_> = found
        .iter()
        .map(|m| (m.operation.operation.as_str(), m.meeting, m.count))
        .collect();
    // cos t crosses 0 at pi/2, 3/2 pi, 5/2 pi, and -1/2 at 2/3 pi, 4/3 pi, 8/3 pi
    assert_eq!(
        what,
        [("max", Meeting::Kink, 6), ("clamp", Meeting::Kink, 3)]
    );
    assert!((found[0].t - std::f64::consts::FRAC_PI_2).abs() < 1e-6);
    assert!((found[1].t - 2.0 * std::f64::consts::FRAC_PI_3).abs() < 1e-6);
    let why = objections(&study, "final(y)");
    assert!(!why.iter().any(|w| w.contains("jump")), "{why:?}");
}

/// Steps of `floor` and `mod`, elements of arrays, and observables that jump.
#[test]
fn steps_fields_and_observables() {
    let stairs = study(
        "[parameters]\nk = 1.0\n[states]\nx = { initial = 0.0 }\ny = { initial = 0.0 }\n[equations]\nx = \"k*0.35\"\ny = \"floor(x)\"",
    );
    let found = met(&stairs, "final(y)");
    assert_eq!((found[0].meeting, found[0].count), (Meeting::Jump, 3));
    assert!((found[0].t - 1.0 / 0.35).abs() < 1e-6);
    let field = study(
        "[indices]\ni = { size = 40, boundary = \"clamp\" }\n[parameters]\nhot = 0.5\n[states]\nu = { over = [\"i\"], initial = \"i/40\" }\n\
         [equations]\nu = \"-0.1*u - max(u - hot, 0)\"",
    );
    // 20 of 40 elements start above 0.5, and cool below it
    let found = met(&field, "final(mean(u))");
    assert_eq!((found[0].meeting, found[0].count), (Meeting::Kink, 20));
    // more than can all be located
    let large = study(
        "[indices]\ni = { size = 10000, boundary = \"clamp\" }\n[parameters]\nhot = 0.5\n[states]\nu = { over = [\"i\"], initial = \"i/10000\" }\n\
         [equations]\nu = \"-0.1*u - if(u > hot, 1, 0)\"",
    );
    let found = met(&large, "final(mean(u))");
    assert_eq!((found[0].meeting, found[0].count), (Meeting::Jump, 5000));
    let seen = study(
        "[parameters]\nk = 1.0\n[states]\nx = { initial = 1.0 }\n[equations]\nx = \"-k*x\"\n[observables]\nis_hot = \"if(x > 0.5, 1, 0)\"",
    );
    assert_eq!(met(&seen, "final(x)")[0].meeting, Meeting::Jump);
}

/// A tank runs nearly dry: the root's derivative has no bound there. Roots elsewhere are no finding.
#[test]
fn singular_points() {
    let tank = |rest: &str| {
        study(&format!(
            "[parameters]\nk = 1.0\n[states]\nh = {{ initial = 1.0 }}\n[equations]\nh = \"-k*sqrt(h) + {rest}\""
        ))
    };
    let found = met(&tank("1e-4"), "final(h)");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].meeting, Meeting::Singular);
    assert!(met(&tank("0.1"), "final(h)").is_empty());
    let power = study(
        "[parameters]\nn = 0.5\n[states]\nh = { initial = 1.0 }\n[equations]\nh = \"-h^n + 1e-4\"",
    );
    assert_eq!(met(&power, "final(h)")[0].meeting, Meeting::Singular);
    let square = study(
        "[parameters]\nn = 0.5\n[states]\nh = { initial = 1.0 }\n[equations]\nh = \"-n*cos(t)*h^2 - 3*h\"",
    );
    assert!(met(&square, "final(h)").is_empty());
}
