// The part of CUDA that the kernels use, on one thread of the processor: the threads of a block run one after another, or, in kernels
// with barriers, are coroutines that change places there; blocks run one after another.
#pragma once
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <functional>
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
static float __fmul_rn(float a, float b) { return a * b; }
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
// A thread of a block. Its stack is made by makecontext; from then on jumps change places, which need no call of the system.
struct Thread {
    ucontext_t context;
    jmp_buf place;
    bool started, finished;
};
constexpr size_t STACK = 64 << 10;
static jmp_buf scheduler;
static Thread *running;
static const std::function<void()> *body;

static void start() {
    (*body)();
    running->finished = true;
    _longjmp(scheduler, 1);
}

// Runs a thread to its next barrier, or its end.
__attribute__((noinline)) static void resume(Thread *thread) {
    running = thread;
    if (_setjmp(scheduler) != 0) return;
    if (thread->started) _longjmp(thread->place, 1);
    thread->started = true;
    setcontext(&thread->context);
}

static void run_block(const std::function<void()> &work, unsigned count) {
    static std::vector<char> stacks;
    static std::vector<Thread> threads;
    stacks.resize(count * STACK);
    threads.resize(count);
    for (unsigned t = 0; t < count; t++) {
        Thread &thread = threads[t];
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = stacks.data() + t * STACK;
        thread.context.uc_stack.ss_size = STACK;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, start, 0);
        thread.started = thread.finished = false;
    }
    body = &work;
    for (bool waiting = true; waiting;) {
        waiting = false;
        for (unsigned t = 0; t < count; t++) {
            if (threads[t].finished) continue;
            threadIdx = {t, 0, 0};
            resume(&threads[t]);
            waiting = waiting || !threads[t].finished;
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

static void __syncthreads() {
    if (_setjmp(emulation::running->place) == 0) _longjmp(emulation::scheduler, 1);
}
