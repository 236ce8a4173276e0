// Softmax of rows of classes; its gradient.
#include "kernel.cuh"

KERNEL(softmax)(const float *scores, float *probabilities, size_t pixels, unsigned classes) {
    size_t pixel = thread_number();
    if (pixel >= pixels) return;
    const float *own = scores + pixel * classes;
    float *mine = probabilities + pixel * classes;
    float most = own[0], sum = 0.0f;
    for (unsigned c = 1; c < classes; c++) most = own[c] > most ? own[c] : most;
    for (unsigned c = 0; c < classes; c++) sum += mine[c] = expf(own[c] - most);
    float factor = 1.0f / sum;
    for (unsigned c = 0; c < classes; c++) mine[c] *= factor;
}

// From the gradient of probabilities q to that of their scores, in its place: q (g - sum of q g). It is added to `total`.
KERNEL(through_softmax)(const float *probabilities, float *gradient, float *total, size_t pixels, unsigned classes) {
    size_t pixel = thread_number();
    if (pixel >= pixels) return;
    const float *q = probabilities + pixel * classes;
    float *g = gradient + pixel * classes, *sums = total + pixel * classes, mean = 0.0f;
    for (unsigned c = 0; c < classes; c++) mean += g[c] * q[c];
    for (unsigned c = 0; c < classes; c++) sums[c] += g[c] = q[c] * (g[c] - mean);
}
