//! For build scripts, which include this file as a module: compiles the kernels in a crate's src/cuda to PTX, if the crate's feature
//! `cuda` is on.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What every kernel includes, seen from the folder of any crate of the workspace.
const INCLUDE: &str = "../kernels/include";

/// Writes `kernels.rs` to OUT_DIR: the table of all kernels' PTX, by file, for `sconce_kernels::OnCard::KERNELS`.
pub(crate) fn kernels() {
    for place in ["src/cuda", INCLUDE, "../kernels/compile.rs"] {
        println!("cargo:rerun-if-changed={place}");
    }
    for name in ["NVCC", "CUDA_HOME", "CUDA_COMPUTE_CAP"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let folder = std::fs::read_dir("src/cuda").expect("src/cuda");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry of src/cuda").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cu"));
    files.sort();
    let mut table = "&[".to_owned();
    for kernels in files {
        let stem = kernels.file_stem().expect("a file name").to_str().expect("a name in UTF-8");
        let ptx = out.join(stem).with_extension("ptx");
        compile(&kernels, &ptx);
        table += &format!("({stem:?}, include_str!({ptx:?})), ");
    }
    std::fs::write(out.join("kernels.rs"), table + "]").expect("OUT_DIR can be written");
}

/// PTX of the oldest architecture that is to run it: the driver makes code of it for any later one.
fn compile(kernels: &Path, ptx: &Path) {
    let compiler =
        std::env::var("NVCC").ok().or_else(|| Some(std::env::var("CUDA_HOME").ok()? + "/bin/nvcc"));
    let compiler = compiler.unwrap_or_else(|| "nvcc".to_owned());
    let capability = std::env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "80".to_owned());
    let mut command = Command::new(&compiler);
    command.args(["--ptx", "-std=c++17", "-O3", "-I", INCLUDE]).arg(format!("-arch=compute_{capability}"));
    let status = command.arg("-o").arg(ptx).arg(kernels).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{compiler} ended with {status} on {}", kernels.display()),
        Err(error) => panic!("cannot start {compiler}: {error}; `cargo xtask cuda-toolchain` sets one up"),
    }
}
