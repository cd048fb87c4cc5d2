//! Winograd placeholder until the transforms arrive.
use crate::shape::ConvShape;
pub(crate) fn supported(_: &ConvShape) -> bool {
    false
}
pub(crate) fn forward(_: &ConvShape, _: &[f32], _: &[f32], _: &mut [f32]) {}
pub(crate) fn backward_data(_: &ConvShape, _: &[f32], _: &[f32], _: &mut [f32]) {}
pub(crate) fn backward_weights(_: &ConvShape, _: &[f32], _: &[f32], _: &mut [f32]) {}
