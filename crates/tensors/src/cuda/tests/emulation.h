// The part of CUDA that the kernels use, on one thread of the processor: the threads of a block run one after another, or, in kernels
// with barriers, are coroutines that change places there; blocks run one after another.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

struct Index {
    unsigned x, y, z;
};
static Index blockIdx, threadIdx, blockDim, gridDim;

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define KERNEL(name) extern "C" void name

static float __ldg(const float *p) { return *p; }
static float __uint_as_float(unsigned bits) {
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
static unsigned __float_as_uint(float value) {
    unsigned bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}
static unsigned atomicAdd(unsigned *p, unsigned value) {
    unsigned old = *p;
    *p += value;
    return old;
}
static unsigned long long atomicAdd(unsigned long long *p, unsigned long long value) {
    unsigned long long old = *p;
    *p += value;
    return old;
}
static unsigned atomicMin(unsigned *p, unsigned value) {
    unsigned old = *p;
    if (value < old) *p = value;
    return old;
}

namespace emulation {
constexpr size_t STACK = 64 << 10;
static ucontext_t scheduler;
static ucontext_t *running;
static const std::function<void()> *body;
static bool *finished;

static void start() {
    (*body)();
    *finished = true;
    swapcontext(running, &scheduler);
}

static void run_block(const std::function<void()> &work, unsigned threads) {
    static std::vector<char> stacks;
    stacks.resize(threads * STACK);
    std::vector<ucontext_t> contexts(threads);
    std::vector<char> done(threads, 0);
    for (unsigned t = 0; t < threads; t++) {
        getcontext(&contexts[t]);
        contexts[t].uc_stack.ss_sp = stacks.data() + t * STACK;
        contexts[t].uc_stack.ss_size = STACK;
        contexts[t].uc_link = nullptr;
        makecontext(&contexts[t], start, 0);
    }
    body = &work;
    for (unsigned left = threads; left > 0;) {
        for (unsigned t = 0; t < threads; t++) {
            if (done[t]) continue;
            threadIdx = {t, 0, 0};
            running = &contexts[t];
            bool end = false;
            finished = &end;
            swapcontext(&scheduler, running);
            if (end) done[t] = 1, left--;
        }
    }
}

template <class... A, size_t... I> void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_const_t<A> *>(arguments[I])...);
}

// What the driver does: arguments are addresses of values.
template <class... A>
int launch(void (*kernel)(A...), unsigned count, void **arguments, unsigned blocks, unsigned threads, bool barriers) {
    if (count != sizeof...(A)) return int(sizeof...(A));
    gridDim = {blocks, 1, 1};
    blockDim = {threads, 1, 1};
    std::function<void()> work = [=] { call(kernel, arguments, std::index_sequence_for<A...>()); };
    for (unsigned block = 0; block < blocks; block++) {
        blockIdx = {block, 0, 0};
        if (barriers) {
            run_block(work, threads);
        } else {
            for (unsigned t = 0; t < threads; t++) threadIdx = {t, 0, 0}, call(kernel, arguments, std::index_sequence_for<A...>());
        }
    }
    return -1;
}
} // namespace emulation

static void __syncthreads() { swapcontext(emulation::running, &emulation::scheduler); }
