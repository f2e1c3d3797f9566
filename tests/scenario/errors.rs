//! Every kind of wrong scenario gives the finding that was meant: code, place, underlined text, advice.

use std::path::Path;

use costate::diagnostic::Diagnostic;
use costate::scenario::{self, Scenario};

const GOOD: &str = r#"[scenario]
title = "a test"
time = { start = 0.0, end = 10.0 }
[parameters]
k = { value = 0.5, bounds = [0.1, 1.0], scale = "log", fit = true }
c = 2.0
[states]
prey = { initial = "c", unit = "m" }
pred = 1
[definitions]
rate = "k*prey"
[equations]
prey = "-rate"
pred = "rate - c*pred"
[observables]
y = { expression = "prey", noise = { model = "normal", sigma = "c" } }
[data]
file = "good.csv"
time = "time"
columns = { y = "prey" }
[solver]
rtol = 1e-8
[fit]
starts = 2
"#;

fn read(text: &str) -> (Option<Scenario>, Vec<Diagnostic>) {
    scenario::read_text(
        Path::new("scenario.toml"),
        text,
        Path::new("tests/bad"),
        &[],
    )
}

/// Each: what of the good scenario is replaced, by what, and the findings: `code line:column underlined | message | help`.
const CASES: &[(&str, &str, &[&str])] = &[
    ("", "", &[]),
    (
        "starts = 2",
        "start_points = \"starts.csv\"\nsampling = \"sobol\"",
        &[],
    ),
    (
        "starts = 2",
        "start_points = \"starts_unknown.csv\"",
        &[
            "scenario::start-points starts_unknown.csv:1:3 kk | column `kk` of `starts_unknown.csv` is no parameter to fit | did you mean `k`?",
        ],
    ),
    (
        "starts = 2",
        "start_points = \"starts_held.csv\"",
        &[
            "scenario::start-points starts_held.csv:1:3 c | column `c` of `starts_held.csv` is no parameter to fit | `c` is not fitted: mark it `fit = true`",
        ],
    ),
    (
        "starts = 2",
        "start_points = \"starts_outside.csv\"",
        &[
            "scenario::start-points starts_outside.csv:3:1 7 | line 3 of `starts_outside.csv`, column `k`: 7 is outside the bounds | a start is a point inside the bounds",
        ],
    ),
    (
        "starts = 2",
        "start_points = \"starts_none.csv\"",
        &[
            "scenario::start-points 24:16 \"starts_none.csv\" | `starts_none.csv` has no rows | a row is a start, a column a parameter to fit",
        ],
    ),
    (
        "starts = 2",
        "sampling = \"sobel\"",
        &[
            "scenario::unknown-word 24:12 \"sobel\" | `sobel` is no `sampling` of `[fit]` | did you mean `sobol`?",
        ],
    ),
    (
        "starts = 2",
        "algorithm = \"cma-es\"\nrestarts = 2\ngeodesic_acceleration = true\nmax_evaluations = 9",
        &[
            "scenario::fit 26:25 true | `geodesic_acceleration` is of no use here | leave it out, or set `algorithm = \"levenberg-marquardt\"`",
            "scenario::fit 27:19 9 | `max_evaluations` is of no use here | leave it out, or set `global = \"scatter-search\"`",
        ],
    ),
    (
        "[fit]\n",
        "[smoothing]\nd = [1.0]\nk = [1.0]\n[fit]\n",
        &[
            "scenario::unknown-name 24:1 d | `[smoothing]` names `d`, which is no parameter | parameters: `k`, `c`",
            "scenario::contradiction 25:1 k | `k` is fitted, and `[smoothing]` sets it | leave out `fit = true` there, or this line: a width is held",
        ],
    ),
    (
        "[fit]\n",
        "[smoothing]\nc = []\n[fit]\n",
        &[
            "scenario::smoothing 24:5 [] | `c` is taken through no values | such as `[1.0, 0.1]`; its own value comes last",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\nw = 0.1\n[smoothing]\nc = [3.0, 2.5]\nw = [1.0]",
        &[
            "scenario::smoothing 10:5 [1.0] | `w` has 1 values, `c` 2 | such as `[1.0, 0.1]`; its own value comes last",
        ],
    ),
    (
        "[fit]\n",
        "[smoothing]\nc = 1.0\n[fit]\n",
        &[
            "scenario::wrong-type 24:5 1.0 | `c` must be a list of numbers such as `[1.0, 0.1]`, not a number | expected a list of numbers such as `[1.0, 0.1]`",
        ],
    ),
    (
        "[fit]\n",
        "[smoothing]\nc = [1.0, -1.0]\n[fit]\n",
        &["scenario::out-of-range 24:11 -1.0 | `c` must be above zero | write a number above zero"],
    ),
    (
        "rtol =",
        "rtoll =",
        &[
            "scenario::unknown-key 22:1 rtoll | `[solver]` has no key `rtoll` | did you mean `rtol`?",
        ],
    ),
    (
        "[solver]",
        "[solvr]",
        &[
            "scenario::unknown-key 21:2 solvr | a scenario has no table `solvr` | did you mean `solver`?",
        ],
    ),
    (
        "starts = 2",
        "starts = 2\nrtol = 1e-3",
        &[
            "scenario::unknown-key 25:1 rtol | `[fit]` has no key `rtol` | `rtol` is a key of `[solver]`",
        ],
    ),
    (
        "[fit]",
        "[colour]\nx=1\n[fit]",
        &[
            "scenario::unknown-key 23:2 colour | a scenario has no table `colour` | known tables: `scenario`, `indices`, `graphs`, `parameters`, `states`, `definitions`, `equations`, `functions`, `networks`, `signals`, `events`, `mass`, and 16 more",
        ],
    ),
    (
        "value = 0.5",
        "valeu = 0.5",
        &[
            "scenario::unknown-key 5:7 valeu | a parameter has no key `valeu` | did you mean `value`?",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"tsit6\"",
        &[
            "scenario::unknown-word 22:10 \"tsit6\" | `tsit6` is no `method` of `[solver]` | did you mean `tsit5`?",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = 3",
        &[
            "scenario::wrong-type 22:10 3 | `method` must be a string, not a number | expected a string",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"poisson\", sigma = \"c\"",
        &[
            "scenario::noise 16:65 \"c\" | `poisson` noise has no `sigma` | its variance is its mean: leave it out",
            "data::not-a-count good.csv:5:3 1.5 | line 5 of `good.csv`, column `prey`: `1.5` is no count | poisson noise is for counts: leave the cell empty, or use `model = \"normal\"`",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"student-t\", sigma = \"c\"",
        &[
            "scenario::missing 16:36 { model = \"student-t\", sigma = \"c\" } | a noise model needs `degrees_of_freedom` | add `degrees_of_freedom = ...`: a number",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "sigma = \"c\", degrees_of_freedom = 3",
        &[
            "scenario::noise 16:72 3 | `normal` noise has no `degrees_of_freedom` | leave it out, or use `model = \"student-t\"`",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"negative-binomial\", sigma = \"c\"",
        &[
            "scenario::missing 16:36 { model = \"negative-binomial\", sigma = \"c\" } | a noise model needs `dispersion` | add `dispersion = ...`: a number or an expression in quotes",
            "scenario::noise 16:75 \"c\" | `negative-binomial` noise has no `sigma` | its scale is `dispersion`",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"negative-binomial\", dispersion = \"c\", lower_limit = 1",
        &[
            "scenario::noise 16:99 1 | counts with `negative-binomial` noise have no `lower_limit` | leave it out",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"log-normal\", sigma = 1, lower_limit = 0",
        &[
            "scenario::noise 16:85 0 | `lower_limit` must be above zero: `log-normal` noise is for such values | write the limit of detection, above zero",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "sigma = 1, lower_limit = 2, upper_limit = 1",
        &[
            "scenario::noise 16:63 2 | `lower_limit`, 2, is not below `upper_limit`, 1 | write the lower one below the upper one",
        ],
    ),
    (
        "model = \"normal\", sigma = \"c\"",
        "model = \"laplace\"",
        &[
            "scenario::missing 16:36 { model = \"laplace\" } | a noise model needs `sigma` | add `sigma = ...`: a number or an expression in quotes",
        ],
    ),
    (
        "y = { expression = \"prey\", noise",
        "y = { expression = \"prey\", loss = \"huber\", noise",
        &[
            "scenario::noise 16:35 \"huber\" | an observable has a noise model or a loss, not both | for outliers with a likelihood, use `model = \"student-t\"`",
        ],
    ),
    (
        "y = { expression = \"prey\", noise = { model = \"normal\", sigma = \"c\" }",
        "y = { expression = \"prey\", loss_width = 2.0",
        &["scenario::noise 16:41 2.0 | `loss_width` without a `loss` | add `loss = \"huber\"`"],
    ),
    (
        "y = { expression = \"prey\", noise = { model = \"normal\", sigma = \"c\" }",
        "y = { expression = \"prey\", loss = \"hubr\"",
        &[
            "scenario::unknown-word 16:35 \"hubr\" | `hubr` is no `loss` of an observable | did you mean `huber`?",
        ],
    ),
    (
        "y = { expression = \"prey\", noise = { model = \"normal\", sigma = \"c\" }",
        "y = { expression = \"prey\", loss = \"tukey\", loss_width = 0",
        &[
            "scenario::out-of-range 16:57 0 | `loss_width` must be above zero | write a number above zero",
        ],
    ),
    (
        "model = \"normal\"",
        "model = \"lognormal\"",
        &[
            "scenario::unknown-word 16:46 \"lognormal\" | `lognormal` is no `model` of a noise model | did you mean `log-normal`?",
        ],
    ),
    (
        "rtol = 1e-8",
        "rtol = 0",
        &["scenario::out-of-range 22:8 0 | `rtol` must be above zero | a tolerance such as `1e-8`"],
    ),
    (
        "rtol = 1e-8",
        "rtol = \"1e-8\"",
        &[
            "scenario::wrong-type 22:8 \"1e-8\" | `rtol` must be a number, not a string | remove the quotes: `1e-8`",
        ],
    ),
    (
        "rtol = 1e-8",
        "rtol = nan",
        &[
            "scenario::not-finite 22:8 nan | `rtol` must be a finite number | write a number in place of `nan`",
        ],
    ),
    (
        "rtol = 1e-8",
        "rtol = 2.0",
        &["scenario::out-of-range 22:8 2.0 | `rtol` must be below 1 | a tolerance such as `1e-6`"],
    ),
    (
        "rtol = 1e-8",
        "atol = { pray = 1e-8, pred = 0 }",
        &[
            "scenario::unknown-name 22:10 pray | `atol` names `pray`, which is no state | did you mean `prey`?",
            "scenario::out-of-range 22:30 0 | `atol` must be above zero | a tolerance such as `1e-8`",
        ],
    ),
    (
        "rtol = 1e-8",
        "max_steps = 0",
        &[
            "scenario::out-of-range 22:13 0 | `max_steps` must be a whole number, at least 1 | write a whole number such as `1`",
        ],
    ),
    (
        "rtol = 1e-8",
        "max_steps = 1.5",
        &[
            "scenario::out-of-range 22:13 1.5 | `max_steps` must be a whole number, at least 1 | write a whole number such as `1`",
        ],
    ),
    (
        "rtol = 1e-8",
        "atol = \"x\"",
        &[
            "scenario::wrong-type 22:8 \"x\" | `atol` must be a number, or a table of numbers by state, not a string | expected a number, or a table of numbers by state",
        ],
    ),
    (
        "starts = 2",
        "starts = 0",
        &[
            "scenario::out-of-range 24:10 0 | `starts` must be a whole number, at least 1 | write a whole number such as `1`",
        ],
    ),
    (
        "starts = 2",
        "seed = -1",
        &[
            "scenario::out-of-range 24:8 -1 | `seed` must be a whole number, at least 0 | write a whole number such as `1`",
        ],
    ),
    (
        "starts = 2",
        "algorithm = \"lm\"",
        &[
            "scenario::unknown-word 24:13 \"lm\" | `lm` is no `algorithm` of `[fit]` | one of `auto`, `levenberg-marquardt`, `l-bfgs`, `newton-cg`, `adam`, `gradient-descent`, `nelder-mead`, `cma-es`",
        ],
    ),
    (
        "end = 10.0",
        "end = { value = \"late\", tune = true }",
        &[
            "scenario::wrong-type 3:39 \"late\" | `value` must be a number, not a string | expected a number",
        ],
    ),
    (
        "starts = 2",
        "[tune]\nminimize = \"final(pred)\"\nguess = { prey = 1 }\n[parameters.free]\nvalue = 1\ntune = true",
        &[
            "scenario::contradiction 26:9 { prey = 1 } | `guess` is of the states where `multiple_shooting` cuts a run, and it cuts none | add `multiple_shooting = 10` to `[tune]`",
        ],
    ),
    (
        "starts = 2",
        "[tune]\nminimize = \"final(pred)\"\nmultiple_shooting = 4\nguess = { pray = 1 }\n[parameters.free]\nvalue = 1\ntune = true",
        &[
            "scenario::unknown-name 27:11 pray | `guess` names `pray`, which is no state | did you mean `prey`?",
        ],
    ),
    (
        "end = 10.0",
        "ende = 10",
        &[
            "scenario::unknown-key 3:23 ende | `scenario.time` has no key `ende` | did you mean `end`?",
        ],
    ),
    (
        "time = { start = 0.0, end = 10.0 }\n",
        "",
        &[
            "scenario::missing 1:1 [scenario] | `[scenario]` needs `time` | write `time = { start = 0.0, end = 10.0 }`",
        ],
    ),
    (
        "c = 2.0",
        "c = nan",
        &[
            "scenario::not-finite 6:5 nan | `c` must be a finite number | write a number in place of `nan`",
        ],
    ),
    (
        "c = 2.0",
        "c = inf",
        &[
            "scenario::not-finite 6:5 inf | `c` must be a finite number | write a number in place of `inf`",
        ],
    ),
    (
        "c = 2.0",
        "c = \"2.0\"",
        &[
            "scenario::wrong-type 6:5 \"2.0\" | `c` must be a number or a table, not a string | remove the quotes: `2.0`",
        ],
    ),
    (
        "c = 2.0",
        "c = \"2*k\"",
        &[
            "scenario::wrong-type 6:5 \"2*k\" | `c` must be a number, not a string | a value computed from others belongs in `[definitions]`",
        ],
    ),
    (
        "c = 2.0",
        "c = true",
        &[
            "scenario::wrong-type 6:5 true | `c` must be a number or a table, not a boolean | expected a number or a table",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\nd = {}",
        &["scenario::missing 7:5 {} | a parameter needs `value` | add `value = ...`: a number"],
    ),
    (
        "c = 2.0",
        "c = 2.0\npi = 3",
        &[
            "scenario::reserved-name 7:1 pi | `pi` cannot name a parameter: expressions use it for something else | choose another name, such as `pi_`",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\nexp = 3",
        &[
            "scenario::reserved-name 7:1 exp | `exp` cannot name a parameter: it is a function of the expression language | choose another name, such as `exp_`",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\n\"a b\" = 3",
        &[
            "scenario::name 7:1 \"a b\" | `a b` cannot name a parameter | use letters, digits and `_`, not first a digit: `a_b`",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\n2d = 3",
        &[
            "scenario::name 7:1 2d | `2d` cannot name a parameter | use letters, digits and `_`, not first a digit: `_2d`",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\nprey = 3",
        &[
            "scenario::duplicate-name 9:1 prey | `prey` names a state and a parameter | rename one of the two",
        ],
    ),
    (
        "c = 2.0",
        "c = 2.0\nc = 3",
        &["scenario::duplicate-name 7:1 c | `c` is given twice | keep one of the two"],
    ),
    (
        "c = 2.0",
        "c = 1e999",
        &[
            "scenario::not-finite 6:5 1e999 | `c` must be a finite number | write a number in place of `1e999`",
        ],
    ),
    (
        "[0.1, 1.0]",
        "[1.0, 0.1]",
        &[
            "scenario::bounds 5:29 [1.0, 0.1] | the lower bound of `k`, 1, is above its upper bound, 0.1 | swap them: `[0.1, 1]`",
        ],
    ),
    (
        "[0.1, 1.0]",
        "[0.1]",
        &[
            "scenario::wrong-type 5:29 [0.1] | `bounds` must be two numbers, not 1 | write `[lower, upper]`, with `-inf` or `inf` for no bound",
        ],
    ),
    (
        "[0.1, 1.0]",
        "[0.6, 1.0]",
        &[
            "scenario::bounds 5:15 0.5 | the value of `k`, 0.5, is outside its bounds, 0.6 to 1 | change the value or widen the bounds",
        ],
    ),
    (
        "[0.1, 1.0]",
        "[0.0, 1.0]",
        &[
            "scenario::scale 5:29 [0.0, 1.0] | `k` has a logarithmic scale, but a lower bound that is not above zero | write a lower bound above zero, or `scale = \"linear\"`",
        ],
    ),
    (
        "[0.1, 1.0]",
        "[0.1, nan]",
        &[
            "scenario::not-finite 5:35 nan | a bound must be a number | write `-inf` or `inf` for no bound",
        ],
    ),
    (
        "[0.1, 1.0]",
        "0.1",
        &[
            "scenario::wrong-type 5:29 0.1 | `bounds` must be two numbers, such as `[0, 1]`, not a number | expected two numbers, such as `[0, 1]`",
        ],
    ),
    (
        "value = 0.5",
        "value = -0.5",
        &[
            "scenario::scale 5:15 -0.5 | `k` has a logarithmic scale, but the value -0.5, which is not above zero | write a value above zero, or `scale = \"linear\"`",
        ],
    ),
    (
        "bounds = [0.1, 1.0], scale = \"log\"",
        "scale = \"logit\"",
        &[
            "scenario::scale 5:28 \"logit\" | the logit scale of `k` needs two finite bounds | add `bounds = [lower, upper]`",
        ],
    ),
    (
        "scale = \"log\"",
        "scale = \"logarithm\"",
        &[
            "scenario::unknown-word 5:49 \"logarithm\" | `logarithm` is no `scale` of a parameter | one of `linear`, `log`, `log10`, `logit`",
        ],
    ),
    (
        "fit = true",
        "fit = \"true\"",
        &[
            "scenario::wrong-type 5:62 \"true\" | `fit` must be true or false, not a string | remove the quotes: `true`",
        ],
    ),
    (
        "fit = true",
        "prior = { distribution = \"normal\", location = 1 }",
        &[
            "scenario::missing 5:64 { distribution = \"normal\", location = 1 } | a prior needs `scale` | add `scale = ...`: a number",
        ],
    ),
    (
        "fit = true",
        "prior = { distribution = \"normal\", location = 1, scale = 0 }",
        &[
            "scenario::prior 5:113 0 | the `scale` of a prior must be above zero | write a number above zero",
        ],
    ),
    (
        "fit = true",
        "prior = { distribution = \"uniform\", low = 1, high = 0 }",
        &[
            "scenario::prior 5:98 1 | the prior's low end, 1, is not below its high end, 0 | write `low` below `high`",
        ],
    ),
    (
        "fit = true",
        "prior = { distribution = \"uniform\", low = 0, high = 1, sd = 3 }",
        &["scenario::prior 5:111 sd | a `uniform` prior has no `sd` | it has `low` and `high`"],
    ),
    (
        "fit = true",
        "prior = { distribution = \"cauchy\" }",
        &[
            "scenario::unknown-word 5:81 \"cauchy\" | `cauchy` is no `distribution` of a prior | one of `normal`, `log-normal`, `laplace`, `log-laplace`, `uniform`",
        ],
    ),
    (
        "initial = \"c\"",
        "unit2 = \"c\"",
        &[
            "scenario::missing 8:8 { unit2 = \"c\", unit = \"m\" } | a state needs `initial` | add `initial = ...`: a number or an expression in quotes",
            "scenario::unknown-key 8:10 unit2 | a state has no key `unit2` | did you mean `unit`?",
        ],
    ),
    (
        "initial = \"c\"",
        "initial = true",
        &[
            "scenario::wrong-type 8:20 true | `initial` must be a number or an expression in quotes, not a boolean | expected a number or an expression in quotes",
        ],
    ),
    (
        "initial = \"c\"",
        "initial = \"\"",
        &[
            "scenario::empty 8:20 \"\" | the expression of `initial` is empty | write a number or an expression",
        ],
    ),
    (
        "initial = \"c\"",
        "initial = \"c*(1\"",
        &["expression::parenthesis 8:23 ( | `(` is never closed | add a `)`"],
    ),
    (
        "initial = \"c\"",
        "initial = \"c\\u0020*(1\"",
        &["expression::parenthesis 8:20 \"c\\u0020*(1\" | `(` is never closed | add a `)`"],
    ),
    (
        "pred = \"rate - c*pred\"",
        "",
        &[
            "scenario::missing-equation 9:1 pred | the state `pred` has no equation | add `pred = \"...\"`, its time derivative, to `[equations]`",
        ],
    ),
    (
        "pred = \"rate",
        "pered = \"rate",
        &[
            "scenario::unknown-state 14:1 pered | `[equations]` has `pered`, which is no state | did you mean `pred`?",
        ],
    ),
    (
        "pred = \"rate",
        "volume = \"rate",
        &[
            "scenario::missing-equation 9:1 pred | the state `pred` has no equation | add `pred = \"...\"`, its time derivative, to `[equations]`",
            "scenario::unknown-state 14:1 volume | `[equations]` has `volume`, which is no state | add `volume` to `[states]`; a name for an expression belongs in `[definitions]`",
        ],
    ),
    (
        "pred = \"rate",
        "volume = \"1\"\npred = \"rate",
        &[
            "scenario::unknown-state 14:1 volume | `[equations]` has `volume`, which is no state | add `volume` to `[states]`; a name for an expression belongs in `[definitions]`",
        ],
    ),
    (
        "[equations]",
        "[equatons]",
        &[
            "scenario::unknown-key 12:2 equatons | a scenario has no table `equatons` | did you mean `equations`?",
        ],
    ),
    (
        "prey = \"-rate\"",
        "prey = [1]",
        &[
            "scenario::wrong-type 13:8 [1] | `prey` must be a number or an expression in quotes, not an array | expected a number or an expression in quotes",
        ],
    ),
    (
        "expression = \"prey\"",
        "expresion = \"prey\"",
        &[
            "scenario::unknown-key 16:7 expresion | an observable has no key `expresion` | did you mean `expression`?",
        ],
    ),
    (
        "sigma = \"c\"",
        "sigma = \"cc\"",
        &[
            "scenario::unknown-name 16:64 \"cc\" | `cc` is neither a name of the model nor a column of `good.csv` | did you mean `c`?",
        ],
    ),
    (
        "sigma = \"c\"",
        "sigma = 0",
        &[
            "scenario::out-of-range 16:64 0 | `sigma` must be above zero | write a number above zero",
        ],
    ),
    (
        "sigma = \"c\"",
        "sigma = \"sigma_y\"",
        &[
            "scenario::unknown-name 16:64 \"sigma_y\" | `sigma_y` is neither a name of the model nor a column of `good.csv` | add `sigma_y` to `[parameters]`, or a column `sigma_y` to the data",
        ],
    ),
    (
        "file = \"good.csv\"",
        "file = \"god.csv\"",
        &[
            "file::missing 18:8 \"god.csv\" | no such data file: `tests/bad/god.csv` | did you mean `tests/bad/good.csv`?",
        ],
    ),
    (
        "file = \"good.csv\"",
        "file = \"../bad\"",
        &[
            "file::is-folder 18:8 \"../bad\" | `tests/bad/../bad` is a folder, not a data file | give the path of a data file, not of the folder it is in",
        ],
    ),
    (
        "file = \"good.csv\"",
        "file = 3",
        &[
            "scenario::wrong-type 18:8 3 | `file` must be a string, not a number | expected a string",
        ],
    ),
    (
        "file = \"good.csv\"\n",
        "",
        &["scenario::missing 17:1 [data] | `[data]` needs `file` | add `file = ...`: a string"],
    ),
    (
        "file = \"good.csv\"",
        "file = \"elsewhere/x.csv\"",
        &[
            "file::missing 18:8 \"elsewhere/x.csv\" | no such data file: `tests/bad/elsewhere/x.csv` | the folder `tests/bad/elsewhere` does not exist either",
        ],
    ),
    (
        "time = \"time\"",
        "time = \"tiem\"",
        &[
            "data::missing-column 19:8 \"tiem\" | `good.csv` has no column `tiem` | did you mean `time`?",
        ],
    ),
    (
        "y = \"prey\"",
        "y = \"pray\"",
        &[
            "data::missing-column 20:17 \"pray\" | `good.csv` has no column `pray` | did you mean `prey`?",
        ],
    ),
    (
        "y = \"prey\"",
        "x = \"prey\"",
        &[
            "scenario::unknown-name 20:13 x | `columns` names `x`, which is no observable | observables: `y`",
        ],
    ),
    (
        "y = \"prey\"",
        "\"x[2]\" = \"prey\"",
        &[
            "scenario::unknown-name 20:13 \"x[2]\" | `columns` names `x[2]`, which is no observable | name the element in `[observables]`: `reading = \"x[2]\"`",
        ],
    ),
    (
        "y = \"prey\"",
        "y = 3",
        &["scenario::wrong-type 20:17 3 | `y` must be a string, not a number | expected a string"],
    ),
    (
        "y = \"prey\"",
        "",
        &[
            "data::no-columns 20:11 {  } | `columns` names no observable | write `{ observable = \"column\" }`, or leave `columns` out",
        ],
    ),
    (
        "columns = { y = \"prey\" }\n",
        "",
        &[
            "data::no-columns 18:8 \"good.csv\" | no column of `good.csv` is named as an observable | add `columns = { y = \"...\" }` with one of `time`, `prey`, `other`",
        ],
    ),
    (
        "good.csv",
        "text_in_cell.csv",
        &[
            "data::bad-cell text_in_cell.csv:4:3 abc | line 4 of `text_in_cell.csv`, column `prey`: `abc` is not a number | write a number, or leave the cell empty if the value is missing",
        ],
    ),
    (
        "good.csv",
        "not_monotone.csv",
        &[
            "data::not-monotone not_monotone.csv:4:1 1 | line 4 of `not_monotone.csv`, column `time`: the time 1 is before 2, the time of the row above | sort the rows by time; several rows of one time are replicates",
        ],
    ),
    (
        "good.csv",
        "wide_row.csv",
        &[
            "data::row-width wide_row.csv:2:1 0,1.0,3 | line 2 of `wide_row.csv` has 3 cells, the header 2 cells | give every row a cell for each column; a missing value is an empty cell",
        ],
    ),
    (
        "good.csv",
        "twice.csv",
        &[
            "data::duplicate-column twice.csv:1:11 prey | `twice.csv` has two columns `prey` | rename one of the two",
        ],
    ),
    (
        "good.csv",
        "no_time.csv",
        &[
            "data::missing-cell no_time.csv:3:1  | line 3 of `no_time.csv`, column `time`: the value is missing | every row needs its time: write a number, or remove the row",
        ],
    ),
    (
        "good.csv",
        "late.csv",
        &[
            "data::outside-time-span late.csv:3:1 11 | line 3 of `late.csv`, column `time`: the time 11 is after the end, 10 | change `scenario.time.end`, or remove the row",
        ],
    ),
    (
        "good.csv",
        "header_only.csv",
        &[
            "data::empty header_only.csv:1:1 time,prey | `header_only.csv` has a header, but no row | write a line for each time",
        ],
    ),
    (
        "good.csv",
        "empty.csv",
        &[
            "data::empty 18:8 \"empty.csv\" | `empty.csv` holds no data | write a header such as `time,x`, then a line for each time",
        ],
    ),
    (
        "good.csv",
        "latin.csv",
        &[
            "file::not-text 18:8 \"latin.csv\" | `tests/bad/latin.csv` is not text: byte 13 is not UTF-8 | save it with the encoding UTF-8",
        ],
    ),
    (
        "good.csv",
        "binary.csv",
        &[
            "file::not-text 18:8 \"binary.csv\" | `tests/bad/binary.csv` is not text: byte 8 is not UTF-8 | it looks like a binary file; give the path of a data file",
        ],
    ),
    (
        "good.csv",
        "semicolon.csv",
        &[
            "data::missing-column 19:8 \"time\" | `semicolon.csv` has no column `time` | columns are separated by commas; this file uses another character",
            "data::missing-column 20:17 \"prey\" | `semicolon.csv` has no column `prey` | columns are separated by commas; this file uses another character",
        ],
    ),
    (
        "good.csv",
        "infinite.csv",
        &[
            "data::bad-cell infinite.csv:2:3 inf | line 2 of `infinite.csv`, column `prey`: `inf` is not finite | write a finite number, or leave the cell empty if the value is missing",
            "data::bad-cell infinite.csv:3:3 \"1,5\" | line 3 of `infinite.csv`, column `prey`: `\"1,5\"` is not a number | write a decimal point, not a comma",
        ],
    ),
    (
        "good.csv",
        "windows.csv",
        &[
            "data::bad-cell windows.csv:4:3 x1 | line 4 of `windows.csv`, column `prey`: `x1` is not a number | write a number, or leave the cell empty if the value is missing",
        ],
    ),
    (
        "c\" } }\n[data]\nfile = \"good.csv\"",
        "sd\" } }\n[data]\nfile = \"zero.csv\"",
        &[
            "data::not-positive zero.csv:3:7 -1 | line 3 of `zero.csv`, column `sd`: `-1` is not above zero | a standard deviation is above zero",
            "data::missing-cell zero.csv:5:5  | line 5 of `zero.csv`, column `sd`: the value is missing | every measurement needs its sigma: write a number, or remove the row",
        ],
    ),
    (
        "normal\", sigma = \"c\" } }\n[data]\nfile = \"good.csv\"",
        "log-normal\", sigma = \"sd\" } }\n[data]\nfile = \"zero.csv\"",
        &[
            "data::not-positive zero.csv:3:3 0.0 | line 3 of `zero.csv`, column `prey`: `0.0` is not above zero | log-normal noise is for values above zero: leave the cell empty, or use `model = \"normal\"`",
            "data::not-positive zero.csv:3:7 -1 | line 3 of `zero.csv`, column `sd`: `-1` is not above zero | a standard deviation is above zero",
            "data::missing-cell zero.csv:5:5  | line 5 of `zero.csv`, column `sd`: the value is missing | every measurement needs its sigma: write a number, or remove the row",
        ],
    ),
    (
        "columns = {",
        "rows = { other = 7 }\ncolumns = {",
        &[
            "data::no-such-rows 20:18 7 | `good.csv` has no row with `other = 7` | write a value that the column holds",
        ],
    ),
    (
        "columns = {",
        "rows = { othr = 3 }\ncolumns = {",
        &[
            "data::missing-column 20:10 othr | `good.csv` has no column `othr` | did you mean `other`?",
        ],
    ),
    (
        "[fit]",
        "[functions]\nhill = { arguments = [\"x\", \"x\", \"t\"], expression = \"x\" }\n[fit]",
        &[
            "scenario::duplicate-name 24:28 \"x\" | the argument `x` is given twice | rename one of the two",
            "scenario::reserved-name 24:33 \"t\" | `t` cannot name an argument: expressions use it for something else | choose another name, such as `t_`",
        ],
    ),
    (
        "[fit]",
        "[functions]\nfinal = { arguments = [\"x\"], expression = \"x\" }\nsin = \"x\"\n[fit]",
        &[
            "scenario::reserved-name 24:1 final | `final` cannot name a function: the language has one of this name | choose another name, such as `final_`",
            "scenario::reserved-name 25:1 sin | `sin` cannot name a function: it is a function of the expression language | choose another name, such as `sin_`",
            "scenario::wrong-type 25:7 \"x\" | `sin` must be a table, not a string | expected a table",
        ],
    ),
    (
        "[fit]",
        "[signals]\nload = { kind = \"table\", file = \"table_repeat.csv\", time = \"t\", column = \"load\", interpolation = \"spline\" }\n[fit]",
        &[
            "scenario::unknown-word 24:98 \"spline\" | `spline` is no `interpolation` of a signal of kind `table` | one of `hold`, `linear`, `cubic`, `pchip`",
            "data::not-monotone table_repeat.csv:4:1 1 | line 4 of `table_repeat.csv`, column `t`: the time 1 is not after 1, the time of the row above | sort the rows by time, and give each time once",
        ],
    ),
    (
        "[fit]",
        "[signals]\nload = { kind = \"table\", file = \"table.csv\", column = \"laod\" }\n[fit]",
        &[
            "data::missing-column 24:55 \"laod\" | `table.csv` has no column `laod` | did you mean `load`?",
        ],
    ),
    (
        "[fit]",
        "[signals]\nload = { kind = \"step\", at = 1.0, befor = 0.0 }\n[fit]",
        &[
            "scenario::unknown-key 24:35 befor | a signal of kind `step` has no key `befor` | did you mean `before`?",
        ],
    ),
    (
        "[fit]",
        "[signals]\nload = { kind = \"step\" }\nfeed = { at = 3 }\nsweep = { kind = \"chirp\", from = 1 }\n[fit]",
        &[
            "scenario::missing 24:8 { kind = \"step\" } | a signal of kind `step` needs `at` | add `at = ...`: a number or an expression in quotes",
            "scenario::missing 25:8 { at = 3 } | a signal needs `kind` | add `kind = ...`: one of `step`, `ramp`, `sine`, `pulse`, `expression`, `table`, `piecewise-constant`, `piecewise-linear`, `cubic-spline`",
            "scenario::not-offered 26:18 \"chirp\" | the scenario uses `kind = \"chirp\"` in a signal, which this version of costate does not offer | leave it out, or use a later version",
        ],
    ),
    (
        "[fit]",
        "[signals]\nload = { kind = \"ramp\", start = 3, end = 2, to = 1 }\nbeat = { kind = \"pulse\", start = 0, width = 3, period = 2 }\n[fit]",
        &[
            "scenario::time-span 24:42 2 | the ramp's end, 2, is not after its start, 3 | for a jump, use `kind = \"step\"`",
            "scenario::out-of-range 25:45 3 | the pulse's width, 3, is more than its period, 2 | write a `width` no longer than `period`",
        ],
    ),
    (
        "[fit]",
        "[[experiments]]\nname = \"a\"\nparameters = { d = 1 }\ninitial = { pray = 2 }\n[[experiments]]\nname = \"a\"\nbefore_parameters = { q = 2 }\ndata = {}\n[fit]",
        &[
            "scenario::unknown-name 25:16 d | `parameters` names `d`, which is no parameter | parameters: `k`, `c`",
            "scenario::unknown-name 26:13 pray | `initial` names `pray`, which is no state | did you mean `prey`?",
            "scenario::duplicate-name 28:8 \"a\" | two experiments are named `a` | rename one of the two",
            "scenario::unused 29:21 { q = 2 } | `before_parameters` is read only with `steady_state_before = true` | add `steady_state_before = true` to the experiment",
            "scenario::unknown-name 29:23 q | `before_parameters` names `q`, which is no parameter | parameters: `k`, `c`",
        ],
    ),
    (
        "[fit]",
        "[experiments]\nname = \"a\"\n[fit]",
        &[
            "scenario::wrong-type 23:1 [experiments] | `experiments` must be an array of tables, not a table | write `[[experiments]]` before each",
        ],
    ),
    (
        "[fit]",
        "[[expect]]\nexpression = \"final(prey)\"\nvalue = 0\nrelative = 1e-3\n[[expect]]\nexpression = \"final(prey)\"\nvalue = 1\nrelative = 1e-3\nabsolute = 1\nexperiment = \"x\"\n[fit]",
        &[
            "scenario::expect 25:9 0 | zero cannot be expected within a relative error | give `absolute = ...` instead of `relative`",
            "scenario::expect 31:12 1 | an expectation has either `relative` or `absolute`, not both | keep one of the two",
            "scenario::unknown-name 32:14 \"x\" | there is no experiment `x` | the scenario has no `[[experiments]]`: leave `experiment` out",
        ],
    ),
    // hybrid systems, differential-algebraic equations, invariants, methods, runs against time
    (
        "[fit]",
        "[[events]]\nat = 3\ndirection = \"rising\"\nfirst = 1\nset = { prey = 1 }\n[[events]]\nwhen = \"prey - 1\"\ndirection = \"down\"\nterminal = true\n[fit]",
        &[
            "scenario::event 25:1 direction | `direction` of an event belongs to `when`, which this one does not have | remove `direction`, or write `when = ...`",
            "scenario::event 26:1 first | `first` of an event belongs to `every`, which this one does not have | remove `first`, or write `every = ...`",
            "scenario::unknown-word 30:13 \"down\" | `down` is no `direction` of an event | one of `rising`, `falling`, `both`",
        ],
    ),
    (
        "[fit]",
        "[[events]]\nwen = \"prey - 1\"\ndirection = \"rising\"\nterminal = true\n[fit]",
        &["scenario::unknown-key 24:1 wen | an event has no key `wen` | did you mean `when`?"],
    ),
    (
        "[fit]",
        "[[events]]\nat = 3\nset = { pray = 1, k = 2, rate = \"2*k\", volume = 1 }\n[fit]",
        &[
            "scenario::unknown-name 25:9 pray | `set` names `pray`, which is no state | did you mean `prey`?",
            "scenario::event 25:19 k | `set` changes `k`, which is a parameter: events change states alone | make it a state: `k = { initial = ..., discrete = true }` in `[states]`",
            "scenario::event 25:26 rate | `set` changes `rate`, which is a definition: events change states alone | make it a state: `rate = { initial = ..., discrete = true }` in `[states]`",
            "scenario::unknown-name 25:40 volume | `set` names `volume`, which is no state | states: `prey`, `pred`",
        ],
    ),
    (
        "[fit]",
        "[[events]]\nname = \"dose\"\nat = 3\n[[events]]\nname = \"dose\"\nat = []\nset = {}\n[[events]]\nname = \"\"\nat = true\nset = \"prey = 1\"\nterminal = 1\n[fit]",
        &[
            "scenario::missing 23:1 [[events]] | an event that does not end the run needs `set` | add `set = { prey = \"...\" }`, or `terminal = true` to end the run there",
            "scenario::duplicate-name 27:8 \"dose\" | two events are named `dose` | rename one of the two",
            "scenario::empty 28:6 [] | `at` holds no time | write times, such as `at = [0.0, 12.0]`",
            "scenario::empty 29:7 {} | `set` names no state | add `set = { prey = \"...\" }`, or `terminal = true` to end the run there",
            "scenario::name 31:8 \"\" | an event's name is empty | name it, or leave `name` out",
            "scenario::wrong-type 32:6 true | `at` must be a number or an expression in quotes, or an array of such, not a boolean | expected a number or an expression in quotes, or an array of such",
            "scenario::wrong-type 33:7 \"prey = 1\" | `set` must be a table of states and values, not a string | expected a table of states and values",
            "scenario::wrong-type 34:12 1 | `terminal` must be true or false, not a number | expected true or false",
        ],
    ),
    (
        "[fit]",
        "[[events]]\nevery = 0\nset = { prey = 1 }\n[[events]]\nevery = -2.5\nfirst = \"k*\"\nset = { prey = \"\" }\nonly_if = true\n[fit]",
        &[
            "scenario::out-of-range 24:9 0 | `every` must be above zero | write a number above zero",
            "scenario::out-of-range 27:9 -2.5 | `every` must be above zero | write a number above zero",
            "expression::missing-operand 28:11 * | nothing stands after `*` | a number, a name or a parenthesis is missing",
            "scenario::empty 29:16 \"\" | the expression of `prey` is empty | write a number or an expression",
            "scenario::wrong-type 30:11 true | `only_if` must be a number or an expression in quotes, not a boolean | expected a number or an expression in quotes",
        ],
    ),
    (
        "[fit]",
        "[events]\nat = 1\nset = { prey = 1 }\n[fit]",
        &[
            "scenario::wrong-type 23:1 [events] | `events` must be an array of tables, not a table | write `[[events]]` before each",
        ],
    ),
    (
        "pred = 1\n",
        "pred = 1\nmode = { initial = 1, discrete = true }\non = { initial = 0, discrete = \"yes\" }\n",
        &[
            "scenario::missing-equation 11:1 on | the state `on` has no equation | add `on = \"...\"`, its time derivative, to `[equations]`",
            "scenario::wrong-type 11:32 \"yes\" | `discrete` must be true or false, not a string | expected true or false",
        ],
    ),
    (
        "pred = 1\n",
        "pred = { initial = 1, discrete = true }\n",
        &[
            "scenario::discrete 14:1 pred | the discrete state `pred` has an equation | remove the equation, as events alone change a discrete state; or remove `discrete = true` of `pred`",
        ],
    ),
    (
        "pred = 1\n",
        "pred = 1\nmode = { initial = 1, discrete = true }\n[mass]\nprey = { pray = 1, mode = 1 }\nperd = {}\nmode = { prey = 1 }\npred = 2.0\n",
        &[
            "scenario::unknown-name 12:10 pray | `[mass]` names `pray`, which is no state | did you mean `prey`?",
            "scenario::discrete 12:20 mode | the discrete state `mode` has no derivative that a row of `[mass]` could use | remove the coefficient: events alone change a discrete state",
            "scenario::unknown-name 13:1 perd | `[mass]` names `perd`, which is no state | did you mean `pred`?",
            "scenario::discrete 14:1 mode | the discrete state `mode` has no row in `[mass]` | remove the row: a discrete state has no equation",
            "scenario::wrong-type 15:8 2.0 | `pred` must be a table of coefficients by state, such as `{ x = 1.0 }`, not a number | expected a table of coefficients by state, such as `{ x = 1.0 }`",
        ],
    ),
    (
        "[fit]",
        "mass = { prey = [1] }\n[mass]\nprey = { prey = true }\n[invariants]\nenergy = \"prey +\"\n2nd = \"prey\"\nt = 1\n[fit]",
        &[
            "scenario::unknown-key 23:1 mass | `[solver]` has no key `mass` | known keys: `method`, `rtol`, `atol`, `step`, `first_step`, `max_step`, `max_steps`, `linear_solver`, `preconditioner`, `block_size`, `stop_times`, `event_limit`",
            "scenario::wrong-type 25:17 true | `prey` must be a number or an expression in quotes, not a boolean | expected a number or an expression in quotes",
            "expression::missing-operand 27:16 + | nothing stands after `+` | a number, a name or a parenthesis is missing",
            "scenario::name 28:1 2nd | `2nd` cannot name an invariant | use letters, digits and `_`, not first a digit: `_2nd`",
            "scenario::reserved-name 29:1 t | `t` cannot name an invariant: expressions use it for something else | choose another name, such as `t_`",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"yoshida4\"",
        &[
            "scenario::missing 22:10 \"yoshida4\" | `yoshida4` has no error estimate to choose steps by, and `[solver]` no `step` | add `step = ...`, the size of every step, to `[solver]`",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"rk4\"\nstepp = 0.1\nstop_times = [1.0, \"k*(\", true]",
        &[
            "scenario::unknown-key 23:1 stepp | `[solver]` has no key `stepp` | did you mean `step`?",
            "expression::missing-operand 24:23 ( | nothing stands after `(` | a number, a name or a parenthesis is missing",
            "expression::parenthesis 24:23 ( | `(` is never closed | add a `)`",
            "scenario::wrong-type 24:27 true | `stop_times` must be a number or an expression in quotes, not a boolean | expected a number or an expression in quotes",
        ],
    ),
    (
        "start = 0.0, end = 10.0",
        "start = 0.5, end = -1.0",
        &[
            "data::outside-time-span good.csv:3:1 1 | line 3 of `good.csv`, column `time`: the time 1 is after the start, 0.5 | change `scenario.time.start`, or remove the row",
            "data::outside-time-span good.csv:4:1 2 | line 4 of `good.csv`, column `time`: the time 2 is after the start, 0.5 | change `scenario.time.start`, or remove the row",
            "data::outside-time-span good.csv:5:1 2 | line 5 of `good.csv`, column `time`: the time 2 is after the start, 0.5 | change `scenario.time.start`, or remove the row",
        ],
    ),
    (
        "[fit]",
        "[[events]]\nset = { prey = 1 }\n[[events]]\nwhen = \"prey - 1\"\nat = 3\nset = { prey = 1 }\n[[events]]\nevery = 2\nwhen = \"prey - 1\"\nset = { prey = 1 }\n[fit]",
        &[
            "scenario::missing 23:1 [[events]] | an event needs `when`, `at` or `every` | add `when = \"...\"`, which crosses zero then, or times such as `at = [1.0, 2.0]`",
            "scenario::event 27:6 3 | an event has one of `when`, `at` and `every`, not both `when` and `at` | remove one of the two, or write two events",
            "scenario::event 31:8 \"prey - 1\" | an event has one of `when`, `at` and `every`, not both `every` and `when` | remove one of the two, or write two events",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"euler\"\nstep = 0\nlinear_solver = \"lu\"\nstop_times = { a = 1 }\nevent_limit = 0",
        &[
            "scenario::out-of-range 23:8 0 | `step` must be above zero | write a number above zero",
            "scenario::unknown-word 24:17 \"lu\" | `lu` is no `linear_solver` of `[solver]` | one of `auto`, `dense`, `banded`, `sparse`, `gmres`",
            "scenario::wrong-type 25:14 { a = 1 } | `stop_times` must be a number or an expression in quotes, or an array of such, not a table | expected a number or an expression in quotes, or an array of such",
            "scenario::out-of-range 26:15 0 | `event_limit` must be a whole number, at least 1 | write a whole number such as `1`",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"rodas5p\"\nlinear_solver = \"gmres\"\npreconditioner = \"lu\"",
        &[
            "scenario::linear-solver 23:17 \"gmres\" | the method `rodas5p` does not solve by `gmres` | `method`: one of `bdf`, `ndf`, `tr-bdf2`, `kvaerno3`, `kvaerno4`, `kvaerno5`, `kencarp4`",
            "scenario::unknown-word 24:18 \"lu\" | `lu` is no `preconditioner` of `[solver]` | did you mean `ilu`?",
        ],
    ),
    (
        "rtol = 1e-8",
        "linear_solver = \"gmres\"\npreconditioner = \"block-jacobi\"",
        &[
            "scenario::linear-solver 22:17 \"gmres\" | the method `auto` does not solve by `gmres` | `method`: one of `bdf`, `ndf`, `tr-bdf2`, `kvaerno3`, `kvaerno4`, `kvaerno5`, `kencarp4`",
            "scenario::linear-solver 23:18 \"block-jacobi\" | `block-jacobi` needs the size of its blocks | add `block_size = ...`, such as the number of states at a point of a grid",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"bdf\"\nlinear_solver = \"sparse\"\npreconditioner = \"ilu\"\nblock_size = 2",
        &[
            "scenario::linear-solver 24:18 \"ilu\" | `preconditioner` is for `linear_solver = \"gmres\"` alone | remove it, or add `linear_solver = \"gmres\"`",
            "scenario::linear-solver 25:14 2 | `block_size` is for `preconditioner = \"block-jacobi\"` alone | remove it, or add `preconditioner = \"block-jacobi\"`",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"bdf\"\nlinear_solver = \"gmres\"\npreconditioner = \"block-jacobi\"\nblock_size = 3",
        &[
            "scenario::linear-solver 25:14 3 | a block of more states than the 2 there are | at most 2",
        ],
    ),
    (
        "rtol = 1e-8",
        "method = \"bdf\"\nlinear_solver = \"gmres\"\npreconditioner = \"block-jacobi\"\nblock_size = 0",
        &[
            "scenario::out-of-range 25:14 0 | `block_size` must be a whole number, at least 1 | write a whole number such as `1`",
        ],
    ),
    (
        "start = 0.0, end = 10.0",
        "start = 3, end = 2.5",
        &[
            "data::outside-time-span good.csv:2:1 0 | line 2 of `good.csv`, column `time`: the time 0 is before the end, 2.5 | change `scenario.time.end`, or remove the row",
            "data::outside-time-span good.csv:3:1 1 | line 3 of `good.csv`, column `time`: the time 1 is before the end, 2.5 | change `scenario.time.end`, or remove the row",
            "data::outside-time-span good.csv:4:1 2 | line 4 of `good.csv`, column `time`: the time 2 is before the end, 2.5 | change `scenario.time.end`, or remove the row",
            "data::outside-time-span good.csv:5:1 2 | line 5 of `good.csv`, column `time`: the time 2 is before the end, 2.5 | change `scenario.time.end`, or remove the row",
        ],
    ),
    (
        "rtol = 1e-8",
        "rtol = 1e-8 7",
        &[
            "scenario::syntax 22:8 1e-8 7 | `1e-8 7` is no value | text and expressions stand in quotes: `x = \"2*y\"`; nothing follows a value in its line",
        ],
    ),
    (
        "prey = \"-rate\"",
        "prey = -rate",
        &[
            "scenario::syntax 13:8 -rate | `-rate` is no value | text and expressions stand in quotes: `x = \"2*y\"`; nothing follows a value in its line",
        ],
    ),
    (
        "rtol = 1e-8",
        "rtol",
        &[
            "scenario::syntax 22:5  | a key has no value | a line is `key = value`; a table starts with `[name]`",
        ],
    ),
    (
        "[fit]",
        "[fit",
        &[
            "scenario::syntax 23:5  | the bracket of this table is never closed | close the bracket: `[table]`, `[1, 2]`, `{ key = 1 }`",
        ],
    ),
    (
        "title = \"a test\"",
        "title = \"a test",
        &[
            "scenario::syntax 2:16  | a string is never closed | close it with the quote it starts with; several lines stand between `\"\"\"`",
        ],
    ),
];

/// A finding in one line.
fn line(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.span.as_ref().map_or("-".to_owned(), |span| {
        let (line, column) = span.file.line_column(span.start);
        let name = span
            .file
            .path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let file = if name == "scenario.toml" {
            String::new()
        } else {
            format!("{name}:")
        };
        format!("{file}{line}:{column} {}", span.text())
    });
    format!(
        "{} {place} | {} | {}",
        diagnostic.code,
        diagnostic.message,
        diagnostic.help.as_deref().unwrap_or("NO HELP")
    )
}

#[test]
fn every_wrong_scenario_is_told_what_is_wrong_and_where() {
    let mut wrong = String::new();
    for (from, to, expected) in CASES {
        assert!(GOOD.contains(from), "{from}");
        let (_, diagnostics) = read(&GOOD.replacen(from, to, 1));
        let found: Vec<String> = diagnostics.iter().map(line).collect();
        for diagnostic in &diagnostics {
            assert!(diagnostic.help.is_some(), "{}", diagnostic.message);
        }
        if found.iter().map(String::as_str).collect::<Vec<_>>() != *expected {
            wrong.push_str(&format!("    ({from:?}, {to:?}, &[\n"));
            for line in &found {
                wrong.push_str(&format!("        {line:?},\n"));
            }
            wrong.push_str("    ]),\n");
        }
    }
    assert!(wrong.is_empty(), "found instead:\n{wrong}");
}
