//! Kernels on the processor: a crate's src/cuda compiled by the system's C++ compiler, with include/emulation.h in the place of CUDA.

use std::ffi::{CString, c_int, c_uint, c_void};
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use candle_core::{Result, bail};

use crate::runtime::{Argument, Kernel, Runtime, THREADS, Value};

/// A crate's compiled kernels. They keep the indices of the running thread in variables of the library: one launch at a time.
#[derive(Debug, Clone, Copy)]
pub struct Emulation {
    library: usize,
    launches: &'static Mutex<()>,
}

type Launch = unsafe extern "C" fn(c_uint, *mut *mut c_void, c_uint, c_uint) -> c_int;

impl Emulation {
    /// The kernels of the crate in this folder, `env!("CARGO_MANIFEST_DIR")`; none, with a message, where there is no C++ compiler.
    /// For tests: what does not compile panics.
    pub fn new(package: &str) -> Option<Self> {
        match Command::new("c++").arg("--version").output() {
            Ok(_) => Some(Self::build(Path::new(package))),
            Err(error) => {
                println!("skipped: no C++ compiler to run the kernels with ({error})");
                None
            }
        }
    }

    fn build(package: &Path) -> Self {
        let (folder, include) = (package.join("src/cuda"), concat!(env!("CARGO_MANIFEST_DIR"), "/include"));
        let name = package.file_name().unwrap().to_str().unwrap();
        let place = |ending: &str| {
            std::env::temp_dir().join(format!("sconce-kernels-{name}-{}.{ending}", std::process::id()))
        };
        let (source, library) = (place("cpp"), place("so"));
        std::fs::write(&source, program(&folder)).unwrap();
        let mut compiler = Command::new("c++");
        // -O1 and no contraction, so that sums and products are those of the source.
        compiler.args(["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w"]);
        compiler.arg("-I").arg(folder).arg("-I").arg(include);
        let output = compiler.arg("-o").arg(&library).arg(&source).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: the library was just made of our own sources, and does nothing when it is loaded.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        std::fs::remove_file(library).unwrap();
        std::fs::remove_file(source).unwrap();
        assert!(!handle.is_null(), "the library of kernels does not load");
        // It stays loaded, so its lock stays too.
        Self { library: handle as usize, launches: Box::leak(Box::default()) }
    }

    fn launcher(&self, kernel: Kernel) -> Option<Launch> {
        let name = CString::new(format!("launch_{}_{}", kernel.file, kernel.name)).ok()?;
        // SAFETY: the handle is that of a library that stays loaded.
        let symbol = unsafe { libc::dlsym(self.library as *mut c_void, name.as_ptr()) };
        // SAFETY: `program` defines every function of this kind of name with this signature.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Launch>(symbol) })
    }
}

/// All kernels as one C++ file, with a function for each that launches it.
fn program(folder: &Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cu"));
    files.sort();
    let mut text = String::new();
    for path in files {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        text += &format!("#include \"{}\"\n", path.display());
        let source = std::fs::read_to_string(&path).unwrap();
        for line in source.lines() {
            let Some((name, _)) = line.strip_prefix("KERNEL(").and_then(|rest| rest.split_once(')')) else {
                continue;
            };
            let body = source.split_once(line).and_then(|(_, rest)| rest.split_once("\n}\n")).unwrap().0;
            let barriers = body.contains("block_") || body.contains("__syncthreads");
            text += &format!(
                "extern \"C\" int launch_{stem}_{name}(unsigned count, void **arguments, unsigned blocks, unsigned threads) \
                 {{ return emulation::launch({name}, count, arguments, blocks, threads, {barriers}); }}\n"
            );
        }
    }
    text
}

impl Runtime for Emulation {
    type Memory = Vec<u64>;

    fn scratch(&self, bytes: usize) -> Result<(Self::Memory, u64)> {
        // Not a number as float and double, lest a kernel counts on zeros.
        let mut memory = vec![u64::MAX; bytes.div_ceil(8)];
        let start = memory.as_mut_ptr() as u64;
        Ok((memory, start))
    }

    fn upload<T: Value>(&self, values: &[T]) -> Result<(Self::Memory, u64)> {
        let mut bytes = T::bytes(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let mut memory = u64::values(&bytes);
        let start = memory.as_mut_ptr() as u64;
        Ok((memory, start))
    }

    fn download<T: Value>(&self, memory: &Self::Memory, places: Range<usize>) -> Result<Vec<T>> {
        let size = size_of::<T>();
        Ok(T::values(&u64::bytes(memory)[places.start * size..places.end * size]))
    }

    unsafe fn launch(&self, kernel: Kernel, blocks: usize, arguments: &[Argument]) -> Result<()> {
        let Some(launch) = self.launcher(kernel) else { bail!("there is no kernel {kernel:?}") };
        let mut addresses: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::Pointer(value) => value as *const u64 as *mut c_void,
                Argument::Size(value) => value as *const usize as *mut c_void,
                Argument::Int(value) => value as *const i32 as *mut c_void,
                Argument::Unsigned(value) => value as *const u32 as *mut c_void,
                Argument::Float(value) => value as *const f32 as *mut c_void,
                Argument::Double(value) => value as *const f64 as *mut c_void,
            })
            .collect();
        let _one_at_a_time = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, blocks) = (addresses.len() as c_uint, blocks as c_uint);
        // SAFETY: by contract the arguments are the kernel's; the addresses are those of values that outlive the call.
        let wanted = unsafe { launch(count, addresses.as_mut_ptr(), blocks, THREADS as c_uint) };
        if wanted >= 0 {
            bail!("{} takes {wanted} arguments, not {count}", kernel.name);
        }
        Ok(())
    }
}
