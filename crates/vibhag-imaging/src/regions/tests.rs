use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn image(case: &Value, width: usize, height: usize) -> Image {
    let channels = case["channels"].as_u64().unwrap() as usize;
    let values = numbers(&case["samples"]);
    let samples = if case["bits"] == 16 {
        Samples::U16(values.iter().map(|&v| v as u16).collect())
    } else {
        Samples::U8(values.iter().map(|&v| v as u8).collect())
    };
    Image::new(width, height, channels, samples).unwrap()
}

#[test]
fn measurements_equal_scikit_image() {
    let cases: Value = serde_json::from_str(include_str!("../../tests/reference/regions.json")).unwrap();
    let mut compared = 0;
    for case in cases.as_array().unwrap() {
        let (width, height) = (case["width"].as_u64().unwrap() as usize, case["height"].as_u64().unwrap() as usize);
        let ids = numbers(&case["ids"]).iter().map(|&id| id as u32).collect();
        let ids = IdMap::new(width, height, ids).unwrap();
        let regions = measure(&ids, Some(&image(case, width, height))).unwrap();
        let expected = case["regions"].as_array().unwrap();
        assert_eq!(regions.len(), expected.len());
        for (region, wanted) in regions.iter().zip(expected) {
            let close = |name: &str, value: f64| {
                let wanted = wanted[name].as_f64().unwrap();
                assert!((value - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "{name}: {value}, {wanted}: {region:?}");
            };
            assert_eq!(Some(u64::from(region.id)), wanted["id"].as_u64());
            assert_eq!(Some(region.area as u64), wanted["area"].as_u64());
            assert_eq!(region.bounds.map(|v| v as f64).to_vec(), numbers(&wanted["bounds"]));
            close("perimeter", region.perimeter);
            close("solidity", region.solidity);
            close("equivalent_diameter", region.equivalent_diameter);
            let pairs = region.centroid.iter().zip(numbers(&wanted["centroid"]));
            let means = region.mean_intensity.iter().zip(numbers(&wanted["mean_intensity"]));
            for (value, wanted) in pairs.chain(means) {
                assert!((value - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "{value}, {wanted}: {region:?}");
            }
            close("major_axis", region.major_axis);
            // A root turns an error in the last digit of a variance near zero into one of 1e-8.
            let minor = wanted["minor_axis"].as_f64().unwrap();
            assert!((region.minor_axis - minor).abs() < 1e-6, "{} {minor}: {region:?}", region.minor_axis);
            let eccentricity = wanted["eccentricity"].as_f64().unwrap();
            assert!((region.eccentricity - eccentricity).abs() < 1e-7, "{eccentricity}: {region:?}");
            // A circle has no direction.
            if region.eccentricity > 1e-6 {
                close("orientation", region.orientation);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 32);
}

#[test]
fn objects_at_the_rim_are_told_apart() {
    let mut ids = vec![0; 25];
    (ids[12], ids[14], ids[22], ids[0]) = (7, 8, 9, 4_000_000_000);
    let regions = measure(&IdMap::new(5, 5, ids).unwrap(), None).unwrap();
    let found: Vec<_> = regions.iter().map(|r| (r.id, r.touches_border)).collect();
    assert_eq!(found, [(7, false), (8, true), (9, true), (4_000_000_000, true)]);
    assert!(regions[0].mean_intensity.is_empty());
    assert_eq!((regions[0].perimeter, regions[0].eccentricity, regions[0].solidity), (0.0, 0.0, 1.0));
}

#[test]
fn an_empty_map_has_no_regions_and_another_size_is_an_error() {
    assert!(measure(&IdMap::empty(3, 2), None).unwrap().is_empty());
    let image = Image::from_u8(2, 3, 1, vec![0; 6]).unwrap();
    let error = measure(&IdMap::empty(3, 2), Some(&image)).unwrap_err();
    assert!(error.to_string().contains("2x3 against 3x2"));
}

#[test]
fn coordinates_of_a_wide_image_lose_no_digits() {
    let width = 2_000_000;
    let mut ids = vec![0; 2 * width];
    for x in width - 4..width {
        (ids[x], ids[width + x]) = (1, 1);
    }
    let region = &measure(&IdMap::new(width, 2, ids).unwrap(), None).unwrap()[0];
    assert_eq!(region.centroid, [width as f64 - 2.5, 0.5]);
    assert!((region.major_axis - 4.0 * 1.25_f64.sqrt()).abs() < 1e-12);
    assert!((region.minor_axis - 2.0).abs() < 1e-12);
}

proptest! {
    #[test]
    fn turning_the_map_turns_the_measurements(
        width in 1usize..12, ids in proptest::collection::vec(0u32..4, 1..120)
    ) {
        let height = ids.len().div_ceil(width);
        let mut ids = ids;
        ids.resize(width * height, 0);
        let turned = (0..width * height).map(|i| ids[(i % height) * width + i / height]).collect();
        let regions = measure(&IdMap::new(width, height, ids.clone()).unwrap(), None).unwrap();
        let turned = measure(&IdMap::new(height, width, turned).unwrap(), None).unwrap();
        prop_assert_eq!(regions.iter().map(|r| r.area).sum::<usize>(), ids.iter().filter(|&&id| id != 0).count());
        prop_assert_eq!(regions.len(), turned.len());
        for (a, b) in regions.iter().zip(&turned) {
            prop_assert_eq!((a.id, a.area, a.touches_border), (b.id, b.area, b.touches_border));
            prop_assert_eq!(a.centroid, [b.centroid[1], b.centroid[0]]);
            prop_assert_eq!(a.bounds, [b.bounds[1], b.bounds[0], b.bounds[3], b.bounds[2]]);
            prop_assert_eq!((a.perimeter, a.major_axis, a.minor_axis, a.solidity),
                (b.perimeter, b.major_axis, b.minor_axis, b.solidity));
            prop_assert!(a.solidity <= 1.0 && a.minor_axis <= a.major_axis && (0.0..=1.0).contains(&a.eccentricity));
            prop_assert!(a.centroid[0] >= a.bounds[0] as f64);
            prop_assert!(a.centroid[0] <= (a.bounds[0] + a.bounds[2] - 1) as f64);
        }
    }
}
