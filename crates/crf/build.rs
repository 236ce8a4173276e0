//! Compiles the CUDA kernels in src/cuda to PTX, if the feature is on.

#[path = "../kernels/compile.rs"]
mod compile;

fn main() {
    compile::kernels();
}
