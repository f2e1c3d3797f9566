//! Figures and files.

mod figure;
mod files;
mod heat_maps;
mod readable;
mod uncertainty;
