// Binary cross entropy of pixels with one logit: its sum and its gradient, in one pass each.
#include "sums.cuh"

// What is neither a label nor ignored makes the sum no number.
KERNEL(binary_cross_entropy)(const float *logits, const unsigned char *labels, double *sums, size_t count, float background,
                             float foreground, unsigned ignore) {
    __shared__ double scratch[THREADS];
    double losses = 0.0, pixels = 0.0;
    for (unsigned k = 0; k < SUMMANDS; k++) {
        size_t i = summand(k);
        if (i >= count || labels[i] == ignore) continue;
        unsigned label = labels[i];
        float wrong = label == 1 ? -logits[i] : logits[i];
        float loss = fmaxf(wrong, 0.0f) + log1pf(expf(-fabsf(wrong)));
        losses += label > 1 ? NAN : (label == 1 ? foreground : background) * loss;
        pixels += 1.0;
    }
    block_writes_part(losses, sums, 0, scratch);
    block_writes_part(pixels, sums, 1, scratch);
}

// `upstream` is the gradient for both sums, of which the second one depends on no logit.
KERNEL(binary_cross_entropy_gradient)(const float *logits, const unsigned char *labels, const float *upstream, float *dx,
                                      size_t count, float background, float foreground, unsigned ignore) {
    size_t i = thread_number();
    if (i >= count) return;
    unsigned label = labels[i];
    float wrong = label == 1 ? -logits[i] : logits[i];
    float small = expf(-fabsf(wrong));
    float doubt = (wrong < 0.0f ? small : 1.0f) / (1.0f + small);
    float gradient = upstream[0] * (label == 1 ? -foreground : background) * doubt;
    dx[i] = label == ignore ? 0.0f : gradient;
}
