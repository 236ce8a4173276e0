// Slice: every pixel reads its simplex's corners by weight.
#include "kernel.cuh"

// Rows are those of `base`, or 0 if that is null, and the sums, times the pixel's factor, times a factor for each class. `base` may
// be `rows`.
KERNEL(slice)(const float *values, const unsigned *corners, const float *weights, const float *factors, const float *class_factors,
              const float *base, float *rows, size_t pixels, unsigned classes, unsigned corners_of_pixel) {
    size_t n = thread_number();
    if (n >= pixels * classes) return;
    size_t pixel = n / classes, c = n % classes;
    float sum = 0.0f;
    for (size_t i = pixel * corners_of_pixel; i < (pixel + 1) * corners_of_pixel; i++) {
        sum += weights[i] * values[size_t(corners[i]) * classes + c];
    }
    rows[n] = (base ? base[n] : 0.0f) + factors[pixel] * (sum * class_factors[c]);
}
