//! Objects whose parts are annotated one by one and carry the number of a group.

use std::collections::{BTreeMap, BTreeSet};

use vibhag_core::{Annotation, Shape};

use super::export::Outgoing;
use super::flatten::object;
use super::outline::join_parts;

/// Collects parts into objects: parts of one category and group are one object, a part without a group is one itself.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    objects: Vec<Object>,
    by_group: BTreeMap<(usize, u64), usize>,
}

#[derive(Debug)]
struct Object {
    category: usize,
    group: Option<u64>,
    parts: Vec<Shape>,
    crowd: bool,
}

impl Grouping {
    /// Adds a part.
    pub(super) fn add(&mut self, category: usize, group: Option<u64>, part: Shape, crowd: bool) {
        let known = group.and_then(|group| self.by_group.get(&(category, group)).copied());
        let index = known.unwrap_or(self.objects.len());
        if known.is_none() {
            self.objects.push(Object { category, group, parts: Vec::new(), crowd: false });
        }
        if let Some(group) = group {
            self.by_group.insert((category, group), index);
        }
        self.objects[index].parts.push(part);
        self.objects[index].crowd |= crowd;
    }

    /// The objects, in the order of their first parts. The number of a group is its object's id; others get the
    /// lowest that are free.
    pub(super) fn into_annotations(self, width: usize, height: usize) -> Vec<Annotation> {
        let reserved: BTreeSet<u64> = self.objects.iter().filter_map(|object| object.group).collect();
        let mut taken = BTreeSet::new();
        let mut next = 1;
        let annotation = |part: Object| {
            let own = part.group.filter(|group| taken.insert(*group));
            let id = own.unwrap_or_else(|| {
                while reserved.contains(&next) || !taken.insert(next) {
                    next += 1;
                }
                next
            });
            let shape = join_parts(part.parts, width, height);
            Annotation { crowd: part.crowd, ..object(id, part.category, shape) }
        };
        self.objects.into_iter().map(annotation).collect()
    }
}

/// The numbers of the groups under which the objects of `out` are written: their ids where these differ and are from 1
/// to `largest`, otherwise 1, 2, ..., which is added to the losses.
pub(super) fn group_numbers(out: &mut Outgoing<'_>, largest: u64) -> Vec<u64> {
    let ids: Vec<u64> = out.image.annotations.iter().map(|annotation| annotation.id).collect();
    let differ = ids.iter().collect::<BTreeSet<_>>().len() == ids.len();
    if differ && ids.iter().all(|id| (1..=largest).contains(id)) {
        return ids;
    }
    out.losses.push(format!("{}: objects are numbered anew: their ids are 0, doubled or too large", out.entry.name));
    (1..=ids.len() as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotations::outline::polygon;

    #[test]
    fn parts_of_a_group_are_one_object() {
        let part = |x: f64| Shape::Polygons(vec![polygon(vec![[x, 0.0], [x + 1.0, 0.0], [x, 1.0]])]);
        let mut grouping = Grouping::default();
        for (category, group, x) in [(0, Some(1), 0.0), (0, None, 2.0), (1, Some(1), 4.0), (0, Some(1), 6.0)] {
            grouping.add(category, group, part(x), x > 5.0);
        }
        let found = grouping.into_annotations(9, 9);
        let summary: Vec<(u64, usize, bool)> = found.iter().map(|a| (a.id, a.category, a.crowd)).collect();
        assert_eq!(summary, [(1, 0, true), (2, 0, false), (3, 1, false)]);
        assert!(matches!(&found[0].shape, Shape::Polygons(parts) if parts.len() == 2));
    }
}
