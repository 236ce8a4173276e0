// Batch normalisation with the curve after it, and what is positive of its sum with a residual.
//
// Moments are (3, channels): mean, biased variance, 1 / sqrt(variance + epsilon).
#include "channels.cuh"
#include "curve.cuh"

// Mean of a part, and the sum of squared differences from it: (2, channels, parts). The values stay in registers between the two
// sums, so nothing cancels and memory is read once.
KERNEL(moments_parts)(const float *x, double *found, unsigned channels, unsigned pixels, size_t count, unsigned parts) {
    __shared__ double scratch[THREADS];
    Channels of = {channels, pixels, count, parts};
    unsigned c = blockIdx.x / parts, part = blockIdx.x % parts;
    size_t first = size_t(part) * CHUNK;
    float values[EACH];
    float sum = 0.0f;
    for (unsigned i = 0; i < EACH; i++) {
        size_t k = first + i * THREADS + threadIdx.x;
        values[i] = k < count ? x[place(of, c, k)] : 0.0f;
        sum += values[i];
    }
    size_t here = count - first < CHUNK ? count - first : CHUNK;
    double mean = block_sum<double>(sum, scratch) / double(here);
    float squares = 0.0f;
    for (unsigned i = 0; i < EACH; i++) {
        float difference = first + i * THREADS + threadIdx.x < count ? values[i] - float(mean) : 0.0f;
        squares += difference * difference;
    }
    // About float(mean), which is not quite the mean.
    double off = mean - double(float(mean));
    double total = block_sum<double>(squares, scratch) - double(here) * off * off;
    if (threadIdx.x == 0) {
        found[blockIdx.x] = mean;
        found[size_t(channels) * parts + blockIdx.x] = total;
    }
}

// Joins the parts of a channel (Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance").
KERNEL(moments)(const double *found, float *moments, unsigned channels, size_t count, unsigned parts, float epsilon) {
    size_t c = thread_number();
    if (c >= channels) return;
    double seen = 0.0, mean = 0.0, squares = 0.0;
    for (unsigned part = 0; part < parts; part++) {
        size_t first = size_t(part) * CHUNK;
        double here = double(count - first < CHUNK ? count - first : CHUNK);
        double difference = found[c * parts + part] - mean;
        squares += found[(size_t(channels) + c) * parts + part] + difference * difference * seen * here / (seen + here);
        mean += difference * here / (seen + here);
        seen += here;
    }
    double variance = squares / seen;
    moments[c] = float(mean);
    moments[channels + c] = float(variance);
    moments[2 * channels + c] = float(1.0 / sqrt(variance + double(epsilon)));
}

// Moments from running statistics.
KERNEL(running_moments)(const float *mean, const float *variance, float *moments, unsigned channels, float epsilon) {
    size_t c = thread_number();
    if (c >= channels) return;
    moments[c] = mean[c];
    moments[channels + c] = variance[c];
    moments[2 * channels + c] = float(1.0 / sqrt(double(variance[c]) + double(epsilon)));
}

// running = (1 - momentum) running + momentum scale batch
KERNEL(move_towards)(float *running, const float *batch, unsigned channels, double momentum, double scale) {
    size_t c = thread_number();
    if (c < channels) running[c] = float((1.0 - momentum) * double(running[c]) + momentum * scale * double(batch[c]));
}

struct Affine {
    float mean, scale, bias;
};

__device__ inline Affine affine_of(const float *moments, const float *weight, const float *bias, unsigned channels, unsigned c) {
    return {moments[c], moments[2 * channels + c] * weight[c], bias[c]};
}

__device__ inline float at(const Affine &affine, float x) { return (x - affine.mean) * affine.scale + affine.bias; }

// With a residual, which may be null, what is positive of the sum.
KERNEL(normalize)(const float *x, const float *moments, const float *weight, const float *bias, const float *residual, float *y,
                  unsigned channels, unsigned pixels, size_t count, int curve, float slope) {
    size_t i = thread_number();
    if (i >= count) return;
    unsigned c = unsigned(i / pixels % channels);
    float value = curve_value(curve, slope, at(affine_of(moments, weight, bias, channels, c), x[i]));
    y[i] = residual ? curve_value(RELU, 0.0f, value + residual[i]) : value;
}

// Sums over a part of the gradients that reach what goes into the curve, plain and times x - mean: (2, channels, parts).
KERNEL(norm_gradient_parts)(const float *x, const float *upstream, const float *moments, const float *weight, const float *bias,
                            double *found, unsigned channels, unsigned pixels, size_t count, unsigned parts, int curve,
                            float slope) {
    __shared__ double scratch[THREADS];
    Channels of = {channels, pixels, count, parts};
    unsigned c = blockIdx.x / parts, part = blockIdx.x % parts;
    Affine affine = affine_of(moments, weight, bias, channels, c);
    float plain = 0.0f, centred = 0.0f;
    for (unsigned i = 0; i < EACH; i++) {
        size_t k = size_t(part) * CHUNK + i * THREADS + threadIdx.x;
        if (k >= count) continue;
        size_t here = place(of, c, k);
        float gradient = curve_gradient(curve, slope, at(affine, x[here]), upstream[here]);
        plain += gradient;
        centred += gradient * (x[here] - affine.mean);
    }
    double sum = block_sum<double>(plain, scratch);
    double sum_centred = block_sum<double>(centred, scratch);
    if (threadIdx.x == 0) {
        found[blockIdx.x] = sum;
        found[size_t(channels) * parts + blockIdx.x] = sum_centred;
    }
}

// Gradients for weight and bias, and what the batch's statistics take from every value's gradient, constant + slope (x - mean):
// (4, channels). Without `train` the statistics are constants and take nothing.
KERNEL(norm_gradient)(const double *found, const float *moments, float *sums, unsigned channels, size_t count, unsigned parts,
                      int train) {
    size_t c = thread_number();
    if (c >= channels) return;
    double plain = 0.0, centred = 0.0;
    for (unsigned part = 0; part < parts; part++) {
        plain += found[c * parts + part];
        centred += found[(size_t(channels) + c) * parts + part];
    }
    double inverse = double(moments[2 * channels + c]);
    sums[c] = float(centred * inverse);
    sums[channels + c] = float(plain);
    sums[2 * channels + c] = train ? float(plain / double(count)) : 0.0f;
    sums[3 * channels + c] = train ? float(centred / double(count) * inverse * inverse) : 0.0f;
}

KERNEL(norm_input_gradient)(const float *x, const float *upstream, const float *moments, const float *weight, const float *bias,
                            const float *sums, float *dx, unsigned channels, unsigned pixels, size_t count, int curve,
                            float slope) {
    size_t i = thread_number();
    if (i >= count) return;
    unsigned c = unsigned(i / pixels % channels);
    Affine affine = affine_of(moments, weight, bias, channels, c);
    float gradient = curve_gradient(curve, slope, at(affine, x[i]), upstream[i]);
    dx[i] = affine.scale * (gradient - sums[2 * channels + c] - (x[i] - affine.mean) * sums[3 * channels + c]);
}
