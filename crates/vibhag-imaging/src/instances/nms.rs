//! Which of many overlapping shapes stay: greedy non-maximum suppression on pixels.

use super::spans::Span;

/// Shapes that were offered and kept, best first.
#[derive(Debug)]
pub(super) struct Kept {
    /// The number of the shape that owns each pixel; 0: none.
    pub(super) ids: Vec<u32>,
    width: usize,
    overlap: f32,
    shapes: Vec<Shape>,
    /// The pixels that each shape owns.
    owned: Vec<Span>,
    /// Pixels of the shape on offer that other shapes own.
    shared: Vec<usize>,
}

#[derive(Debug)]
struct Shape {
    owned: std::ops::Range<usize>,
    /// All its pixels, those that others own too.
    area: usize,
}

impl Kept {
    /// Nothing kept yet, in a map of `width * height` pixels. Two shapes are one object if they share more than `overlap`
    /// of the smaller one.
    pub(super) fn new(width: usize, height: usize, overlap: f32) -> Self {
        let ids = vec![0; width * height];
        Self { ids, width, overlap, shapes: Vec::new(), owned: Vec::new(), shared: Vec::new() }
    }

    /// Offers a shape of `area` pixels around the pixel `center`; whether it is kept. It is not if one of the kept shapes
    /// owns too large a share of it: a pixel that several have in common counts for the first of them only.
    pub(super) fn offer(&mut self, spans: &[Span], area: usize, center: usize) -> bool {
        // Mostly the object in whose middle the shape lies rejects it, and its own spans tell so without looking at pixels.
        if let Some(owner) = (self.ids[center] as usize).checked_sub(1) {
            let shape = &self.shapes[owner];
            if self.is_same(intersection(spans, &self.owned[shape.owned.clone()]), shape.area, area) {
                return false;
            }
        }
        if self.is_taken(spans, area) {
            return false;
        }
        let number = self.shapes.len() as u32 + 1;
        let first = self.owned.len();
        for span in spans {
            let row = span.y as usize * self.width;
            let mut start = span.start;
            for run in self.ids[row + span.start as usize..row + span.end as usize].chunk_by_mut(u32::eq) {
                let end = start + run.len() as u32;
                if run[0] == 0 {
                    run.fill(number);
                    self.owned.push(Span { y: span.y, start, end });
                }
                start = end;
            }
        }
        self.shapes.push(Shape { owned: first..self.owned.len(), area });
        self.shared.push(0);
        true
    }

    /// Whether any kept shape owns too much of the shape.
    fn is_taken(&mut self, spans: &[Span], area: usize) -> bool {
        let mut owners = Vec::new();
        for span in spans {
            let row = span.y as usize * self.width;
            for run in self.ids[row + span.start as usize..row + span.end as usize].chunk_by(u32::eq) {
                if let Some(owner) = (run[0] as usize).checked_sub(1) {
                    if self.shared[owner] == 0 {
                        owners.push(owner);
                    }
                    self.shared[owner] += run.len();
                }
            }
        }
        let mut taken = false;
        for owner in owners {
            let shared = std::mem::take(&mut self.shared[owner]);
            taken |= self.is_same(shared, self.shapes[owner].area, area);
        }
        taken
    }

    fn is_same(&self, shared: usize, a: usize, b: usize) -> bool {
        shared as f32 > self.overlap * a.min(b) as f32
    }
}

/// Pixels in common of two lists of spans, each from top to bottom and left to right.
fn intersection(a: &[Span], b: &[Span]) -> usize {
    let Some(first) = a.first() else { return 0 };
    let mut rest = &b[b.partition_point(|span| span.y < first.y)..];
    let mut shared = 0;
    for span in a {
        while let Some(other) = rest.first()
            && (other.y, other.end) <= (span.y, span.start)
        {
            rest = &rest[1..];
        }
        for other in rest.iter().take_while(|other| (other.y, other.start) < (span.y, span.end)) {
            let (start, end) = (span.start.max(other.start), span.end.min(other.end));
            shared += end.saturating_sub(start) as usize;
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn square(left: u32, top: u32, side: u32) -> Vec<Span> {
        (top..top + side).map(|y| Span { y, start: left, end: left + side }).collect()
    }

    #[test]
    fn shapes_that_share_too_much_are_dropped_and_others_painted_beneath() {
        let mut kept = Kept::new(20, 10, 0.3);
        assert!(kept.offer(&square(0, 0, 6), 36, 2 * 20 + 2));
        assert!(!kept.offer(&square(1, 1, 6), 36, 3 * 20 + 3));
        // Its centre is free, yet more than 0.3 is taken.
        assert!(!kept.offer(&square(4, 2, 4), 16, 5 * 20 + 6));
        assert!(kept.offer(&square(4, 3, 6), 36, 5 * 20 + 7));
        assert_eq!((kept.ids[5 * 20 + 5], kept.ids[5 * 20 + 6]), (1, 2));
        assert_eq!(kept.owned[kept.shapes[1].owned.clone()].iter().map(|s| s.end - s.start).sum::<u32>(), 36 - 6);
    }

    proptest! {
        #[test]
        fn spans_intersect_as_their_pixels_do(
            bits in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..120), width in 1usize..12
        ) {
            let spans = |bits: Vec<bool>| {
                let mut spans = Vec::new();
                for (y, row) in (0u32..).zip(bits.chunks(width)) {
                    for (x, _) in (0u32..).zip(row).filter(|(_, bit)| **bit) {
                        spans.push(Span { y, start: x, end: x + 1 });
                    }
                }
                spans
            };
            let a = spans(bits.iter().map(|bit| bit.0).collect());
            let b = spans(bits.iter().map(|bit| bit.1).collect());
            prop_assert_eq!(intersection(&a, &b), bits.iter().filter(|bit| bit.0 && bit.1).count());
        }
    }
}
