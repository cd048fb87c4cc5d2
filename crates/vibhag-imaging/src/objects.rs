//! A network's output for one image, collected row by row, and the segments read from it.

use vibhag_core::{ClassTable, Error, Grouping, Head, LabelMap, Panoptic, Result, Task};

use crate::instances::{self, Objects, Stars};

/// Rows of probabilities and maps become labels, the probability of the things, and what the head needs of its maps:
/// 10 bytes a pixel and 4 more for each map; of a star head only its candidates.
#[derive(Debug)]
pub struct ObjectMaps {
    head: Head,
    width: usize,
    height: usize,
    classes: ClassTable,
    labels: Vec<u16>,
    things: Vec<f32>,
    maps: Vec<Vec<f32>>,
    stars: Option<Stars>,
}

impl ObjectMaps {
    /// For an image of `width` x `height`. A star head keeps the candidates of at least `least_objectness`.
    ///
    /// # Errors
    /// When the head has no maps or no class is a thing.
    pub fn new(
        head: Head,
        classes: &ClassTable,
        (width, height): (usize, usize),
        least_objectness: f32,
    ) -> Result<Self> {
        if matches!(head, Head::Semantic | Head::Pose) {
            return Err(
                Error::config(format!("a {head} head tells no objects apart")).hint("use head center, star or flow")
            );
        }
        if classes.classes.iter().all(|class| !class.thing) {
            return Err(Error::config("no class is a thing, so there are no objects"));
        }
        let pixels = width * height;
        let star = head == Head::Star;
        let maps = if star { 0 } else { head.maps() };
        Ok(Self {
            head,
            width,
            height,
            classes: classes.clone(),
            labels: Vec::with_capacity(pixels),
            things: Vec::with_capacity(pixels),
            maps: (0..maps).map(|_| Vec::with_capacity(pixels)).collect(),
            stars: star.then(|| Stars::new(width, height, least_objectness)),
        })
    }

    /// Planes of a row: probabilities of the classes (one of the foreground in a binary task), then the head's maps, a
    /// star head's first one as a probability.
    pub fn planes(&self) -> usize {
        self.classes.output_channels() + self.head.maps()
    }

    /// Takes the next row: `values` is planes x width.
    pub fn push_row(&mut self, values: &[f32]) {
        let width = self.width;
        let row = self.labels.len() / width;
        let (classes, maps) = values.split_at(self.classes.output_channels() * width);
        if self.classes.is_binary() {
            let thing = u16::from(self.classes.classes[1].thing);
            self.labels.extend(classes.iter().map(|&p| u16::from(p >= 0.5)));
            // Of two classes one may be the thing, or the other.
            self.things.extend(classes.iter().map(|&p| if thing == 1 { p } else { 1.0 - p }));
        } else {
            self.push_classes(classes);
        }
        if let Some(stars) = &mut self.stars {
            stars.push_row(row, maps);
        }
        for (plane, values) in self.maps.iter_mut().zip(maps.chunks_exact(width)) {
            plane.extend_from_slice(values);
        }
    }

    fn push_classes(&mut self, classes: &[f32]) {
        for x in 0..self.width {
            let (mut best, mut things) = ((0u16, f32::NEG_INFINITY), 0.0);
            for (class, plane) in classes.chunks_exact(self.width).enumerate() {
                if plane[x] > best.1 {
                    best = (class as u16, plane[x]);
                }
                if self.classes.classes[class].thing {
                    things += plane[x];
                }
            }
            self.labels.push(best.0);
            self.things.push(things);
        }
    }

    /// The segments, once every row was pushed: objects, and for a panoptic task stuff.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn read(&self, task: Task, grouping: &Grouping) -> Result<Panoptic> {
        let (width, height) = (self.width, self.height);
        let labels = LabelMap::new(width, height, self.labels.clone())?;
        let objects: Objects = match (self.head, self.maps.as_slice(), &self.stars) {
            (Head::Center, [heat, down, right], _) => {
                instances::decode_center(width, height, &self.things, heat, [down, right], grouping)?
            }
            (Head::Flow, [down, right], _) => {
                instances::decode_flow(width, height, &self.things, [down, right], grouping)?
            }
            (Head::Star, _, Some(stars)) => stars.decode(grouping)?,
            _ => return Err(Error::config(format!("the {} head's maps are missing", self.head))),
        };
        instances::assemble(objects, &labels, &self.classes, grouping, task == Task::Panoptic)
    }
}
