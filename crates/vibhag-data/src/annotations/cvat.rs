//! CVAT for images 1.1 (docs.cvat.ai, "CVAT for images"): `annotations.xml` with an element for each image and shape.
//!
//! Shapes of one `group_id` and label are parts of one object; the later of two with one `z_order` is on top. Of its
//! shapes, polygons, boxes, ellipses and masks have an area. It has no holes, so an object with holes is written as a
//! mask, and a mask stays one. A crowd is marked by the attribute `is_crowd`.

mod shapes;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, ImageAnnotations, Result, Rgb};

use super::grouping::Grouping;
use super::image_files::{expect_size, relative};
use super::listed::{Listed, fault, nothing_found};
use super::xml::{self, Element};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry};
use crate::decode::check_size;
use crate::fault::{Fault, FaultKind};
use crate::formats::{entries, file_name};
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "cvat",
    summary: "CVAT for images 1.1: annotations.xml with polygons, boxes, ellipses and masks",
    holds: Holds {
        masks: true,
        polygons: true,
        holes: true,
        parts: true,
        overlap: true,
        crowd: true,
        categories: true,
        stuff: false,
        scores: false,
    },
    detect,
    open,
    write: write::write,
};

/// Whether a file begins as CVAT's do.
fn detect(root: &Path) -> bool {
    const LOOKED_AT: usize = 10;
    xml_files(root).iter().take(LOOKED_AT).any(|path| begins_so(path))
}

/// `root`, or the XML files in it.
fn xml_files(root: &Path) -> Vec<PathBuf> {
    let is_xml = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
    let all = if root.is_file() { vec![root.to_owned()] } else { entries(root).unwrap_or_default() };
    all.into_iter().filter(is_xml).collect()
}

/// `root`, or the files in it, that begin as CVAT's do; `annotations.xml` alone where it is there.
fn files(root: &Path) -> Vec<PathBuf> {
    let found: Vec<PathBuf> = xml_files(root).into_iter().filter(|path| begins_so(path)).collect();
    match found.iter().find(|path| file_name(path) == "annotations.xml") {
        Some(main) => vec![main.clone()],
        None => found,
    }
}

fn begins_so(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(1 << 16).read_to_end(&mut start));
    let text = String::from_utf8_lossy(&start);
    read.is_ok()
        && text.contains("<annotations")
        && ["<version>", "<meta>", "<image "].iter().any(|tag| text.contains(tag))
}

/// What is known of an image, or why its shapes cannot be used.
type Content = Result<ImageAnnotations, String>;

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let files = files(root);
    let folder = if root.is_dir() { root } else { root.parent().unwrap_or(Path::new("")) };
    let mut texts = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error).hint("CVAT writes UTF-8"))?;
        texts.push((path, text));
    }
    let categories = categories(&texts)?;
    let by_name = categories.iter().enumerate().map(|(index, category)| (category.name.as_str(), index)).collect();
    let mut images =
        Images { folder, categories: &by_name, items: Vec::new(), faults: Vec::new(), seen: BTreeSet::new() };
    let mut videos = false;
    for (path, text) in &texts {
        xml::visit(text, path, &["image", "track"], |element| {
            videos |= element.name == "track";
            if element.name == "image" {
                images.add(&element, path);
            }
            Ok(())
        })?;
    }
    let Images { items, faults, .. } = images;
    if videos {
        return Err(Error::new(ErrorKind::Unsupported, "tracks of a video")
            .at_path(root)
            .hint("export as CVAT for images"));
    }
    if items.is_empty() {
        return Err(nothing_found(root, "no image in CVAT's annotations found", "name the folder of annotations.xml"));
    }
    Ok(Box::new(Listed::without_faults(FORMAT.name, categories, items, faults, read)))
}

fn read(entry: &ImageEntry, content: &(PathBuf, Content)) -> Result<ImageAnnotations> {
    let (path, content) = content;
    let image = content.clone().map_err(|what| {
        Error::new(ErrorKind::Decode, what).at_path(path).at(format!("image {}", entry.name)).hint("export it again")
    })?;
    if let Some(file) = &entry.path {
        expect_size(file, (image.width, image.height))?;
    }
    Ok(image)
}

/// The labels that the files declare, in their order; without any, those that are used.
fn categories(texts: &[(PathBuf, String)]) -> Result<Vec<Category>> {
    let mut declared: Vec<(String, Option<Rgb>)> = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in texts {
        xml::visit(text, path, &["label", "image"], |element| {
            if element.name == "image" {
                used.extend(element.children.iter().filter_map(|shape| shape.attribute("label")).map(str::to_owned));
            } else if let Some(name) = element.child_text("name")
                // Labels of the points of a skeleton have a parent.
                && element.child_text("parent").is_none_or(str::is_empty)
                && declared.iter().all(|(known, _)| known != name)
            {
                declared.push((name.to_owned(), element.child_text("color").and_then(color)));
            }
            Ok(())
        })?;
    }
    if declared.is_empty() {
        declared = used.into_iter().map(|name| (name, None)).collect();
    }
    let category = |(id, (name, color)): (u32, (String, Option<Rgb>))| Category { color, ..Category::thing(id, name) };
    Ok((1..).zip(declared).map(category).collect())
}

fn color(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// Collects images from elements.
struct Images<'a> {
    folder: &'a Path,
    categories: &'a BTreeMap<&'a str, usize>,
    items: Vec<(ImageEntry, (PathBuf, Content))>,
    faults: Vec<Fault>,
    seen: BTreeSet<(String, String)>,
}

impl Images<'_> {
    fn add(&mut self, element: &Element, path: &Path) {
        let name = element.attribute("name").unwrap_or_default().replace('\\', "/");
        let subset = element.attribute("subset").unwrap_or_default().to_owned();
        let line = element.line;
        if !self.seen.insert((subset.clone(), name.clone())) || name.is_empty() {
            let (what, hint) = if name.is_empty() {
                ("an image without a name", "name the image, or delete the element")
            } else {
                ("a second image of this name", "keep one of the two")
            };
            self.faults.push(fault(&name, path, FaultKind::Ambiguous, format!("line {line}: {what}"), hint));
            return;
        }
        let content = self.content(element, &name, path);
        let entry = ImageEntry {
            id: element.attribute("id").and_then(|id| id.parse().ok()),
            path: self.find(&subset, &name),
            split: Split::from_name(&subset).map(|split| split.to_string()),
            name,
        };
        self.items.push((entry, (path.to_owned(), content)));
    }

    /// The file of an image: CVAT puts it into `images/` or `images/SUBSET/`.
    fn find(&self, subset: &str, name: &str) -> Option<PathBuf> {
        let name = relative(name).ok()?;
        let subset = relative(subset).unwrap_or_default();
        let images = self.folder.join("images");
        let places = [images.join(&subset), images, self.folder.join(&subset), self.folder.to_owned()];
        places.into_iter().map(|place| place.join(&name)).find(|path| path.is_file())
    }

    fn content(&mut self, element: &Element, name: &str, path: &Path) -> Content {
        let side = |attribute| element.attribute(attribute).and_then(|text| text.parse().ok()).filter(|side| *side > 0);
        let (Some(width), Some(height)) = (side("width"), side("height")) else {
            return Err(format!("line {}: width and height are not both whole numbers above 0", element.line));
        };
        check_size(width as u64, height as u64, 0, path).map_err(|error| error.what)?;
        // Stable: of equal levels the later shape is on top.
        let mut shapes: Vec<&Element> = element.children.iter().collect();
        shapes.sort_by_key(|shape| shape.attribute("z_order").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0));
        let mut grouping = Grouping::default();
        // A tag says something of the whole image.
        for shape in shapes.into_iter().filter(|shape| shape.name != "tag") {
            match shapes::part_of(shape, width, height, self.categories) {
                Ok((category, part)) => {
                    let group =
                        shape.attribute("group_id").and_then(|text| text.parse().ok()).filter(|group| *group > 0);
                    grouping.add(category, group, part, shapes::is_crowd(shape));
                }
                Err(error) => {
                    let what = format!("line {}: {}: {}", shape.line, shape.name, error.what);
                    self.faults.push(Fault::from_error(Some(name), path, &Error { what, ..error }));
                }
            }
        }
        Ok(ImageAnnotations { width, height, annotations: grouping.into_annotations(width, height) })
    }
}
