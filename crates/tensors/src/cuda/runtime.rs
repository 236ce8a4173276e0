//! What runs kernels: a card, or in tests an emulation of one. The code that launches kernels is the same for both.

use candle_core::Result;

/// Threads of every block: THREADS in kernel.cuh.
pub(crate) const THREADS: usize = 256;

/// A kernel, by the file in src/cuda that it stands in, and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) file: &'static str,
    pub(crate) name: &'static str,
}

/// An argument of a kernel: its type in C is that of the variant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    /// Of memory of the device.
    Pointer(u64),
    /// `size_t`
    Size(usize),
    /// `int`
    Int(i32),
    /// `unsigned`
    Unsigned(u32),
    Float(f32),
    Double(f64),
}

/// A device that runs kernels, one launch after another.
pub(crate) trait Runtime {
    /// Memory of the device; dropped, it is free for later launches.
    type Memory;

    /// Memory whose content is anything, and where it begins.
    fn scratch(&self, bytes: usize) -> Result<(Self::Memory, u64)>;

    /// Memory with these values, and where it begins.
    fn upload<T: Value>(&self, values: &[T]) -> Result<(Self::Memory, u64)>;

    /// Runs so many blocks of [`THREADS`] threads.
    ///
    /// # Safety
    ///
    /// The arguments are those of the kernel, in their order, and everything that it reads and writes lies within the memory that they point to.
    unsafe fn launch(&self, kernel: Kernel, blocks: usize, arguments: &[Argument]) -> Result<()>;
}

/// What an upload can hold.
pub(crate) trait Value: Copy + 'static {
    /// As they lie in memory.
    fn bytes(values: &[Self]) -> Vec<u8>;
}

macro_rules! value {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn bytes(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_ne_bytes()).collect()
            }
        }
    )*};
}
value!(u32, f32, u64);

/// Blocks with one thread for each of `count` items.
pub(crate) fn blocks(count: usize) -> usize {
    count.div_ceil(THREADS)
}
