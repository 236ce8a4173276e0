// How often each class was predicted where each was true. Integers alone are added, in tables of one block each, so that no order of
// additions matters and nothing is added by atomic operations.
#include "kernel.cuh"

// Pixels of a thread and of a block at a time.
constexpr unsigned CELLS_OF_THREAD = 16;
constexpr unsigned CELLS_OF_BLOCK = THREADS * CELLS_OF_THREAD;

// Where a pixel that does not count is counted: in no place of the table.
constexpr unsigned NO_CELL = 0xffffffffu;

// The place of a pixel in a table of truth x prediction, whose last place is for labels that are no classes.
__device__ inline unsigned cell_of(unsigned truth, unsigned predicted, unsigned classes, unsigned ignore) {
    if (truth == ignore) return NO_CELL;
    return truth < classes && predicted < classes ? truth * classes + predicted : classes * classes;
}

// Block b makes table b of the pixels b, b + gridDim.x, ... in units of CELLS_OF_BLOCK. A thread has places of the table, and looks at
// all pixels of a unit for each.
KERNEL(confusion_parts)(const unsigned char *truth, const unsigned char *predicted, size_t *tables, size_t count, unsigned classes,
                        unsigned ignore) {
    __shared__ unsigned cells[CELLS_OF_BLOCK];
    unsigned places = classes * classes + 1;
    size_t *table = tables + size_t(blockIdx.x) * places;
    for (unsigned place = threadIdx.x; place < places; place += THREADS) table[place] = 0;
    for (size_t first = size_t(blockIdx.x) * CELLS_OF_BLOCK; first < count; first += size_t(gridDim.x) * CELLS_OF_BLOCK) {
        __syncthreads();
        for (unsigned k = threadIdx.x; k < CELLS_OF_BLOCK; k += THREADS) {
            size_t i = first + k;
            cells[k] = i < count ? cell_of(truth[i], predicted[i], classes, ignore) : NO_CELL;
        }
        __syncthreads();
        for (unsigned place = threadIdx.x; place < places; place += THREADS) {
            unsigned found = 0;
            for (unsigned k = 0; k < CELLS_OF_BLOCK; k++) found += cells[k] == place;
            table[place] += found;
        }
    }
}

// Block b adds place b of all tables.
KERNEL(confusion)(const size_t *tables, size_t *table, unsigned places, size_t parts) {
    __shared__ size_t scratch[THREADS];
    size_t mine = 0;
    for (size_t part = threadIdx.x; part < parts; part += THREADS) mine += tables[part * places + blockIdx.x];
    size_t total = block_sum<size_t>(mine, scratch);
    if (threadIdx.x == 0) table[blockIdx.x] = total;
}
