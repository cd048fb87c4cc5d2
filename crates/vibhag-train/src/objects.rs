//! How well objects are told apart during training: read from the maps of validation windows and compared with those
//! that the windows show.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use vibhag_core::{ClassTable, Grouping, Head, Panoptic, Result, Task};
use vibhag_data::Batch;
use vibhag_imaging::objects::ObjectMaps;
use vibhag_metrics::{InstanceEvaluationBuilder, PanopticEvaluationBuilder};

use crate::optimizer::values;
use crate::plan::Plan;

/// Collects scores over validation batches.
#[derive(Debug)]
pub(crate) struct ObjectJudge {
    task: Task,
    head: Head,
    classes: ClassTable,
    grouping: Grouping,
    scores: Scores,
    windows: usize,
}

#[derive(Debug)]
enum Scores {
    Instances(Box<InstanceEvaluationBuilder>),
    Panoptic(Box<PanopticEvaluationBuilder>),
}

impl ObjectJudge {
    /// A judge for the plan's task; none where classes are all.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let grouping = plan.postprocessing.grouping?;
        let classes = plan.classes.clone();
        let scores = match plan.task {
            Task::Semantic | Task::Pose => return None,
            Task::Instance => Scores::Instances(Box::new(InstanceEvaluationBuilder::new(classes.clone()))),
            Task::Panoptic => Scores::Panoptic(Box::new(PanopticEvaluationBuilder::new(classes.clone()))),
        };
        Some(Self { task: plan.task, head: plan.network.head, classes, grouping, scores, windows: 0 })
    }

    /// Compares the objects in `output` [N, planes, H, W] with those of the batch.
    pub(crate) fn add(&mut self, output: Tensor<4>, batch: &Batch) -> Result<()> {
        let [n, planes, h, w] = output.dims();
        let output = values(output.reshape([n * planes * h * w]))?;
        for (sample, truth) in output.chunks_exact(planes * h * w).zip(&batch.segments) {
            let found = self.read(sample, [h, w])?;
            self.windows += 1;
            let name = format!("window {}", self.windows);
            match &mut self.scores {
                Scores::Instances(builder) => drop(builder.add_image(&name, &BTreeMap::new(), truth, &found)?),
                Scores::Panoptic(builder) => drop(builder.add_image(&name, &BTreeMap::new(), truth, &found)?),
            }
        }
        Ok(())
    }

    /// The segments of one window's output.
    fn read(&self, output: &[f32], [height, width]: [usize; 2]) -> Result<Panoptic> {
        let least = self.grouping.objectness;
        let mut maps = ObjectMaps::new(self.head, &self.classes, (width, height), least)?;
        let mut row = vec![0.0; maps.planes() * width];
        for y in 0..height {
            for (plane, values) in row.chunks_exact_mut(width).enumerate() {
                values.copy_from_slice(&output[(plane * height + y) * width..][..width]);
            }
            vibhag_nn::activate_output(&mut row, width, self.classes.output_channels(), self.head);
            maps.push_row(&row);
        }
        maps.read(self.task, &self.grouping)
    }

    /// The average precision over thresholds, or the panoptic quality.
    pub(crate) fn score(self) -> f64 {
        match self.scores {
            Scores::Instances(builder) => builder.finish().ap_dsb_mean,
            Scores::Panoptic(builder) => builder.finish().pq,
        }
    }
}
