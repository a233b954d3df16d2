//! From a path in the merged config back to the place where it was written.

use super::place::{Mark, Path, Place};
use super::tree::Marks;

/// Finds places. What a target has from `defaults` is found there.
#[derive(Debug, Clone, Copy)]
pub struct Locator<'a> {
    marks: &'a Marks,
}

/// Where each setting of a plan was written.
#[derive(Debug, Clone)]
pub struct Origins(Marks);

impl Origins {
    pub(super) fn new(marks: Marks) -> Self {
        Self(marks)
    }

    /// Where the setting was written; `None` for one that nobody wrote.
    pub fn of(&self, path: &Path) -> Option<&Place> {
        Locator::new(&self.0).exact(path).map(|(mark, _)| &mark.value)
    }
}

/// What to point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The key of a field or name.
    Key,
    /// The value.
    Value,
}

impl<'a> Locator<'a> {
    /// Over the places of the merged layers.
    pub fn new(marks: &'a Marks) -> Self {
        Self { marks }
    }

    /// The key at a path or of the nearest thing around it, and the path as it was written.
    pub fn find(&self, path: &Path) -> (Place, Path) {
        self.find_at(path, At::Key)
    }

    /// Like [`Self::find`], pointing at the key or the value.
    pub fn find_at(&self, path: &Path, at: At) -> (Place, Path) {
        let mut around = path.clone();
        loop {
            if let Some((mark, written)) = self.exact(&around) {
                let place = if at == At::Value && around == *path { &mark.value } else { &mark.key };
                let shown = path.moved(&around, &written).unwrap_or_else(|| path.clone());
                return (place.clone(), shown);
            }
            match around.parent() {
                Some(parent) => around = parent,
                None => return (Place::Missing, path.clone()),
            }
        }
    }

    /// Whether somebody wrote something at this very path.
    pub fn is_given(&self, path: &Path) -> bool {
        self.exact(path).is_some()
    }

    /// Whether a key stands there without a value.
    pub fn is_empty(&self, path: &Path) -> bool {
        self.exact(path).is_some_and(|(mark, _)| mark.empty)
    }

    /// The number of the last layer that says something at a path.
    pub fn layer(&self, path: &Path) -> Option<usize> {
        self.marks.get(path).map(|mark| mark.layer)
    }

    /// The mark at a path, or at the place that it flows from: a check's objective from its target's, and all that
    /// a target has from `defaults`.
    fn exact(&self, path: &Path) -> Option<(&'a Mark, Path)> {
        let in_target = in_target(path);
        let sources = [
            Some(path.clone()),
            in_defaults(path),
            in_target.clone(),
            in_target.as_ref().and_then(in_defaults),
        ];
        sources.into_iter().flatten().find_map(|source| self.marks.get(&source).map(|mark| (mark, source)))
    }
}

/// `/targets/NAME/checks/KIND/slo/rest` as `/targets/NAME/slo/rest`.
fn in_target(path: &Path) -> Option<Path> {
    let steps: Vec<_> = path.steps().take(5).collect();
    let [targets, name, checks, kind, slo] = steps.as_slice() else { return None };
    if (&**targets, &**checks, &**slo) != ("targets", "checks", "slo") {
        return None;
    }
    path.moved(&Path::of(&[targets, name, checks, kind, slo]), &Path::of(&[targets, name, slo]))
}

/// `/targets/NAME/rest` as `/defaults/rest`.
fn in_defaults(path: &Path) -> Option<Path> {
    let mut steps = path.steps();
    let (Some("targets"), Some(name), Some(_)) = (steps.next().as_deref(), steps.next(), steps.next()) else {
        return None;
    };
    path.moved(&Path::of(&["targets", &name]), &Path::of(&["defaults"]))
}
