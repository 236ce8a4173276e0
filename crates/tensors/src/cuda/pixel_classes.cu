// What looks at all channels of one pixel: softmax, cross entropy, the highest class. A thread has a pixel of (images, pixels);
// neighbours read neighbouring values.
#include "pixel_channels.cuh"

KERNEL(softmax)(const float *x, float *y, unsigned channels, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, channels, pixels);
    float largest, sum;
    largest_and_sum(x + first, 1.0f, channels, pixels, &largest, &sum);
    float scale = 1.0f / sum;
    for (unsigned c = 0; c < channels; c++) y[first + c * pixels] = expf(x[first + c * pixels] - largest) * scale;
}

KERNEL(softmax_gradient)(const float *y, const float *upstream, float *dx, unsigned channels, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, channels, pixels);
    float sum = 0.0f;
    for (unsigned c = 0; c < channels; c++) sum += y[first + c * pixels] * upstream[first + c * pixels];
    for (unsigned c = 0; c < channels; c++) {
        size_t at = first + c * pixels;
        dx[at] = y[at] * (upstream[at] - sum);
    }
}

// `weights` has 256 places. A label that is neither a class nor ignored gives a loss that is not a number.
KERNEL(cross_entropy)(const float *logits, const unsigned char *labels, const float *weights, float *losses, float *log_sums,
                      unsigned channels, size_t pixels, size_t count, unsigned ignore) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, channels, pixels);
    float largest, sum;
    largest_and_sum(logits + first, 1.0f, channels, pixels, &largest, &sum);
    float log = logf(sum);
    log_sums[i] = largest + log;
    unsigned label = labels[i];
    // In this order large logits cancel before the small logarithm is added.
    float loss = label < channels ? weights[label] * ((largest - logits[first + label * pixels]) + log) : NAN;
    losses[i] = label == ignore ? 0.0f : loss;
}

KERNEL(cross_entropy_gradient)(const float *logits, const unsigned char *labels, const float *upstream, const float *weights,
                               const float *log_sums, float *dx, unsigned channels, size_t pixels, size_t count,
                               unsigned ignore) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, channels, pixels);
    unsigned label = labels[i];
    float factor = label == ignore ? 0.0f : weights[label] * upstream[i];
    for (unsigned c = 0; c < channels; c++) {
        size_t at = first + c * pixels;
        float value = factor == 0.0f ? 0.0f : expf(logits[at] - log_sums[i]) * factor;
        dx[at] = c == label && label != ignore ? value - factor : value;
    }
}

// The channel with the highest value, the lower one of equals; what is not a number never wins.
KERNEL(label_map)(const float *x, unsigned char *labels, unsigned channels, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, channels, pixels);
    float best = -INFINITY;
    unsigned label = 0;
    for (unsigned c = 0; c < channels; c++) {
        if (x[first + c * pixels] > best) {
            best = x[first + c * pixels];
            label = c;
        }
    }
    labels[i] = (unsigned char)label;
}
