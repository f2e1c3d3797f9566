//! Products of the Fisher information with vectors, by one dual number and one adjoint, are those of J^T J formed by dual
//! numbers.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::Override;
use costate::study::{Objective, Solving, Study, Variable, row_count};

/// The product by the dense Jacobian and by two solves.
fn both(study: &Study, variables: &[Variable], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let solving = Solving::choose(study).expect("a solver");
    let mut objective = Objective::new(study, solving, None).expect("data");
    let (p, m) = (study.values(), variables.len());
    let height = row_count(study, variables);
    let (mut r, mut jacobian) = (vec![0.0; height], vec![0.0; height * m]);
    objective
        .rows(&p, variables, &mut r, &mut jacobian)
        .expect("rows");
    let column = |j: usize| &jacobian[j * height..(j + 1) * height];
    let along: Vec<f64> = (0..height)
        .map(|i| (0..m).map(|j| column(j)[i] * v[j]).sum())
        .collect();
    let dense = (0..m)
        .map(|j| column(j).iter().zip(&along).map(|(a, b)| a * b).sum())
        .collect();
    let mut product = vec![f64::NAN; m];
    objective
        .gauss_newton_product(&p, variables, v, &mut product)
        .expect("a product");
    (dense, product)
}

#[test]
fn products_are_those_of_the_dense_matrix() {
    let mut cases = 0;
    // one and several experiments, formulas and states observed, a standard deviation that is fitted, stiff and not
    for (scenario, method) in [
        ("lynx-hare", "tsit5"),
        ("lynx-hare", "rodas5p"),
        ("lynx-hare", "radau5"),
        ("theophylline", "dop853"),
        ("pinene", "tsit5"),
        ("pinene", "kvaerno5"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{scenario}"));
        let overrides = [Override {
            path: "solver.method".into(),
            value: method.into(),
        }];
        let (study, findings) = Study::load(&path.join("scenario.toml"), &overrides, Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let mut variables = Variable::fitted(&study.scenario);
        variables.push(Variable::Initial(0));
        let v: Vec<f64> = (0..variables.len())
            .map(|k| (1.0 + k as f64).sin())
            .collect();
        let (dense, product) = both(&study, &variables, &v);
        let norm = dense.iter().fold(0.0, |a: f64, d| a.hypot(*d));
        let off = dense
            .iter()
            .zip(&product)
            .fold(0.0, |a: f64, (d, p)| a.hypot(d - p));
        // derivatives of the same steps: rounding alone
        assert!(
            norm > 0.0 && off <= 1e-10 * norm,
            "{scenario}, {method}: {dense:?} {product:?}"
        );
        cases += 1;
    }
    assert_eq!(cases, 6);
}
