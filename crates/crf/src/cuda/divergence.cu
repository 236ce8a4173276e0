// How far mean field is from its goal, and from its last step: numbers of blocks, which the processor puts together.
#include "kernel.cuh"

constexpr unsigned MEASURED = 16; // probabilities of a thread

// Sums of q ln q - q (logit + score) / 2: divergence.rs.
KERNEL(divergence)(const float *probabilities, const float *logits, const float *scores, double *sums, size_t count) {
    __shared__ double scratch[THREADS];
    double sum = 0.0;
    for (unsigned k = 0; k < MEASURED; k++) {
        size_t i = (size_t(blockIdx.x) * MEASURED + k) * THREADS + threadIdx.x;
        if (i >= count) continue;
        double q = probabilities[i], entropy = q > 0.0 ? q * log(q) : 0.0;
        sum += entropy - q * 0.5 * (double(logits[i]) + double(scores[i]));
    }
    double total = block_sum<double>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// The largest difference of two probabilities.
KERNEL(largest_change)(const float *before, const float *after, float *changes, size_t count) {
    __shared__ float scratch[THREADS];
    float most = 0.0f;
    for (unsigned k = 0; k < MEASURED; k++) {
        size_t i = (size_t(blockIdx.x) * MEASURED + k) * THREADS + threadIdx.x;
        if (i < count) most = fmaxf(most, fabsf(before[i] - after[i]));
    }
    scratch[threadIdx.x] = most;
    __syncthreads();
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) scratch[threadIdx.x] = fmaxf(scratch[threadIdx.x], scratch[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0) changes[blockIdx.x] = scratch[0];
}
