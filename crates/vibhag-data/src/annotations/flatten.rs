//! Objects that overlap in a map with one number a pixel.

use std::collections::HashMap;

use vibhag_core::{Annotation, Error, ErrorKind, IdMap, ImageAnnotations, Result, Rle, Shape};

use super::export::Outgoing;
pub(super) use super::shape::mask_of;

/// A map of the numbers of `objects`, and what of them is hidden. The numbers are those of [`numbers`].
///
/// # Errors
/// As [`stack`].
pub(super) fn flatten(image: &ImageAnnotations, objects: &[&Annotation], name: &str) -> Result<(IdMap, Vec<String>)> {
    let mut losses = Vec::new();
    let numbers = numbers(objects, u32::MAX, name, &mut losses)?;
    let map = stack(image, objects, &numbers, name, &mut losses)?;
    Ok((map, losses))
}

/// A map of `objects` under `numbers`, of which several may share one; what is hidden is added to `losses`. Where two
/// overlap, the smaller one is seen, and crowds lie below all, as in [`vibhag_core::annotation::paint`].
///
/// # Errors
/// When a mask has another size than the image.
pub(super) fn stack(
    image: &ImageAnnotations,
    objects: &[&Annotation],
    numbers: &[u32],
    name: &str,
    losses: &mut Vec<String>,
) -> Result<IdMap> {
    let (width, height) = (image.width, image.height);
    let masks = objects.iter().map(|object| mask_of(object, width, height)).collect::<Result<Vec<Rle>>>()?;
    let mut order: Vec<usize> = (0..masks.len()).collect();
    order.sort_by_key(|&index| (!objects[index].crowd, std::cmp::Reverse(masks[index].area())));
    // By position first: numbers may be any.
    let mut places = IdMap::empty(width, height);
    for index in order {
        let ids = places.ids_mut();
        masks[index].for_each(|x, y| ids[y * width + x] = index as u32 + 1);
    }
    let mut seen = vec![0u64; masks.len() + 1];
    for place in places.ids_mut() {
        seen[*place as usize] += 1;
        *place = (*place as usize).checked_sub(1).map_or(0, |index| numbers[index]);
    }
    for ((object, mask), &seen) in objects.iter().zip(&masks).zip(&seen[1..]) {
        let (area, id) = (mask.area(), object.id);
        match area - seen {
            0 if area == 0 => losses.push(format!("{name}: object {id}: it has no pixel, so it is left out")),
            0 => {}
            lost if lost == area => losses
                .push(format!("{name}: object {id}: all {area} pixels lie under other objects, so it is left out")),
            lost => losses.push(format!("{name}: object {id}: {lost} of {area} pixels lie under other objects")),
        }
    }
    Ok(places)
}

/// The numbers under which the objects are written, up to `largest`: their ids where these fit and differ, otherwise 1,
/// 2, ... in their order.
///
/// # Errors
/// When there are more objects than numbers.
pub(super) fn numbers(objects: &[&Annotation], largest: u32, name: &str, losses: &mut Vec<String>) -> Result<Vec<u32>> {
    let fits = |id: &u32| (1..=largest).contains(id);
    let own: Option<Vec<u32>> = objects.iter().map(|object| u32::try_from(object.id).ok().filter(fits)).collect();
    let mut sorted = own.clone().unwrap_or_default();
    sorted.sort_unstable();
    match own {
        Some(own) if sorted.windows(2).all(|pair| pair[0] != pair[1]) => Ok(own),
        _ if objects.len() as u64 > u64::from(largest) => {
            let what = format!("{} objects on one image, the format has numbers for {largest}", objects.len());
            Err(Error::new(ErrorKind::Unsupported, what).hint("choose a format with larger numbers"))
        }
        _ => {
            losses.push(format!("{name}: objects are numbered anew: their ids are 0, doubled, or above {largest}"));
            Ok((1..=objects.len() as u32).collect())
        }
    }
}

/// Makes one annotation of those to which `key` gives the same key, and says so: a stuff class has one segment an image.
///
/// # Errors
/// When a mask has another size than the image.
pub(super) fn unite(outgoing: &mut Outgoing<'_>, key: impl Fn(&Annotation) -> Option<u64>) -> Result<()> {
    let (width, height) = (outgoing.image.width, outgoing.image.height);
    let mut firsts: HashMap<u64, usize> = HashMap::new();
    let mut kept: Vec<Annotation> = Vec::with_capacity(outgoing.image.annotations.len());
    for annotation in std::mem::take(&mut outgoing.image.annotations) {
        let Some(&first) = key(&annotation).and_then(|key| firsts.get(&key)) else {
            if let Some(key) = key(&annotation) {
                firsts.insert(key, kept.len());
            }
            kept.push(annotation);
            continue;
        };
        let masks = [mask_of(&kept[first], width, height)?, mask_of(&annotation, width, height)?];
        if let Some(both) = Rle::union(&masks) {
            kept[first].shape = Shape::Mask(both);
        }
        let what = format!("it is one segment with object {}, since the format tells them not apart", kept[first].id);
        outgoing.loss(annotation.id, &what);
    }
    outgoing.image.annotations = kept;
    Ok(())
}

/// The objects of a map, in the order of their numbers.
pub(super) fn objects_of(map: &IdMap) -> ImageAnnotations {
    let (width, height) = (map.width(), map.height());
    let mut dense = map.clone();
    let ids = dense.make_dense();
    // Left, top, right and bottom of each.
    let mut bounds = vec![[usize::MAX, usize::MAX, 0, 0]; ids.len()];
    for (y, row) in dense.ids().chunks_exact(width.max(1)).enumerate() {
        for (x, &number) in row.iter().enumerate().filter(|(_, number)| **number > 0) {
            let [left, top, right, bottom] = bounds[number as usize - 1];
            bounds[number as usize - 1] = [left.min(x), top.min(y), right.max(x), bottom.max(y)];
        }
    }
    let annotation = |(index, [left, top, right, bottom]): (usize, [usize; 4])| {
        let mut inside = Vec::with_capacity((right - left + 1) * (bottom - top + 1));
        for row in dense.ids().chunks_exact(width).skip(top).take(bottom - top + 1) {
            inside.extend(row[left..=right].iter().map(|&number| number as usize == index + 1));
        }
        let mask = Rle::from_box((width, height), (left, top), right - left + 1, &inside);
        object(u64::from(ids[index]), 0, Shape::Mask(mask))
    };
    ImageAnnotations { width, height, annotations: bounds.into_iter().enumerate().map(annotation).collect() }
}

/// An annotation of which nothing is known beyond its pixels.
pub(super) fn object(id: u64, category: usize, shape: Shape) -> Annotation {
    Annotation { id, category, shape, crowd: false, area: None, bounds: None, score: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(masks: &[(u64, std::ops::Range<usize>)]) -> ImageAnnotations {
        let annotation = |(id, range): &(u64, std::ops::Range<usize>)| {
            object(*id, 0, Shape::Mask(Rle::from_fn(8, 1, |x, _| range.contains(&x))))
        };
        ImageAnnotations { width: 8, height: 1, annotations: masks.iter().map(annotation).collect() }
    }

    fn flat(image: &ImageAnnotations) -> (Vec<u32>, Vec<String>) {
        let objects: Vec<&Annotation> = image.annotations.iter().collect();
        let (map, losses) = flatten(image, &objects, "a.png").unwrap();
        (map.ids().to_vec(), losses)
    }

    #[test]
    fn the_smaller_object_is_seen_and_what_is_hidden_is_counted() {
        let (ids, losses) = flat(&image(&[(70_000, 1..3), (5, 0..6), (9, 1..3)]));
        assert_eq!(ids, [5, 9, 9, 5, 5, 5, 0, 0]);
        assert_eq!(losses.len(), 2, "{losses:?}");
        assert!(losses[0].contains("object 70000: all 2 pixels"), "{losses:?}");
        assert!(losses[1].contains("object 5: 2 of 6 pixels"), "{losses:?}");
    }

    #[test]
    fn ids_that_do_not_fit_are_numbered_anew_and_said() {
        for bad in [0, 5, 1 << 40] {
            let (ids, losses) = flat(&image(&[(5, 0..2), (bad, 3..5)]));
            assert_eq!(ids, [1, 1, 0, 2, 2, 0, 0, 0]);
            assert!(losses[0].contains("numbered anew"), "{losses:?}");
        }
    }

    proptest! {
        #[test]
        fn a_map_becomes_objects_and_a_map_again(
            width in 1usize..9,
            ids in proptest::collection::vec(prop_oneof![Just(0u32), Just(7), Just(3), Just(90_000)], 1..80),
        ) {
            let height = ids.len().div_ceil(width);
            let mut ids = ids;
            ids.resize(width * height, 0);
            let map = IdMap::new(width, height, ids).unwrap();
            let image = objects_of(&map);
            let objects: Vec<&Annotation> = image.annotations.iter().collect();
            let (again, losses) = flatten(&image, &objects, "a.png").unwrap();
            prop_assert_eq!(again, map);
            prop_assert!(losses.is_empty());
        }
    }
}
