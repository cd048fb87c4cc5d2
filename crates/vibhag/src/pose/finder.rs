//! Who finds people: the network that comes with the program, or a trained model.

use vibhag_core::{DisplacementDecoding, Error, Image, Keypoint, Pose, Result, Skeleton};
use vibhag_predict::pose::{PoseOptions as PoseNetOptions, PosePredictor};
use vibhag_predict::{PoseModel, PoseOptions};

use super::PoseRequest;

/// A network with its way of reading people.
pub(crate) struct Finder {
    network: Network,
    /// Least score of a person of a model; the other network knows its own.
    min_score: f32,
    max_people: usize,
}

enum Network {
    PoseNet(Box<PosePredictor>),
    Model(Box<PoseModel>),
}

impl Finder {
    /// What `request` asks for.
    ///
    /// # Errors
    /// When an option is out of range or the model cannot be loaded.
    pub(crate) fn load(request: &PoseRequest) -> Result<Self> {
        let min_score = request.min_score.unwrap_or_default();
        if !(0.0..=1.0).contains(&min_score) {
            return Err(Error::config("the least score of a person is not between 0 and 1").at(min_score.to_string()));
        }
        if request.max_people == Some(0) {
            return Err(Error::config("nobody would be found")
                .at("0 people at most")
                .hint("use --max-people 1 or more"));
        }
        let network = match &request.model {
            Some(_) if request.size.is_some() => {
                return Err(Error::config("a model sees images at the magnification that it has learnt from")
                    .hint("leave out --size, or leave out --model"));
            }
            Some(folder) => {
                let options = PoseOptions { turns: request.turns, ..PoseOptions::default() };
                Network::Model(Box::new(PoseModel::load(folder, request.device, options)?))
            }
            None if request.turns.is_some() => {
                return Err(Error::config("the network that comes with the program looks at every picture once")
                    .hint("leave out --turns, or use --model"));
            }
            None => Network::PoseNet(Box::new(PosePredictor::posenet(request.device, options(request)?)?)),
        };
        Ok(Self { network, min_score, max_people: request.max_people.unwrap_or(usize::MAX) })
    }

    /// The skeleton of the poses.
    pub(crate) fn skeleton(&self) -> &Skeleton {
        match &self.network {
            Network::PoseNet(network) => network.skeleton(),
            Network::Model(model) => model.skeleton(),
        }
    }

    /// The people in an image, by falling score, in its pixels.
    ///
    /// # Errors
    /// When the image's channels do not suit the network, or the device fails.
    pub(crate) fn find(&self, image: &Image) -> Result<Vec<Pose>> {
        let mut people = match &self.network {
            Network::PoseNet(network) => network.predict(image)?,
            Network::Model(model) => model.poses_of(image)?,
        };
        people.retain(|pose| pose.score >= self.min_score);
        people.truncate(self.max_people);
        Ok(people)
    }
}

/// The pose without keypoints that are guesses: those below the least score are absent.
pub(crate) fn sure(pose: &Pose, least: f32) -> Pose {
    let keypoint = |keypoint: &Keypoint| if keypoint.score >= least { *keypoint } else { Keypoint::ABSENT };
    Pose { keypoints: pose.keypoints.iter().map(keypoint).collect(), ..pose.clone() }
}

fn options(request: &PoseRequest) -> Result<PoseNetOptions> {
    let usual = PoseNetOptions::default();
    let [smallest, largest] = PoseNetOptions::SIZES;
    let size = request.size.unwrap_or(usual.size);
    if !(smallest..=largest).contains(&size) {
        return Err(Error::config("the network cannot see images of this size")
            .at(format!("{size} pixels"))
            .hint(format!("use --size {smallest} to {largest}, such as 257, 353 or 513")));
    }
    let decoding = DisplacementDecoding {
        max_people: request.max_people.unwrap_or(usual.decoding.max_people),
        min_score: request.min_score.unwrap_or(usual.decoding.min_score),
        ..usual.decoding
    };
    Ok(PoseNetOptions { size: PoseNetOptions::nearest_size(size), decoding })
}
