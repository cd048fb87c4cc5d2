//! The command line: parsing only. Every default that a plan decides stays `None` here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vibhag::cutout::Background;
use vibhag_core::{Foreground, Head, Task};
use vibhag_train::{Goal, Preset};

/// Image segmentation: point it at images and masks, get a model, a report and a predictor.
#[derive(Debug, Parser)]
#[command(name = "vibhag", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every verb has.
#[derive(Debug, Args, Clone)]
pub(crate) struct Common {
    /// Print one JSON value instead of text
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole story on embedded sample data: doctor, train, evaluate, report
    Demo {
        /// Folder to work in
        #[arg(short, long, default_value = "demo")]
        output: PathBuf,
        /// semantic, instance
        #[arg(long, default_value_t)]
        task: Task,
        /// Minutes of training [default: 1.5, or 4 to tell objects apart]
        #[arg(long)]
        minutes: Option<f64>,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// Counts, classes, sizes and faults of a data set (exit code 1 when there are faults)
    Doctor {
        /// The data: any supported folder
        data: PathBuf,
        /// Format by name instead of recognition
        #[arg(long)]
        format: Option<String>,
        /// What the data is wanted for: semantic, instance, panoptic, pose or body
        #[arg(long, default_value_t)]
        task: Goal,
        /// Mask values that are one foreground class together, such as 1..58 or 3,7,20..
        #[arg(long, value_name = "VALUES")]
        foreground: Option<Foreground>,
        #[command(flatten)]
        common: Common,
    },
    /// Decide how to train, with the reason beside each choice
    Plan {
        /// The data
        data: PathBuf,
        /// Write the plan here instead of printing it
        #[arg(short, long)]
        output: Option<PathBuf>,
        #[command(flatten)]
        wishes: Wishes,
        #[command(flatten)]
        common: Common,
    },
    /// Plan, train, evaluate the held-out images and write the report
    Train {
        /// The data (left out with --resume)
        data: Option<PathBuf>,
        /// The run folder
        #[arg(short, long, default_value = "run")]
        output: PathBuf,
        /// Follow this plan instead of making one
        #[arg(long, conflicts_with_all = ["arch", "encoder", "pretrained", "task", "preset", "foreground", "head"])]
        plan: Option<PathBuf>,
        /// Continue the run in this folder
        #[arg(long, value_name = "RUN", conflicts_with_all = ["plan", "data", "arch", "encoder", "pretrained", "task", "preset", "foreground", "head", "seed"])]
        resume: Option<PathBuf>,
        /// Leave out samples with faults (the report lists them)
        #[arg(long)]
        skip_bad: bool,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        wishes: Wishes,
        #[command(flatten)]
        common: Common,
    },
    /// Masks, overlays, contours and probabilities of images (exit code 1 when some failed)
    Predict {
        /// A run or model folder
        model: PathBuf,
        /// Image files, folders, or patterns in quotes
        #[arg(required = true)]
        inputs: Vec<String>,
        /// Where the output goes
        #[arg(short, long, default_value = "predictions")]
        output: PathBuf,
        /// What to write: masks, overlays, contours, probabilities; of objects also table, coco, panoptic [default: by
        /// task]
        #[arg(long, value_delimiter = ',')]
        write: Vec<String>,
        /// Class indices instead of 0/255 for one foreground class
        #[arg(long)]
        indices: bool,
        /// One pass instead of averaging over flips
        #[arg(long)]
        fast: bool,
        /// Foreground probability from which a pixel counts
        #[arg(long)]
        threshold: Option<f32>,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// People cut out of photos, videos and webcams, over nothing or over another background (exit code 1 when some failed)
    Cutout {
        /// Photos, videos, folders, patterns in quotes; webcam or webcam:1
        #[arg(required = true)]
        inputs: Vec<String>,
        /// A run or model folder, trained with --task body or on any one foreground class [default: the network that comes
        /// with the program, for one person or a few near the camera: selfies, video calls, upper bodies]
        #[arg(long)]
        model: Option<PathBuf>,
        /// What to put behind: a picture, a video, a colour (white, #20c040), blur or blur:SIGMA [default: nothing]
        #[arg(long, value_name = "WHAT")]
        background: Option<Background>,
        /// Write the matte alone, grey: white is the person
        #[arg(long, conflicts_with = "background")]
        alpha: bool,
        /// A folder, or the file for a single input (.png; .mp4, .mov, .webm, .mkv, with alpha .mov or .webm)
        #[arg(short, long, default_value = "cutouts")]
        output: PathBuf,
        /// Seconds of a video from its start; a webcam needs it
        #[arg(long)]
        seconds: Option<f64>,
        /// Each frame of a video for itself, without smoothing over time
        #[arg(long)]
        no_smoothing: bool,
        /// One pass instead of averaging over flips (videos always take one)
        #[arg(long)]
        fast: bool,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// People's skeletons in photos, videos and webcams, by a network that comes with the program (exit code 1 when some
    /// failed)
    Pose {
        /// Photos, videos, folders, patterns in quotes; webcam or webcam:1
        #[arg(required = true)]
        inputs: Vec<String>,
        /// Where the output goes
        #[arg(short, long, default_value = "poses")]
        output: PathBuf,
        /// openpose (json/NAME_keypoints.json, for each frame of a video
        /// NAME_json/NAME_000000000000_keypoints.json), coco (coco_results.json)
        #[arg(long, value_delimiter = ',', default_value = "openpose")]
        format: Vec<String>,
        /// Keypoints of OpenPose's files and of pictures: body-25, coco-18 or own (the network's)
        #[arg(long, default_value = "body-25")]
        skeleton: String,
        /// Also draw the skeletons (NAME_rendered.png, of a video NAME_rendered.mp4)
        #[arg(long)]
        render: bool,
        /// Draw over black
        #[arg(long, requires = "render")]
        black: bool,
        /// A run or model folder, trained with --task pose, instead of the network that comes with the program
        #[arg(long)]
        model: Option<PathBuf>,
        /// Longer side of what the network sees, in pixels; larger finds smaller people and takes longer [default: 513]
        #[arg(long, conflicts_with = "model")]
        size: Option<usize>,
        /// In how many turns a model that knows people upright looks at each picture: 8, 4 or 1; fewer take less time
        /// [default: the model's]
        #[arg(long, requires = "model")]
        turns: Option<u8>,
        /// Most people in a picture [default: 30]
        #[arg(long)]
        max_people: Option<usize>,
        /// Least score of a person, 0 to 1 [default: 0.1]
        #[arg(long)]
        min_score: Option<f32>,
        /// Least score of a keypoint in OpenPose's files and in pictures, 0 to 1
        #[arg(long, default_value_t = 0.2)]
        min_keypoint_score: f32,
        /// How long a webcam is watched
        #[arg(long)]
        seconds: Option<f64>,
        /// Keypoints of videos as they are found, trembling
        #[arg(long)]
        no_smoothing: bool,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// Everybody in photos: whose pixels are whose, skeletons and a matte, in one JSON and one picture (exit code 1 when
    /// some failed)
    People {
        /// Photos, folders, patterns in quotes
        #[arg(required = true)]
        inputs: Vec<String>,
        /// A run or model folder, trained with --task body or on any one foreground class [default: the network that comes
        /// with the program, for one person or a few near the camera]
        #[arg(long)]
        model: Option<PathBuf>,
        /// A run or model folder, trained with --task pose, instead of the network that comes with the program
        #[arg(long)]
        pose_model: Option<PathBuf>,
        /// Where the output goes: NAME_people.json, NAME_people.png and NAME_matte.png of each photo
        #[arg(short, long, default_value = "people")]
        output: PathBuf,
        /// Longer side of what the pose network sees, in pixels; larger finds smaller people and takes longer [default:
        /// 513]
        #[arg(long, conflicts_with = "pose_model")]
        size: Option<usize>,
        /// Most skeletons in a photo [default: 30]
        #[arg(long)]
        max_people: Option<usize>,
        /// Least score of a skeleton, 0 to 1 [default: 0.1]
        #[arg(long)]
        min_score: Option<f32>,
        /// One pass of the body model instead of averaging over flips
        #[arg(long)]
        fast: bool,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// Score a model on data, or anybody's masks against the truth
    Evaluate {
        /// A run or model folder
        #[arg(required_unless_present = "truth")]
        model: Option<PathBuf>,
        /// The data
        #[arg(required_unless_present = "truth")]
        data: Option<PathBuf>,
        /// Only this split, where the data declares splits: train, val or test
        #[arg(long)]
        split: Option<String>,
        /// Format by name instead of recognition
        #[arg(long)]
        format: Option<String>,
        /// True masks; of objects label maps, or annotations in any format
        #[arg(long, requires = "pred", conflicts_with_all = ["model", "data"])]
        truth: Option<PathBuf>,
        /// Masks to score, under the same names
        #[arg(long, requires = "truth")]
        pred: Option<PathBuf>,
        /// What --truth and --pred hold: semantic, instance or panoptic
        #[arg(long, default_value_t, requires = "truth")]
        task: Task,
        /// Mask values that are one foreground class together, such as 1..58 [default: as in the model's training]
        #[arg(long, value_name = "VALUES")]
        foreground: Option<Foreground>,
        /// One pass instead of averaging over flips
        #[arg(long)]
        fast: bool,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
    /// Annotations of objects from one format into another; prints what was lost and how well they came back
    Convert {
        /// A folder or file of annotations
        input: PathBuf,
        /// Folder to write, new or empty
        output: PathBuf,
        /// Format to write (see `vibhag models`)
        #[arg(long, alias = "to")]
        format: String,
        /// Format to read, by name instead of recognition
        #[arg(long)]
        from: Option<String>,
        /// Leave out what the format cannot hold, and list it, instead of refusing
        #[arg(long)]
        drop: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Generate a panoptic set: things of several shapes over textured stuff
    Synth {
        /// Folder to write, new or empty
        output: PathBuf,
        /// Scenes
        #[arg(long, default_value_t = 1000)]
        images: u64,
        /// Number of the first scene; sets of one seed and other numbers share no scene
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Rows x columns
        #[arg(long, default_value = "256x256")]
        size: String,
        /// Objects down to half the usual size, hidden down to a tenth of them instead of a third
        #[arg(long)]
        hard: bool,
        /// Everything random follows from it
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Format to write
        #[arg(long, default_value = "coco-panoptic")]
        format: String,
        #[command(flatten)]
        common: Common,
    },
    /// Architectures, encoders and losses of this build
    Models {
        #[command(flatten)]
        common: Common,
    },
    /// Time a training step or a prediction on random data
    Bench {
        /// train or predict
        mode: String,
        /// Architecture
        #[arg(long, default_value = "unet")]
        arch: String,
        /// Encoder
        #[arg(long)]
        encoder: Option<String>,
        /// Samples per step
        #[arg(long, default_value_t = 1)]
        batch: usize,
        /// Rows x columns
        #[arg(long, default_value = "256x256")]
        size: String,
        /// Keep every map for the backward pass instead of computing normalised ones again
        #[arg(long)]
        keep_maps: bool,
        /// Steps that count
        #[arg(long, default_value_t = 5)]
        steps: usize,
        /// cpu, gpu, cuda or wgpu
        #[arg(long, default_value = "cpu")]
        device: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Wishes for the planner.
#[derive(Debug, Args, Clone)]
pub(crate) struct Wishes {
    /// Format by name instead of recognition
    #[arg(long = "format")]
    pub format: Option<String>,
    /// semantic (a class for every pixel), instance (objects), panoptic (both), pose (people's keypoints), or a preset
    /// such as body
    #[arg(long)]
    pub task: Option<Goal>,
    /// Choices for a subject: body (people to be cut out)
    #[arg(long)]
    pub preset: Option<Preset>,
    /// Mask values that are one foreground class together, such as 1..58 or 3,7,20..; every other one is background
    #[arg(long, value_name = "VALUES")]
    pub foreground: Option<Foreground>,
    /// How objects are told apart: center, star or flow
    #[arg(long)]
    pub head: Option<Head>,
    /// Architecture (see `vibhag models`)
    #[arg(long)]
    pub arch: Option<String>,
    /// Encoder (see `vibhag models`)
    #[arg(long)]
    pub encoder: Option<String>,
    /// The weights that the encoder starts from: imagenet, coco-keypoints or none
    #[arg(long)]
    pub pretrained: Option<String>,
    /// Length in epochs
    #[arg(long, conflicts_with = "minutes")]
    pub epochs: Option<u64>,
    /// Length in minutes
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Everything random follows from it
    #[arg(long)]
    pub seed: Option<u64>,
    /// Override a value of the plan: key=value, dotted as in plan.toml (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}
