// Rectifiers, and what ends a residual block.
#include "curve.cuh"

KERNEL(rectifier)(const float *x, float *y, size_t count, int curve, float slope) {
    size_t i = thread_number();
    if (i < count) y[i] = curve_value(curve, slope, x[i]);
}

KERNEL(rectifier_gradient)(const float *x, const float *upstream, float *dx, size_t count, int curve, float slope) {
    size_t i = thread_number();
    if (i < count) dx[i] = curve_gradient(curve, slope, x[i], upstream[i]);
}

KERNEL(add_relu)(const float *a, const float *b, float *y, size_t count) {
    size_t i = thread_number();
    if (i < count) y[i] = curve_value(RELU, 0.0f, a[i] + b[i]);
}
