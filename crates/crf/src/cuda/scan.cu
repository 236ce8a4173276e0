// For every value the sum of all before it.
#include "scan.cuh"

constexpr unsigned SCANNED = 16; // consecutive values of a thread

// Replaces the values of a block by sums within the block, and writes the sum of all of them.
KERNEL(scan_blocks)(unsigned *values, unsigned *totals, size_t count) {
    __shared__ unsigned scratch[THREADS];
    size_t first = thread_number() * SCANNED;
    unsigned sum = 0, total;
    for (size_t i = first; i < first + SCANNED && i < count; i++) sum += values[i];
    unsigned before = block_scan(sum, scratch, total);
    for (size_t i = first; i < first + SCANNED && i < count; i++) {
        unsigned value = values[i];
        values[i] = before;
        before += value;
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = total;
}

// Adds to every value what the blocks before its own hold.
KERNEL(add_totals)(unsigned *values, const unsigned *totals, size_t count) {
    size_t i = thread_number();
    if (i < count) values[i] += totals[i / (THREADS * SCANNED)];
}
