// How far the probabilities of pixels overlap with their labels: three sums, and the gradient for the logits, in one pass each. A
// thread has pixels of (images, pixels), as in pixel_classes.cu.
#include "pixel_channels.cuh"
#include "sums.cuh"

// A number that is no channel.
constexpr unsigned NO_CHANNEL = 0xffffffffu;

// The channel of a label: channel 0 has the label `first`, and the next channels have the next ones.
__device__ inline unsigned channel_of(unsigned label, unsigned first, unsigned ignore) {
    return label == ignore || label < first ? NO_CHANNEL : label - first;
}

__device__ inline float sigmoid(float x) {
    float small = expf(-fabsf(x));
    return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}

// Of the probabilities where the truth is 1, of all probabilities, and of the truth. `classes` labels have a meaning.
KERNEL(overlap)(const float *logits, const unsigned char *labels, double *sums, unsigned channels, size_t pixels, size_t count,
                int softmax, unsigned first, unsigned classes, unsigned ignore, int ignored_count) {
    __shared__ double scratch[THREADS];
    double both = 0.0, predicted = 0.0, truth = 0.0;
    for (unsigned k = 0; k < SUMMANDS; k++) {
        size_t i = summand(k);
        if (i >= count || (labels[i] == ignore && !ignored_count)) continue;
        const float *x = logits + first_channel(i, channels, pixels);
        unsigned channel = channel_of(labels[i], first, ignore);
        float sum = 0.0f, of_label = 0.0f, largest = 0.0f, all = 0.0f;
        if (softmax) largest_and_sum(x, 1.0f, channels, pixels, &largest, &all);
        for (unsigned c = 0; c < channels; c++) {
            float p = softmax ? expf(x[c * pixels] - largest) / all : sigmoid(x[c * pixels]);
            sum += p;
            if (c == channel) of_label = p;
        }
        both += labels[i] != ignore && labels[i] >= classes ? NAN : of_label;
        predicted += sum;
        if (channel != NO_CHANNEL) truth += 1.0;
    }
    block_writes_part(both, sums, 0, scratch);
    block_writes_part(predicted, sums, 1, scratch);
    block_writes_part(truth, sums, 2, scratch);
}

// `upstream` is the gradient for the three sums, of which the third one depends on no logit. Probabilities of softmax have the same sum
// at every pixel, so that only the first sum moves with their logits.
KERNEL(overlap_gradient)(const float *logits, const unsigned char *labels, const float *upstream, float *dx, unsigned channels,
                         size_t pixels, size_t count, int softmax, unsigned first, unsigned classes, unsigned ignore,
                         int ignored_count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t start = first_channel(i, channels, pixels);
    const float *x = logits + start;
    unsigned channel = channel_of(labels[i], first, ignore);
    float both = upstream[0], predicted = upstream[1];
    bool still = labels[i] == ignore && (softmax || !ignored_count);
    float largest = 0.0f, all = 0.0f, of_label = 0.0f;
    if (softmax) {
        largest_and_sum(x, 1.0f, channels, pixels, &largest, &all);
        if (channel < channels) of_label = expf(x[channel * pixels] - largest) / all;
    }
    for (unsigned c = 0; c < channels; c++) {
        float hit = c == channel ? 1.0f : 0.0f;
        float p = softmax ? expf(x[c * pixels] - largest) / all : sigmoid(x[c * pixels]);
        float slope = softmax ? both * (hit - of_label) : (both * hit + predicted) * (1.0f - p);
        dx[start + c * pixels] = still ? 0.0f : p * slope;
    }
}
