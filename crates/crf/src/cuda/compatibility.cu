// Costs of two labels: rows of classes times a matrix, and what a gradient says of the numbers.
#include "kernel.cuh"

// Every class's number is the sum of the matrix's column for each class times that class's number.
KERNEL(mix)(const float *rows, const float *columns, float *mixed, size_t count, unsigned classes) {
    size_t n = thread_number();
    if (n >= count * classes) return;
    const float *row = rows + n / classes * classes;
    size_t to = n % classes;
    float sum = 0.0f;
    for (size_t from = 0; from < classes; from++) sum += row[from] * columns[from * classes + to];
    mixed[n] = sum;
}

// Rows times a factor for each class.
KERNEL(scale_classes)(const float *rows, const float *factors, float *scaled, size_t count, unsigned classes) {
    size_t n = thread_number();
    if (n < count * classes) scaled[n] = rows[n] * factors[n % classes];
}

constexpr unsigned MULTIPLIED = 16; // pixels of a thread

// Sums over a part of the pixels of the gradient of one class times the message of another: (pairs of classes, parts). Pairs are
// every class with itself alone if `equal`, else every class with every other, the gradient's first.
KERNEL(products)(const float *gradient, const float *messages, double *sums, size_t pixels, size_t parts, unsigned classes,
                 unsigned equal) {
    __shared__ double scratch[THREADS];
    size_t pair = blockIdx.x / parts, part = blockIdx.x % parts;
    size_t to = equal ? pair : pair / classes, from = equal ? pair : pair % classes;
    double sum = 0.0;
    for (unsigned k = 0; k < MULTIPLIED; k++) {
        size_t pixel = (part * MULTIPLIED + k) * THREADS + threadIdx.x;
        if (pixel < pixels) sum += double(gradient[pixel * classes + to]) * double(messages[pixel * classes + from]);
    }
    double total = block_sum<double>(sum, scratch);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}
