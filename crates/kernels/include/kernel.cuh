// What every kernel begins with. A test compiles the same files with the system's C++ compiler and runs them on the processor
// (emulation.h), so they use of CUDA only what both have: indices, shared memory and __syncthreads().
#pragma once

#ifdef __CUDACC__
#define KERNEL(name) extern "C" __global__ void name
#else
#include "emulation.h"
#endif

// Threads of a block, everywhere.
constexpr unsigned THREADS = 256;

// The number of this thread among all of the launch.
__device__ inline size_t thread_number() { return size_t(blockIdx.x) * blockDim.x + threadIdx.x; }

// The sum of one number of each thread of the block, in every thread. `scratch` has THREADS places. The order of additions does not
// depend on anything but THREADS.
template <typename T> __device__ T block_sum(T value, T *scratch) {
    __syncthreads(); // the scratch may still be read from an earlier sum
    scratch[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
        __syncthreads();
    }
    return scratch[0];
}
