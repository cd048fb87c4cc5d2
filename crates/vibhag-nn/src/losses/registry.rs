//! The loss terms, in the order in which help and tables show them.

use super::{Bce, CrossEntropy, Dice, Edge, Focal, LossTerm, Tversky};

/// An entry of [`LOSSES`].
#[derive(Debug, Clone, Copy)]
pub struct LossInfo {
    /// The name that configurations use (`kind`).
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The paper, or where the definition comes from.
    pub paper: &'static str,
    /// The term with its defaults.
    pub term: fn() -> LossTerm,
}

/// Every loss term.
pub const LOSSES: &[LossInfo] = &[
    LossInfo {
        name: "cross-entropy",
        summary: "cross-entropy of the softmax, averaged over valid pixels; two or more channels",
        paper: "torch.nn.CrossEntropyLoss",
        term: || LossTerm::CrossEntropy(CrossEntropy::default()),
    },
    LossInfo {
        name: "bce",
        summary: "binary cross-entropy with logits, averaged over valid pixels; one channel",
        paper: "torch.nn.BCEWithLogitsLoss",
        term: || LossTerm::Bce(Bce::default()),
    },
    LossInfo {
        name: "dice",
        summary: "soft Dice per image or over the batch",
        paper: "Milletari, Navab and Ahmadi, V-Net, 3DV 2016",
        term: || LossTerm::Dice(Dice::default()),
    },
    LossInfo {
        name: "focal",
        summary: "cross-entropy that fades on pixels that are right already",
        paper: "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017",
        term: || LossTerm::Focal(Focal::default()),
    },
    LossInfo {
        name: "tversky",
        summary: "soft Dice with separate prices for false alarms and misses",
        paper: "Salehi, Erdogmus and Gholipour, Tversky loss function, MLMI 2017",
        term: || LossTerm::Tversky(Tversky::default()),
    },
    LossInfo {
        name: "edge",
        summary: "cross-entropy of the pixels beside true edges, which a mean over all pixels hardly counts",
        paper: "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015 (weights at borders)",
        term: || LossTerm::Edge(Edge::default()),
    },
];

/// The entry called `name`.
pub fn loss_info(name: &str) -> Option<&'static LossInfo> {
    LOSSES.iter().find(|info| info.name == name)
}
