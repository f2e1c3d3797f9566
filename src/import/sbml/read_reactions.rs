//! Reactions and events of a document.

use super::model::{Event, Participant, Reaction, Stoichiometry};
use super::read::Reader;
use super::xml::Element;

impl Reader<'_> {
    pub fn reaction(&mut self, element: &Element) -> Reaction {
        if self.boolean(element, "fast", false) {
            let span = element.attribute("fast").map_or(&element.span, |a| &a.span);
            self.unsupported(
                "a fast reaction",
                span,
                "give it a large rate constant and `fast=\"false\"`",
            );
        }
        let law = self.only(element, "kineticLaw");
        let (mut rate, mut local) = (None, Vec::new());
        if let Some(law) = law {
            rate = self.math(law);
            let lists = [
                ("listOfParameters", "parameter"),
                ("listOfLocalParameters", "localParameter"),
            ];
            for (list, item) in lists {
                for parameter in self.list(law, list, &[item]) {
                    local.push(self.parameter(parameter));
                }
            }
        } else {
            self.warn(
                "a reaction without a kinetic law".to_owned(),
                &element.span,
                "it is left out, as it does not happen",
            );
        }
        Reaction {
            identity: self.identity(element, true),
            reactants: self.participants(element, "listOfReactants"),
            products: self.participants(element, "listOfProducts"),
            reversible: self.boolean(element, "reversible", true),
            law: rate,
            local,
        }
    }

    fn participants(&mut self, reaction: &Element, list: &str) -> Vec<Participant> {
        let references = self.list(reaction, list, &["speciesReference"]);
        references
            .into_iter()
            .map(|element| {
                let given = self.number(element, "stoichiometry");
                let formula = self
                    .only(element, "stoichiometryMath")
                    .and_then(|math| self.math(math));
                let id = self.text(element, "id").unwrap_or_default();
                if given.is_none() && formula.is_none() && self.level[0] >= 3 && id.is_empty() {
                    self.warn(
                        "no stoichiometry is given".to_owned(),
                        &element.span,
                        "1 is taken; write `stoichiometry=\"1\"`",
                    );
                }
                Participant {
                    id,
                    species: self.needed(element, "species"),
                    stoichiometry: match formula {
                        Some(formula) => Stoichiometry::Formula(formula),
                        None => Stoichiometry::Number(given.unwrap_or(1.0)),
                    },
                }
            })
            .collect()
    }

    pub fn event(&mut self, element: &Element) -> Option<Event> {
        let identity = self.identity(element, false);
        let Some(trigger) = self.only(element, "trigger") else {
            self.error(
                "sbml::missing",
                "`<event>` without `<trigger>`".to_owned(),
                &element.span,
            );
            return None;
        };
        // (whether a trigger that turns false again calls off what waits is asked only of delayed events, and of those only
        // constant delays of time triggers, which do not turn back, are imported)
        let initially_true = self.boolean(trigger, "initialValue", true);
        let condition = self.math(trigger);
        let delay = self.only(element, "delay").and_then(|e| self.math(e));
        let priority = self.only(element, "priority").and_then(|e| self.math(e));
        let sets = self.list(element, "listOfEventAssignments", &["eventAssignment"]);
        let sets = sets
            .into_iter()
            .filter_map(|e| self.assignment(e, "variable"))
            .collect();
        Some(Event {
            identity,
            trigger: condition?,
            initially_true,
            delay,
            values_from_trigger: self.boolean(element, "useValuesFromTriggerTime", true),
            priority,
            sets,
        })
    }
}
