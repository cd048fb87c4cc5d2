//! The table of objects: one row with the measurements of each.

use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Result, Segment};
use vibhag_imaging::Region;

/// The objects of one image.
#[derive(Debug, Clone, Copy)]
pub struct ImageObjects<'a> {
    /// The image's identifier.
    pub image: &'a str,
    /// The measurements, see [`vibhag_imaging::measure`].
    pub regions: &'a [Region],
    /// What the segments are; region `id` is segment `segments[id - 1]`.
    pub segments: &'a [Segment],
}

/// Columns before the intensities.
const COLUMNS: [&str; 19] = [
    "image",
    "id",
    "class",
    "score",
    "area",
    "centroid_x",
    "centroid_y",
    "left",
    "top",
    "width",
    "height",
    "perimeter",
    "eccentricity",
    "major_axis",
    "minor_axis",
    "orientation",
    "equivalent_diameter",
    "solidity",
    "touches_border",
];

/// The objects of all `images` as comma-separated values with a header: in the order of the images, then of the ids.
/// Segments that are no objects (stuff, crowds) are left out.
///
/// Lengths are in pixels, the orientation in radians, scores and measurements with four decimals. The columns of the
/// mean intensities are `mean_intensity` for one channel, `mean_intensity_1` and so on for several; fields of channels
/// that an image lacks are empty.
///
/// # Errors
/// When a region has no segment or a segment no class.
pub fn objects_csv(images: &[ImageObjects<'_>], classes: &ClassTable) -> Result<String> {
    let channels = images.iter().flat_map(|image| image.regions).map(|region| region.mean_intensity.len()).max();
    let channels = channels.unwrap_or(0);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let intensities = (1..=channels)
        .map(|channel| if channels == 1 { "mean_intensity".to_owned() } else { format!("mean_intensity_{channel}") });
    let header = COLUMNS.iter().map(|&name| name.to_owned()).chain(intensities);
    writer.write_record(header).map_err(unwritten)?;
    for image in images {
        for region in image.regions {
            let (segment, class) = what_is(region, image, classes)?;
            if class.thing && !segment.crowd {
                writer.write_record(row(image.image, region, segment, &class.name, channels)).map_err(unwritten)?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|e| unwritten(e.into_error()))?;
    String::from_utf8(bytes).map_err(unwritten)
}

fn what_is<'a>(
    region: &Region,
    image: &ImageObjects<'a>,
    classes: &'a ClassTable,
) -> Result<(&'a Segment, &'a vibhag_core::Class)> {
    let fault = |what: String| Error::new(ErrorKind::MaskValue, what).at(image.image);
    let segment = (region.id as usize)
        .checked_sub(1)
        .and_then(|index| image.segments.get(index))
        .ok_or_else(|| fault(format!("object {} among {} segments", region.id, image.segments.len())))?;
    let class = classes
        .classes
        .get(usize::from(segment.class))
        .ok_or_else(|| fault(format!("object {} has class {} of {}", region.id, segment.class, classes.len())))?;
    Ok((segment, class))
}

fn row(image: &str, region: &Region, segment: &Segment, class: &str, channels: usize) -> Vec<String> {
    let number = |value: f64| format!("{value:.4}");
    let [left, top, width, height] = region.bounds.map(|value| value.to_string());
    let mut row = vec![
        image.to_owned(),
        region.id.to_string(),
        class.to_owned(),
        number(f64::from(segment.score)),
        region.area.to_string(),
        number(region.centroid[0]),
        number(region.centroid[1]),
        left,
        top,
        width,
        height,
        number(region.perimeter),
        number(region.eccentricity),
        number(region.major_axis),
        number(region.minor_axis),
        number(region.orientation),
        number(region.equivalent_diameter),
        number(region.solidity),
        region.touches_border.to_string(),
    ];
    row.extend(
        (0..channels).map(|channel| region.mean_intensity.get(channel).copied().map_or_else(String::new, number)),
    );
    row
}

fn unwritten(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write the table of objects: {source}")).because(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::{IdMap, Image};
    use vibhag_imaging::measure;

    fn table() -> ClassTable {
        ClassTable::from_names(["background", "cell, large"]).with_things(|index| index == 1)
    }

    fn regions(channels: usize) -> Vec<Region> {
        let ids = IdMap::new(5, 2, vec![1, 1, 0, 2, 3, 1, 1, 0, 2, 3]).unwrap();
        let samples = (0..10 * channels).map(|value| value as u8).collect();
        measure(&ids, (channels > 0).then(|| Image::from_u8(5, 2, channels, samples).unwrap()).as_ref()).unwrap()
    }

    fn parse(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn every_object_has_a_row_and_what_is_no_object_has_none() {
        let segments = [
            Segment { score: 0.5, ..Segment::truth(1) },
            Segment::truth(0),
            Segment { crowd: true, ..Segment::truth(1) },
        ];
        let regions = regions(1);
        let text =
            objects_csv(&[ImageObjects { image: "a \"b\".png", regions: &regions, segments: &segments }], &table())
                .unwrap();
        let rows = parse(&text);
        assert_eq!(rows[0].join(","), format!("{},mean_intensity", COLUMNS.join(",")));
        assert_eq!(
            rows[1..],
            [[
                "a \"b\".png",
                "1",
                "cell, large",
                "0.5000",
                "4",
                "0.5000",
                "0.5000",
                "0",
                "0",
                "2",
                "2",
                "4.0000",
                "0.0000",
                "2.0000",
                "2.0000",
                "-0.7854",
                "2.2568",
                "1.0000",
                "true",
                "3.0000"
            ]
            .map(str::to_owned)
            .to_vec()]
        );
    }

    #[test]
    fn images_with_other_channels_share_a_table() {
        let segments = vec![Segment::truth(1); 3];
        let (grey, color, none) = (regions(1), regions(3), regions(0));
        let of = |image, regions| ImageObjects { image, regions, segments: &segments };
        let rows = parse(&objects_csv(&[of("g", &grey), of("c", &color), of("n", &none)], &table()).unwrap());
        assert_eq!(rows.len(), 10);
        assert_eq!(rows[0][19..], ["mean_intensity_1", "mean_intensity_2", "mean_intensity_3"]);
        assert_eq!((rows[1][19..].join("|"), rows[7][19..].join("|")), ("3.0000||".to_owned(), "||".to_owned()));
        assert!(rows[4][19..].iter().all(|field| !field.is_empty()));
        assert_eq!(parse(&objects_csv(&[], &table()).unwrap()).len(), 1, "a header alone");
    }

    #[test]
    fn an_object_without_a_segment_or_a_class_is_an_error_that_names_it() {
        let regions = regions(0);
        let of = |segments: &[Segment]| {
            objects_csv(&[ImageObjects { image: "x.png", regions: &regions, segments }], &table())
        };
        let error = of(&[Segment::truth(1)]).unwrap_err().to_string();
        assert!(error.contains("object 2 among 1 segments (x.png)"), "{error}");
        assert!(
            of(&[Segment::truth(9), Segment::truth(1), Segment::truth(1)]).unwrap_err().to_string().contains("class 9")
        );
    }
}
