//! The planner's choices where people's keypoints are found.

use std::collections::BTreeMap;

use vibhag_core::{AffinityDecoding, Error, Geometry, Head, PoseReading, Preprocessing, Result, Skeleton, Task};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::dataset::Dataset;
use vibhag_data::fingerprint::{Fingerprint, PeopleSummary};
use vibhag_data::sampler::Sampling;
use vibhag_nn::bundle::{Flips, PostProcessing, pose_maps};
use vibhag_nn::losses::{LossConfig, PoseLoss};
use vibhag_nn::{NetworkConfig, encoder_info};

use super::{PlanRequest, STRIDE, VAL_FRACTION, choose_length, choose_pretrained, to_f32};
use crate::plan::{DataPlan, EngineConfig, LoopConfig, OptimizerConfig, PLAN_VERSION, Plan, SplitPlan};
use crate::poses::PosePlan;
use crate::schedule::ScheduleConfig;

/// The median person is brought to about this many pixels: large enough for hands and feet at a quarter of the
/// resolution, small enough for many steps on a CPU.
const EASY_EXTENT: f32 = 150.0;
/// Most that images are magnified, and least.
const SCALES: [f32; 2] = [0.0625, 2.0];
/// Side of the windows that are learnt from, at most and at least.
const CROPS: [usize; 2] = [128, 448];
const CROP_STEP: usize = 64;
/// Against the extent of the people.
const CROP_ROOM: f32 = 1.2;
/// Side of the windows of validation at most.
const LARGEST_WINDOW: usize = 512;
/// Pixels in one batch: maps at a quarter of the resolution take little memory.
const BATCH_PIXELS: f64 = 500_000.0;
/// Images that choose the best weights.
const VAL_IMAGES: f32 = 40.0;
/// Deviation of the heat and reach of the fields, in shares of the median person. OpenPose's heat has 3 of 100; a wider
/// one is learnt from fewer images.
const SIGMA: f64 = 0.045;
/// Name of the weights that have learnt people's keypoints, and of their skeleton.
const KEYPOINT_WEIGHTS: &str = "coco-keypoints";
const POSENET_SKELETON: &str = "coco-17";
/// Length of the longest limbs, in shares of the extent of the median person.
const REACH: f32 = 0.5;
/// Share of people who lean by more than 45 degrees from which on all are turned upright.
const TURNED: f32 = 0.2;
/// Degrees by which the augmentation turns people at most.
const ROTATION: f32 = 40.0;
/// The same where all are turned upright: one of the eight turns that prediction looks at leaves less than 23 degrees.
const UPRIGHT_ROTATION: f32 = 30.0;
/// Widths of the decoder and of the second stage: at a quarter of the resolution they cost as much as the encoder.
const DECODER: [usize; 3] = [96, 96, 96];
const STAGE_WIDTH: usize = 64;

/// Plans a run that learns people's keypoints.
///
/// # Errors
/// When the data has no keypoints, or the request cannot be planned for.
pub(super) fn plan(dataset: &Dataset, fingerprint: &Fingerprint, request: &PlanRequest) -> Result<Plan> {
    let mut why = BTreeMap::new();
    let mut because = |key: &str, reason: String| drop(why.insert(key.to_owned(), reason));
    let (Some(poses), Some(people)) = (dataset.poses(), &fingerprint.people) else {
        return Err(Error::config(format!("{} has no people's keypoints, as pose needs", dataset.format))
            .at_path(&dataset.root));
    };
    if people.count == 0 || people.median_extent == 0 {
        return Err(Error::config("nobody in the data has labelled keypoints to learn from").at_path(&dataset.root));
    }
    if request.head.is_some_and(|head| head != Head::Pose) {
        return Err(Error::config("task pose has a head of its own").hint("leave --head out"));
    }
    let skeleton = poses.skeleton().clone();
    because(
        "task",
        format!(
            "{} people with {} labelled keypoints of {} in {} images, at most {} in one",
            people.count, people.labelled_keypoints, skeleton.name, fingerprint.usable, people.most_per_image
        ),
    );
    because("pose.skeleton", "the data's own; the weights fit no other one".into());

    let scale = choose_scale(people, &mut because);
    let crop = choose_crop(people, scale, &mut because);
    let geometry = choose_geometry(fingerprint, scale, crop, &mut because);
    let batch = ((BATCH_PIXELS / (crop * crop) as f64).round() as usize).clamp(2, 16).min(fingerprint.usable);
    because("loop.batch", format!("{batch} windows of {crop}x{crop} fit the time and memory of a small machine"));

    let channels = fingerprint.channels;
    let architecture = request.architecture.clone().unwrap_or_else(|| "fpn".to_owned());
    if architecture != "fpn" {
        return Err(Error::config(format!(
            "{architecture} gives no maps at a quarter of the resolution, as poses need"
        ))
        .hint("leave --arch out, or use fpn"));
    }
    let encoder = match (&request.architecture, &request.encoder) {
        (None, None) if request.pretrained.as_deref() == Some("none") => Some("efficientnet-lite0".to_owned()),
        (None, None) => Some(choose_encoder(&skeleton, channels, &mut because).to_owned()),
        (_, encoder) => encoder.clone(),
    };
    because(
        "network.architecture",
        "a feature pyramid sees the whole person at every place, and gives maps at a quarter of the resolution: peaks \
         are found between cells, and a step costs a fraction of one at full resolution"
            .into(),
    );
    let pretrained = choose_pretrained(encoder.as_deref(), request, &mut because);
    let mut network = NetworkConfig::new(&architecture, encoder.as_deref(), channels, pose_maps(&skeleton))?;
    network.head = Head::Pose;
    (network.decoder_channels, network.head_width, network.stages) = (DECODER.to_vec(), STAGE_WIDTH, 2);
    because("network.stages", "a second look at the maps: where one joint is says where the others can be".into());
    let (mean, std) = if pretrained == "none" {
        (to_f32(&fingerprint.mean, 0.0), to_f32(&fingerprint.std, 1.0))
    } else {
        let info = encoder.as_deref().and_then(encoder_info).and_then(|info| info.pretrained);
        let (mean, std) = info.map_or((0.0, 255.0), |info| (info.mean, info.std));
        (vec![mean; channels], vec![std; channels])
    };

    let sigma = (SIGMA * f64::from(people.median_extent) * f64::from(scale)).clamp(4.0, 12.0);
    let sigma = (sigma * 10.0).round() / 10.0;
    because("pose.sigma", format!("4.5 % of the median person, which is {} pixels long", people.median_extent));
    because("pose.loss", "the squared error, which counts more where there is something to find".into());
    let encoder_factor = if pretrained == KEYPOINT_WEIGHTS { 0.05 } else { 0.5 };
    if pretrained == KEYPOINT_WEIGHTS {
        because("optimizer.encoder_factor", "weights that know the subject should change little".into());
    }
    because("optimizer.name", "AdamW needs no tuning per data set".into());
    because("schedule.name", "cosine to zero with warm-up fits epochs and minutes alike".into());
    because("loop.ema_decay", "the average of weights is steadier than the last step".into());
    let (epochs, minutes) = choose_length(request, 30.0, &mut because)?;
    let val_fraction = (VAL_IMAGES / fingerprint.usable.max(1) as f32).clamp(0.05, VAL_FRACTION);
    let val_fraction = (val_fraction * 100.0).round() / 100.0;
    because("split.val_fraction", format!("about {VAL_IMAGES} images are enough to choose the best weights"));
    let tta = if skeleton.mirrored_limbs().is_some() { Flips::Horizontal } else { Flips::None };
    because(
        "postprocessing.tta",
        match tta {
            Flips::Horizontal => "the mirror image is read too, with the sides swapped".to_owned(),
            _ => "a limb has no mirror image, so that mirrored maps cannot be averaged".to_owned(),
        },
    );
    let single = people.most_per_image <= 1;
    let reach = (REACH * people.median_extent as f32 * scale).round();
    because(
        "postprocessing.poses",
        if single {
            format!(
                "no image shows more than one labelled person: the best choice of a peak for each keypoint, by heat, fields \
                 and limbs of at most {reach} pixels"
            )
        } else {
            format!("up to {} people an image: fields say which keypoints belong together", people.most_per_image)
        },
    );
    let upright = single && people.turned as f32 >= TURNED * people.count as f32;
    if upright {
        because(
            "pose.upright",
            format!(
                "{} of {} people lean by more than 45 degrees: turned upright they are learnt faster, and prediction looks \
                 at every image in eight turns",
                people.turned, people.count
            ),
        );
    }
    let rotation = if upright { UPRIGHT_ROTATION } else { ROTATION };
    because(
        "augment",
        format!(
            "people lean and turn: rotations up to {rotation} degrees, sizes from 0.7 to 1.3, mirror images with the sides \
             swapped"
        ),
    );
    let reading = PoseReading {
        single,
        reach,
        turns: if upright { 8 } else { 1 },
        affinity: AffinityDecoding::eager(),
        ..PoseReading::default()
    };

    let plan = Plan {
        version: PLAN_VERSION,
        task: Task::Pose,
        preset: None,
        seed: request.seed.unwrap_or(0),
        data: DataPlan {
            path: dataset.root.clone(),
            format: dataset.format.clone(),
            coding: dataset.coding.to_string(),
            foreground: None,
            ignore: None,
            hash: fingerprint.content_hash.clone(),
        },
        split: SplitPlan { val_fraction, test_fraction: 0.0 },
        input: Preprocessing { channels, mean, std, stretch: None, scale, geometry },
        network,
        pretrained,
        loss: LossConfig { terms: Vec::new(), ..LossConfig::default() },
        objects: None,
        pose: Some(PosePlan { sigma, limb_width: sigma, upright, fallen: 0.0, loss: PoseLoss::default(), skeleton }),
        augment: AugmentConfig {
            affine_probability: 0.9,
            rotate_degrees: rotation,
            scale: [0.7, 1.3],
            brightness: 0.3,
            contrast: 0.3,
            saturation: 0.3,
            grey_probability: if channels == 3 { 0.05 } else { 0.0 },
            foreground_probability: 0.8,
            ..AugmentConfig::default()
        },
        optimizer: OptimizerConfig {
            name: "adamw".into(),
            learning_rate: 2e-3,
            encoder_factor,
            weight_decay: 1e-2,
            momentum: 0.9,
            beta2: 0.999,
            clip_norm: 5.0,
        },
        schedule: ScheduleConfig { name: "cosine".into(), warmup: 0.05, power: 0.9, floor: 0.0 },
        training: LoopConfig {
            batch,
            crop: Some(crop),
            epochs,
            minutes,
            validations: 16,
            patience: 0,
            ema_decay: 0.99,
            cache_mib: 1024,
            threads: 2,
            sampling: Sampling::Uniform,
        },
        engine: EngineConfig::default(),
        postprocessing: PostProcessing { tta, poses: Some(reading), ..PostProcessing::default() },
        classes: dataset.classes.clone(),
        reasons: why,
    };
    plan.validate()?;
    Ok(plan)
}

/// The encoder whose weights know most of the subject.
fn choose_encoder(skeleton: &Skeleton, channels: usize, because: &mut impl FnMut(&str, String)) -> &'static str {
    let of_people = Skeleton::named(POSENET_SKELETON)
        .map_or(0, |known| skeleton.keypoints.iter().filter(|name| known.index(name).is_some()).count());
    if channels == 3 && 2 * of_people >= skeleton.len() {
        because(
            "network.encoder",
            format!("its weights have learnt {of_people} of the {} keypoints on COCO's people", skeleton.len()),
        );
        "mobilenet-v1"
    } else {
        because("network.encoder", "features of ImageNet, as keypoints of this kind are new to every encoder".into());
        "efficientnet-lite0"
    }
}

/// How much images are magnified so that the median person is easy to read, while large people still fit into a window.
fn choose_scale(people: &PeopleSummary, because: &mut impl FnMut(&str, String)) -> f32 {
    let fits = CROPS[1] as f32 / (1.1 * people.extent_95.max(1) as f32);
    let scale = (EASY_EXTENT / people.median_extent.max(1) as f32).min(fits).clamp(SCALES[0], SCALES[1]);
    let steps = if scale >= 1.0 { 4.0 } else { 16.0 };
    let scale = (scale * steps).round() / steps;
    because(
        "input.scale",
        format!(
            "the median person is {} pixels long and 95 of 100 stay below {}: about {EASY_EXTENT} pixels show hands and \
             feet",
            people.median_extent, people.extent_95
        ),
    );
    scale
}

/// Side of the windows that are learnt from: as small as shows nearly everybody whole.
fn choose_crop(people: &PeopleSummary, scale: f32, because: &mut impl FnMut(&str, String)) -> usize {
    let extent = people.extent_95 as f32 * scale;
    let steps = (extent * CROP_ROOM / CROP_STEP as f32).ceil() as usize;
    let side = (steps * CROP_STEP).clamp(CROPS[0], CROPS[1]);
    because("loop.crop", format!("windows of {side} pixels around people show those of {extent:.0} whole"));
    side
}

/// Windows of validation: the median image, as prediction sees it.
fn choose_geometry(
    fingerprint: &Fingerprint,
    scale: f32,
    crop: usize,
    because: &mut impl FnMut(&str, String),
) -> Geometry {
    let longer = fingerprint.median_width.max(fingerprint.median_height) as f32 * scale;
    let side = (longer as usize).next_multiple_of(STRIDE).clamp(crop, LARGEST_WINDOW.max(crop));
    because(
        "input.geometry",
        format!("windows of {side} pixels choose the weights; prediction sees every image whole, whatever its size"),
    );
    Geometry::Window { height: side, width: side }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(median_extent: u32, extent_95: u32) -> PeopleSummary {
        PeopleSummary { median_extent, extent_95, count: 10, ..PeopleSummary::default() }
    }

    #[test]
    fn people_are_brought_to_an_easy_size_that_fits_the_window() {
        let scale = |median, most| choose_scale(&people(median, most), &mut |_, _| {});
        assert_eq!([scale(120, 154), scale(100, 400), scale(60, 100), scale(1200, 2000)], [1.25, 1.0, 2.0, 0.125]);
        let crop = |most, scale| choose_crop(&people(100, most), scale, &mut |_, _| {});
        assert_eq!([crop(154, 1.25), crop(400, 1.0), crop(50, 1.0)], [256, 448, 128]);
    }

    #[test]
    fn weights_that_know_the_keypoints_are_preferred() {
        let of = |skeleton: &Skeleton, channels| choose_encoder(skeleton, channels, &mut |_, _| {});
        let lsp = Skeleton::named("lsp-14").unwrap();
        let horse = Skeleton::custom("horse", &["muzzle", "withers", "tail", "left_hoof"], &[[0, 1]]).unwrap();
        assert_eq!(
            [of(&lsp, 3), of(&lsp, 1), of(&horse, 3)],
            ["mobilenet-v1", "efficientnet-lite0", "efficientnet-lite0"]
        );
    }

    #[test]
    fn validation_sees_the_median_image() {
        let of = |median_width, scale, crop| {
            let fingerprint = Fingerprint { median_width, median_height: 100, ..Fingerprint::default() };
            choose_geometry(&fingerprint, scale, crop, &mut |_, _| {}).size()
        };
        assert_eq!([of(300, 1.25, 256), of(100, 1.0, 256), of(4000, 0.5, 448)], [(384, 384), (256, 256), (512, 512)]);
    }
}
