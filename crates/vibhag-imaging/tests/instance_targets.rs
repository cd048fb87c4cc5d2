//! Training targets of objects against values frozen by `bench/reference/instance_targets.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_core::{Head, RAYS};
use vibhag_imaging::instances::{VOID, targets};

struct Reference {
    values: Value,
    ids: Vec<u32>,
    width: usize,
}

impl Reference {
    fn read() -> Self {
        let values: Value = serde_json::from_str(include_str!("reference/instances.json")).unwrap();
        let ids = values["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let width = values["size"][0].as_u64().unwrap() as usize;
        Self { values, ids, width }
    }

    fn targets(&self, head: Head) -> Vec<f32> {
        let mut planes = vec![f32::NAN; head.target_planes() * self.ids.len()];
        targets(head, &self.ids, self.width, self.ids.len() / self.width, &mut planes);
        planes
    }
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn centers_are_as_defined() {
    let reference = Reference::read();
    let (planes, pixels) = (reference.targets(Head::Center), reference.ids.len());
    assert!(worst(&planes, &floats(&reference.values["center"]["heat"])) < 2e-5);
    assert!(worst(&planes[pixels..], &floats(&reference.values["center"]["offsets"])) < 2e-5);
}

#[test]
fn stars_are_as_defined() {
    let reference = Reference::read();
    let (planes, pixels) = (reference.targets(Head::Star), reference.ids.len());
    assert!(worst(&planes, &floats(&reference.values["star"]["probability"])) < 2e-5);
    let cases = reference.values["star"]["distances"].as_array().unwrap();
    let asked = planes[pixels..2 * pixels].iter().filter(|distance| **distance >= 0.0).count();
    assert_eq!(asked, cases.len());
    // Ours looks at whole steps: it passes over a corner that a ray cuts by less.
    let (mut cut, mut rays) = (0, 0);
    for case in cases {
        let [x, y] = [0, 1].map(|n| case[n].as_u64().unwrap() as usize);
        for (ray, expected) in floats(&case[2]).into_iter().enumerate() {
            let found = planes[(1 + ray) * pixels + y * reference.width + x];
            rays += 1;
            cut += usize::from((found - expected).abs() > 0.03);
            assert!(found > expected - 0.03, "ray {ray} from ({x}, {y}): {found}, not {expected}");
        }
    }
    assert!(rays == cases.len() * RAYS && cut * 50 < rays, "{cut} of {rays} rays are longer");
}

#[test]
fn flows_are_as_defined() {
    let reference = Reference::read();
    let planes = reference.targets(Head::Flow);
    let pixels = reference.ids.len();
    let expected = floats(&reference.values["flow"]);
    for index in 0..pixels {
        let difference = (planes[index] - expected[index]).hypot(planes[pixels + index] - expected[pixels + index]);
        assert!(difference < 2e-3, "{difference} at ({}, {})", index % reference.width, index / reference.width);
    }
}

#[test]
fn pixels_of_small_objects_weigh_more_in_flows() {
    // Objects of 1, 64 and 1024 pixels, two of which almost touch, and a column of which nothing is known.
    let (width, height) = (50, 32);
    let ids: Vec<u32> = (0..width * height)
        .map(|index| match (index % width, index / width) {
            (0..=31, _) => 3,
            (33..=40, 0..=7) => 2,
            (45, 20) => 1,
            (49, _) => VOID,
            _ => 0,
        })
        .collect();
    let mut planes = vec![0.0; Head::Flow.target_planes() * ids.len()];
    targets(Head::Flow, &ids, width, height, &mut planes);
    for (index, (&id, &weight)) in ids.iter().zip(&planes[2 * ids.len()..]).enumerate() {
        let expected = match (id, index % width, index / width) {
            (1, _, _) => 4.0,
            (VOID, _, _) => 0.0,
            // Column 32 lies between the two.
            (2 | 3, 31 | 33, 0..=7) => 3.0,
            (2, _, _) => 2.0,
            _ => 1.0,
        };
        assert_eq!(weight, expected, "object {id} at {}, {}", index % width, index / width);
    }
}
