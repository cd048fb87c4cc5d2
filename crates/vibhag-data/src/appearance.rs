//! Kinds of images by how they look as a whole: stains, modalities, exposures.

use crate::fingerprint::Fingerprint;

/// The farthest that an image lies from the middle of its kind by mean red, green, blue and deviation, on the 0..=255 scale.
const REACH: f64 = 48.0;
/// Most kinds that are told apart.
const MOST: usize = 12;
/// Rounds of moving the middles.
const ROUNDS: usize = 20;

/// Mean red, green, blue and mean deviation of an image.
type Look = [f64; 4];

/// The kind of each sample, by index: a number that means nothing else. Samples without a readable image are of kind 0.
///
/// k-means (Lloyd, 1982) over the mean of each colour and the deviation; middles are added farthest first (Gonzalez,
/// 1985) until no image is farther than 48 from one. The result depends on the images alone.
pub fn kinds(fingerprint: &Fingerprint) -> Vec<usize> {
    let looks: Vec<Option<Look>> = fingerprint
        .samples
        .iter()
        .map(|sample| {
            let (&first, &deviation) = sample.mean.first().zip(sample.deviation.first())?;
            let color = |channel: usize| if sample.mean.len() >= 3 { sample.mean[channel] } else { first };
            let count = sample.deviation.len().min(3);
            let deviation = if count == 3 { sample.deviation[..3].iter().sum::<f64>() / 3.0 } else { deviation };
            Some([color(0), color(1), color(2), deviation])
        })
        .collect();
    let known: Vec<Look> = looks.iter().flatten().copied().collect();
    let mut middles = farthest_first(&known);
    for _ in 0..ROUNDS {
        let moved = means(&known, &middles);
        if moved == middles {
            break;
        }
        middles = moved;
    }
    looks.iter().map(|look| look.map_or(0, |look| nearest(&look, &middles).0)).collect()
}

fn farthest_first(looks: &[Look]) -> Vec<Look> {
    let Some(&first) = looks.first() else { return Vec::new() };
    let mut middles = vec![first];
    while middles.len() < MOST {
        let farthest = looks.iter().map(|look| (nearest(look, &middles).1, look)).max_by(|a, b| a.0.total_cmp(&b.0));
        match farthest {
            Some((distance, look)) if distance > REACH * REACH => middles.push(*look),
            _ => break,
        }
    }
    middles
}

/// The mean of what each middle is nearest to; a middle without any stays.
fn means(looks: &[Look], middles: &[Look]) -> Vec<Look> {
    let mut sums = vec![([0.0; 4], 0.0); middles.len()];
    for look in looks {
        let (sum, count) = &mut sums[nearest(look, middles).0];
        sum.iter_mut().zip(look).for_each(|(sum, value)| *sum += value);
        *count += 1.0;
    }
    sums.iter()
        .zip(middles)
        .map(|((sum, count), old)| if *count > 0.0 { sum.map(|s| s / count) } else { *old })
        .collect()
}

/// Index and squared distance of the nearest middle, the first of equals.
fn nearest(look: &Look, middles: &[Look]) -> (usize, f64) {
    let square = |middle: &Look| look.iter().zip(middle).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    middles.iter().map(square).enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::SampleRecord;

    fn sample(mean: &[f64], deviation: f64) -> SampleRecord {
        SampleRecord { mean: mean.to_vec(), deviation: vec![deviation; mean.len()], ..SampleRecord::default() }
    }

    #[test]
    fn stains_are_told_apart_whatever_their_share() {
        let mut samples: Vec<SampleRecord> = (0..30).map(|i| sample(&[10.0 + f64::from(i) / 2.0], 12.0)).collect();
        samples.push(sample(&[160.0, 90.0, 150.0], 40.0));
        samples.push(SampleRecord::default());
        samples.push(sample(&[210.0, 205.0, 215.0], 20.0));
        samples.push(sample(&[150.0, 95.0, 155.0], 45.0));
        let found = kinds(&Fingerprint { samples, ..Fingerprint::default() });
        assert!(found[..30].iter().all(|&kind| kind == found[0]));
        assert_eq!(found[30], found[33]);
        assert!(found[0] != found[30] && found[0] != found[32] && found[30] != found[32]);
        assert_eq!(found[31], 0);
    }

    #[test]
    fn grey_and_colour_files_of_one_look_are_one_kind() {
        let samples = vec![sample(&[40.0], 10.0), sample(&[40.0, 40.0, 40.0], 10.0), sample(&[41.0, 255.0], 10.0)];
        assert_eq!(kinds(&Fingerprint { samples, ..Fingerprint::default() }), [0, 0, 0]);
        assert!(kinds(&Fingerprint::default()).is_empty());
    }
}
