//! The model bundle: a folder with `manifest.toml`, `weights.safetensors` and `plan.toml`.
//! Everything that prediction needs is in it, readable, and none of it is code.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Foreground, Grouping, Head, PoseReading, Preprocessing, Result, Skeleton, Task};

use crate::weights::{self, Precision};
use crate::{Network, NetworkConfig};

/// Version of the bundle's layout; readers refuse newer ones.
pub const FORMAT_VERSION: u32 = 1;

/// Mirrored and turned copies of the input whose outputs are averaged (test-time augmentation).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flips {
    /// The image alone.
    None,
    /// The image and its left-right mirror image: scenes, which have an up.
    Horizontal,
    /// Both axes and their combination: specimens, which have none.
    #[default]
    All,
    /// The four of `all` and each turned by a quarter; of an input that is not square, those of `all`.
    Turns,
}

/// One copy of an input: mirrored, then transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Top and bottom are exchanged.
    pub vertical: bool,
    /// Left and right are exchanged.
    pub horizontal: bool,
    /// Rows become columns, after mirroring.
    pub transposed: bool,
}

impl View {
    const fn new(vertical: bool, horizontal: bool, transposed: bool) -> Self {
        Self { vertical, horizontal, transposed }
    }

    /// Whether the copy is the input itself.
    pub fn is_identity(self) -> bool {
        self == Self::new(false, false, false)
    }
}

impl Flips {
    /// The copies of an input of `size` (height, width); the input itself comes first.
    pub fn views(self, [height, width]: [usize; 2]) -> &'static [View] {
        const VIEWS: [View; 8] = [
            View::new(false, false, false),
            View::new(false, true, false),
            View::new(true, false, false),
            View::new(true, true, false),
            View::new(false, false, true),
            View::new(false, true, true),
            View::new(true, false, true),
            View::new(true, true, true),
        ];
        match self {
            Self::None => &VIEWS[..1],
            Self::Horizontal => &VIEWS[..2],
            Self::Turns if height == width => &VIEWS,
            Self::All | Self::Turns => &VIEWS[..4],
        }
    }
}

/// How probabilities become masks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PostProcessing {
    /// Average probabilities and maps over mirrored and turned copies of the input.
    pub tta: Flips,
    /// Foreground probability from which a pixel counts as foreground (binary tasks only).
    pub threshold: f32,
    /// Share by which neighbouring windows overlap, in 0..0.9 (window geometry only).
    pub overlap: f32,
    /// How objects are read from the maps; none where classes are all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Grouping>,
    /// How people are read from the maps of a pose head; none with other heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poses: Option<PoseReading>,
}

impl Default for PostProcessing {
    fn default() -> Self {
        Self { tta: Flips::All, threshold: 0.5, overlap: 0.5, grouping: None, poses: None }
    }
}

/// What the model was trained on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataOrigin {
    /// Dataset format, by its registry name.
    pub format: String,
    /// How mask values were read.
    pub coding: String,
    /// The mask values that were merged into the one foreground class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreground: Option<Foreground>,
    /// The mask value of void pixels beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u16>,
    /// Hash over the names and contents of the training data.
    pub hash: String,
    /// Training and validation samples.
    pub train_images: usize,
    /// Validation samples.
    pub val_images: usize,
}

/// The readable half of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version, see [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of Vibhag that wrote it.
    pub vibhag_version: String,
    /// What the model finds.
    pub task: Task,
    /// SHA-256 of `weights.safetensors`.
    #[serde(default)]
    pub weights_sha256: String,
    /// Terms of the weights that training started from, and of the result as far as known.
    pub weights_licence: String,
    /// Validation scores at the time of writing, by name.
    pub metrics: BTreeMap<String, f64>,
    /// The network.
    pub network: NetworkConfig,
    /// What happens to an image before the network.
    pub preprocessing: Preprocessing,
    /// What happens to its output.
    pub postprocessing: PostProcessing,
    /// Where the model comes from.
    pub data: DataOrigin,
    /// The classes.
    pub classes: ClassTable,
    /// The skeleton whose keypoints and limbs a pose head's maps are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skeleton: Option<Skeleton>,
}

impl Manifest {
    /// The skeleton of a model of poses.
    ///
    /// # Errors
    /// When the model is of another task, or skeleton, network and the reading of people do not belong together: the
    /// weights are then those of another skeleton.
    pub fn pose_skeleton(&self) -> Result<&Skeleton> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Model, what).at("manifest.toml"));
        if self.task != Task::Pose {
            return wrong(format!("the model is for task {}, not pose", self.task));
        }
        let (Some(skeleton), Some(reading)) = (&self.skeleton, &self.postprocessing.poses) else {
            return wrong("a model of poses needs a skeleton and postprocessing.poses".to_owned());
        };
        skeleton.validate()?;
        reading.validate()?;
        let (maps, network) = (pose_maps(skeleton), &self.network);
        if network.head != Head::Pose || network.out_channels != maps {
            return wrong(format!(
                "skeleton {:?} has {} keypoints and {} limbs, which take {maps} maps of a pose head; the network gives {} of head {}",
                skeleton.name,
                skeleton.len(),
                skeleton.limbs.len(),
                network.out_channels,
                network.head
            ));
        }
        Ok(skeleton)
    }
}

/// Maps of a pose head for `skeleton`: the heat of each keypoint, and the field of each limb to the right and down.
pub fn pose_maps(skeleton: &Skeleton) -> usize {
    skeleton.len() + 2 * skeleton.limbs.len()
}

/// Writes a bundle into `folder`, which appears whole or not at all.
///
/// # Errors
/// I/O errors, with the file.
pub fn save(folder: &Path, manifest: &Manifest, network: &Network, plan_toml: &str) -> Result<()> {
    let staging = folder.with_extension("partial");
    if staging.exists() {
        std::fs::remove_dir_all(&staging).map_err(|e| Error::io(&staging, e))?;
    }
    std::fs::create_dir_all(&staging).map_err(|e| Error::io(&staging, e))?;
    let weights_path = staging.join("weights.safetensors");
    weights::save(network, &weights_path, Precision::F32)?;
    let manifest = Manifest { weights_sha256: sha256_of(&weights_path)?, ..manifest.clone() };
    let text =
        toml::to_string(&manifest).map_err(|e| Error::new(ErrorKind::Model, "cannot write the manifest").because(e))?;
    for (name, content) in [("manifest.toml", text.as_str()), ("plan.toml", plan_toml)] {
        let path = staging.join(name);
        std::fs::write(&path, content).map_err(|e| Error::io(&path, e))?;
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    std::fs::rename(&staging, folder).map_err(|e| Error::io(folder, e))
}

/// Replaces the manifest of the bundle in `folder` (or in `folder/model`); the weights stay.
///
/// # Errors
/// I/O errors, with the file.
pub fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<()> {
    let text =
        toml::to_string(manifest).map_err(|e| Error::new(ErrorKind::Model, "cannot write the manifest").because(e))?;
    let path = locate(folder).join("manifest.toml");
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).map_err(|e| Error::io(&partial, e))?;
    std::fs::rename(&partial, &path).map_err(|e| Error::io(&path, e))
}

/// Reads the manifest of the bundle in `folder`; a run folder that holds `model/` will do.
///
/// # Errors
/// When it is missing, unreadable or of a newer version.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = locate(folder).join("manifest.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Error::io(&path, e).hint("a model is the folder that `vibhag train` wrote (RUN or RUN/model)"))?;
    let manifest: Manifest = toml::from_str(&text)
        .map_err(|e| Error::new(ErrorKind::Model, e.message().to_owned()).at_path(&path).because(e))?;
    if manifest.format_version > FORMAT_VERSION {
        return Err(Error::new(
            ErrorKind::Model,
            format!("bundle version {} is newer than {FORMAT_VERSION}", manifest.format_version),
        )
        .at_path(&path)
        .hint("update vibhag"));
    }
    manifest.classes.validate()?;
    if manifest.task == Task::Pose {
        manifest.pose_skeleton().map_err(|error| error.at_path(&path))?;
    }
    Ok(manifest)
}

/// Loads manifest and network on `device`, in evaluation mode.
///
/// # Errors
/// As [`read_manifest`]; also when the weights were altered or do not fit the network.
pub fn load(folder: &Path, device: &Device) -> Result<(Manifest, Network)> {
    let manifest = read_manifest(folder)?;
    let path = locate(folder).join("weights.safetensors");
    let hash = sha256_of(&path)?;
    if !manifest.weights_sha256.is_empty() && manifest.weights_sha256 != hash {
        return Err(Error::new(ErrorKind::Model, "the weights are not the ones that the manifest describes")
            .at_path(&path)
            .at(format!("SHA-256 {hash}, expected {}", manifest.weights_sha256))
            .hint("copy the whole bundle again"));
    }
    let network = weights::load(&manifest.network.build(device)?, &path)?.valid();
    Ok((manifest, network))
}

/// The bundle's own folder when `folder` is a run.
pub fn locate(folder: &Path) -> std::path::PathBuf {
    let inner = folder.join("model");
    if folder.join("manifest.toml").exists() || !inner.exists() { folder.to_owned() } else { inner }
}

fn sha256_of(path: &Path) -> Result<String> {
    use sha2::{Digest, Sha256};
    let mut file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let read = std::io::Read::read(&mut file, &mut buffer).map_err(|e| Error::io(path, e))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        for digit in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    Ok(hex)
}
