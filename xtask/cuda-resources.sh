#!/usr/bin/env bash
# What every CUDA kernel of the workspace takes of a multiprocessor: registers of a thread, bytes of shared memory of a block, bytes
# of registers spilled to memory. Exit code 1 if a kernel spills or does not compile. Needs nvcc: . .cuda/env.sh
set -euo pipefail

nvcc=${NVCC:-nvcc}
cubin=$(mktemp)
trap 'rm -f "$cubin"' EXIT
for kernel in crates/*/src/cuda/*.cu; do
    # The flags of the crates' build scripts.
    "$nvcc" --cubin "-arch=sm_${CUDA_COMPUTE_CAP:-80}" -std=c++17 -O3 -I crates/kernels/include -Xptxas -v -o "$cubin" "$kernel" 2>&1
done | awk '
    BEGIN { printf "%-48s %9s %7s %7s\n", "kernel", "registers", "shared", "spilled" }
    /error/ { print; bad = 1 }
    /Compiling entry function/ { split($0, part, "\x27"); name = part[2] }
    /bytes spill stores/ { for (i = 2; i <= NF; i++) if ($i == "spill") spilled += $(i - 2); frame = spilled; spilled = 0 }
    /Used [0-9]+ registers/ {
        shared = 0
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^registers/) registers = $(i - 1)
            if ($i ~ /^smem/) shared = $(i - 2)
        }
        printf "%-48s %9d %7d %7d\n", name, registers, shared, frame
        kernels++
        if (frame > 0) bad = 1
    }
    END {
        print kernels " kernels"
        exit bad || kernels == 0
    }'
