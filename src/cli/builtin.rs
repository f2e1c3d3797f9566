//! The gallery, built in: `new --template` and `list` need no files beside the program.

/// A built-in scenario: its folder's name and files.
#[derive(Debug)]
pub struct Builtin {
    /// the folder's name
    pub name: &'static str,
    /// file names and contents, scenario.toml among them
    pub files: &'static [(&'static str, &'static str)],
}

impl Builtin {
    /// Its `title`, or its name.
    pub fn title(&self) -> String {
        let text = self
            .files
            .iter()
            .find(|(name, _)| *name == "scenario.toml")
            .map_or("", |(_, text)| text);
        let table: Option<toml::Table> = text.parse().ok();
        let title = table
            .as_ref()
            .and_then(|t| t.get("scenario")?.get("title")?.as_str());
        title.unwrap_or(self.name).to_owned()
    }
}

macro_rules! builtin {
    ($($name:literal: [$($file:literal),* $(,)?]),* $(,)?) => {
        &[$(Builtin {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../scenarios/", $name, "/", $file)))),*],
        }),*]
    };
}

/// All of them.
pub const ALL: &[Builtin] = builtin! {
    "lynx-hare": ["scenario.toml", "README.md", "pelts.csv", "fit.svg"],
    "lotka-volterra": ["scenario.toml", "README.md", "ones.csv", "plot.svg"],
    "influenza-sir": ["scenario.toml", "README.md", "in_bed.csv", "fit.svg"],
    "theophylline": ["scenario.toml", "README.md", "theophylline.csv", "fit.svg"],
    "pinene": ["scenario.toml", "README.md", "pinene.csv", "fit.svg"],
    "theophylline-population": ["scenario.toml", "README.md", "theophylline.csv", "fit.svg"],
    "boehm-stat5": ["scenario.toml", "README.md", "measurements.csv", "fit.svg"],
    "carotenoid-cleavage": ["scenario.toml", "README.md", "assays.csv", "fit.svg"],
    "repressilator": ["scenario.toml", "README.md", "fluorescence.csv", "fit.svg"],
    "furuta-pendulum": ["scenario.toml", "README.md", "swing.csv", "fit.svg"],
    "quadruple-tank": ["scenario.toml", "README.md", "tanks.csv", "fit.svg"],
    "battery": ["scenario.toml", "README.md", "pulse.csv", "fit.svg"],
    "driven-pendulum": ["scenario.toml", "README.md", "plot.svg"],
    "double-pendulum": ["scenario.toml", "README.md", "plot.svg"],
    "learned-appetite": ["scenario.toml", "README.md", "counts.csv", "make_data.py", "fit.svg"],
    "learned-lynx": ["scenario.toml", "README.md", "pelts.csv", "fit.svg"],
    "robertson": ["scenario.toml", "README.md", "plot.svg"],
    "bouncing-ball": ["scenario.toml", "README.md", "plot.svg"],
    "kepler": ["scenario.toml", "README.md", "plot.svg"],
    "pleiades": ["scenario.toml", "README.md", "stars.csv", "plot.svg"],
    "solar-system": ["scenario.toml", "README.md", "bodies.csv", "plot.svg"],
    "plucked-string": ["scenario.toml", "README.md", "plot.svg"],
    "brusselator-2d": ["scenario.toml", "README.md", "plot.svg"],
    "gray-scott": ["scenario.toml", "README.md", "plot.svg"],
    "phantom-jam": ["scenario.toml", "README.md", "plot.svg"],
    "heat-conductivity": ["scenario.toml", "README.md", "readings.csv", "make_data.py", "fit.svg"],
    "power-grid": ["scenario.toml", "README.md", "nodes.csv", "lines.csv", "plot.svg"],
    "cruise-control": ["scenario.toml", "README.md", "plot.svg"],
    "van-der-pol-control": ["scenario.toml", "README.md", "tune.svg"],
    "cart-pole-swing-up": ["scenario.toml", "README.md", "tune.svg"],
    "tank-level": ["scenario.toml", "README.md", "tune.svg"],
    "quadrotor-hover": ["scenario.toml", "README.md", "tune.svg"],
    "inventory-policy": ["scenario.toml", "README.md", "tune.svg"],
    "dc-motor": ["scenario.toml", "README.md", "trace.csv", "make_data.py", "fit.svg"],
    "dc-motor-speed": ["scenario.toml", "README.md", "plot.svg"],
    "inverted-pendulum-lqr": ["scenario.toml", "README.md", "plot.svg"],
};
