// What follows a normalisation: the curves of activation.rs.
#pragma once
#include "kernel.cuh"

enum Curve { IDENTITY = 0, RELU = 1, LEAKY = 2 };

__device__ inline float curve_value(int curve, float slope, float x) {
    if (curve == RELU) return x < 0.0f ? 0.0f : x;
    if (curve == LEAKY) return x > 0.0f ? x : slope * x;
    return x;
}

// The gradient for x, given the one for the value.
__device__ inline float curve_gradient(int curve, float slope, float x, float upstream) {
    if (curve == RELU) return x <= 0.0f ? 0.0f : upstream;
    if (curve == LEAKY) return x > 0.0f ? upstream : slope * upstream;
    return upstream;
}
