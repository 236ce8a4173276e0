// Sums over whole tensors, in double from parts of floats on.
#include "sums.cuh"

// Block b sums THREADS * SUMMANDS products; without weights, elements.
KERNEL(sum_parts)(const float *x, const float *weights, double *sums, size_t count) {
    __shared__ double scratch[THREADS];
    double sum = 0.0;
    for (unsigned k = 0; k < SUMMANDS; k++) {
        size_t i = summand(k);
        if (i < count) sum += weights ? double(x[i]) * double(weights[i]) : double(x[i]);
    }
    block_writes_part(sum, sums, 0, scratch);
}

// Block b adds the parts of sum b.
KERNEL(sum)(const double *parts_of_sums, float *sums, size_t parts) {
    __shared__ double scratch[THREADS];
    double mine = 0.0;
    for (size_t part = threadIdx.x; part < parts; part += THREADS) mine += parts_of_sums[blockIdx.x * parts + part];
    double total = block_sum<double>(mine, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = float(total);
}
