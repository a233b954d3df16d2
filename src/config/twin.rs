//! A target that is another one at a different URL: a canary beside what it is to replace.

use serde_json::{Value, json};

use super::layers::Layered;
use super::place::{Mark, Path, Place};

/// What of a target speaks of the one gateway that it names, and so holds for no other.
const ITS_OWN: [&str; 3] = ["observe", "pause", "slo"];

/// A target with all settings of another one, but for its URL, and for what tells of that very gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The target whose settings it takes.
    pub of: String,
    /// Its own name.
    pub name: String,
    /// Its own URL.
    pub url: String,
}

impl Twin {
    /// Adds it to the layers, with the places where the other's settings were written. Nothing, where there is no
    /// such target.
    pub(super) fn add_to(&self, layered: &mut Layered) {
        let Some(Value::Object(targets)) = layered.value.get_mut("targets") else { return };
        let Some(mut twin) = targets.get(&self.of).cloned() else { return };
        if twin.is_null() {
            twin = json!({});
        }
        if let Value::Object(settings) = &mut twin {
            ITS_OWN.iter().for_each(|field| _ = settings.remove(*field));
            settings.insert("url".to_owned(), Value::from(self.url.as_str()));
        }
        targets.insert(self.name.clone(), twin);
        let (from, to) = (Path::of(&["targets", &self.of]), Path::of(&["targets", &self.name]));
        let moved: Vec<(Path, Mark)> = layered
            .marks
            .iter()
            .filter_map(|(path, mark)| Some((path.moved(&from, &to)?, mark.clone())))
            .collect();
        layered.marks.extend(moved);
        let mark = Mark { key: Place::Argument, value: Place::Argument, layer: 0, empty: false };
        layered.marks.insert(to.key("url"), mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;
    use jiff::Timestamp;

    fn load(text: &str, url: &str) -> crate::config::Loaded {
        let twin = Twin { of: "chat".into(), name: "next".into(), url: url.into() };
        let loader = Loader::new(std::iter::empty(), Timestamp::UNIX_EPOCH);
        loader.text("f.yaml", text.as_bytes()).twin(twin).load()
    }

    const CHAT: &str = "defaults: { dialect: json }\n\
        targets:\n  chat:\n    url: wss://a.example.com/ws\n    auth: { token: { env: TOKEN } }\n    \
        observe: { url: 'https://a.example.com/metrics', sessions: gw_sessions }\n    checks: { handshake: , heartbeat: { pings: 7 } }\n";

    #[test]
    fn a_twin_is_the_same_target_at_another_url() {
        let (plan, _) = load(CHAT, "wss://b.example.com/ws").unwrap();
        let (chat, next) = (plan.target("chat").unwrap(), plan.target("next").unwrap());
        assert_eq!(next.endpoint.url.as_str(), "wss://b.example.com/ws");
        assert_eq!(
            (&next.settings.auth, &next.settings.dialect),
            (&chat.settings.auth, &chat.settings.dialect)
        );
        assert!(chat.observed.is_some() && next.observed.is_none());
        let checks = |name: &str| -> Vec<_> {
            plan.jobs.iter().filter(|job| &*job.key.target == name).map(|job| job.check.clone()).collect()
        };
        assert_eq!(checks("chat"), checks("next"));
    }

    #[test]
    fn a_mistake_in_its_url_is_told_as_the_command_lines() {
        let problems = load(CHAT, "https://b.example.com").unwrap_err().to_string();
        assert!(problems.contains("command line"), "{problems}");
    }
}
