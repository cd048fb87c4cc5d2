use std::collections::BTreeSet;

use vibhag_core::Segment;
use vibhag_metrics::{match_objects, match_segments};

use super::*;
use crate::{comparison_panoptic, overlay_panoptic};

const SIDE: usize = 60;

fn grey() -> Image {
    Image::from_u8(SIDE, SIDE, 1, (0..SIDE * SIDE).map(|index| if index % 7 == 0 { 10 } else { 200 }).collect())
        .unwrap()
}

fn cells() -> ClassTable {
    ClassTable::binary("cell").with_things(|index| index == 1)
}

/// Squares of 12 x 12 pixels in cells of a 5 x 5 grid; `segments` are their places and what they are.
fn squares(segments: &[(usize, usize, Segment)]) -> Panoptic {
    let mut ids = IdMap::empty(SIDE, SIDE);
    for (id, (column, row, _)) in (1..).zip(segments) {
        for y in row * 12..row * 12 + 12 {
            ids.ids_mut()[y * SIDE + column * 12..y * SIDE + column * 12 + 12].fill(id);
        }
    }
    Panoptic::new(ids, segments.iter().map(|(_, _, segment)| segment.clone()).collect()).unwrap()
}

fn object(column: usize, row: usize) -> (usize, usize, Segment) {
    (column, row, Segment::truth(1))
}

/// The colours in the square at (column, row) of panel `panel`.
fn colors(picture: &Picture, panel: usize, column: usize, row: usize) -> BTreeSet<Rgb> {
    let left = panel * (SIDE + GUTTER_WIDTH) + column * 12;
    (0..144).filter_map(|index| picture.get(left + index % 12, row * 12 + index / 12)).collect()
}

#[test]
fn touching_objects_differ_and_the_rest_of_the_image_stays() {
    let objects = squares(&[object(1, 1), object(2, 1), object(1, 2), object(2, 2)]);
    let picture = overlay_instances(&grey(), &objects, &cells(), None).unwrap();
    let bright: Vec<BTreeSet<Rgb>> = [(1, 1), (2, 1), (1, 2), (2, 2)]
        .into_iter()
        .map(|(column, row)| {
            colors(&picture, 0, column, row).into_iter().filter(|color| MANY.contains(color)).collect()
        })
        .collect();
    assert!(bright.iter().all(|colors| colors.len() == 1), "one outline each: {bright:?}");
    assert_eq!(bright.iter().flatten().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(picture.get(50, 50), Picture::from_image(&grey()).unwrap().get(50, 50));
    assert_eq!(overlay_instances(&grey(), &objects, &cells(), None).unwrap(), picture, "the same every time");
}

#[test]
fn missed_and_false_objects_are_loud_and_pairs_share_a_color() {
    let truth = squares(&[object(0, 0), object(2, 0), object(0, 4)]);
    let prediction = squares(&[object(4, 4), object(0, 0), object(2, 0)]);
    let matching = match_objects(&truth, &prediction, &cells(), 0.5).unwrap();
    let picture = comparison_instances(&grey(), &truth, &prediction, &matching, &cells(), None).unwrap();
    assert_eq!((picture.width(), picture.height()), (3 * SIDE + 2 * GUTTER_WIDTH, SIDE));
    let Verdicts { missed, false_found, .. } = Verdicts::DEFAULT;
    assert!(colors(&picture, 1, 0, 4).contains(&missed));
    assert!(colors(&picture, 2, 4, 4).contains(&false_found));
    for column in [0, 2] {
        let shared = |panel| {
            let outline = colors(&picture, panel, column, 0).into_iter().find(|color| COOL.contains(color));
            outline.expect("an outline")
        };
        assert_eq!(shared(1), shared(2));
    }
    for panel in 0..3 {
        assert_eq!(picture.get(panel * (SIDE + GUTTER_WIDTH) + 40, 30), Some([200; 3]), "nothing there");
    }
    let plain = Picture::from_image(&grey()).unwrap();
    assert!((0..SIDE).all(|x| picture.get(x, 5) == plain.get(x, 5)), "the first panel is the image");
}

#[test]
fn crowds_and_what_lies_in_them_are_grey() {
    let crowd = (1, 1, Segment { crowd: true, ..Segment::truth(1) });
    let (truth, prediction) = (squares(&[object(3, 3), crowd]), squares(&[object(3, 3), object(1, 1)]));
    let matching = match_objects(&truth, &prediction, &cells(), 0.5).unwrap();
    assert_eq!(matching.ignored, [2]);
    let picture = comparison_instances(&grey(), &truth, &prediction, &matching, &cells(), None).unwrap();
    for panel in [1, 2] {
        let all = colors(&picture, panel, 1, 1);
        assert!(all.iter().all(|[r, g, b]| r == g && g == b), "{all:?}");
        assert_ne!(all, colors(&picture, 0, 1, 1));
    }
    let alone = overlay_instances(&grey(), &truth, &cells(), None).unwrap();
    assert!(colors(&alone, 0, 1, 1).iter().all(|[r, g, b]| r == g && g == b));
}

#[test]
fn a_panoptic_picture_fills_stuff_and_outlines_things() {
    let classes = ClassTable::from_names(["nothing", "sky", "car"]).with_things(|index| index == 2);
    let stuff = |column, row| (column, row, Segment::truth(1));
    let thing = |column, row| (column, row, Segment::truth(2));
    let truth = squares(&[stuff(0, 0), thing(2, 2), thing(4, 0)]);
    let picture = overlay_panoptic(&grey(), &truth, &classes, None).unwrap();
    assert_eq!(colors(&picture, 0, 0, 0).len(), 2, "both greys of the image, tinted");
    assert!(colors(&picture, 0, 2, 2).iter().any(|color| MANY.contains(color)));

    let prediction = squares(&[stuff(0, 0), thing(2, 2), stuff(4, 4)]);
    let matching = match_segments(&truth, &prediction, &classes).unwrap();
    let picture = comparison_panoptic(&grey(), &truth, &prediction, &matching, &classes, None).unwrap();
    assert!(colors(&picture, 1, 4, 0).contains(&Verdicts::DEFAULT.missed));
    assert_eq!(colors(&picture, 1, 0, 0), colors(&picture, 2, 0, 0), "right stuff is the same in both");
    let void = colors(&picture, 1, 0, 4);
    assert!(void.iter().all(|[r, g, b]| r == g && g == b) && void != colors(&picture, 2, 0, 4), "void is grey");
}

#[test]
fn other_sizes_are_an_error_and_foreign_ids_are_left_plain() {
    let small = Panoptic { ids: IdMap::empty(3, 3), segments: Vec::new() };
    let whole = squares(&[object(0, 0)]);
    let (classes, matching) = (cells(), Matching::default());
    let error = overlay_instances(&grey(), &small, &classes, None).unwrap_err();
    assert!(error.to_string().contains("60x60 against 3x3"));
    assert!(overlay_panoptic(&grey(), &small, &classes, None).is_err());
    assert!(comparison_instances(&grey(), &whole, &small, &matching, &classes, None).is_err());
    assert!(comparison_panoptic(&grey(), &small, &whole, &matching, &classes, None).is_err());

    // What Panoptic::new would refuse, and a matching of something else.
    let foreign = Panoptic { ids: whole.ids.clone(), segments: Vec::new() };
    let other = Matching { pairs: vec![(7, 9, 0.6)], missed: vec![8], false_objects: vec![8], ignored: vec![8] };
    assert!(overlay_instances(&grey(), &foreign, &classes, Some(90)).is_ok());
    assert!(comparison_instances(&grey(), &foreign, &whole, &other, &classes, None).is_ok());
    assert!(comparison_panoptic(&grey(), &whole, &foreign, &other, &classes, None).is_ok());
}
