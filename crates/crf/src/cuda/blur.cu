// Blur along one axis: every vertex and half of both neighbours.
#include "kernel.cuh"

KERNEL(blur)(const float *input, const unsigned *neighbours, float *output, size_t vertices, unsigned classes) {
    size_t n = thread_number();
    if (n >= vertices * classes) return;
    size_t vertex = n / classes, c = n % classes, before = neighbours[2 * vertex], after = neighbours[2 * vertex + 1];
    float near = (before < vertices ? input[before * classes + c] : 0.0f) + (after < vertices ? input[after * classes + c] : 0.0f);
    output[n] = input[n] + 0.5f * near;
}
