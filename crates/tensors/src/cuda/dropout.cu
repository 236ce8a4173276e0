// Dropout: the choices are those of dropout.rs, bit for bit.
#include "kernel.cuh"

__device__ inline unsigned long long splitmix64(unsigned long long state) {
    unsigned long long z = state + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// An element is dropped if its number of 32 bits is less than `dropped`, which may be 2^32.
KERNEL(drop_elements)(const float *x, float *y, size_t count, size_t seed, size_t dropped, float kept) {
    size_t i = thread_number();
    if (i < count) y[i] = (splitmix64(seed + i) >> 32) < dropped ? 0.0f : kept * x[i];
}

// A factor for each plane.
KERNEL(scale_planes)(const float *x, float *y, const float *factors, size_t pixels, size_t count) {
    size_t i = thread_number();
    if (i < count) y[i] = factors[i / pixels] * x[i];
}
