// Sums over many summands: block b of the launch makes part b of each sum, and reduce.cu adds the parts.
#pragma once
#include "kernel.cuh"

constexpr unsigned SUMMANDS = 16; // of a thread

// The k-th summand of this thread, which may lie beyond the last.
__device__ inline size_t summand(unsigned k) {
    return (size_t(blockIdx.x) * SUMMANDS + k) * THREADS + threadIdx.x;
}

// Writes this block's part of a sum; the parts of one sum follow those of the one before it.
__device__ inline void block_writes_part(double mine, double *parts_of_sums, unsigned sum, double *scratch) {
    double total = block_sum<double>(mine, scratch);
    if (threadIdx.x == 0) parts_of_sums[size_t(sum) * gridDim.x + blockIdx.x] = total;
}
