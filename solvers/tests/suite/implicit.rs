//! ESDIRK methods and Radau5.

use costate_solvers::{
    Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Method, NoRecord, Radau5, Rodas5P, Samples,
    Statistics, TrBdf2,
};

use crate::problems::{reference, tolerance};
use crate::stiff_problems::{
    ChemAkzo, E5, Hires, Model, Orego, Pollu, Rober, RoberDae, Stiff, VanDerPol,
};

/// Statistics of a solve through the reference points, and its largest error there: |err| / (|y| + atol / rtol).
fn accuracy<M: Method<f64, Stiff<P>>, P: Model>(
    rows: &[(f64, Vec<f64>)],
    rtol: f64,
    atol: f64,
) -> (Statistics, f64) {
    let mut problem = Stiff::<P>::new();
    let mut x = P::START.to_vec();
    let mut samples = Samples::new(rows.iter().map(|r| r.0).collect()).expect("samples");
    let times = [0.0, rows[rows.len() - 1].0];
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &times,
            &tolerance(rtol, atol),
            &mut samples,
        )
        .unwrap_or_else(|e| panic!("{} rtol {rtol:e}: {e}", std::any::type_name::<(M, P)>()));
    let mut worst = 0.0f64;
    if std::env::var("ROWS").is_ok() {
        for (k, (t, e)) in rows.iter().enumerate() {
            println!(
                "{rtol:e} {t:e} {:?}",
                samples
                    .state(k)
                    .iter()
                    .zip(e)
                    .map(|(a, b)| format!("{:.1e}", (a - b) / b / rtol))
                    .collect::<Vec<_>>()
            );
        }
    }
    for (k, (_, exact)) in rows.iter().enumerate() {
        for (x, y) in samples.state(k).iter().zip(exact) {
            let error = (x - y).abs() / (y.abs() + atol / rtol);
            worst = if error.is_finite() {
                worst.max(error)
            } else {
                f64::INFINITY
            };
        }
    }
    (statistics, worst)
}

#[test]
#[ignore = "prints a table"]
fn report() {
    fn line<M: Method<f64, Stiff<P>>, P: Model>(name: &str, data: &str, scale: f64) {
        let rows = reference(data);
        for rtol in [1e-4, 1e-6, 1e-7, 1e-10] {
            let atol = rtol * scale;
            let (s, e) = accuracy::<M, P>(&rows, rtol, atol);
            let mut times = [0.0; 5];
            for time in &mut times {
                let mut problem = Stiff::<P>::new();
                let mut integrator = Integrator::<f64, M>::new(&problem);
                let mut x = P::START.to_vec();
                let start = std::time::Instant::now();
                let span = [0.0, rows[rows.len() - 1].0];
                let _ = integrator.run(
                    &mut problem,
                    &mut x,
                    &span,
                    &tolerance(rtol, atol),
                    &mut NoRecord,
                );
                *time = start.elapsed().as_secs_f64() * 1e3;
            }
            times.sort_by(f64::total_cmp);
            let p = std::any::type_name::<P>().rsplit("::").next().unwrap_or("");
            println!(
                "{p:>10} {name:>9} {rtol:.0e} steps {:5} rej {:4} f {:6} J {:4} LU {:4} newton {:6} fail {:3} err/tol {:9.3} {:8.3} ms",
                s.steps,
                s.rejected,
                s.rhs_evaluations,
                s.jacobians,
                s.factorizations,
                s.newton_iterations,
                s.newton_failures,
                e / rtol,
                times[2]
            );
        }
    }
    fn all<P: Model>(data: &str, scale: f64) {
        line::<Rodas5P<f64>, P>("rodas5p", data, scale);
        line::<TrBdf2<f64>, P>("trbdf2", data, scale);
        line::<Kvaerno3<f64>, P>("kvaerno3", data, scale);
        line::<Kvaerno4<f64>, P>("kvaerno4", data, scale);
        line::<Kvaerno5<f64>, P>("kvaerno5", data, scale);
        line::<KenCarp4<f64>, P>("kencarp4", data, scale);
        line::<Radau5<f64>, P>("radau5", data, scale);
        println!();
    }
    if std::env::var("AKZO").is_err() {
        all::<Hires>(include_str!("../data/hires.txt"), 1e-3);
        all::<Pollu>(include_str!("../data/pollu.txt"), 1e-4);
        all::<Orego>(include_str!("../data/orego.txt"), 1e-2);
        all::<Rober>(include_str!("../data/rober.txt"), 1e-6);
        all::<E5>(include_str!("../data/e5.txt"), 1e-10);
        all::<VanDerPol>("2 1.706167732170465008478 -0.8928097010248165477873", 1.0);
        line::<Radau5<f64>, RoberDae>("radau5", include_str!("../data/rober_dae.txt"), 1e-8);
    }
    if std::env::var("AKZO").is_ok() {
        line::<Radau5<f64>, ChemAkzo>("radau5", include_str!("../data/chemakzo.txt"), 1e-3);
    }
}
