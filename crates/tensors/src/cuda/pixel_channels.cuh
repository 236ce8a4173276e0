// The channels of a pixel of (images, channels, pixels).
#pragma once
#include "kernel.cuh"

// Where channel 0 of pixel i of all images lies; the next channels follow at every `pixels`.
__device__ inline size_t first_channel(size_t i, unsigned channels, size_t pixels) {
    return i / pixels * channels * pixels + i % pixels;
}

// The largest of the channels times a factor, and the sum of exp(channel * factor - largest).
__device__ inline void largest_and_sum(const float *x, float factor, unsigned channels, size_t pixels, float *largest, float *sum) {
    float m = -INFINITY;
    for (unsigned c = 0; c < channels; c++) m = x[c * pixels] * factor > m ? x[c * pixels] * factor : m;
    float total = 0.0f;
    for (unsigned c = 0; c < channels; c++) total += expf(x[c * pixels] * factor - m);
    *largest = m;
    *sum = total;
}
