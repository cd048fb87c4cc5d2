//! Pooling, unpooling and resizing of the planes of one image, for prediction.

use rayon::prelude::*;

use crate::activation::Activation;
use crate::epilogue::Epilogue;

fn check(x: usize, y: usize, wanted: [usize; 2]) {
    assert!([x, y] == wanted, "a slice does not have the shape's length");
}

/// Max pooling of `x` [c, h, w] into `y` [c, h', w'], `h' = (h + 2 padding - kernel) / stride + 1`; padding counts as
/// minus infinity.
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn max_pool([c, h, w]: [usize; 3], kernel: usize, stride: usize, padding: usize, x: &[f32], y: &mut [f32]) {
    let side = |length: usize| (length + 2 * padding).saturating_sub(kernel) / stride + 1;
    let (ho, wo) = (side(h), side(w));
    check(x.len(), y.len(), [c * h * w, c * ho * wo]);
    y.par_chunks_mut((ho * wo).max(1)).zip(x.par_chunks((h * w).max(1))).for_each(|(y, x)| {
        if [kernel, stride, padding] == [2, 2, 0] {
            for (line, pair) in y.chunks_exact_mut(wo).zip(x.chunks_exact(2 * w)) {
                let (upper, lower) = pair.split_at(w);
                for (v, (a, b)) in line.iter_mut().zip(upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0)) {
                    *v = a[0].max(a[1]).max(b[0].max(b[1]));
                }
            }
            return;
        }
        let range = |at: usize, length: usize| {
            let start = at * stride;
            start.saturating_sub(padding)..(start + kernel).saturating_sub(padding).min(length)
        };
        for (oy, line) in y.chunks_exact_mut(wo).enumerate() {
            line.fill(f32::NEG_INFINITY);
            for iy in range(oy, h) {
                let row = &x[iy * w..(iy + 1) * w];
                for (ox, v) in line.iter_mut().enumerate() {
                    *v = row[range(ox, w)].iter().fold(*v, |best, &value| best.max(value));
                }
            }
        }
    });
}

/// The gradient of 2x2 max pooling of planes `[planes, h, w]`, from its input: each output's gradient goes to the first
/// of the largest inputs.
///
/// # Panics
/// When a slice has another length than the sizes say.
pub fn max_pool2x2_backward([planes, h, w]: [usize; 3], x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = (h / 2, w / 2);
    check(x.len(), dy.len(), [planes * h * w, planes * ho * wo]);
    check(dx.len(), x.len(), [x.len(), x.len()]);
    if ho * wo == 0 {
        dx.fill(0.0);
        return;
    }
    dx.par_chunks_mut(h * w).zip(x.par_chunks(h * w).zip(dy.par_chunks(ho * wo))).for_each(|(dx, (x, dy))| {
        dx[2 * ho * w..].fill(0.0);
        let rows = dx.chunks_exact_mut(2 * w).zip(x.chunks_exact(2 * w)).zip(dy.chunks_exact(wo));
        for ((dx, x), dy) in rows {
            let ((dx_upper, dx_lower), (upper, lower)) = (dx.split_at_mut(w), x.split_at(w));
            dx_upper[2 * wo..].fill(0.0);
            dx_lower[2 * wo..].fill(0.0);
            let inputs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            let outputs = dx_upper.as_chunks_mut::<2>().0.iter_mut().zip(dx_lower.as_chunks_mut::<2>().0);
            for (((a, b), (da, db)), d) in inputs.zip(outputs).zip(dy) {
                // Written without branches: lanes that lose get zero.
                let top = if a[1] > a[0] { a[1] } else { a[0] };
                let bottom = if b[1] > b[0] { b[1] } else { b[0] };
                let (up, down) = if bottom > top { (0.0, *d) } else { (*d, 0.0) };
                *da = if a[1] > a[0] { [0.0, up] } else { [up, 0.0] };
                *db = if b[1] > b[0] { [0.0, down] } else { [down, 0.0] };
            }
        }
    });
}

/// The values of `z` [planes, h, w] at the places where 2x2 max pooling finds the (first of the) largest values of `x`,
/// into `y` [planes, h / 2, w / 2].
///
/// # Panics
/// When a slice has another length than the sizes say.
pub fn pick2x2([planes, h, w]: [usize; 3], x: &[f32], z: &[f32], y: &mut [f32]) {
    let (ho, wo) = (h / 2, w / 2);
    check(x.len(), y.len(), [planes * h * w, planes * ho * wo]);
    check(z.len(), x.len(), [x.len(), x.len()]);
    let size = (h * w).max(1);
    y.par_chunks_mut((ho * wo).max(1)).zip(x.par_chunks(size).zip(z.par_chunks(size))).for_each(|(y, (x, z))| {
        let rows = x.chunks_exact(2 * w).zip(z.chunks_exact(2 * w));
        for (line, (x, z)) in y.chunks_exact_mut(wo.max(1)).zip(rows) {
            let ((a, b), (p, q)) = (x.split_at(w), z.split_at(w));
            let tops = a.as_chunks::<2>().0.iter().zip(p.as_chunks::<2>().0);
            let bottoms = b.as_chunks::<2>().0.iter().zip(q.as_chunks::<2>().0);
            for (v, ((a, p), (b, q))) in line.iter_mut().zip(tops.zip(bottoms)) {
                let (top, up) = if a[1] > a[0] { (a[1], p[1]) } else { (a[0], p[0]) };
                let (bottom, down) = if b[1] > b[0] { (b[1], q[1]) } else { (b[0], q[0]) };
                *v = if bottom > top { down } else { up };
            }
        }
    });
}

/// 2x2 max pooling that also tells where in its plane each maximum was (the first of equal ones).
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn max_pool2x2_with_indices([c, h, w]: [usize; 3], x: &[f32], y: &mut [f32], indices: &mut [u32]) {
    let (ho, wo) = (h / 2, w / 2);
    check(x.len(), y.len(), [c * h * w, c * ho * wo]);
    check(indices.len(), y.len(), [y.len(), y.len()]);
    let planes = y.par_chunks_mut((ho * wo).max(1)).zip(indices.par_chunks_mut((ho * wo).max(1)));
    planes.zip(x.par_chunks((h * w).max(1))).for_each(|((y, indices), x)| {
        for (o, (v, index)) in y.iter_mut().zip(indices).enumerate() {
            let corner = o / wo * 2 * w + o % wo * 2;
            let mut best = corner;
            for at in [corner + 1, corner + w, corner + w + 1] {
                if x[at] > x[best] {
                    best = at;
                }
            }
            (*v, *index) = (x[best], best as u32);
        }
    });
}

/// Puts every value of `x` [c, h, w] where `indices` say in planes of zeros `y` [c, 2h, 2w].
///
/// # Panics
/// When a slice has another length than the shape says, or an index lies outside its plane.
pub fn unpool2x2([c, h, w]: [usize; 3], x: &[f32], indices: &[u32], y: &mut [f32]) {
    check(x.len(), y.len(), [c * h * w, 4 * c * h * w]);
    check(indices.len(), x.len(), [x.len(), x.len()]);
    let plane = (h * w).max(1);
    y.par_chunks_mut(4 * plane).zip(x.par_chunks(plane).zip(indices.par_chunks(plane))).for_each(
        |(y, (x, indices))| {
            y.fill(0.0);
            for (v, &index) in x.iter().zip(indices) {
                y[index as usize] = *v;
            }
        },
    );
}

/// Values that one task adds.
const CHUNK: usize = 1 << 14;

/// `activation(x + y)`.
///
/// # Panics
/// When the lengths differ.
pub fn add_act(x: &[f32], y: &[f32], act: Activation, out: &mut [f32]) {
    check(x.len(), y.len(), [out.len(), out.len()]);
    let epilogue = Epilogue::new(None, Some(y), act);
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(i, (out, x))| {
        out.copy_from_slice(x);
        epilogue.finish_line(0, i * CHUNK, out);
    });
}
