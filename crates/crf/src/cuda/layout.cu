// Planes of classes, as networks return them, and rows of pixels, as lattices take them.
#include "kernel.cuh"

KERNEL(rows_from_planes)(const float *planes, float *rows, size_t pixels, unsigned classes, float factor) {
    size_t n = thread_number();
    if (n < pixels * classes) rows[n % pixels * classes + n / pixels] = planes[n] * factor;
}

KERNEL(planes_from_rows)(const float *rows, float *planes, size_t pixels, unsigned classes) {
    size_t n = thread_number();
    if (n < pixels * classes) planes[n] = rows[n % pixels * classes + n / pixels];
}
