// Sums over images and pixels, and the bias of a convolution.
#include "channels.cuh"

KERNEL(channel_sum_parts)(const float *x, double *sums, unsigned channels, unsigned pixels, size_t count, unsigned parts) {
    __shared__ double scratch[THREADS];
    Channels of = {channels, pixels, count, parts};
    unsigned c = blockIdx.x / parts, part = blockIdx.x % parts;
    float sum = 0.0f;
    for (unsigned i = 0; i < EACH; i++) {
        size_t k = size_t(part) * CHUNK + i * THREADS + threadIdx.x;
        if (k < count) sum += x[place(of, c, k)];
    }
    double total = block_sum<double>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

KERNEL(channel_sum)(const double *parts_of_sums, float *sums, unsigned channels, unsigned parts) {
    size_t c = thread_number();
    if (c >= channels) return;
    double sum = 0.0;
    for (unsigned part = 0; part < parts; part++) sum += parts_of_sums[c * parts + part];
    sums[c] = float(sum);
}

KERNEL(add_bias)(float *y, const float *bias, unsigned channels, unsigned pixels, size_t count) {
    size_t i = thread_number();
    if (i < count) y[i] += bias[i / pixels % channels];
}
