//! CVAT's XML.

use tempfile::TempDir;
use vibhag_data::annotations::recognise;

use crate::fixtures::{block, image_file, masks, open_error, opened, put};

fn xml(labels: &str, images: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels>{labels}</labels></task></meta>\n{images}\n</annotations>\n"
    )
}

const LABELS: &str = "<label><name>cat</name><color>#ff8000</color></label><label><name>d&amp;g</name></label>";

fn folder_of(shapes: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/a.png"));
    let image = format!("<image id=\"5\" name=\"a.png\" width=\"40\" height=\"30\">\n{shapes}\n</image>");
    put(&folder.path().join("annotations.xml"), &xml(LABELS, &image));
    folder
}

#[test]
fn all_shapes_with_an_area_are_read() {
    let folder = folder_of(
        r#"<tag label="cat"/>
<polygon label="cat" points="1.00,1.00;5,1;5,4;1,4" z_order="0" group_id="3"/>
<polygon label="cat" points="10,1;12,1;12,4;10,4" z_order="0" group_id="3"><attribute name="is_crowd">true</attribute></polygon>
<box label="d&amp;g" xtl="20" ytl="2" xbr="30" ybr="8" z_order="2"/>
<box label="cat" xtl="20" ytl="10" xbr="24" ybr="12" rotation="90" z_order="1"></box>
<ellipse label="cat" cx="30" cy="20" rx="5" ry="5" z_order="3"/>
<mask label="cat" rle="1, 2, 3" left="0" top="28" width="3" height="2" z_order="4"/>"#,
    );
    assert_eq!(recognise(folder.path()).map(|format| format.name), Some("cvat"));
    let source = opened("cvat", folder.path());
    assert_eq!(source.faults(), []);
    assert_eq!((source.categories()[0].color, source.categories()[1].name.as_str()), (Some([255, 128, 0]), "d&g"));
    assert_eq!((source.images()[0].id, source.images()[0].name.as_str()), (Some(5), "a.png"));
    let image = source.read(0).unwrap();
    let rows: Vec<(u64, bool)> = image.annotations.iter().map(|a| (a.id, a.crowd)).collect();
    assert_eq!(rows, [(3, true), (1, false), (2, false), (4, false), (5, false)]);
    let found = masks(&*source, "a.png");
    assert_eq!(found[2].1.area(), 12 + 6);
    // A box of 4x2 on its side, then the box above it.
    assert_eq!((found[0].1.clone(), found[1].1.area()), (block(21, 9, 23, 13), 60));
    assert!((70..90).contains(&found[3].1.area()));
    assert_eq!(found[4].1, block(1, 28, 3, 29));
}

#[test]
fn bad_shapes_are_faults_with_their_line() {
    let shapes = [
        r#"<polygon label="cat" points="1,1;5,1;5,4"/>"#,
        r#"<polygon label="cow" points="1,1;5,1;5,4"/>"#,
        r#"<polygon label="cat" points="1,1;5,1"/>"#,
        r#"<polygon label="cat"/>"#,
        r#"<polygon label="cat" points="1,1;5;5,4"/>"#,
        r#"<polygon label="cat" points="1,1;nan,1;5,4"/>"#,
        r#"<polygon label="cat" points="100,1;200,1;200,400"/>"#,
        r#"<polygon label="cat" points="3,3;3,3;3,3"/>"#,
        r#"<box label="cat" xtl="20" ytl="2" xbr="wide" ybr="8"/>"#,
        r#"<polyline label="cat" points="1,1;5,1;5,4"/>"#,
        r#"<star label="cat"/>"#,
        r#"<mask label="cat" rle="1, 2" left="0" top="0" width="3" height="2"/>"#,
        r#"<mask label="cat" rle="1, 9" left="0" top="0" width="3" height="2"/>"#,
        r#"<mask label="cat" rle="6" left="0" top="0" width="3" height="2"/>"#,
        r#"<mask label="cat" rle="1, -1, 6" left="0" top="0" width="3" height="2"/>"#,
        r#"<mask label="cat" rle="0, 6" left="38" top="0" width="3" height="2"/>"#,
        r#"<mask label="cat" rle="0, 6" left="0.5" top="0" width="3" height="2"/>"#,
        r#"<polygon label="cat" points="20,5;30,15;30,5;20,15"/>"#,
    ];
    let folder = folder_of(&shapes.join("\n"));
    let source = opened("cvat", folder.path());
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    // The image's element is on line 5.
    let expected = [
        "line 7: polygon: unknown label \"cow\"",
        "line 8: polygon: an outline of 2 points",
        "line 9: polygon: an outline of 0 points",
        "line 10: polygon: \"5\" is no point",
        "line 11: polygon: a coordinate is NaN",
        "line 12: polygon: the outline encloses no pixel",
        "line 13: polygon: the outline encloses no pixel",
        "line 14: box: xbr is \"wide\"",
        "line 15: polyline: it has no area",
        "line 16: star: no shape",
        "line 17: mask: the runs add up to 3, its box has 6 pixels",
        "line 18: mask: the runs are longer",
        "line 19: mask: the mask has no pixel",
        "line 20: mask: a run of \"-1\" pixels",
        "line 21: mask: its box of 3x2 at (38, 0) leaves the image",
        "line 22: mask: left is \"0.5\"",
    ];
    for part in expected {
        assert!(lines.iter().any(|line| line.contains(part) && line.contains("annotations.xml")), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert_eq!(masks(&*source, "a.png").len(), 2, "the triangle and the outline that crosses itself");
}

#[test]
fn subsets_are_splits_and_doubled_names_are_faults() {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/Train/a.png"));
    image_file(&folder.path().join("b.png"));
    let image = |id: u32, name: &str, more: &str| format!("<image id=\"{id}\" name=\"{name}\" {more}/>\n");
    let size = "width=\"40\" height=\"30\"";
    let images = [
        image(0, "b.png", size),
        image(1, "a.png", &format!("subset=\"Train\" {size}")),
        image(2, "a.png", &format!("subset=\"Train\" {size}")),
        image(3, "a.png", &format!("subset=\"Validation\" {size}")),
        image(4, "", size),
        image(5, "z.png", "width=\"40\" height=\"NaN\""),
        image(6, "y.png", "width=\"4000000000\" height=\"4000000000\""),
    ];
    put(&folder.path().join("annotations.xml"), &xml("", &images.concat()));
    let source = opened("cvat", folder.path());
    let rows: Vec<(&str, Option<&str>, bool)> =
        source.images().iter().map(|e| (e.name.as_str(), e.split.as_deref(), e.path.is_some())).collect();
    assert_eq!(
        rows,
        [
            ("a.png", Some("train"), true),
            ("a.png", Some("val"), false),
            ("b.png", None, true),
            ("y.png", None, false),
            ("z.png", None, false)
        ]
    );
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("a second image of this name")), "{lines:?}");
    assert!(source.read(4).unwrap_err().to_string().contains("width and height"));
    assert!(source.read(3).unwrap_err().to_string().contains("too many"));
    assert_eq!(source.read(2).unwrap().annotations.len(), 0);
}

#[test]
fn torn_xml_and_videos_are_errors() {
    let folder = folder_of(r#"<polygon label="cat" points="1,1;5,1;5,4"/>"#);
    let path = folder.path().join("annotations.xml");
    let text = std::fs::read_to_string(&path).unwrap();
    for end in [text.len() - 16, text.len() / 2, text.len() - 40] {
        put(&path, &text[..end]);
        let error = open_error("cvat", folder.path());
        assert!(error.contains("annotations.xml") && error.contains("line "), "{end}: {error}");
    }
    put(&path, &xml(LABELS, "<track id=\"0\" label=\"cat\"><box frame=\"0\"/></track>"));
    assert!(open_error("cvat", folder.path()).contains("export as CVAT for images"));
    std::fs::write(&path, b"<annotations><meta>\xff\xfe</meta></annotations>").unwrap();
    assert!(open_error("cvat", folder.path()).contains("UTF-8"));
    // Another size than the image file has.
    put(&path, &text.replace("width=\"40\"", "width=\"41\""));
    assert!(opened("cvat", folder.path()).read(0).unwrap_err().to_string().contains("41x30"));
}
