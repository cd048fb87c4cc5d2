//! What an evaluation found, whatever the task.

use std::collections::BTreeMap;

use serde::Serialize;
use vibhag_core::{ClassTable, Error, Result, Skeleton, Task};
use vibhag_data::Truth;
use vibhag_metrics::{
    Evaluation, EvaluationBuilder, InstanceEvaluation, InstanceEvaluationBuilder, KeypointEvaluation,
    KeypointEvaluationBuilder, PanopticEvaluation, PanopticEvaluationBuilder, PckReference,
};

/// The scores of a task, printed as those of the task.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Scores {
    /// Of a class for every pixel.
    Semantic(Box<Evaluation>),
    /// Of objects.
    Instances(Box<InstanceEvaluation>),
    /// Of objects and stuff.
    Panoptic(Box<PanopticEvaluation>),
    /// Of people's keypoints.
    Keypoints(Box<KeypointEvaluation>),
}

impl Scores {
    /// What a reader must know before trusting the figures.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Semantic(found) => &found.notes,
            Self::Instances(found) => &found.notes,
            Self::Panoptic(found) => &found.notes,
            Self::Keypoints(found) => &found.notes,
        }
    }

    /// Adds a note.
    pub fn note(&mut self, note: String) {
        match self {
            Self::Semantic(found) => found.notes.push(note),
            Self::Instances(found) => found.notes.push(note),
            Self::Panoptic(found) => found.notes.push(note),
            Self::Keypoints(found) => found.notes.push(note),
        }
    }

    /// The names of the images, worst first.
    pub fn worst_first(&self) -> Vec<&str> {
        match self {
            Self::Semantic(found) => found.per_image.iter().map(|row| row.image.as_str()).collect(),
            Self::Instances(found) => found.per_image.iter().map(|row| row.image.as_str()).collect(),
            Self::Panoptic(found) => found.per_image.iter().map(|row| row.image.as_str()).collect(),
            Self::Keypoints(found) => found.per_image.iter().map(|row| row.image.as_str()).collect(),
        }
    }
}

/// Collects scores image by image.
#[derive(Debug)]
pub enum ScoresBuilder {
    /// Of a class for every pixel.
    Semantic(EvaluationBuilder),
    /// Of objects.
    Instances(Box<InstanceEvaluationBuilder>),
    /// Of objects and stuff.
    Panoptic(Box<PanopticEvaluationBuilder>),
    /// Of people's keypoints.
    Keypoints(Box<KeypointEvaluationBuilder>),
}

impl ScoresBuilder {
    /// For `task` over `classes`, or over people of a `skeleton`.
    ///
    /// # Errors
    /// When poses are to be scored without a skeleton.
    pub fn new(task: Task, classes: &ClassTable, skeleton: Option<&Skeleton>) -> Result<Self> {
        let classes = classes.clone();
        Ok(match task {
            Task::Semantic => Self::Semantic(EvaluationBuilder::new(classes)),
            Task::Instance => Self::Instances(Box::new(InstanceEvaluationBuilder::new(classes))),
            Task::Panoptic => Self::Panoptic(Box::new(PanopticEvaluationBuilder::new(classes))),
            Task::Pose => {
                let skeleton = skeleton.ok_or_else(|| Error::config("poses are scored over a skeleton"))?;
                let reference = PckReference::of(skeleton);
                Self::Keypoints(Box::new(KeypointEvaluationBuilder::new(skeleton, reference)?))
            }
        })
    }

    /// Scores one image.
    ///
    /// # Errors
    /// When sizes differ, labels are unknown, or truth and prediction are not of the task's kind.
    pub fn add(&mut self, id: &str, tags: &BTreeMap<String, String>, truth: &Truth, found: &Truth) -> Result<()> {
        match (self, truth, found) {
            (Self::Semantic(builder), Truth::Labels(truth), Truth::Labels(found)) => {
                builder.add_image(id, tags, truth, found)?;
            }
            (Self::Instances(builder), Truth::Segments(truth), Truth::Segments(found)) => {
                builder.add_image(id, tags, truth, found)?;
            }
            (Self::Panoptic(builder), Truth::Segments(truth), Truth::Segments(found)) => {
                builder.add_image(id, tags, truth, found)?;
            }
            (Self::Keypoints(builder), Truth::People(truth), Truth::People(found)) => {
                let poses: Vec<_> = found.people.iter().map(|person| person.pose.clone()).collect();
                builder.add_image(id, tags, &truth.people, &poses)?;
            }
            _ => return Err(Error::config("truth and prediction are not of one kind").at(id.to_owned())),
        }
        Ok(())
    }

    /// The scores.
    pub fn finish(self) -> Scores {
        match self {
            Self::Semantic(builder) => Scores::Semantic(Box::new(builder.finish())),
            Self::Instances(builder) => Scores::Instances(Box::new(builder.finish())),
            Self::Panoptic(builder) => Scores::Panoptic(Box::new(builder.finish())),
            Self::Keypoints(builder) => Scores::Keypoints(Box::new(builder.finish())),
        }
    }
}
