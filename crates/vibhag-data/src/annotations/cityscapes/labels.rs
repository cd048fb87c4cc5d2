//! The labels of Cityscapes (Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016;
//! `cityscapesscripts/helpers/labels.py`).

use vibhag_core::Rgb;

use super::super::Category;

/// A label; its id is its place in [`LABELS`].
pub(super) struct Label {
    pub(super) name: &'static str,
    group: &'static str,
    color: Rgb,
}

const fn label(name: &'static str, group: &'static str, color: Rgb) -> Label {
    Label { name, group, color }
}

/// All labels with pixels, by id. The licence plate (-1) has none.
pub(super) const LABELS: [Label; 34] = [
    label("unlabeled", "void", [0, 0, 0]),
    label("ego vehicle", "void", [0, 0, 0]),
    label("rectification border", "void", [0, 0, 0]),
    label("out of roi", "void", [0, 0, 0]),
    label("static", "void", [0, 0, 0]),
    label("dynamic", "void", [111, 74, 0]),
    label("ground", "void", [81, 0, 81]),
    label("road", "flat", [128, 64, 128]),
    label("sidewalk", "flat", [244, 35, 232]),
    label("parking", "flat", [250, 170, 160]),
    label("rail track", "flat", [230, 150, 140]),
    label("building", "construction", [70, 70, 70]),
    label("wall", "construction", [102, 102, 156]),
    label("fence", "construction", [190, 153, 153]),
    label("guard rail", "construction", [180, 165, 180]),
    label("bridge", "construction", [150, 100, 100]),
    label("tunnel", "construction", [150, 120, 90]),
    label("pole", "object", [153, 153, 153]),
    label("polegroup", "object", [153, 153, 153]),
    label("traffic light", "object", [250, 170, 30]),
    label("traffic sign", "object", [220, 220, 0]),
    label("vegetation", "nature", [107, 142, 35]),
    label("terrain", "nature", [152, 251, 152]),
    label("sky", "sky", [70, 130, 180]),
    label("person", "human", [220, 20, 60]),
    label("rider", "human", [255, 0, 0]),
    label("car", "vehicle", [0, 0, 142]),
    label("truck", "vehicle", [0, 0, 70]),
    label("bus", "vehicle", [0, 60, 100]),
    label("caravan", "vehicle", [0, 0, 90]),
    label("trailer", "vehicle", [0, 0, 110]),
    label("train", "vehicle", [0, 80, 100]),
    label("motorcycle", "vehicle", [0, 0, 230]),
    label("bicycle", "vehicle", [119, 11, 32]),
];

/// The first label that has instances; all after it have them too. Caravans and trailers are among them, though the
/// benchmark leaves them out and evaluates eight classes.
const FIRST_THING: u32 = 24;

/// Whether the label `id` has instances.
pub(super) fn is_thing(id: u32) -> bool {
    (FIRST_THING..LABELS.len() as u32).contains(&id)
}

/// The id of the label called `name`.
pub(super) fn id_of(name: &str) -> Option<u32> {
    LABELS.iter().position(|label| label.name == name).map(|id| id as u32)
}

/// The label that `name` has in a polygon file, and whether it names a group of its objects, as `cargroup` does.
pub(super) fn id_and_group(name: &str) -> Option<(u32, bool)> {
    id_of(name).map(|id| (id, false)).or_else(|| {
        let id = id_of(name.strip_suffix("group")?)?;
        is_thing(id).then_some((id, true))
    })
}

/// The labels as categories; that of id `n` is at `n - 1`, since what is unlabeled is nothing.
pub(super) fn categories() -> Vec<Category> {
    let category = |(id, label): (usize, &Label)| Category {
        id: id as u32,
        name: label.name.to_owned(),
        supercategory: Some(label.group.to_owned()),
        thing: is_thing(id as u32),
        color: Some(label.color),
    };
    LABELS.iter().enumerate().skip(1).map(category).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_cityscapes() {
        let of = |name| id_of(name).unwrap();
        assert_eq!(["road", "sky", "person", "car", "bicycle"].map(of), [7, 23, 24, 26, 33]);
        assert_eq!([6, 23, 24, 33, 34].map(is_thing), [false, false, true, true, false]);
        assert_eq!(id_and_group("cargroup"), Some((26, true)));
        // A label of its own, and groups that do not exist.
        assert_eq!((id_and_group("polegroup"), id_and_group("skygroup")), (Some((18, false)), None));
    }
}
