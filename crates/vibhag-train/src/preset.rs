//! Presets of the planner: a task with the choices that suit one subject.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result, Task};

/// A subject that the planner knows more of than its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// People, from portraits to full bodies, to be cut out: one class, whole upright photos, edges that matter.
    Body,
}

/// An entry of [`PRESETS`].
#[derive(Debug, Clone, Copy)]
pub struct PresetInfo {
    /// The preset.
    pub preset: Preset,
    /// What users type.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The task that it is a case of.
    pub task: Task,
    /// What its one foreground class is called.
    pub subject: &'static str,
}

/// Every preset.
pub const PRESETS: &[PresetInfo] = &[PresetInfo {
    preset: Preset::Body,
    name: "body",
    summary: "people to be cut out: whole upright photos, edges that matter",
    task: Task::Semantic,
    subject: "person",
}];

impl Preset {
    /// Its entry.
    pub fn info(self) -> &'static PresetInfo {
        match self {
            Self::Body => &PRESETS[0],
        }
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        PRESETS.iter().find(|info| info.name == name).map(|info| info.preset).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|info| info.name).collect();
            Error::config(format!("unknown preset {name:?}")).hint(format!("use {}", names.join(" or ")))
        })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

/// What `--task` names: a task, or a preset, which brings its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Goal {
    /// The task.
    pub task: Task,
    /// The preset.
    pub preset: Option<Preset>,
}

impl From<Preset> for Goal {
    fn from(preset: Preset) -> Self {
        Self { task: preset.info().task, preset: Some(preset) }
    }
}

impl FromStr for Goal {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Ok(preset) = name.parse::<Preset>() {
            return Ok(preset.into());
        }
        let task = name.parse::<Task>().map_err(|error| {
            let presets: Vec<&str> = PRESETS.iter().map(|info| info.name).collect();
            let hint = error.hint.clone().unwrap_or_default();
            error.hint(format!("{hint}, {}", presets.join(", ")))
        })?;
        Ok(Self { task, preset: None })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.preset {
            Some(preset) => preset.fmt(f),
            None => self.task.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_name_and_brings_its_task() {
        for info in PRESETS {
            assert_eq!(info.preset.info().name, info.name);
            let goal: Goal = info.name.parse().unwrap();
            assert_eq!((goal.task, goal.preset), (info.task, Some(info.preset)));
            assert_eq!(goal.to_string(), info.name);
        }
        let instance: Goal = "instance".parse().unwrap();
        assert_eq!(instance, Goal { task: Task::Instance, preset: None });
        let error = "legs".parse::<Goal>().unwrap_err().to_string();
        assert!(error.contains("semantic") && error.contains("body"), "{error}");
        assert!("legs".parse::<Preset>().is_err());
    }
}
