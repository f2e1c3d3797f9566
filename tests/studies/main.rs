//! What a scenario is solved and differentiated for, by every method, beside reference answers.

mod agreement;
mod agreement_random;
mod certificate;
mod checkpoints;
mod equilibria;
mod gauss_newton;
mod gmres;
mod golden;
mod golden_control;
mod golden_fits;
mod golden_hessians;
mod golden_sensitivities;
mod golden_solutions;
mod hessian_products;
mod hybrid;
mod kinks;
mod mechanics;
mod moving_reads;
mod noise_models;
mod profile;
mod reference_answers;
mod sampling;
mod shooting;
mod smoothing;
mod spread;
mod sweep;
