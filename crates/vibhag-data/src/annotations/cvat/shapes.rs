//! Single shapes of CVAT's XML.

use std::collections::BTreeMap;

use vibhag_core::{Error, ErrorKind, Result, Rle, Shape};

use crate::annotations::outline::{check, ellipse, polygon, rectangle};
use crate::annotations::xml::Element;

fn bad<T>(what: impl Into<String>, hint: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Decode, what).hint(hint))
}

/// Whether the shape has the attribute `is_crowd`.
pub(super) fn is_crowd(shape: &Element) -> bool {
    let named = |child: &&Element| child.name == "attribute" && child.attribute("name") == Some("is_crowd");
    shape.children.iter().find(named).is_some_and(|child| ["true", "1"].contains(&child.text.as_str()))
}

/// The category and pixels of a shape.
///
/// # Errors
/// When its label is unknown, it has no area, or it is none of CVAT's.
pub(super) fn part_of(
    shape: &Element,
    width: usize,
    height: usize,
    categories: &BTreeMap<&str, usize>,
) -> Result<(usize, Shape)> {
    let label = shape.attribute("label").unwrap_or_default();
    let Some(&category) = categories.get(label) else {
        return bad(format!("unknown label {label:?}"), "add the label to the task, or correct it");
    };
    let outline = match shape.name.as_str() {
        "polygon" => points(shape.attribute("points").unwrap_or_default())?,
        "box" => {
            let [x0, y0, x1, y1] = numbers(shape, ["xtl", "ytl", "xbr", "ybr"])?;
            let centre = [f64::midpoint(x0, x1), f64::midpoint(y0, y1)];
            rectangle([x0, y0], [x1, y1], centre, rotation(shape)?)
        }
        "ellipse" => {
            let [cx, cy, rx, ry] = numbers(shape, ["cx", "cy", "rx", "ry"])?;
            ellipse([cx, cy], [rx, ry], rotation(shape)?)
        }
        "mask" => return Ok((category, Shape::Mask(mask(shape, width, height)?))),
        "polyline" | "points" | "cuboid" | "skeleton" => {
            return bad("it has no area", "draw a polygon or mask in its place, or delete it");
        }
        _ => return bad("no shape that CVAT has", "polygons, boxes, ellipses and masks are read"),
    };
    check(&outline, width, height)?;
    Ok((category, Shape::Polygons(vec![polygon(outline)])))
}

fn rotation(shape: &Element) -> Result<f64> {
    if shape.attribute("rotation").is_none() { Ok(0.0) } else { numbers(shape, ["rotation"]).map(|[degrees]| degrees) }
}

/// The numbers of the attributes `names`.
fn numbers<const N: usize>(shape: &Element, names: [&str; N]) -> Result<[f64; N]> {
    let mut values = [0.0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let text = shape.attribute(name).unwrap_or_default();
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => *value = number,
            _ => return bad(format!("{name} is {text:?}, no number"), "draw it again, or delete it"),
        }
    }
    Ok(values)
}

/// `x,y;x,y;...`
fn points(text: &str) -> Result<Vec<[f64; 2]>> {
    let point = |pair: &str| {
        let mut numbers = pair.split(',').map(|text| text.trim().parse::<f64>());
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(x)), Some(Ok(y)), None) => Ok([x, y]),
            _ => bad(format!("{pair:?} is no point"), "points are written x,y;x,y"),
        }
    };
    text.split(';').filter(|pair| !pair.trim().is_empty()).map(point).collect()
}

/// Runs along the rows of a box, background first.
fn mask(shape: &Element, width: usize, height: usize) -> Result<Rle> {
    const HINT: &str = "draw the mask again, or delete it";
    let side = |name: &str| {
        let text = shape.attribute(name).unwrap_or_default();
        // Some programs write 12.0.
        match text.trim().parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && (0.0..1e9).contains(&number) => Ok(number as usize),
            _ => bad(format!("{name} is {text:?}, no number of pixels"), HINT),
        }
    };
    let (left, top, box_width, box_height) = (side("left")?, side("top")?, side("width")?, side("height")?);
    if left + box_width > width || top + box_height > height {
        return bad(format!("its box of {box_width}x{box_height} at ({left}, {top}) leaves the image"), HINT);
    }
    let mut pixels = Vec::with_capacity(box_width * box_height);
    let mut value = false;
    for text in shape.attribute("rle").unwrap_or_default().split(',').map(str::trim) {
        let Ok(count) = text.parse::<usize>() else {
            return bad(format!("a run of {text:?} pixels"), HINT);
        };
        if count > box_width * box_height - pixels.len() {
            return bad(format!("the runs are longer than its box of {box_width}x{box_height} pixels"), HINT);
        }
        pixels.resize(pixels.len() + count, value);
        value = !value;
    }
    if pixels.len() != box_width * box_height {
        let what = format!("the runs add up to {}, its box has {} pixels", pixels.len(), box_width * box_height);
        return bad(what, HINT);
    }
    if !pixels.contains(&true) {
        return bad("the mask has no pixel", HINT);
    }
    Ok(Rle::from_box((width, height), (left, top), box_width, &pixels))
}

/// The runs of a mask along the rows of its bounds, and these bounds; `None` without a pixel.
pub(super) fn runs(mask: &Rle) -> Option<(String, [usize; 4])> {
    let [left, top, width, height] = mask.bounds()?;
    let mut pixels = vec![false; width * height];
    mask.for_each(|x, y| pixels[(y - top) * width + x - left] = true);
    let mut counts: Vec<String> = pixels.chunk_by(bool::eq).map(|run| run.len().to_string()).collect();
    if pixels.first() == Some(&true) {
        counts.insert(0, "0".to_owned());
    }
    Some((counts.join(", "), [left, top, width, height]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotations::xml;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_come_back(width in 1usize..12, bits in proptest::collection::vec(any::<bool>(), 1..120)) {
            let height = bits.len().div_ceil(width);
            let mask = Rle::from_fn(width, height, |x, y| bits.get(y * width + x).is_some_and(|&bit| bit));
            let Some((runs, [left, top, w, h])) = runs(&mask) else { return Ok(()) };
            let text = format!("<mask rle='{runs}' left='{left}' top='{top}' width='{w}' height='{h}'/>");
            xml::visit(&text, std::path::Path::new("a.xml"), &["mask"], |element| {
                assert_eq!(super::mask(&element, width, height)?, mask);
                Ok(())
            }).unwrap();
        }
    }
}
