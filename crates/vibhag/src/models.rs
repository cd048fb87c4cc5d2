//! `vibhag models`: the registries of this build as one table.

use serde::Serialize;
use vibhag_core::Result;
use vibhag_data::annotations::ANNOTATION_FORMATS;
use vibhag_data::formats::FORMATS;
use vibhag_data::poses::POSE_FORMATS;
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::heads::HEADS;
use vibhag_nn::losses::LOSSES;
use vibhag_nn::posenet::POSENET;
use vibhag_nn::selfie::SELFIE;
use vibhag_nn::{ARCHITECTURES, ENCODERS, NetworkConfig, PoseNet, PretrainedInfo, SelfieNet};

/// One entry of a registry.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `architecture`, `encoder`, `pose`, `body`, `loss`, `head` or `format`.
    pub kind: &'static str,
    /// The name to type.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// The paper; of a format, whether it holds masks, objects or keypoints.
    pub paper: &'static str,
    /// Parameters for three input channels and one output channel; of an encoder, inside a U-Net.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
    /// Weights that ship, with their licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

/// All rows, in registry order.
///
/// # Errors
/// When a network of the registry cannot be built.
pub fn rows() -> Result<Vec<Row>> {
    let device = DeviceChoice::Cpu.open()?;
    let parameters = |architecture: &str, encoder: Option<&str>| -> Result<Option<usize>> {
        Ok(Some(NetworkConfig::new(architecture, encoder, 3, 1)?.build(&device)?.parameters()))
    };
    let mut rows = Vec::new();
    for entry in ARCHITECTURES {
        let parameters = parameters(entry.name, None)?;
        rows.push(Row {
            kind: "architecture",
            name: entry.name,
            summary: entry.summary,
            paper: entry.paper,
            parameters,
            weights: None,
        });
    }
    for entry in ENCODERS {
        let weights = entry.pretrained.as_ref().map(shipped);
        let parameters = parameters("unet", Some(entry.name))?;
        rows.push(Row {
            kind: "encoder",
            name: entry.name,
            summary: entry.summary,
            paper: entry.paper,
            parameters,
            weights,
        });
    }
    rows.push(Row {
        kind: "pose",
        name: "posenet",
        summary: "MobileNetV1 with heat maps, offsets and displacements of COCO-17; finds people for `vibhag pose`",
        paper: "Papandreou et al., PersonLab, ECCV 2018",
        parameters: Some(PoseNet::pretrained(&device)?.parameters()),
        weights: Some(shipped(&POSENET)),
    });
    rows.push(Row {
        kind: "body",
        name: "selfie",
        summary: "MobileNetV3 bottlenecks and a decoder of weighed skips; people near the camera for `vibhag cutout`",
        paper: "Howard et al., MobileNetV3, ICCV 2019",
        parameters: Some(SelfieNet::pretrained(&device)?.parameters()),
        weights: Some(shipped(&SELFIE)),
    });
    rows.extend(LOSSES.iter().map(|entry| plain("loss", entry.name, entry.summary, entry.paper)));
    rows.extend(HEADS.iter().map(|entry| plain("head", entry.head.name(), entry.summary, entry.paper)));
    rows.extend(FORMATS.iter().map(|format| plain("format", format.name, format.summary, "masks")));
    rows.extend(ANNOTATION_FORMATS.iter().map(|format| plain("format", format.name, format.summary, "objects")));
    rows.extend(POSE_FORMATS.iter().map(|format| plain("format", format.name, format.summary, "keypoints")));
    Ok(rows)
}

fn shipped(info: &PretrainedInfo) -> String {
    format!("{}, {} ({})", info.data, info.licence, info.source)
}

fn plain(kind: &'static str, name: &'static str, summary: &'static str, paper: &'static str) -> Row {
    Row { kind, name, summary, paper, parameters: None, weights: None }
}
