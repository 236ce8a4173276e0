// One step of an optimiser for all parameters in one launch. The rules are those of the crate optim, scalar by scalar.
#include "kernel.cuh"

constexpr unsigned SCALARS = 16; // of a thread

// A parameter: where its values, its gradient and what is remembered of it lie, and what is its own in the rule.
struct Slot {
    float *values;
    const float *gradient;
    float *memory[2];
    size_t count;
    size_t first_block;
    float rate, decay, shrink, scale;
};

// The slot that a block works for, the last one that begins no later, and the first of its scalars.
__device__ inline const Slot &slot_of_block(const Slot *slots, unsigned count, size_t *first) {
    unsigned low = 0, high = count;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (slots[middle].first_block <= blockIdx.x) low = middle;
        else high = middle;
    }
    *first = (blockIdx.x - slots[low].first_block) * THREADS * SCALARS;
    return slots[low];
}

// g = gradient + decay p; buffer = momentum buffer + g; p falls by rate times the buffer, or g + momentum buffer (Nesterov). Without
// momentum there is no buffer.
KERNEL(sgd)(const Slot *slots, unsigned count, float momentum, int nesterov) {
    size_t first;
    const Slot &slot = slot_of_block(slots, count, &first);
    for (unsigned k = 0; k < SCALARS; k++) {
        size_t i = first + k * THREADS + threadIdx.x;
        if (i >= slot.count) return;
        float p = slot.values[i];
        float g = slot.gradient[i] + slot.decay * p;
        float direction = g;
        if (slot.memory[0]) {
            float buffer = momentum * slot.memory[0][i] + g;
            slot.memory[0][i] = buffer;
            direction = nesterov ? g + momentum * buffer : buffer;
        }
        slot.values[i] = p - slot.rate * direction;
    }
}

// m and v move towards g and its square; p shrinks, and falls by rate m / (sqrt(v) scale + eps).
KERNEL(adam)(const Slot *slots, unsigned count, float new_m, float beta_v, float new_v, float eps) {
    size_t first;
    const Slot &slot = slot_of_block(slots, count, &first);
    for (unsigned k = 0; k < SCALARS; k++) {
        size_t i = first + k * THREADS + threadIdx.x;
        if (i >= slot.count) return;
        float p = slot.values[i];
        float g = slot.gradient[i] + slot.decay * p;
        float m = slot.memory[0][i], v = slot.memory[1][i];
        m = m + new_m * (g - m);
        v = beta_v * v + new_v * (g * g);
        slot.memory[0][i] = m;
        slot.memory[1][i] = v;
        slot.values[i] = p * slot.shrink - slot.rate * m / (sqrtf(v) * slot.scale + eps);
    }
}

// The squares of all gradients in parts of a block each, in double.
KERNEL(squares)(const Slot *slots, unsigned count, double *sums) {
    __shared__ double scratch[THREADS];
    size_t first;
    const Slot &slot = slot_of_block(slots, count, &first);
    double sum = 0.0;
    for (unsigned k = 0; k < SCALARS; k++) {
        size_t i = first + k * THREADS + threadIdx.x;
        if (i < slot.count) sum += double(slot.gradient[i]) * double(slot.gradient[i]);
    }
    double total = block_sum<double>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// One block adds the parts.
KERNEL(sum_of_squares)(const double *parts_of_sum, double *sum, size_t parts) {
    __shared__ double scratch[THREADS];
    double mine = 0.0;
    for (size_t part = threadIdx.x; part < parts; part += THREADS) mine += parts_of_sum[part];
    double total = block_sum<double>(mine, scratch);
    if (threadIdx.x == 0) *sum = total;
}
