// Sums over whole tensors, in double from parts of floats on.
#include "kernel.cuh"

constexpr unsigned SUMMANDS = 16; // of a thread

// Block b sums THREADS * SUMMANDS products; without weights, elements.
KERNEL(sum_parts)(const float *x, const float *weights, double *sums, size_t count) {
    __shared__ double scratch[THREADS];
    double sum = 0.0;
    for (unsigned k = 0; k < SUMMANDS; k++) {
        size_t i = (size_t(blockIdx.x) * SUMMANDS + k) * THREADS + threadIdx.x;
        if (i < count) sum += weights ? double(x[i]) * double(weights[i]) : double(x[i]);
    }
    double total = block_sum<double>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// One block adds the parts.
KERNEL(sum)(const double *parts_of_sum, float *sum, size_t parts) {
    __shared__ double scratch[THREADS];
    double mine = 0.0;
    for (size_t part = threadIdx.x; part < parts; part += THREADS) mine += parts_of_sum[part];
    double total = block_sum<double>(mine, scratch);
    if (threadIdx.x == 0) *sum = float(total);
}
