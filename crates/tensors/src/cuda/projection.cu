// Pixels on vertices: softmax over the vertices of the energies times the pixel's edge probability e, times e, in the place of the
// energies. A thread has a pixel of (images, pixels).
#include "pixel_channels.cuh"

KERNEL(project)(float *energies, const float *edge, unsigned vertices, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    float *x = energies + first_channel(i, vertices, pixels), e = edge[i];
    float largest, sum;
    largest_and_sum(x, e, vertices, pixels, &largest, &sum);
    float scale = e / sum;
    for (unsigned v = 0; v < vertices; v++) x[v * pixels] = expf(x[v * pixels] * e - largest) * scale;
}

// The mean of the upstream gradient, each vertex weighing its softmax.
__device__ inline float weighted_mean(const float *x, const float *upstream, float e, float largest, float sum, unsigned vertices,
                                      size_t pixels) {
    float total = 0.0f;
    for (unsigned v = 0; v < vertices; v++) total += expf(x[v * pixels] * e - largest) * upstream[v * pixels];
    return total / sum;
}

// The gradient for the energies in their place: e^2 softmax (upstream - its weighted mean).
KERNEL(project_gradient)(float *energies, const float *edge, const float *upstream, unsigned vertices, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, vertices, pixels);
    float *x = energies + first, e = edge[i];
    float largest, sum;
    largest_and_sum(x, e, vertices, pixels, &largest, &sum);
    float mean = weighted_mean(x, upstream + first, e, largest, sum, vertices, pixels), scale = e * e / sum;
    for (unsigned v = 0; v < vertices; v++) {
        x[v * pixels] = expf(x[v * pixels] * e - largest) * scale * (upstream[first + v * pixels] - mean);
    }
}

// The gradient for e: the weighted mean, and e times the sum of energy softmax (upstream - mean).
KERNEL(project_edge_gradient)(const float *energies, const float *edge, const float *upstream, float *de, unsigned vertices,
                              size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t first = first_channel(i, vertices, pixels);
    const float *x = energies + first;
    float e = edge[i], largest, sum;
    largest_and_sum(x, e, vertices, pixels, &largest, &sum);
    float mean = weighted_mean(x, upstream + first, e, largest, sum, vertices, pixels), moved = 0.0f;
    for (unsigned v = 0; v < vertices; v++) {
        float energy = x[v * pixels];
        moved += energy * expf(energy * e - largest) * (upstream[first + v * pixels] - mean);
    }
    de[i] = mean + e * (moved / sum);
}

KERNEL(add_to)(float *y, const float *x, size_t count) {
    size_t i = thread_number();
    if (i < count) y[i] += x[i];
}
