// aclshmem.h from host code: both heaps, every routine family on a few types, and the two APIs in
// one job.
#include "acl/acl.h"
#include "shmem.h"
#include "shmemx.h"

#include <cstdio>
#include <initializer_list>

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (!condition) {
    ++failures;
    std::fprintf(stderr, "PE %d: %s fails\n", aclshmem_my_pe(), what);
  }
}

void move_and_signal(int32_t* data, int32_t* signal, int me, int n) {
  const int right = (me + 1) % n;
  const int left = (me + n - 1) % n;
  const int32_t source[3] = {me, me + 1, me + 2};
  aclshmem_int32_put(data, source, 3, right);
  aclshmem_int32_p(data + 3, me + 3, right);
  aclshmem_putmem_nbi(data + 4, source, sizeof source, right);
  aclshmem_put32(data + 7, source, 3, right);
  aclshmem_barrier_all();
  for (int i = 0; i < 4; ++i) {
    expect(data[i] == left + i, "put");
  }
  expect(data[6] == left + 2 && data[9] == left + 2, "putmem, put32");
  int32_t back[3] = {};
  aclshmem_int32_get(back, data, 3, right);
  expect(back[2] == me + 2 && aclshmem_int32_g(data + 3, right) == me + 3, "get, g");
  aclshmem_barrier_all();

  aclshmem_int32_put_signal(data, source, 3, signal, 5, ACLSHMEM_SIGNAL_SET, right);
  expect(aclshmem_signal_wait_until(signal, ACLSHMEM_CMP_EQ, 5) == 5 && data[1] == left + 1,
         "put_signal");
  aclshmem_barrier_all();
  aclshmem_int32_put_signal(data, source, 3, reinterpret_cast<uint8_t*>(signal), 1,
                            ACLSHMEM_SIGNAL_ADD, right);
  expect(aclshmem_signal_wait_until(signal, ACLSHMEM_CMP_GE, 6) == 6,
         "host spelling of put_signal");
  aclshmem_barrier_all();
  aclshmemx_putmem_signal(data, source, 4, signal, 1, ACLSHMEM_SIGNAL_ADD, right);
  aclshmemx_signal_op(signal, 2, ACLSHMEM_SIGNAL_ADD, right);
  aclshmem_int32_wait_until(signal, ACLSHMEM_CMP_GE, 9);
  int hit = 0;
  aclshmem_int32_test(signal, ACLSHMEM_CMP_EQ, 9, &hit);
  expect(hit == 1 && aclshmem_int32_test(signal, ACLSHMEM_CMP_LT, 9) == 0, "test");
  aclshmem_barrier_all();
}

void atomics(float* real, int64_t* word, int n) {
  aclshmem_float_atomic_add(real, 0.5F, 0);
  aclshmem_int64_atomic_fetch_add(word, 2, 0);
  aclshmem_int64_atomic_inc(word, 0);
  aclshmem_barrier_all();
  expect(aclshmem_float_g(real, 0) == 0.5F * static_cast<float>(n), "float add");
  expect(aclshmem_int64_atomic_fetch(word, 0) == 3 * n, "fetch_add");
  aclshmem_barrier_all();
}

// A context that is older than the device heap reaches it too.
void through_context(shmem_ctx_t context, int32_t* data, int me, int n) {
  const int right = (me + 1) % n;
  shmem_ctx_int_p(context, data, 1000 + me, right);
  expect(shmem_ctx_int_atomic_fetch_add(context, data + 1, 1, right) >= 0, "add by a context");
  shmem_ctx_quiet(context);
  expect(shmem_ctx_int_g(context, data, right) == 1000 + me, "g by a context");
  aclshmem_barrier_all();
}

}  // namespace

int main() {
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) {
    return 2;
  }
  shmem_init();
  const int me = shmem_my_pe();
  const int n = shmem_n_pes();
  shmem_ctx_t context = SHMEM_CTX_INVALID;
  expect(shmem_ctx_create(SHMEM_CTX_SERIALIZED, &context) == 0, "ctx_create");
  aclshmemx_init_attr_t attributes{me, n, "", 16u << 20};
  expect(aclshmemx_init_status() == ACLSHMEM_STATUS_NOT_INITIALIZED, "status before");
  attributes.local_mem_size = 12345;
  expect(aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_DEFAULT, &attributes) == ACLSHMEM_INVALID_VALUE,
         "bad size");
  attributes.local_mem_size = 16u << 20;
  expect(aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_MPI, &attributes) == ACLSHMEM_NOT_SUPPORTED,
         "bad flags");
  if (aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_DEFAULT, &attributes) != ACLSHMEM_SUCCESS) {
    return 3;
  }
  expect(aclshmemx_init_status() == ACLSHMEM_STATUS_IS_INITIALIZED, "status after");

  for (const aclshmem_mem_type_t kind : {DEVICE_SIDE, HOST_SIDE}) {
    auto* data = static_cast<int32_t*>(aclshmemx_calloc(16, sizeof(int32_t), kind));
    auto* signal = static_cast<int32_t*>(aclshmemx_calloc(1, sizeof(int32_t), kind));
    auto* word = static_cast<int64_t*>(aclshmemx_calloc(2, sizeof(int64_t), kind));
    if (data == nullptr || signal == nullptr || word == nullptr) {
      return 4;
    }
    expect(aclshmem_ptr(data, me) == data && aclshmem_ptr(data, n) == nullptr, "ptr");
    expect(aclshmemx_get_heap_base(kind) != nullptr, "heap base");
    move_and_signal(data, signal, me, n);
    atomics(reinterpret_cast<float*>(word + 1), word, n);
    through_context(context, data + 12, me, n);
    // The runtime knows both heaps, one's own and the peers'.
    int32_t back = -1;
    const int right = (me + 1) % n;
    if (void* there = shmem_ptr(data, right)) {
      expect(aclrtMemcpy(&back, sizeof back, there, sizeof back,
                         kind == DEVICE_SIDE ? ACL_MEMCPY_DEVICE_TO_HOST
                                             : ACL_MEMCPY_HOST_TO_HOST) == ACL_SUCCESS,
             "aclrtMemcpy of a peer's memory");
    } else {  // no address is that PE's
      aclshmem_int32_get(&back, data, 1, right);
    }
    expect(back == me, "aclrtMemcpy of a peer's memory");
    aclshmem_barrier_all();
    aclshmemx_free(word, kind);
    aclshmemx_free(signal, kind);
    aclshmemx_free(data, kind);
  }

  auto* total = static_cast<int*>(shmem_calloc(1, sizeof(int)));
  shmem_int_atomic_add(total, failures, 0);
  shmem_barrier_all();
  const int all = shmem_int_g(total, 0);
  if (me == 0 && all == 0) {
    std::printf("OK: %d PEs\n", n);
  }
  shmem_free(total);
  expect(aclshmem_finalize() == ACLSHMEM_SUCCESS && aclshmem_finalize() == ACLSHMEM_NOT_INITED,
         "finalize");
  shmem_finalize();
  aclrtResetDevice(0);
  aclFinalize();
  return all != 0 || failures != 0;
}
