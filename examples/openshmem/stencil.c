/* Stencil: every point of a square grid becomes the mean of its four neighbours, step by step; the border stays zero.
 *
 *   oshcc -O2 stencil.c -o stencil -lm && mpirun -n 4 ./stencil
 *
 * The grid is cut into one rectangle per PE. Before a step each PE puts its outermost points into its neighbours'
 * halos, each with a signal that carries the number of the step, and waits for theirs: there is no barrier. A neighbour
 * can be one step ahead, so there are two halos, for odd and even steps.
 *
 * The check is exact: sin(k x) sin(k y) keeps its form, and shrinks in each step by cos(k h), h between two points. A
 * halo that is one step too old would show. */
#include "example.h"

#include <math.h>

enum { kUp, kDown, kLeft, kRight, kSides };

static Option options[] = {
    {"--n", "points along an edge of the grid, without its border", 128, 2, 1 << 15},
    {"--steps", "steps", 1000, 1, 1000000},
    {"--rounds", "how often", 5, 1, 1000},
};
static Program program = {.name = "stencil",
                          .what = "averages neighbours on a grid, one piece per PE, and checks every point",
                          EXAMPLE_OPTIONS(options)};

static long n, steps;
static int across, down;       /* rectangles */
static int column, row;        /* of this PE's rectangle */
static long first_x, first_y;  /* of its points, counted from 1 */
static long w, h;              /* of it, in points */
static double wave, shrink;    /* k times the distance of two points; the factor of a step */
static double *grid, *next;    /* (h + 2) x (w + 2) */
static double* packed;         /* a column on its way */

/* Symmetric. */
static double* halo[kSides][2];   /* what came from that side, for even and odd steps */
static uint64_t* arrived[kSides]; /* the newest step of which it came */

static const int kOpposite[kSides] = {kDown, kUp, kRight, kLeft};

/* On a side's neighbour, or -1 at the border. */
static int neighbour(int side) {
  const int x = column + (side == kRight) - (side == kLeft), y = row + (side == kDown) - (side == kUp);
  return x < 0 || y < 0 || x == across || y == down ? -1 : y * across + x;
}

static void put_with_signal(double* dest, const double* source, size_t count, uint64_t* signal, uint64_t step, int pe) {
#if SHMEM_MAJOR_VERSION > 1 || SHMEM_MINOR_VERSION >= 5
  shmem_double_put_signal(dest, source, count, signal, step, SHMEM_SIGNAL_SET, pe);
#else
  shmem_double_put(dest, source, count, pe);
  shmem_fence();
  shmem_uint64_p(signal, step, pe);
#endif
}

static void wait_for_signal(uint64_t* signal, uint64_t step) {
#if SHMEM_MAJOR_VERSION > 1 || SHMEM_MINOR_VERSION >= 5
  shmem_signal_wait_until(signal, SHMEM_CMP_GE, step);
#else
  shmem_uint64_wait_until(signal, SHMEM_CMP_GE, step);
#endif
}

/* The points of this PE along a side, or with `outside` 1 the halo's place next to them; `stride` apart. */
static double* edge(int side, int outside, long* stride, long* count) {
  const int vertical = side == kLeft || side == kRight;
  *stride = vertical ? w + 2 : 1;
  *count = vertical ? h : w;
  const long x = side == kLeft ? 1 - outside : side == kRight ? w + outside : 1;
  const long y = side == kUp ? 1 - outside : side == kDown ? h + outside : 1;
  return grid + y * (w + 2) + x;
}

static void send_edge(int side, int pe, uint64_t step) {
  long stride, count;
  const double* points = edge(side, 0, &stride, &count);
  if (stride != 1) {
    for (long i = 0; i < count; ++i) packed[i] = points[i * stride];
    points = packed;
  }
  const int theirs = kOpposite[side];
  put_with_signal(halo[theirs][step % 2], points, (size_t)count, arrived[theirs], step, pe);
}

static void take_halo(int side, uint64_t step) {
  wait_for_signal(arrived[side], step);
  long stride, count;
  double* place = edge(side, 1, &stride, &count);
  for (long i = 0; i < count; ++i) place[i * stride] = halo[side][step % 2][i];
}

static void average(void) {
  for (long y = 1; y <= h; ++y) {
    const double* here = grid + y * (w + 2);
    double* to = next + y * (w + 2);
    for (long x = 1; x <= w; ++x) to[x] = 0.25 * (here[x - 1] + here[x + 1] + here[x - w - 2] + here[x + w + 2]);
  }
  double* old = grid;
  grid = next;
  next = old;
}

static void run_steps(void) {
  for (uint64_t step = 1; step <= (uint64_t)steps; ++step) {
    for (int side = 0; side < kSides; ++side) {
      if (neighbour(side) >= 0) send_edge(side, neighbour(side), step);
    }
    for (int side = 0; side < kSides; ++side) {
      if (neighbour(side) >= 0) take_halo(side, step);
    }
    average();
  }
}

static double start_value(long x, long y) {
  return sin(wave * (double)(first_x + x - 1)) * sin(wave * (double)(first_y + y - 1));
}

static void start_over(void) {
  memset(grid, 0, (size_t)((w + 2) * (h + 2)) * sizeof *grid);
  memset(next, 0, (size_t)((w + 2) * (h + 2)) * sizeof *next);
  for (long y = 1; y <= h; ++y) {
    for (long x = 1; x <= w; ++x) grid[y * (w + 2) + x] = start_value(x, y);
  }
  for (int side = 0; side < kSides; ++side) *arrived[side] = 0;
}

static long wrong_points(void) {
  const double factor = pow(shrink, (double)steps);
  long wrong = 0;
  for (long y = 1; y <= h; ++y) {
    for (long x = 1; x <= w; ++x) wrong += fabs(grid[y * (w + 2) + x] - factor * start_value(x, y)) > 1e-9;
  }
  return wrong;
}

/* As many rectangles as PEs, as square as they can be. */
static void cut(void) {
  down = (int)sqrt((double)program.npes);
  while (program.npes % down != 0) --down;
  across = program.npes / down;
  column = program.me % across, row = program.me / across;
  first_x = 1 + n * column / across, first_y = 1 + n * row / down;
  w = 1 + n * (column + 1) / across - first_x, h = 1 + n * (row + 1) / down - first_y;
}

/* The wave that is about half as high after all steps, as far as its nodes can lie on the border. */
static void choose_wave(void) {
  const double pi = acos(-1);
  const double waves = round(acos(pow(0.5, 1 / (double)steps)) / pi * (double)(n + 1));
  wave = pi * (waves < 1 ? 1 : waves) / (double)(n + 1);
  shrink = cos(wave);
}

int main(int argc, char** argv) {
  start_program(&program, argc, argv);
  n = options[0].value, steps = options[1].value;
  const int rounds = (int)options[2].value;
  cut();
  choose_wave();
  if (n < across) {
    if (program.me == 0) {
      fprintf(stderr, "stencil: --n: %ld points along an edge are too few for %d PEs\n", n, program.npes);
    }
    end_before_work(2);
  }
  for (int side = 0; side < kSides; ++side) {
    for (int parity = 0; parity < 2; ++parity) halo[side][parity] = symmetric(&program, (size_t)n * sizeof(double));
    arrived[side] = symmetric(&program, sizeof(uint64_t));
  }
  grid = own_memory(&program, (size_t)((w + 2) * (h + 2)) * sizeof *grid);
  next = own_memory(&program, (size_t)((w + 2) * (h + 2)) * sizeof *next);
  packed = own_memory(&program, (size_t)h * sizeof *packed);

  double* times = run_rounds(&program, rounds, start_over, run_steps);
  return end_program(&program, times, rounds, (double)(n * n * steps), "Mpoints/s", wrong_points());
}
