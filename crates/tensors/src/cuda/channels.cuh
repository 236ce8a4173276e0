// Where a channel's values lie in (images, channels, pixels), and how its sums are cut into parts.
//
// A part is CHUNK values of one channel, in the order of images and pixels; a block has one part, part p of channel c is block
// c * parts + p. A second launch, with one thread a channel, adds the parts up in their order, in double.
#pragma once
#include "kernel.cuh"

constexpr unsigned EACH = 16; // values of a thread
constexpr unsigned CHUNK = THREADS * EACH;

struct Channels {
    unsigned channels, pixels;
    size_t count; // values of a channel
    unsigned parts;
};

// Where value k of channel c lies.
__device__ inline size_t place(const Channels &of, unsigned c, size_t k) {
    size_t image = k / of.pixels;
    return (image * of.channels + c) * of.pixels + (k - image * of.pixels);
}
