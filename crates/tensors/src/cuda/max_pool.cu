// The maximum over windows, and the way back: every input pixel gathers from the windows whose maximum it was.
#include "kernel.cuh"

// Window o of an axis is inputs tables[o] .. tables[outputs + o]; `tables` holds those of the rows, then those of the columns.
// `sources` gets the place of each maximum in its plane: of equal values the first in reading order, of NaN the last.
KERNEL(max_pool)(const float *x, float *y, unsigned *sources, const unsigned *tables, unsigned height, unsigned width, unsigned rows,
                 unsigned columns, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t plane = i / (size_t(rows) * columns);
    unsigned row = unsigned(i / columns % rows), column = unsigned(i % columns);
    const unsigned *of_columns = tables + 2 * rows;
    const float *from = x + plane * height * width;
    float best = -INFINITY;
    unsigned source = tables[row] * width + of_columns[column];
    for (unsigned r = tables[row]; r < tables[rows + row]; r++) {
        for (unsigned c = of_columns[column]; c < of_columns[columns + column]; c++) {
            float value = from[size_t(r) * width + c];
            if (value > best || value != value) {
                best = value;
                source = r * width + c;
            }
        }
    }
    y[i] = best;
    sources[i] = source;
}

// The windows that input pixel p of an axis lies in are tables[p] .. tables[inputs + p]; rows first, then columns.
KERNEL(max_pool_gradient)(const float *upstream, const unsigned *sources, float *dx, const unsigned *tables, unsigned height,
                          unsigned width, unsigned rows, unsigned columns, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t plane = i / (size_t(height) * width);
    unsigned y = unsigned(i / width % height), x = unsigned(i % width);
    const unsigned *of_columns = tables + 2 * height;
    size_t first = plane * rows * columns;
    float sum = 0.0f;
    for (unsigned r = tables[y]; r < tables[height + y]; r++) {
        for (unsigned c = of_columns[x]; c < of_columns[width + x]; c++) {
            size_t o = first + size_t(r) * columns + c;
            if (sources[o] == y * width + x) sum += upstream[o];
        }
    }
    dx[i] = sum;
}
