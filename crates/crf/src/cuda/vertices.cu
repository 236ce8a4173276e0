// The vertices that the pixels touch, from the sorted keys of all corners; their neighbours; and what each sums.
#include "kernel.cuh"

constexpr unsigned PART = 32; // most entries of a vertex that are summed at once

// Marks the last entry of every vertex; one more place than entries gets 0.
KERNEL(mark_vertices)(const unsigned long long *keys, const unsigned *order, unsigned *marks, size_t entries, unsigned words) {
    size_t i = thread_number();
    if (i > entries) return;
    bool last = i + 1 == entries;
    if (i + 1 < entries) {
        for (unsigned word = 0; word < words && !last; word++) {
            last = keys[word * entries + order[i]] != keys[word * entries + order[i + 1]];
        }
    }
    marks[i] = last;
}

// With the number of each sorted entry's vertex: every corner's vertex; the pixel and weight of every sorted entry; where each
// vertex's entries start, and the last one's end; and each vertex's key.
KERNEL(list_vertices)(const unsigned long long *keys, const unsigned *order, const unsigned *numbers, const float *weights,
                      unsigned *corners, unsigned *sources, float *sorted_weights, unsigned *starts,
                      unsigned long long *vertex_keys, size_t entries, size_t vertices, unsigned words, unsigned corners_of_pixel) {
    size_t i = thread_number();
    if (i >= entries) return;
    unsigned entry = order[i], vertex = numbers[i];
    corners[entry] = vertex;
    sources[i] = entry / corners_of_pixel;
    sorted_weights[i] = weights[entry];
    if (i + 1 == entries) starts[vertices] = unsigned(entries);
    if (i > 0 && numbers[i - 1] == vertex) return;
    starts[vertex] = unsigned(i);
    for (unsigned word = 0; word < words; word++) vertex_keys[word * vertices + vertex] = keys[word * entries + entry];
}

// In how many parts each vertex's entries are summed; one more place gets 0.
KERNEL(count_parts)(const unsigned *starts, unsigned *parts, size_t vertices) {
    size_t v = thread_number();
    if (v > vertices) return;
    parts[v] = v < vertices ? (starts[v + 1] - starts[v] - 1) / PART + 1 : 0;
}

// Where each part starts, and the last one ends, given the number of each vertex's first part.
KERNEL(list_parts)(const unsigned *numbers, const unsigned *starts, const unsigned *parts, unsigned *firsts, size_t entries,
                   size_t vertices) {
    size_t i = thread_number();
    if (i >= entries) return;
    unsigned vertex = numbers[i], place = unsigned(i) - starts[vertex];
    if (place % PART == 0) firsts[parts[vertex] + place / PART] = unsigned(i);
    if (i + 1 == entries) firsts[parts[vertices]] = unsigned(entries);
}

struct Vertices {
    const unsigned long long *keys; // sorted, a plane for each word, of which the last counts most
    size_t count;
    unsigned words;
};

// Whether the key of vertex `other` comes before that of `vertex` moved by `direction`, forwards or backwards: -1, or 1 if it comes
// after, or 0 if it is that.
__device__ inline int compare(const Vertices &of, size_t other, size_t vertex, const unsigned long long *direction, bool forwards) {
    for (unsigned word = of.words; word-- > 0;) {
        unsigned long long step = forwards ? direction[word] : 0 - direction[word];
        unsigned long long wanted = of.keys[word * of.count + vertex] + step, found = of.keys[word * of.count + other];
        if (found != wanted) return found < wanted ? -1 : 1;
    }
    return 0;
}

// The neighbour of a vertex; the number of vertices if it is not there.
__device__ inline unsigned neighbour(const Vertices &of, size_t vertex, const unsigned long long *direction, bool forwards) {
    size_t low = 0, high = of.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(of, middle, vertex, direction, forwards);
        if (order == 0) return unsigned(middle);
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return unsigned(of.count);
}

// Both neighbours of every vertex along every axis.
KERNEL(find_neighbours)(const unsigned long long *vertex_keys, const unsigned long long *directions, unsigned *neighbours,
                        size_t vertices, unsigned words, unsigned axes) {
    size_t n = thread_number();
    if (n >= axes * vertices) return;
    Vertices of = {vertex_keys, vertices, words};
    const unsigned long long *direction = directions + n / vertices * words;
    neighbours[2 * n] = neighbour(of, n % vertices, direction, false);
    neighbours[2 * n + 1] = neighbour(of, n % vertices, direction, true);
}
