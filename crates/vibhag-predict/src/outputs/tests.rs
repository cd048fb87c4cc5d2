use super::*;

fn map(rows: &[&str]) -> LabelMap {
    let labels = rows.iter().flat_map(|row| row.bytes().map(|b| u16::from(b - b'0'))).collect();
    LabelMap::new(rows[0].len(), rows.len(), labels).unwrap()
}

#[test]
fn bytes_are_indices_or_black_and_white() {
    let labels = map(&["012"]);
    assert_eq!(index_bytes(&labels).unwrap(), [0, 1, 2]);
    assert_eq!(binary_bytes(&labels, 1), [0, 255, 0]);
    assert!(index_bytes(&LabelMap::filled(1, 1, 300)).unwrap_err().to_string().contains("300"));
}

#[test]
fn the_summary_counts_every_class_even_absent_ones() {
    let summary = class_summary(&map(&["0011", "0001"]), &ClassTable::from_names(["a", "b", "c"]));
    let found: Vec<(u16, u64, f64)> = summary.iter().map(|s| (s.label, s.pixels, s.share)).collect();
    assert_eq!(found, [(0, 5, 0.625), (1, 3, 0.375), (2, 0, 0.0)]);
}

#[test]
fn holes_belong_to_the_area_around_them() {
    let labels = map(&["00000000000", "00111110000", "00100010111", "00101010101", "00100010111", "00111110000"]);
    let set = contours(&labels, &ClassTable::binary("cell"));
    assert_eq!((set.width, set.height, set.classes.len()), (11, 6, 1));
    let cells = &set.classes[0];
    assert_eq!((cells.label, cells.name.as_str()), (1, "cell"));
    let shapes: Vec<(usize, usize)> = cells.polygons.iter().map(|p| (p.area, p.holes.len())).collect();
    assert_eq!(shapes, [(16, 1), (8, 1), (1, 0)]);
    let mut square = cells.polygons[2].exterior.clone();
    square.sort_unstable();
    assert_eq!(square, [(4, 3), (4, 4), (5, 3), (5, 4)]);
    assert!(cells.polygons[1].holes[0].contains(&(9, 3)));
}

#[test]
fn polygons_fill_back_to_the_labels() {
    let rows: Vec<String> = (0..23)
        .map(|y| (0..31).map(|x| char::from(b'0' + ((x * x + 3 * y * y + x * y) / 40 % 3) as u8)).collect())
        .collect();
    let labels = map(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let set = contours(&labels, &ClassTable::from_names(["sky", "road", "car"]));
    assert_eq!(set.classes.len(), 3, "class 0 counts unless it is background");
    for class in &set.classes {
        let outlines: Vec<Contour> = class
            .polygons
            .iter()
            .flat_map(|p| {
                let holes = p.holes.iter().map(|points| Contour { points: points.clone(), hole: true });
                std::iter::once(Contour { points: p.exterior.clone(), hole: false }).chain(holes)
            })
            .collect();
        let filled = vibhag_imaging::contours::fill_contours(&outlines, 31, 23);
        assert_eq!(filled, labels.mask_of(class.label).pixels());
        let area: usize = class.polygons.iter().map(|p| p.area).sum();
        assert_eq!(area, labels.mask_of(class.label).area());
    }
}

#[test]
fn contours_survive_json() {
    let set = contours(&map(&["010"]), &ClassTable::binary("x"));
    let text = serde_json::to_string(&set).unwrap();
    assert!(text.contains("\"exterior\":[["), "{text}");
    assert_eq!(serde_json::from_str::<ContourSet>(&text).unwrap(), set);
}
