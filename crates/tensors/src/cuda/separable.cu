// Linear maps of planes that factor into rows and columns: resizing, average pooling, and the ways back, which are of the same kind
// (separable.rs). Every output gathers its inputs: nothing is added atomically.
#include "kernel.cuh"

// `tables` holds, one after another: first input row of every output row, where the weights of every output row begin (one more
// than there are rows), and the same of columns. `weights` holds those of the rows, then those of the columns.
KERNEL(separable)(const float *x, float *y, const unsigned *tables, const float *weights, unsigned height, unsigned width,
                  unsigned rows, unsigned columns, size_t count) {
    size_t i = thread_number();
    if (i >= count) return;
    size_t plane = i / (size_t(rows) * columns);
    unsigned row = unsigned(i / columns % rows), column = unsigned(i % columns);
    const unsigned *row_offsets = tables + rows, *column_starts = row_offsets + rows + 1, *column_offsets = column_starts + columns;
    const float *column_weights = weights + row_offsets[rows];
    const float *from = x + plane * height * width;
    unsigned top = tables[row], left = column_starts[column];
    float sum = 0.0f;
    for (unsigned r = row_offsets[row]; r < row_offsets[row + 1]; r++) {
        const float *line = from + size_t(top + r - row_offsets[row]) * width + left;
        float in_row = 0.0f;
        for (unsigned c = column_offsets[column]; c < column_offsets[column + 1]; c++) {
            in_row += column_weights[c] * line[c - column_offsets[column]];
        }
        sum += weights[r] * in_row;
    }
    y[i] = sum;
}
