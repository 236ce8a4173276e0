//! What runs kernels: a card, or in tests an emulation of one. The code that launches kernels is the same for both.

use std::ops::Range;

use candle_core::Result;

/// Threads of every block: THREADS in kernel.cuh.
pub const THREADS: usize = 256;

/// A kernel, by the file in src/cuda that it stands in, and its name.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// Without its ending.
    pub file: &'static str,
    /// As in the file.
    pub name: &'static str,
}

/// An argument of a kernel: its type in C is that of the variant.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// Of memory of the device.
    Pointer(u64),
    /// `size_t`
    Size(usize),
    /// `int`
    Int(i32),
    /// `unsigned`
    Unsigned(u32),
    /// `float`
    Float(f32),
    /// `double`
    Double(f64),
}

/// A device that runs kernels, one launch after another.
pub trait Runtime {
    /// Memory of the device; dropped, it is free for later launches.
    type Memory;

    /// Memory whose content is anything, and where it begins.
    fn scratch(&self, bytes: usize) -> Result<(Self::Memory, u64)>;

    /// Memory with these values, and where it begins.
    fn upload<T: Value>(&self, values: &[T]) -> Result<(Self::Memory, u64)>;

    /// Values of memory by their places, once everything launched has ended.
    fn download<T: Value>(&self, memory: &Self::Memory, places: Range<usize>) -> Result<Vec<T>>;

    /// Runs so many blocks of [`THREADS`] threads.
    ///
    /// # Safety
    ///
    /// The arguments are those of the kernel, in their order, and everything that it reads and writes lies within the memory that they point to.
    unsafe fn launch(&self, kernel: Kernel, blocks: usize, arguments: &[Argument]) -> Result<()>;
}

/// What an upload can hold.
pub trait Value: Copy + 'static {
    /// As they lie in memory.
    fn bytes(values: &[Self]) -> &[u8];

    /// As many as there are whole ones in `bytes`.
    fn values(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn bytes(values: &[Self]) -> &[u8] {
                // SAFETY: a number has no padding, and any byte is a `u8`.
                unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
            }

            fn values(bytes: &[u8]) -> Vec<Self> {
                let (words, _) = bytes.as_chunks();
                words.iter().map(|word| Self::from_ne_bytes(*word)).collect()
            }
        }
    )*};
}
value!(u8, i32, u32, f32, u64, f64);

/// Blocks with one thread for each of `count` items.
pub fn blocks(count: usize) -> usize {
    count.div_ceil(THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_their_bytes() {
        let values = [1.5f32, -0.0, f32::MAX];
        assert_eq!(f32::bytes(&values).len(), 12);
        assert_eq!(f32::values(f32::bytes(&values)), values);
        assert_eq!(u64::values(&[1, 0, 0, 0, 0, 0, 0, 0, 9]), [u64::from_ne_bytes([1, 0, 0, 0, 0, 0, 0, 0])]);
    }
}
