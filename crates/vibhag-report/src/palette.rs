//! Colours of objects: a few that are easy to tell apart, dealt so that neighbours differ.

use std::collections::VecDeque;

use vibhag_core::{IdMap, Rgb};

/// For objects by themselves: bright on dark and on light images.
pub(crate) const MANY: [Rgb; 12] = [
    [255, 92, 92],
    [52, 211, 243],
    [255, 214, 64],
    [164, 120, 255],
    [88, 214, 104],
    [255, 120, 205],
    [70, 146, 255],
    [255, 154, 60],
    [46, 214, 176],
    [214, 110, 246],
    [186, 226, 72],
    [255, 176, 158],
];

/// For right objects beside wrong ones, which are red or magenta: greens, blues and white.
pub(crate) const COOL: [Rgb; 6] =
    [[64, 214, 110], [72, 168, 255], [190, 230, 70], [40, 214, 214], [225, 255, 240], [20, 170, 130]];

/// `ids` under other numbers: that of `id` is `numbers[id]`, and 0 beyond the end.
pub(crate) fn renumbered(ids: &IdMap, numbers: &[u32]) -> IdMap {
    let mut ids = ids.clone();
    for id in ids.ids_mut() {
        *id = numbers.get(*id as usize).copied().unwrap_or(0);
    }
    ids
}

/// Pairs of objects with no other object between them, each pair once.
pub(crate) fn neighbours(map: &IdMap) -> Vec<(u32, u32)> {
    let (width, height) = (map.width(), map.height());
    // Every pixel goes to the object that reaches it first.
    let mut nearest = map.ids().to_vec();
    let mut reached: VecDeque<usize> = (0..nearest.len()).filter(|&index| nearest[index] != 0).collect();
    while let Some(index) = reached.pop_front() {
        let (x, y) = (index % width, index / width);
        let around = [
            (x > 0).then(|| index - 1),
            (x + 1 < width).then(|| index + 1),
            (y > 0).then(|| index - width),
            (y + 1 < height).then(|| index + width),
        ];
        for other in around.into_iter().flatten() {
            if nearest[other] == 0 {
                nearest[other] = nearest[index];
                reached.push_back(other);
            }
        }
    }
    let mut pairs = Vec::new();
    for (index, &id) in nearest.iter().enumerate() {
        let right = (index % width + 1 < width).then(|| nearest[index + 1]);
        let below = nearest.get(index + width).copied();
        pairs.extend([right, below].into_iter().flatten().filter(|&other| other != id).map(|o| (id.min(o), id.max(o))));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// A colour, by number, for each of the objects 1..=`objects`, at `id - 1`: the objects of a pair get different ones,
/// unless an object has too many neighbours. Without neighbours, colours follow the golden ratio of the ids, so that
/// few objects of similar ids differ well.
pub(crate) fn deal(objects: usize, pairs: &[(u32, u32)], colors: usize) -> Vec<usize> {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); objects];
    for &(a, b) in pairs {
        let (a, b) = (a as usize - 1, b as usize - 1);
        beside[a].push(b);
        beside[b].push(a);
    }
    // Those with the most neighbours choose first (Welsh and Powell, 1967).
    let mut order: Vec<usize> = (0..objects).collect();
    order.sort_by_key(|&object| (std::cmp::Reverse(beside[object].len()), object));
    let mut dealt: Vec<Option<usize>> = vec![None; objects];
    for object in order {
        let mut taken = vec![0; colors];
        for color in beside[object].iter().filter_map(|&other| dealt[other]) {
            taken[color] += 1;
        }
        let wanted = ((object as f64 * GOLDEN).fract() * colors as f64) as usize % colors;
        dealt[object] = (0..colors).map(|step| (wanted + step) % colors).min_by_key(|&color| taken[color]);
    }
    dealt.into_iter().map(|color| color.unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_across_a_gap_are_neighbours_and_those_behind_another_are_not() {
        let map = IdMap::new(9, 1, vec![1, 0, 0, 2, 2, 0, 0, 0, 3]).unwrap();
        assert_eq!(neighbours(&map), [(1, 2), (2, 3)]);
        assert_eq!(neighbours(&renumbered(&map, &[0, 2, 0, 1])), [(1, 2)]);
        assert!(neighbours(&IdMap::empty(3, 3)).is_empty());
    }

    #[test]
    fn neighbours_differ_in_a_crowded_map() {
        // Cells of a honeycomb whose ids are as unlucky as they come: neighbours differ by Fibonacci numbers.
        let (side, cells) = (12, 21);
        let ids = (0..side * side * cells)
            .map(|index| {
                let (x, y) = (index % (side * cells), index / (side * cells));
                let row = y / 3;
                (row * cells + (x + 6 * (row % 2)) / side % cells + 1) as u32
            })
            .collect();
        let map = IdMap::new(side * cells, side, ids).unwrap();
        let objects = map.ids().iter().copied().max().unwrap() as usize;
        let pairs = neighbours(&map);
        for colors in [COOL.len(), MANY.len()] {
            let dealt = deal(objects, &pairs, colors);
            assert!(pairs.iter().all(|&(a, b)| dealt[a as usize - 1] != dealt[b as usize - 1]));
        }
    }

    #[test]
    fn objects_apart_get_many_colors() {
        let mut dealt = deal(12, &[], 12);
        dealt.sort_unstable();
        dealt.dedup();
        assert!(dealt.len() >= 10, "{dealt:?}");
    }
}
