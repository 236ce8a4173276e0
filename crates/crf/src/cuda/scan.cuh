// Sums of what stands before.
#pragma once
#include "kernel.cuh"

// The sum of the numbers of all threads of the block before this one; `total` becomes that of all. `scratch` has THREADS places.
__device__ inline unsigned block_scan(unsigned value, unsigned *scratch, unsigned &total) {
    __syncthreads(); // the scratch may still be read from an earlier scan
    scratch[threadIdx.x] = value;
    __syncthreads();
    for (unsigned step = 1; step < THREADS; step *= 2) {
        unsigned before = threadIdx.x >= step ? scratch[threadIdx.x - step] : 0;
        __syncthreads();
        scratch[threadIdx.x] += before;
        __syncthreads();
    }
    total = scratch[THREADS - 1];
    return scratch[threadIdx.x] - value;
}
