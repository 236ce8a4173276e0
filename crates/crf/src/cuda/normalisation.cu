// Factors of the pixels from the sums of their weights.
#include "kernel.cuh"

constexpr float LEAST = 1e-20f; // keeps the inverse of a sum finite

// The inverse, the inverse root or 1, by the power, which is 2, 1 or 0 halves.
__device__ inline float inverse_power(float sum, unsigned halves) {
    return halves == 2 ? 1.0f / (sum + LEAST) : halves == 1 ? 1.0f / sqrtf(sum + LEAST) : 1.0f;
}

KERNEL(normalisation)(const float *sums, float *before, float *after, size_t pixels, unsigned halves_before, unsigned halves_after,
                      float scale) {
    size_t pixel = thread_number();
    if (pixel >= pixels) return;
    before[pixel] = inverse_power(sums[pixel], halves_before);
    after[pixel] = inverse_power(sums[pixel], halves_after) * scale;
}
