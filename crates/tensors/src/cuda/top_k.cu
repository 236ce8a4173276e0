// Indices of the largest elements of rows; a block has a row.
#include "kernel.cuh"

// Orders elements as the search does: the larger value first, of equals the lower index. 0 and -0 are equal; what is not a number is
// larger than any number.
__device__ inline unsigned long long order_of(float value, unsigned index) {
    unsigned bits = __float_as_uint(value + 0.0f);
    unsigned ascending = value != value ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
    return (unsigned long long)(~ascending) << 32 | index;
}

// Round after round the first element in that order after the one found before.
KERNEL(top_k)(const float *x, unsigned *indices, unsigned columns, unsigned k) {
    __shared__ unsigned long long best[THREADS];
    const float *row = x + size_t(blockIdx.x) * columns;
    unsigned long long last = 0;
    for (unsigned round = 0; round < k; round++) {
        unsigned long long mine = ~0ull;
        for (unsigned i = threadIdx.x; i < columns; i += THREADS) {
            unsigned long long order = order_of(row[i], i);
            if ((round == 0 || order > last) && order < mine) mine = order;
        }
        __syncthreads();
        best[threadIdx.x] = mine;
        __syncthreads();
        for (unsigned half = THREADS / 2; half > 0; half /= 2) {
            if (threadIdx.x < half && best[threadIdx.x + half] < best[threadIdx.x]) {
                best[threadIdx.x] = best[threadIdx.x + half];
            }
            __syncthreads();
        }
        last = best[0];
        if (threadIdx.x == 0) indices[size_t(blockIdx.x) * k + round] = unsigned(last);
    }
}
