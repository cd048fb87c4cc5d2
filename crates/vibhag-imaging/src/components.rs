//! Connected components of a mask (two passes with union-find).

use vibhag_core::BinaryMask;

/// Which neighbours of a pixel touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connectivity {
    /// Left, right, above, below.
    Four,
    /// The four and the diagonals.
    Eight,
}

/// The components of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// Row-major: 0 for background, 1..=count for components, in the order of their first pixel.
    pub labels: Vec<u32>,
    /// Pixels of each component; component `i` is at `i - 1`.
    pub areas: Vec<usize>,
    width: usize,
    height: usize,
}

impl Components {
    /// How many components there are.
    pub fn count(&self) -> usize {
        self.areas.len()
    }

    /// The number of the largest component (the first of equals), or `None` without any.
    pub fn largest(&self) -> Option<u32> {
        let most = *self.areas.iter().max()?;
        self.areas.iter().position(|&area| area == most).map(|index| index as u32 + 1)
    }

    /// The pixels of the components for which `keep(number, area)` holds; `None` never happens
    /// for components of a real mask.
    pub fn select(&self, keep: impl Fn(u32, usize) -> bool) -> Option<BinaryMask> {
        let kept: Vec<bool> = std::iter::once(false)
            .chain(self.areas.iter().enumerate().map(|(index, &area)| keep(index as u32 + 1, area)))
            .collect();
        let pixels = self.labels.iter().map(|&label| kept[label as usize]).collect();
        BinaryMask::new(self.width, self.height, pixels).ok()
    }
}

/// The connected components of `mask`.
pub fn label_components(mask: &BinaryMask, connectivity: Connectivity) -> Components {
    let (width, height) = (mask.width(), mask.height());
    let pixels = mask.pixels();
    let mut labels = vec![0u32; pixels.len()];
    let mut parents = vec![0u32];
    for y in 0..height {
        for x in 0..width {
            let index = y * width + x;
            if !pixels[index] {
                continue;
            }
            let diagonal = connectivity == Connectivity::Eight && y > 0;
            let neighbours = [
                (x > 0).then(|| index - 1),
                (diagonal && x > 0).then(|| index - width - 1),
                (y > 0).then(|| index - width),
                (diagonal && x + 1 < width).then(|| index - width + 1),
            ];
            let mut label = 0;
            for neighbour in neighbours.into_iter().flatten() {
                let other = labels[neighbour];
                if other != 0 {
                    label = if label == 0 { other } else { unite(&mut parents, label, other) };
                }
            }
            if label == 0 {
                label = parents.len() as u32;
                parents.push(label);
            }
            labels[index] = label;
        }
    }
    let mut numbers = vec![0u32; parents.len()];
    let mut areas = Vec::new();
    for label in &mut labels {
        if *label == 0 {
            continue;
        }
        let root = find(&mut parents, *label) as usize;
        if numbers[root] == 0 {
            areas.push(0);
            numbers[root] = areas.len() as u32;
        }
        *label = numbers[root];
        areas[numbers[root] as usize - 1] += 1;
    }
    Components { labels, areas, width, height }
}

pub(crate) fn find(parents: &mut [u32], mut label: u32) -> u32 {
    while parents[label as usize] != label {
        let grandparent = parents[parents[label as usize] as usize];
        parents[label as usize] = grandparent;
        label = grandparent;
    }
    label
}

pub(crate) fn unite(parents: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (find(parents, a), find(parents, b));
    let (low, high) = (a.min(b), a.max(b));
    parents[high as usize] = low;
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(rows: &[&str]) -> BinaryMask {
        let pixels = rows.iter().flat_map(|row| row.bytes().map(|b| b == b'#')).collect();
        BinaryMask::new(rows[0].len(), rows.len(), pixels).unwrap()
    }

    #[test]
    fn a_diagonal_joins_only_under_eight() {
        let mask = mask(&["#.", ".#"]);
        assert_eq!(label_components(&mask, Connectivity::Four).labels, [1, 0, 0, 2]);
        assert_eq!(label_components(&mask, Connectivity::Eight).labels, [1, 0, 0, 1]);
    }

    #[test]
    fn the_largest_is_selected() {
        let mask = mask(&["##.#", "##..", "...#"]);
        let components = label_components(&mask, Connectivity::Four);
        assert_eq!((components.count(), &components.areas[..]), (3, &[4, 1, 1][..]));
        let largest = components.largest().unwrap();
        assert_eq!(components.select(|number, _| number == largest).unwrap().area(), 4);
        assert_eq!(label_components(&self::mask(&[".."]), Connectivity::Four).largest(), None);
    }

    /// Components by flood fill, numbered by their first pixel.
    fn flood(mask: &BinaryMask, connectivity: Connectivity) -> Vec<u32> {
        let (w, h) = (mask.width() as i32, mask.height() as i32);
        let mut labels = vec![0; mask.pixels().len()];
        let mut count = 0;
        for start in 0..labels.len() {
            if !mask.pixels()[start] || labels[start] != 0 {
                continue;
            }
            count += 1;
            let mut stack = vec![start];
            while let Some(index) = stack.pop() {
                if labels[index] != 0 {
                    continue;
                }
                labels[index] = count;
                let (x, y) = (index as i32 % w, index as i32 / w);
                for (dx, dy) in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))) {
                    let (nx, ny) = (x + dx, y + dy);
                    let touches = connectivity == Connectivity::Eight || dx == 0 || dy == 0;
                    if touches && (0..w).contains(&nx) && (0..h).contains(&ny) && mask.pixels()[(ny * w + nx) as usize]
                    {
                        stack.push((ny * w + nx) as usize);
                    }
                }
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn labels_equal_flood_fill_and_are_dense(
            width in 1usize..14, bits in proptest::collection::vec(proptest::bool::weighted(0.55), 1..150)
        ) {
            let height = bits.len().div_ceil(width);
            let mut pixels = bits;
            pixels.resize(width * height, false);
            let mask = BinaryMask::new(width, height, pixels).unwrap();
            for connectivity in [Connectivity::Four, Connectivity::Eight] {
                let components = label_components(&mask, connectivity);
                prop_assert_eq!(&components.labels, &flood(&mask, connectivity));
                prop_assert_eq!(components.areas.iter().sum::<usize>(), mask.area());
                for (index, &area) in components.areas.iter().enumerate() {
                    let pixels = components.labels.iter().filter(|&&l| l as usize == index + 1).count();
                    prop_assert!(area > 0 && area == pixels);
                }
            }
        }
    }
}
