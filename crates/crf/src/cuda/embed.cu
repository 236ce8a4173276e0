// The simplex that holds each pixel's feature: embed.rs, whose numbers these are bit for bit, and the keys of its corners.
#include "kernel.cuh"

struct Embedding {
    const float *features; // a plane for each dimension
    const float *scales;   // a factor for each dimension
    const unsigned *shifts; // for each dimension the bit at which its coordinate begins, in all words of a key
    const int *least;       // for each dimension the coordinate that is packed as 0
    const unsigned long long *directions; // what a step along each axis adds to the words of a key
    unsigned long long *keys;             // a plane for each word; corner r of pixel p is entry p * corners + r
    float *weights;
    size_t pixels;
    unsigned words;
};

// Floats that are adjusted: adding and subtracting it leaves the nearest integer, of two the even one.
constexpr float ROUND = 12582912.0f;

// Never one instruction with a sum that follows, lest a pixel at the border of two simplices lies in another one than on the processor.
__device__ inline float product(float a, float b) { return __fmul_rn(a, b); }

template <unsigned MOST> __device__ inline void elevate(const Embedding &of, size_t p, unsigned corners, float *elevated) {
    float sum = 0.0f;
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned k = 1; k < MOST; k++) {
        unsigned j = MOST - k;
        if (j >= corners) continue;
        float scaled = product(of.features[(j - 1) * of.pixels + p], of.scales[j - 1]);
        elevated[j] = sum - product(float(j), scaled);
        sum += scaled;
    }
    elevated[0] = sum;
}

// The nearest multiples of d + 1; by how many of these multiples their sum is above 0; how many have a larger offset from theirs.
template <unsigned MOST> __device__ inline float round_and_rank(unsigned corners, const float *elevated, float *origin, float *rank) {
    float excess = 0.0f, offset[MOST];
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned i = 0; i < MOST; i++) {
        if (i >= corners) continue;
        float multiple = (product(elevated[i], 1.0f / float(corners)) + ROUND) - ROUND;
        origin[i] = product(multiple, float(corners));
        offset[i] = elevated[i] - origin[i];
        rank[i] = 0.0f;
        excess += multiple;
    }
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned i = 0; i < MOST; i++) {
#pragma unroll (MOST < 32 ? MOST : 1)
        for (unsigned j = i + 1; j < MOST; j++) {
            if (j >= corners) continue;
            float below = offset[i] < offset[j] ? 1.0f : 0.0f;
            rank[i] += below;
            rank[j] += 1.0f - below;
        }
    }
    return excess;
}

// Moves the origin by the excess so that its coordinates sum to 0 and ranks are 0..=d again.
template <unsigned MOST> __device__ inline void settle(unsigned corners, float excess, float *origin, float *rank) {
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned i = 0; i < MOST; i++) {
        if (i >= corners) continue;
        float size = float(corners), moved = rank[i] + excess;
        float change = (moved < 0.0f ? size : 0.0f) - (moved >= size ? size : 0.0f);
        rank[i] = moved + change;
        origin[i] += change;
    }
}

// The offset of the coordinate of this rank.
template <unsigned MOST>
__device__ inline float sorted(unsigned corners, const float *elevated, const float *origin, const float *rank, unsigned place) {
    float sum = 0.0f;
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned i = 0; i < MOST; i++) {
        if (i >= corners) continue;
        sum += rank[i] == float(place) ? product(elevated[i] - origin[i], 1.0f / float(corners)) : 0.0f;
    }
    return sum;
}

// Barycentric weights: differences of consecutive sorted offsets.
template <unsigned MOST>
__device__ inline void weigh(unsigned corners, const float *elevated, const float *origin, const float *rank, float *weights) {
    float smallest = sorted<MOST>(corners, elevated, origin, rank, corners - 1);
    float largest = sorted<MOST>(corners, elevated, origin, rank, 0);
    weights[0] = smallest + (1.0f - largest);
    float below = smallest;
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned r = 1; r < MOST; r++) {
        if (r >= corners) continue;
        float above = sorted<MOST>(corners, elevated, origin, rank, corners - 1 - r);
        weights[r] = above - below;
        below = above;
    }
}

// One word of the keys of all corners: the next one lies a step along the axis of the smallest offset not yet stepped along.
template <unsigned MOST>
__device__ inline void pack(const Embedding &of, unsigned corners, const float *origin, const float *rank, unsigned word,
                            unsigned long long *keys) {
    unsigned long long key = 0;
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned i = 0; i + 1 < MOST; i++) {
        if (i + 1 >= corners || of.shifts[i] / 64 != word) continue;
        key += (unsigned long long)(int(origin[i]) - of.least[i]) << of.shifts[i] % 64;
    }
    keys[0] = key;
#pragma unroll (MOST < 32 ? MOST : 1)
    for (unsigned r = 1; r < MOST; r++) {
        if (r >= corners) continue;
#pragma unroll (MOST < 32 ? MOST : 1)
        for (unsigned i = 0; i < MOST; i++) {
            if (i < corners && rank[i] == float(corners - r)) key += of.directions[i * of.words + word];
        }
        keys[r] = key;
    }
}

// MOST corners are exact but in embed_any: with all rounds written out, the others keep everything in registers.
template <unsigned MOST> __device__ inline void embed(const Embedding &of, unsigned corners) {
    size_t p = thread_number();
    if (p >= of.pixels) return;
    float elevated[MOST], origin[MOST], rank[MOST];
    elevate<MOST>(of, p, corners, elevated);
    float excess = round_and_rank<MOST>(corners, elevated, origin, rank);
    settle<MOST>(corners, excess, origin, rank);
    weigh<MOST>(corners, elevated, origin, rank, of.weights + p * corners);
    for (unsigned word = 0; word < of.words; word++) {
        pack<MOST>(of, corners, origin, rank, word, of.keys + (word * of.pixels + p) * corners);
    }
}

KERNEL(embed_3)(const float *features, const float *scales, const unsigned *shifts, const int *least,
                const unsigned long long *directions, unsigned long long *keys, float *weights, size_t pixels, unsigned words,
                unsigned) {
    embed<3>({features, scales, shifts, least, directions, keys, weights, pixels, words}, 3);
}

KERNEL(embed_4)(const float *features, const float *scales, const unsigned *shifts, const int *least,
                const unsigned long long *directions, unsigned long long *keys, float *weights, size_t pixels, unsigned words,
                unsigned) {
    embed<4>({features, scales, shifts, least, directions, keys, weights, pixels, words}, 4);
}

KERNEL(embed_6)(const float *features, const float *scales, const unsigned *shifts, const int *least,
                const unsigned long long *directions, unsigned long long *keys, float *weights, size_t pixels, unsigned words,
                unsigned) {
    embed<6>({features, scales, shifts, least, directions, keys, weights, pixels, words}, 6);
}

KERNEL(embed_7)(const float *features, const float *scales, const unsigned *shifts, const int *least,
                const unsigned long long *directions, unsigned long long *keys, float *weights, size_t pixels, unsigned words,
                unsigned) {
    embed<7>({features, scales, shifts, least, directions, keys, weights, pixels, words}, 7);
}

KERNEL(embed_any)(const float *features, const float *scales, const unsigned *shifts, const int *least,
                  const unsigned long long *directions, unsigned long long *keys, float *weights, size_t pixels, unsigned words,
                  unsigned corners) {
    embed<32>({features, scales, shifts, least, directions, keys, weights, pixels, words}, corners);
}
