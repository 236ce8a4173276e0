// One pass of a radix sort, by 4 bits of the keys: entries with equal bits keep their order. Only the entries' numbers move.
#include "scan.cuh"

constexpr unsigned DIGITS = 16;
constexpr unsigned SORTED = 16; // consecutive entries of a thread

struct Entries {
    const unsigned long long *keys; // the word of every entry that is looked at
    const unsigned *order;          // the entries, or null: each at its own place
    size_t count;
    unsigned shift;
};

__device__ inline unsigned entry_at(const Entries &of, size_t i) { return of.order ? of.order[i] : unsigned(i); }
__device__ inline unsigned digit(const Entries &of, unsigned entry) { return of.keys[entry] >> of.shift & (DIGITS - 1); }

// For every digit and thread, how many of the block's entries come before the thread's first one of this digit. All of a digit's
// threads come before the next digit's.
__device__ inline void block_places(const Entries &of, unsigned (*places)[THREADS], unsigned *scratch) {
    for (unsigned d = 0; d < DIGITS; d++) places[d][threadIdx.x] = 0;
    size_t first = thread_number() * SORTED;
    for (size_t i = first; i < first + SORTED && i < of.count; i++) places[digit(of, entry_at(of, i))][threadIdx.x]++;
    __syncthreads();
    unsigned *mine = &places[0][0] + threadIdx.x * DIGITS;
    unsigned sum = 0, total;
    for (unsigned k = 0; k < DIGITS; k++) sum += mine[k];
    unsigned before = block_scan(sum, scratch, total);
    for (unsigned k = 0; k < DIGITS; k++) {
        unsigned count = mine[k];
        mine[k] = before;
        before += count;
    }
    __syncthreads();
}

// How many entries of each digit every block has: all blocks' of digit 0 first.
KERNEL(count_digits)(const unsigned long long *keys, const unsigned *order, unsigned *counts, size_t count, unsigned shift) {
    __shared__ unsigned places[DIGITS][THREADS], scratch[THREADS];
    Entries of = {keys, order, count, shift};
    block_places(of, places, scratch);
    unsigned d = threadIdx.x;
    if (d >= DIGITS) return;
    size_t first = size_t(blockIdx.x) * THREADS * SORTED;
    size_t all = count - first < THREADS * SORTED ? count - first : THREADS * SORTED;
    counts[size_t(d) * gridDim.x + blockIdx.x] = (d + 1 < DIGITS ? places[d + 1][0] : unsigned(all)) - places[d][0];
}

// Moves the entries, given where each block's entries of each digit begin.
KERNEL(move_entries)(const unsigned long long *keys, const unsigned *order, const unsigned *starts, unsigned *sorted, size_t count,
                     unsigned shift) {
    __shared__ unsigned places[DIGITS][THREADS], scratch[THREADS], offsets[DIGITS];
    Entries of = {keys, order, count, shift};
    block_places(of, places, scratch);
    unsigned d = threadIdx.x;
    if (d < DIGITS) offsets[d] = starts[size_t(d) * gridDim.x + blockIdx.x] - places[d][0];
    __syncthreads();
    size_t first = thread_number() * SORTED;
    for (size_t i = first; i < first + SORTED && i < count; i++) {
        unsigned entry = entry_at(of, i), mine = digit(of, entry);
        sorted[offsets[mine] + places[mine][threadIdx.x]++] = entry;
    }
}
