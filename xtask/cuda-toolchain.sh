#!/usr/bin/env bash
# What the feature `cuda` needs to build and link on x86-64 Linux without a GPU, a driver or an installed CUDA toolkit.
#
#   cargo xtask cuda-toolchain [--link | --check] [--home FOLDER]
#
#   --link   (default) the real nvcc 13.0 with its headers from NVIDIA's Python wheels, 104 MB, and stand-ins to link against for the
#            libraries that a driver or a CUDA installation brings: the program runs where those are.
#   --check  no download: a stand-in nvcc too, whose PTX is empty. Enough for `cargo check`, `cargo clippy` and tests on the CPU.
#   --home   where to put it [default: .cuda]
#
# Needs bash, cc, ar, sed, cargo, and for --link python3 with venv and pip. Then: . FOLDER/env.sh
set -euo pipefail

mode=link home=.cuda
while [ $# -gt 0 ]; do
    case $1 in
        --link | --check) mode=${1#--} ;;
        --home) home=${2:?"--home needs a folder"} && shift ;;
        --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit ;;
        *) echo "error: cuda-toolchain: $1: expected --link, --check or --home FOLDER" >&2 && exit 2 ;;
    esac
    shift
done

# The wheels' versions are those that belong to CUDA 13.0.
wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85
    nvidia-cuda-runtime==13.0.96)
mkdir -p "$home"
home=$(cd "$home" && pwd)
rm -rf "$home"/{bin,include,lib,lib64,nvvm}
mkdir -p "$home"/{bin,include,lib64/stubs}
ln -s lib64 "$home/lib"

real=
if [ $mode = link ]; then
    [ -x "$home/venv/bin/python" ] || python3 -m venv "$home/venv"
    "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile "${wheels[@]}"
    cu13=$(echo "$home"/venv/lib/python3*/site-packages/nvidia/cu13)
    ln -s "$cu13"/bin/* "$home/bin/"
    ln -s "$cu13"/include/* "$home/include/"
    ln -s "$cu13/nvvm" "$home/nvvm"
    ln -s "$cu13"/lib/lib* "$home/lib64/"
    ln -sf "$cu13"/lib/libcudart.so.13 "$home/lib64/libcudart.so"
    real=$cu13/bin/nvcc
fi

# A front end of nvcc. candle's kernels for quantised weights and mixtures of experts, which sconce never calls, take nine tenths of
# its build and most of the program's size: in that crate, and there alone, objects that abort stand in for them.
# CANDLE_QUANT_KERNELS=1 builds them.
rm -f "$home/bin/nvcc"
{
    printf '#!/usr/bin/env bash\nreal="%s"\n' "$real"
    cat <<'NVCC'
set -euo pipefail
source= out= folder=. kind= before=
for argument in "$@"; do
    case $before in -o | --output-file) out=$argument ;; --output-directory | -odir) folder=$argument ;; esac
    case $argument in
        --version | -V) [ -n "$real" ] || { echo 'Cuda compilation tools, release 13.0, V13.0.88 (a stand-in)'; exit; } ;;
        --ptx | -ptx) kind=ptx ;; --cubin | -cubin) kind=cubin ;; -c | -dc) kind=object ;; --lib | -lib) kind=library ;;
        *.cu) source=$argument ;;
    esac
    before=$argument
done
stem=$(basename "${source:-none}" .cu)
skip=no
[ -n "$real" ] || skip=yes
if [ "${CARGO_PKG_NAME:-}" = candle-kernels ] && [ "${CANDLE_QUANT_KERNELS:-0}" != 1 ]; then
    case $kind:$stem in ptx:quantized | object:mmq_* | object:mmvq_* | object:moe_*) skip=yes ;; esac
fi
[ $skip = yes ] || exec "$real" "$@"
case $kind in
    ptx) printf '.version 8.0\n.target sm_80\n.address_size 64\n' >"${out:-$folder/$stem.ptx}" ;;
    cubin) : >"${out:-$folder/$stem.cubin}" ;;
    object) # one of them holds the names of all
        {
            echo 'extern void abort(void);'
            if [ "$stem" = moe_gguf ] && [ -f src/ffi.rs ]; then
                sed -n 's/.*pub fn \([A-Za-z0-9_]*\) *(.*/void \1(void) { abort(); }/p' src/ffi.rs | sort -u
            fi
        } | ${CC:-cc} -x c -c -fPIC -O1 -o "${out:-$folder/$stem.o}" - ;;
    library)
        objects=() before=
        for argument in "$@"; do
            case $before:$argument in -o:*) ;; *:*.o) objects+=("$argument") ;; esac
            before=$argument
        done
        rm -f "$out" && ar crs "$out" "${objects[@]}" ;;
    *) echo "nvcc (a stand-in): cannot do: $*" >&2 && exit 1 ;;
esac
NVCC
} >"$home/bin/nvcc"
chmod +x "$home/bin/nvcc"

# Stand-ins to link against, with every function that cudarc declares. Called, they return an error: a program that is started with
# them computes on the CPU and says that there is no CUDA device.
cargo fetch --quiet --locked --manifest-path "$(dirname "$0")/../Cargo.toml"
cudarc=$(cargo metadata --quiet --format-version 1 --all-features --offline --manifest-path "$(dirname "$0")/../Cargo.toml" |
    grep -o '"manifest_path":"[^"]*/cudarc-[^"]*/Cargo.toml"' | head -1 | sed 's/^"manifest_path":"//; s/Cargo.toml"$//')
[ -n "$cudarc" ] || { echo "error: cuda-toolchain: the sources of the crate cudarc were not found" >&2 && exit 1; }

stand_in() { # folder, module of cudarc, name, version, error code
    local path="$1/lib$3.so.$4" flags=()
    # NVIDIA's libraries carry one symbol version, their file's name; the driver has none.
    if [ "$3" != cuda ]; then
        echo "lib$3.so.$4 { global: *; };" >"$home/version"
        flags=("-Wl,--version-script=$home/version")
    fi
    rm -f "$path" "$1/lib$3.so" # never through a link into the wheels
    sed -n 's/.*\bfn \(\(cu\|nvrtc\)[A-Za-z0-9_]*\)(.*/\1/p' "$cudarc/src/$2/sys/mod.rs" | sort -u | while read -r name; do
        case $name in
            cuGetErrorName | cuGetErrorString)
                echo "int $name(int e, const char **p) { *p = \"no CUDA driver (a stand-in for lib$3.so.$4)\"; return 0; }" ;;
            *ErrorString | *LastErrorString | *StatusName | *StatusString)
                echo "const char *$name(void) { return \"a stand-in for lib$3.so.$4\"; }" ;;
            *) echo "int $name(void) { return $5; }" ;;
        esac
    done | ${CC:-cc} -x c -shared -fPIC -O1 -s "-Wl,-soname,lib$3.so.$4" "${flags[@]}" -o "$path" -
    ln -s "lib$3.so.$4" "$1/lib$3.so"
}
stand_in "$home/lib64/stubs" driver cuda 1 34
stand_in "$home/lib64" cublas cublas 13 1
stand_in "$home/lib64" cublaslt cublasLt 13 1
stand_in "$home/lib64" cudnn cudnn 9 1
stand_in "$home/lib64" curand curand 10 101
stand_in "$home/lib64" nvrtc nvrtc 13 11
[ $mode = link ] || stand_in "$home/lib64" runtime cudart 13 34
rm -f "$home/version"

cat >"$home/env.sh" <<ENV
# Source this before cargo.
export CUDA_HOME="$home" CUDA_PATH="$home" CUDA_ROOT="$home" NVCC="$home/bin/nvcc" PATH="$home/bin:\$PATH"
# 80 makes code for Ampere and everything later, 90 for Hopper alone.
export CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-80}"
# Without a driver programs that are linked with CUDA start only with the stand-ins; cargo run and cargo test find them so.
if ! /sbin/ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="env LD_LIBRARY_PATH=$home/lib64:$home/lib64/stubs"
fi
ENV
echo "CUDA toolchain in $home ($mode). Now: . $home/env.sh"
