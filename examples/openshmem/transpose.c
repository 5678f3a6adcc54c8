/* Transpose: B = A^T of a square matrix of doubles whose rows are spread over all PEs, equally many on each.
 *
 *   oshcc -O2 transpose.c -o transpose && mpirun -n 4 ./transpose
 *
 * A column of this PE's rows is a piece of a row of B: it is gathered and put there, on whichever PE has that row.
 * Everybody begins with another PE, so that not all write to one. */
#include "example.h"

enum { kTogether = 8 }; /* columns that are gathered at a time: a cache line of each row */

static Option options[] = {
    {"--rows", "rows of A on each PE; A is square", 128, 1, 1 << 15},
    {"--rounds", "how often", 21, 1, 1000},
};
static Program program = {.name = "transpose",
                          .what = "transposes a matrix whose rows are spread over all PEs, and checks every element",
                          EXAMPLE_OPTIONS(options)};

static long rows, n; /* of this PE, of all */
static double* a;
static double* columns; /* kTogether of them, `rows` elements each */
static double* b;       /* symmetric */

static double element(long row, long column) { return (double)(row * n + column); }

static void start_over(void) { memset(b, 0, (size_t)(rows * n) * sizeof *b); }

static void send_columns(int pe, long first, long count) {
  for (long row = 0; row < rows; ++row) {
    const double* from = a + row * n + pe * rows + first;
    for (long i = 0; i < count; ++i) columns[i * rows + row] = from[i];
  }
  for (long i = 0; i < count; ++i) {
    shmem_double_put(b + (first + i) * n + program.me * rows, columns + i * rows, (size_t)rows, pe);
  }
}

static void transpose(void) {
  for (int i = 1; i <= program.npes; ++i) {
    const int pe = (program.me + i) % program.npes;
    for (long first = 0; first < rows; first += kTogether) {
      send_columns(pe, first, rows - first < kTogether ? rows - first : kTogether);
    }
  }
}

static long wrong_elements(void) {
  long wrong = 0;
  for (long row = 0; row < rows; ++row) {
    const double* of_row = b + row * n;
    for (long column = 0; column < n; ++column) wrong += of_row[column] != element(column, program.me * rows + row);
  }
  return wrong;
}

int main(int argc, char** argv) {
  start_program(&program, argc, argv);
  rows = options[0].value;
  n = rows * program.npes;
  const int rounds = (int)options[1].value;
  const size_t bytes = (size_t)(rows * n) * sizeof(double);
  b = symmetric(&program, bytes);
  a = own_memory(&program, bytes);
  columns = own_memory(&program, (size_t)(rows * kTogether) * sizeof *columns);
  for (long i = 0; i < rows * n; ++i) a[i] = element(program.me * rows + i / n, i % n);

  double* times = run_rounds(&program, rounds, start_over, transpose);
  return end_program(&program, times, rounds, (double)bytes * program.npes, "MB/s", wrong_elements());
}
