// Splat: every vertex sums the rows of its pixels by weight, in the order of the pixels: first in parts, then these.
#include "kernel.cuh"

KERNEL(splat_parts)(const float *rows, const float *factors, const unsigned *sources, const float *weights, const unsigned *firsts,
                    float *sums, size_t parts, unsigned classes) {
    size_t n = thread_number();
    if (n >= parts * classes) return;
    size_t part = n / classes, c = n % classes;
    float sum = 0.0f;
    for (size_t i = firsts[part]; i < firsts[part + 1]; i++) {
        size_t pixel = sources[i];
        sum += weights[i] * (rows[pixel * classes + c] * factors[pixel]);
    }
    sums[n] = sum;
}

KERNEL(splat)(const float *sums, const unsigned *parts, float *values, size_t vertices, unsigned classes) {
    size_t n = thread_number();
    if (n >= vertices * classes) return;
    size_t vertex = n / classes, c = n % classes;
    float sum = 0.0f;
    for (size_t part = parts[vertex]; part < parts[vertex + 1]; part++) sum += sums[part * classes + c];
    values[n] = sum;
}
