//! CPU convolution kernels on plain slices.
