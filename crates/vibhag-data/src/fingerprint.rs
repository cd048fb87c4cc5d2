//! What one look at every file tells: sizes, channels, class pixels, statistics, duplicates,
//! faults. The planner and the doctor work from it.

mod objects;
mod people;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Image, Result, Samples};

use crate::dataset::{Dataset, Sample, check_sizes};
use crate::decode::{decode_image, read_bytes};
use crate::fault::Fault;
use crate::survey::{MaskRecord, hash};
pub use objects::{ObjectRecord, ObjectSummary};
use objects::{count_objects, summarize_objects};
pub use people::{PeopleSummary, PersonRecord};
use people::{count_people, summarize_people};

/// What is known of one sample; zeros where its image cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// The sample's id.
    pub id: String,
    /// Width of the upright image in pixels.
    pub width: usize,
    /// Height of the upright image in pixels.
    pub height: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Bits a sample, 8 or 16.
    pub bits: u8,
    /// SHA-256 of the image file; empty when unreadable.
    pub image_hash: String,
    /// SHA-256 of the mask file; empty without a readable mask.
    pub mask_hash: String,
    /// Pixels of each class, by label; empty without a usable mask.
    pub class_pixels: Vec<u64>,
    /// Pixels that nothing counts.
    pub ignored_pixels: u64,
    /// Whether image and mask can be used for training.
    pub usable: bool,
    /// Mean of each of its channels on the 0..=255 scale; empty when unreadable.
    #[serde(default)]
    pub mean: Vec<f64>,
    /// Standard deviation of each of its channels on the 0..=255 scale.
    #[serde(default)]
    pub deviation: Vec<f64>,
    /// Its objects, where they are told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRecord>,
    /// Its people, where their keypoints are annotated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonRecord>,
}

/// What is known of a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// [`Dataset::content_hash`] of the data set.
    pub content_hash: String,
    /// One record a sample, in the order of the data set.
    pub samples: Vec<SampleRecord>,
    /// Number of samples with a readable image and a usable mask.
    pub usable: usize,
    /// Channels that a network for these images needs: the common number, or 3 when grey and
    /// colour are mixed.
    pub channels: usize,
    /// Number of images by their channels.
    pub channel_counts: BTreeMap<usize, usize>,
    /// Mean of each of `channels` over all pixels, on the 0..=255 scale.
    pub mean: Vec<f64>,
    /// Standard deviation of each of `channels` over all pixels, on the 0..=255 scale.
    pub std: Vec<f64>,
    /// Median width.
    pub median_width: usize,
    /// Median height.
    pub median_height: usize,
    /// Smallest and largest width.
    pub width_range: (usize, usize),
    /// Smallest and largest height.
    pub height_range: (usize, usize),
    /// Pixels of each class over all usable masks, by label.
    pub class_pixels: Vec<u64>,
    /// Void pixels over all usable masks.
    pub ignored_pixels: u64,
    /// Number of usable masks that contain each class, by label.
    pub images_with_class: Vec<usize>,
    /// The objects of all usable samples together, where they are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectSummary>,
    /// The people of all usable samples together, where their keypoints are annotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleSummary>,
    /// Ids of samples whose image files are identical, a list for each content.
    pub duplicates: Vec<Vec<String>>,
    /// Every fault, those found on opening included.
    pub faults: Vec<Fault>,
}

/// Counts the changes to what a stored fingerprint holds: an older one is computed anew.
const LAYOUT: u32 = 3;

/// Sums of one image's samples by channel, on the 0..=255 scale.
#[derive(Debug, Clone, Default)]
struct Moments {
    pixels: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

struct Look {
    record: SampleRecord,
    moments: Moments,
    fault: Option<Fault>,
}

/// Looks at every image in parallel; masks were looked at on opening. `progress` is called with
/// (done, total), from any thread. A bad file becomes a fault.
pub fn scan(dataset: &Dataset, progress: &(dyn Fn(usize, usize) + Sync)) -> Fingerprint {
    let (done, total) = (AtomicUsize::new(0), dataset.len());
    let looks: Vec<Look> = dataset
        .samples
        .par_iter()
        .enumerate()
        .zip(&dataset.masks)
        .map(|((index, sample), mask)| {
            let look = look_at(dataset, index, sample, mask.as_ref());
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            look
        })
        .collect();
    summarize(dataset, looks)
}

/// As [`scan`], but reads the result from `folder` when the files have not changed since it was
/// stored there. A cache that cannot be read or written is done without.
pub fn scan_cached(dataset: &Dataset, folder: &Path, progress: &(dyn Fn(usize, usize) + Sync)) -> Fingerprint {
    // Faults carry paths, so the place is part of the key.
    let key = hash(
        format!("{LAYOUT}\n{}\n{}\n{:?}", dataset.root.display(), dataset.content_hash(), dataset.faults).as_bytes(),
    );
    let path = folder.join(format!("fingerprint-{}.json", &key[..16]));
    let stored = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Fingerprint>(&bytes).ok());
    if let Some(fingerprint) = stored.filter(|stored| stored.samples.len() == dataset.len()) {
        return fingerprint;
    }
    let fingerprint = scan(dataset, progress);
    if let Err(error) = store(&fingerprint, &path) {
        tracing::debug!("fingerprint not cached: {error}");
    }
    fingerprint
}

fn store(fingerprint: &Fingerprint, path: &Path) -> Result<()> {
    let json = serde_json::to_vec(fingerprint).map_err(|error| Error::config(error.to_string()))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    }
    let partial = path.with_extension("partial");
    std::fs::write(&partial, json).map_err(|error| Error::io(&partial, error))?;
    std::fs::rename(&partial, path).map_err(|error| Error::io(path, error))
}

fn look_at(dataset: &Dataset, index: usize, sample: &Sample, mask: Option<&MaskRecord>) -> Look {
    let mut record = SampleRecord { id: sample.id.clone(), ..SampleRecord::default() };
    if let Some(mask) = mask {
        record.mask_hash.clone_from(&mask.hash);
    }
    let decoded = read_bytes(&sample.image).and_then(|bytes| {
        record.image_hash = hash(&bytes);
        decode_image(&bytes, &sample.image)
    });
    let image = match decoded {
        Ok(image) => image,
        Err(error) => {
            let fault = Fault::from_error(Some(&sample.id), &sample.image, &error);
            return Look { record, moments: Moments::default(), fault: Some(fault) };
        }
    };
    (record.width, record.height, record.channels) = (image.width(), image.height(), image.channels());
    record.bits = if matches!(image.samples(), Samples::U8(_)) { 8 } else { 16 };
    let mut fault = None;
    if let (Some(mask), Some(path)) = (mask, &sample.mask) {
        match check_sizes((image.width(), image.height()), (mask.width, mask.height), path) {
            Err(error) => fault = Some(Fault::from_error(Some(&sample.id), path, &error)),
            Ok(()) => count_classes(dataset, mask, &mut record),
        }
    }
    if dataset.has_objects()
        && let Err(error) = count_objects(dataset, index, (image.width(), image.height()), &mut record)
    {
        fault = Some(Fault::from_error(Some(&sample.id), &sample.image, &error));
    }
    if dataset.poses.is_some()
        && let Err(error) = count_people(dataset, index, (image.width(), image.height()), &mut record)
    {
        fault = Some(Fault::from_error(Some(&sample.id), &sample.image, &error));
    }
    let moments = moments(&image);
    let count = moments.pixels.max(1.0);
    record.mean = moments.sums.iter().map(|sum| sum / count).collect();
    let deviation = |(square, mean): (&f64, &f64)| (square / count - mean * mean).max(0.0).sqrt();
    record.deviation = moments.squares.iter().zip(&record.mean).map(deviation).collect();
    Look { record, moments, fault }
}

fn count_classes(dataset: &Dataset, mask: &MaskRecord, record: &mut SampleRecord) {
    // Unknown values were reported on opening.
    let Some(counts) = mask.label_counts(&dataset.coding) else { return };
    record.class_pixels = vec![0; dataset.classes.len()];
    for (label, count) in counts {
        match record.class_pixels.get_mut(usize::from(label)) {
            Some(pixels) => *pixels += count,
            None => record.ignored_pixels += count,
        }
    }
    record.usable = true;
}

/// Exact integer sums by value: a histogram a channel, then one pass over its bins.
fn moments(image: &Image) -> Moments {
    let channels = image.channels();
    let pixels = (image.width() * image.height()) as f64;
    let (bins, scale) = if matches!(image.samples(), Samples::U8(_)) { (256, 1.0) } else { (65_536, 257.0) };
    let mut histograms = vec![vec![0u64; bins]; channels];
    let mut add = |channel: usize, value: usize| histograms[channel][value] += 1;
    match image.samples() {
        Samples::U8(values) => {
            for pixel in values.chunks_exact(channels) {
                pixel.iter().enumerate().for_each(|(channel, &value)| add(channel, usize::from(value)));
            }
        }
        Samples::U16(values) => {
            for pixel in values.chunks_exact(channels) {
                pixel.iter().enumerate().for_each(|(channel, &value)| add(channel, usize::from(value)));
            }
        }
    }
    let sum = |histogram: &Vec<u64>, power: i32| {
        histogram
            .iter()
            .enumerate()
            .map(|(value, &count)| count as f64 * (value as f64 / scale).powi(power))
            .sum::<f64>()
    };
    let sums = histograms.iter().map(|histogram| sum(histogram, 1)).collect();
    let squares = histograms.iter().map(|histogram| sum(histogram, 2)).collect();
    Moments { pixels, sums, squares }
}

fn summarize(dataset: &Dataset, looks: Vec<Look>) -> Fingerprint {
    let mut faults = dataset.faults.clone();
    faults.extend(looks.iter().filter_map(|look| look.fault.clone()));
    faults.sort();
    let (mut samples, moments): (Vec<SampleRecord>, Vec<Moments>) =
        looks.into_iter().map(|look| (look.record, look.moments)).unzip();
    for record in &mut samples {
        record.usable &= !faults.iter().any(|fault| fault.sample.as_ref() == Some(&record.id));
    }
    let readable: Vec<&SampleRecord> = samples.iter().filter(|record| record.width > 0).collect();
    let usable: Vec<&SampleRecord> = samples.iter().filter(|record| record.usable).collect();
    let mut channel_counts = BTreeMap::new();
    for record in &readable {
        *channel_counts.entry(record.channels).or_insert(0) += 1;
    }
    let channels = common_channels(&channel_counts);
    let (mean, std) = pooled_moments(&moments, channels);
    let widths = sorted(readable.iter().map(|record| record.width));
    let heights = sorted(readable.iter().map(|record| record.height));
    let range = |sides: &[usize]| (sides.first().copied().unwrap_or(0), sides.last().copied().unwrap_or(0));
    let median = |sides: &[usize]| sides.get(sides.len() / 2).copied().unwrap_or(0);
    let of_class = |class: usize| usable.iter().map(move |record| record.class_pixels[class]);
    let hashes: Vec<_> = samples.iter().map(|record| (record.image_hash.clone(), record.mask_hash.clone())).collect();
    Fingerprint {
        content_hash: dataset.combined_hash(&hashes),
        usable: usable.len(),
        channels,
        channel_counts,
        mean,
        std,
        median_width: median(&widths),
        median_height: median(&heights),
        width_range: range(&widths),
        height_range: range(&heights),
        class_pixels: (0..dataset.classes.len()).map(|class| of_class(class).sum()).collect(),
        ignored_pixels: usable.iter().map(|record| record.ignored_pixels).sum(),
        images_with_class: (0..dataset.classes.len())
            .map(|c| of_class(c).filter(|&pixels| pixels > 0).count())
            .collect(),
        objects: dataset.has_objects().then(|| summarize_objects(&usable)),
        people: dataset.poses.as_ref().map(|poses| summarize_people(poses.skeleton(), &usable)),
        duplicates: duplicates(&samples),
        faults,
        samples,
    }
}

fn sorted(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values
}

/// Grey with alpha counts as grey; any other mixture is brought to RGB.
fn common_channels(counts: &BTreeMap<usize, usize>) -> usize {
    match counts.keys().copied().collect::<Vec<_>>()[..] {
        [2] | [1, 2] => 1,
        [one] => one,
        _ => 3,
    }
}

/// Mean and standard deviation by channel; grey images count in every colour channel and alpha
/// in none, as [`Image::with_channels`] converts.
fn pooled_moments(moments: &[Moments], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let pixels: f64 = moments.iter().map(|moment| moment.pixels).sum::<f64>().max(1.0);
    let channel_of = |moment: &Moments, channel: usize| if moment.sums.len() >= 3 { channel } else { 0 };
    let pool = |values: fn(&Moments) -> &Vec<f64>, channel: usize| {
        let sum = |moment: &Moments| values(moment).get(channel_of(moment, channel)).copied().unwrap_or(0.0);
        moments.iter().map(sum).sum::<f64>() / pixels
    };
    let mean: Vec<f64> = (0..channels).map(|channel| pool(|moment| &moment.sums, channel)).collect();
    let std = (0..channels).map(|channel| (pool(|m| &m.squares, channel) - mean[channel].powi(2)).max(0.0).sqrt());
    (mean.clone(), std.collect())
}

fn duplicates(samples: &[SampleRecord]) -> Vec<Vec<String>> {
    let mut by_hash: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in samples.iter().filter(|record| !record.image_hash.is_empty()) {
        by_hash.entry(&record.image_hash).or_default().push(record.id.clone());
    }
    let mut lists: Vec<Vec<String>> = by_hash.into_values().filter(|ids| ids.len() > 1).collect();
    lists.sort();
    lists
}

impl Fingerprint {
    /// The labels of the classes that sample `index` contains.
    pub fn classes_in(&self, index: usize) -> Vec<usize> {
        let Some(record) = self.samples.get(index) else { return Vec::new() };
        record.class_pixels.iter().enumerate().filter(|&(_, &pixels)| pixels > 0).map(|(class, _)| class).collect()
    }

    /// Share of each class among the counted pixels.
    pub fn class_shares(&self) -> Vec<f64> {
        let total = self.class_pixels.iter().sum::<u64>().max(1) as f64;
        self.class_pixels.iter().map(|&pixels| pixels as f64 / total).collect()
    }
}
