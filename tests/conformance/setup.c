/* §9.1 Library setup, exit and query; §9.2 thread support; §8 the constants that go with them. */
#include "conformance.h"

static shmem_ctx_t initialised = SHMEM_CTX_DEFAULT; /* §7: handles may stand in initialisers */
static _Thread_local shmem_ctx_t per_thread = SHMEM_CTX_INVALID; /* §6 */

static int global_variable;

static void accessibility(void) {
  int private_variable = 0;
  for (int pe = 0; pe < n; ++pe) {
    CHECK("§9.1.7: every PE of the program is accessible", shmem_pe_accessible(pe) == 1);
    CHECK("§9.1.8: the heap is accessible", shmem_addr_accessible(block, pe) == 1);
    CHECK("§9.1.8: private memory is not", shmem_addr_accessible(&private_variable, pe) == 0);
    char* there = shmem_ptr(block, pe);
    if (there != NULL) {
      CHECK("§9.1.9: a pointer for loads and stores", pe != me || there == block);
      there[me] = (char)(me + 1);
    }
    CHECK("§9.1.9: NULL for what is not symmetric", shmem_ptr(&private_variable, pe) == NULL);
  }
  CHECK("§9.1.7: a PE that is none is not accessible",
        shmem_pe_accessible(-10) == 0 && shmem_pe_accessible(n + 10) == 0);
  CHECK("§9.1.8: NULL is no symmetric address", shmem_addr_accessible(NULL, me) == 0);
  CHECK("§9.1.9: a PE that is none has no pointer", shmem_ptr(block, n) == NULL);
  shmem_barrier_all();
  if (shmem_ptr(block, left) != NULL) {
    CHECK("§9.1.9: stores through the pointer arrive", block[left] == left + 1);
  }
  (void)global_variable;
}

static void versions(void) {
  int major = 0, minor = 0;
  shmem_info_get_version(&major, &minor);
  CHECK("§9.1.11: the version is that of the constants",
        major == SHMEM_MAJOR_VERSION && minor == SHMEM_MINOR_VERSION && major == 1 && minor == 6);
  char name[SHMEM_MAX_NAME_LEN];
  memset(name, 'x', sizeof name);
  shmem_info_get_name(name);
  CHECK("§9.1.12: the name is the macro's", strcmp(name, SHMEM_VENDOR_STRING) == 0);
  CHECK("§6: names before 1.3", _SHMEM_MAJOR_VERSION == 1 && _SHMEM_MINOR_VERSION == 6 &&
                                    _SHMEM_MAX_NAME_LEN == SHMEM_MAX_NAME_LEN &&
                                    strcmp(_SHMEM_VENDOR_STRING, name) == 0);
}

void chapter_setup(void) {
  CHECK("§9.1.3: my number", me >= 0 && me < n && shmem_my_pe() == me && shmem_n_pes() == n);
  CHECK("§7: handles", initialised == SHMEM_CTX_DEFAULT && per_thread == SHMEM_CTX_INVALID &&
                           SHMEM_CTX_DEFAULT != SHMEM_CTX_INVALID);
  accessibility();
  versions();
  shmem_pcontrol(1);
  shmem_pcontrol(3, "anything", 7);
  pshmem_pcontrol(0);
}

/* §9.2, and §9.1.1: init may be repeated, each needs its finalize, and only the last one ends
 * anything. */
void chapter_threads(void) {
  const int levels[] = {SHMEM_THREAD_SINGLE, SHMEM_THREAD_FUNNELED, SHMEM_THREAD_SERIALIZED,
                        SHMEM_THREAD_MULTIPLE};
  for (int i = 0; i < 4; ++i) {
    CHECK("§9.2: levels rise", i == 0 || levels[i] > levels[i - 1]);
    int provided = -1, asked = -1, initialized = 0;
    CHECK("§9.2.1: succeeds", shmem_init_thread(levels[i], &provided) == 0);
    CHECK("§9.2.1: a level", provided >= SHMEM_THREAD_SINGLE && provided <= SHMEM_THREAD_MULTIPLE);
    shmem_query_thread(&asked);
    CHECK("§9.2.2: the level that was provided", asked == provided);
    shmem_query_initialized(&initialized);
    CHECK("§9.1.2: initialised", initialized != 0);
    shmem_finalize();
    shmem_query_initialized(&initialized);
    CHECK("§9.1.5: a finalize that is not the last ends nothing", initialized != 0);
    block[0] = 7;
    CHECK("§9.1.5: nothing is freed", shmem_addr_accessible(block, me) == 1);
  }
  start_pes(0); /* a second call has no effect, and needs no finalize */
  CHECK("Annex F: old names", _my_pe() == me && _num_pes() == n);
}
