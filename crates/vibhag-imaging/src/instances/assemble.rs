//! Objects and classes together: an instance or panoptic segmentation.

use vibhag_core::{ClassTable, Error, ErrorKind, Grouping, LabelMap, Panoptic, Result, Segment};

use super::objects::Objects;

/// Gives each object the thing class that most of its pixels have in `labels` (of equals the smaller). An object none of
/// whose pixels has a thing class gets the thing class of the most pixels in the image.
///
/// With `stuff`, pixels without object whose label is a stuff class make one segment for each such class that has at least
/// `grouping.min_stuff` of them, after the objects and in the order of the classes, with score 1. All other pixels are
/// in no segment (0).
///
/// # Errors
/// When the sizes differ, or there are objects and no thing class.
pub fn assemble(
    objects: Objects,
    labels: &LabelMap,
    classes: &ClassTable,
    grouping: &Grouping,
    stuff: bool,
) -> Result<Panoptic> {
    let Objects { mut ids, scores } = objects;
    if (ids.width(), ids.height()) != (labels.width(), labels.height()) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!(
                "objects and labels: {}x{} against {}x{}",
                ids.width(),
                ids.height(),
                labels.width(),
                labels.height()
            ),
        ));
    }
    let things: Vec<u16> = (0..classes.len() as u16).filter(|&class| classes.is_thing(class)).collect();
    if things.is_empty() && !scores.is_empty() {
        return Err(Error::config("objects were found, and no class is a thing")
            .hint("mark the classes that have objects with thing = true"));
    }
    let found = majorities(ids.ids(), labels.labels(), &things, scores.len())?;
    let mut segments: Vec<Segment> =
        found.into_iter().zip(scores).map(|(class, score)| Segment { class, crowd: false, score }).collect();
    if stuff {
        let mut areas = vec![0; classes.len()];
        let free = |(id, label): &(&u32, &u16)| **id == 0 && usize::from(**label) < classes.len();
        for (_, &label) in ids.ids().iter().zip(labels.labels()).filter(free) {
            areas[usize::from(label)] += 1;
        }
        let mut numbers = vec![0; classes.len()];
        for class in classes.stuff() {
            if areas[usize::from(class)] >= grouping.min_stuff.max(1) {
                segments.push(Segment::truth(class));
                numbers[usize::from(class)] = segments.len() as u32;
            }
        }
        for (id, &label) in ids.ids_mut().iter_mut().zip(labels.labels()) {
            if *id == 0 {
                *id = numbers.get(usize::from(label)).copied().unwrap_or(0);
            }
        }
    }
    Panoptic::new(ids, segments)
}

/// The thing class of each of `count` objects.
fn majorities(ids: &[u32], labels: &[u16], things: &[u16], count: usize) -> Result<Vec<u16>> {
    let Some(&first) = things.first() else { return Ok(Vec::new()) };
    let mut columns = vec![None; usize::from(u16::MAX) + 1];
    for (column, &class) in things.iter().enumerate() {
        columns[usize::from(class)] = Some(column);
    }
    let mut votes = vec![0u32; count * things.len()];
    let mut everywhere = vec![0u64; things.len()];
    for (&id, &label) in ids.iter().zip(labels) {
        let Some(column) = columns[usize::from(label)] else { continue };
        everywhere[column] += 1;
        if let Some(object) = (id as usize).checked_sub(1) {
            let Some(votes) = votes.get_mut(object * things.len() + column) else {
                return Err(Error::new(ErrorKind::MaskValue, format!("id {id} in a map of {count} objects")));
            };
            *votes += 1;
        }
    }
    let likeliest = most(&everywhere).map_or(first, |column| things[column]);
    Ok(votes.chunks_exact(things.len()).map(|votes| most(votes).map_or(likeliest, |column| things[column])).collect())
}

/// The first of the largest counts, if any is above zero.
fn most<T: Copy + Ord + Default>(counts: &[T]) -> Option<usize> {
    let largest = counts.iter().copied().max().filter(|&largest| largest > T::default())?;
    counts.iter().position(|&count| count == largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::IdMap;

    fn table() -> ClassTable {
        ClassTable::from_names(["sky", "car", "road", "person"])
            .with_things(|class| class % 2 == 1)
            .with_ignore(Some(255))
    }

    fn run(ids: Vec<u32>, count: usize, labels: Vec<u16>, stuff: bool) -> Result<Panoptic> {
        let ids = IdMap::new(ids.len(), 1, ids)?;
        let labels = LabelMap::new(labels.len(), 1, labels)?;
        let grouping = Grouping { min_stuff: 2, ..Grouping::default() };
        assemble(Objects { ids, scores: vec![0.5; count] }, &labels, &table(), &grouping, stuff)
    }

    #[test]
    fn objects_take_the_thing_class_of_most_of_their_pixels() {
        // Of 1: a tie between 3 and 1; of 2: only stuff, and 3 is the commonest thing.
        let found = run(vec![1, 1, 1, 2, 2, 0, 0], 2, vec![3, 1, 0, 0, 2, 3, 3], false).unwrap();
        assert_eq!(found.segments.iter().map(|s| s.class).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(found.ids.ids(), [1, 1, 1, 2, 2, 0, 0]);
        assert_eq!(found.segments[1].score, 0.5);
    }

    #[test]
    fn stuff_fills_the_rest_where_there_is_enough_of_it() {
        let found = run(vec![1, 0, 0, 0, 0, 0, 0], 1, vec![3, 2, 2, 0, 255, 3, 2], true).unwrap();
        assert_eq!(found.ids.ids(), [1, 2, 2, 0, 0, 0, 2]);
        assert_eq!(found.segments[1], Segment::truth(2));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(run(vec![1], 1, vec![0, 0], false).unwrap_err().to_string().contains("1x1 against 2x1"));
        assert!(run(vec![2], 1, vec![1], false).is_err());
        let objects = Objects { ids: IdMap::new(1, 1, vec![1]).unwrap(), scores: vec![1.0] };
        let none = ClassTable::binary("cell");
        assert!(assemble(objects, &LabelMap::filled(1, 1, 1), &none, &Grouping::default(), true).is_err());
    }
}
