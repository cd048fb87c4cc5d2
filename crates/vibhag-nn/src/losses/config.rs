//! What the loss is: terms with weights, class weights, label smoothing and the void label.

use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

use super::inputs::Inputs;
use super::{Bce, CrossEntropy, Dice, Edge, Focal, LOSSES, Tversky, loss_info};

/// One term of a loss; in files `kind` names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LossTerm {
    /// Cross-entropy of the softmax.
    CrossEntropy(CrossEntropy),
    /// Binary cross-entropy with logits.
    Bce(Bce),
    /// Soft Dice.
    Dice(Dice),
    /// Focal loss.
    Focal(Focal),
    /// Tversky loss.
    Tversky(Tversky),
    /// Cross-entropy beside edges.
    Edge(Edge),
}

impl LossTerm {
    /// The name in [`LOSSES`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::CrossEntropy(_) => "cross-entropy",
            Self::Bce(_) => "bce",
            Self::Dice(_) => "dice",
            Self::Focal(_) => "focal",
            Self::Tversky(_) => "tversky",
            Self::Edge(_) => "edge",
        }
    }

    /// The factor of this term in the sum.
    pub fn weight(&self) -> f64 {
        match self {
            Self::CrossEntropy(term) => term.weight,
            Self::Bce(term) => term.weight,
            Self::Dice(term) => term.weight,
            Self::Focal(term) => term.weight,
            Self::Tversky(term) => term.weight,
            Self::Edge(term) => term.weight,
        }
    }

    /// The same term with another factor.
    #[must_use]
    pub fn with_weight(mut self, weight: f64) -> Self {
        let slot = match &mut self {
            Self::CrossEntropy(term) => &mut term.weight,
            Self::Bce(term) => &mut term.weight,
            Self::Dice(term) => &mut term.weight,
            Self::Focal(term) => &mut term.weight,
            Self::Tversky(term) => &mut term.weight,
            Self::Edge(term) => &mut term.weight,
        };
        *slot = weight;
        self
    }

    fn validate(&self, channels: usize) -> Result<()> {
        match self {
            Self::CrossEntropy(_) if channels < 2 => {
                Err(Error::config("cross-entropy needs two or more output channels, there is one")
                    .hint("use bce for binary tasks"))
            }
            Self::Bce(_) if channels != 1 => {
                Err(Error::config(format!("bce needs one output channel, there are {channels}"))
                    .hint("use cross-entropy for several classes"))
            }
            Self::Dice(term) => term.validate(),
            Self::Focal(term) => term.validate(channels),
            Self::Tversky(term) => term.validate(),
            Self::Edge(term) => term.validate(),
            Self::CrossEntropy(_) | Self::Bce(_) => Ok(()),
        }
    }

    fn forward(&self, inputs: &mut Inputs) -> Tensor<1> {
        match self {
            Self::CrossEntropy(term) => term.forward(inputs),
            Self::Bce(term) => term.forward(inputs),
            Self::Dice(term) => term.forward(inputs),
            Self::Focal(term) => term.forward(inputs),
            Self::Tversky(term) => term.forward(inputs),
            Self::Edge(term) => term.forward(inputs),
        }
    }
}

/// A weighted sum of loss terms.
///
/// ```
/// use vibhag_nn::losses::LossConfig;
///
/// # fn main() -> vibhag_core::Result<()> {
/// let loss = LossConfig::parse("bce + 0.5 * dice")?;
/// loss.validate(1)?;
/// assert_eq!(loss.to_string(), "bce + 0.5 * dice");
/// assert!(loss.validate(4).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Label of the pixels that no term counts.
    pub ignore: u16,
    /// Share of the target's mass spread evenly over the classes, in [0, 1); cross-entropy and bce only.
    pub label_smoothing: f64,
    /// A weight per class (background first, also for binary tasks: two weights); empty means all equal.
    ///
    /// Cross-entropy, bce and focal weigh pixels by it and divide by the sum of the pixels' weights, as
    /// PyTorch's cross-entropy does; dice and tversky of several channels average classes with it.
    pub class_weights: Vec<f32>,
    /// The terms.
    pub terms: Vec<LossTerm>,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            ignore: 255,
            label_smoothing: 0.0,
            class_weights: Vec::new(),
            terms: vec![LossTerm::CrossEntropy(CrossEntropy::default()), LossTerm::Dice(Dice::default())],
        }
    }
}

impl LossConfig {
    /// The usual choice for `channels` output channels: cross-entropy (bce for one channel) plus Dice.
    pub fn for_channels(channels: usize) -> Self {
        let mut config = Self::default();
        if channels == 1 {
            config.terms[0] = LossTerm::Bce(Bce::default());
        }
        config
    }

    /// Reads a sum such as `bce + 0.5 * dice`, every term with its defaults.
    ///
    /// # Errors
    /// When a term is not in [`LOSSES`] or a factor is not a number.
    pub fn parse(text: &str) -> Result<Self> {
        let terms = text.split('+').map(|term| parse_term(term.trim())).collect::<Result<_>>()?;
        Ok(Self { terms, ..Self::default() })
    }

    /// Checks the configuration against the network's number of output channels (1 for binary tasks).
    ///
    /// # Errors
    /// A configuration error that names the offending value.
    pub fn validate(&self, channels: usize) -> Result<()> {
        if channels == 0 {
            return Err(Error::config("a loss needs at least one output channel"));
        }
        if self.terms.is_empty() {
            return Err(Error::config("the loss has no term").hint("add one of the registered losses, such as dice"));
        }
        let classes = channels.max(2);
        if usize::from(self.ignore) < classes {
            return Err(Error::config(format!("the loss ignores label {}, which is a class", self.ignore))
                .hint("choose an ignore label beyond the last class, such as 255"));
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(Error::config(format!("label smoothing {} is outside [0, 1)", self.label_smoothing)));
        }
        let smoothed = |term: &LossTerm| matches!(term, LossTerm::CrossEntropy(_) | LossTerm::Bce(_));
        if self.label_smoothing > 0.0 && !self.terms.iter().any(smoothed) {
            return Err(Error::config("label smoothing without a cross-entropy or bce term has no effect")
                .hint("set label_smoothing = 0"));
        }
        if !self.class_weights.is_empty() {
            self.validate_class_weights(classes)?;
        }
        for term in &self.terms {
            if !(term.weight() > 0.0 && term.weight().is_finite()) {
                return Err(Error::config(format!(
                    "the weight {} of {} is not a positive number",
                    term.weight(),
                    term.name()
                )));
            }
            term.validate(channels)?;
        }
        Ok(())
    }

    /// The loss, one number.
    ///
    /// # Shapes
    /// - logits: `[N, C, H, W]`
    /// - target: `[N, H, W]`, class indices or the ignored label, on the same device
    ///
    /// Images without a valid pixel contribute 0. Expects a configuration that [`Self::validate`] accepts.
    pub fn forward(&self, logits: Tensor<4>, target: Tensor<3, Int>) -> Tensor<1> {
        let device = logits.device();
        let mut inputs = Inputs::new(logits, target, self);
        let mut total: Option<Tensor<1>> = None;
        for term in &self.terms {
            let value = term.forward(&mut inputs).mul_scalar(term.weight());
            total = Some(match total {
                Some(sum) => sum + value,
                None => value,
            });
        }
        total.unwrap_or_else(|| Tensor::zeros([1], &device))
    }

    fn validate_class_weights(&self, classes: usize) -> Result<()> {
        if self.class_weights.len() != classes {
            return Err(Error::config(format!("{} class weights for {classes} classes", self.class_weights.len()))
                .hint("give one weight per class, background first"));
        }
        if let Some(weight) = self.class_weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            return Err(Error::config(format!("class weight {weight} is not a number of at least 0")));
        }
        if self.class_weights.iter().all(|&weight| weight == 0.0) {
            return Err(Error::config("all class weights are 0"));
        }
        Ok(())
    }
}

impl std::fmt::Display for LossConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            if term.weight() != 1.0 {
                write!(f, "{} * ", term.weight())?;
            }
            f.write_str(term.name())?;
        }
        Ok(())
    }
}

fn parse_term(text: &str) -> Result<LossTerm> {
    let (factor, name) = match text.split_once('*') {
        Some((factor, name)) => (Some(factor.trim()), name.trim()),
        None => (None, text),
    };
    let Some(info) = loss_info(name) else {
        let known: Vec<&str> = LOSSES.iter().map(|info| info.name).collect();
        return Err(
            Error::config(format!("there is no loss called {name:?}")).hint(format!("known: {}", known.join(", ")))
        );
    };
    let term = (info.term)();
    match factor {
        None => Ok(term),
        Some(factor) => factor
            .parse()
            .map(|weight| term.with_weight(weight))
            .map_err(|_| Error::config(format!("the factor {factor:?} of {name} is not a number"))),
    }
}
