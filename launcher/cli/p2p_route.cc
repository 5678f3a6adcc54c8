#include "launcher/cli/p2p_route.h"

#include <algorithm>
#include <cstring>

namespace canopy::cli {

Result<P2pRoute> P2pRoute::create(int src, int dst, uint64_t bytes, void* staging, uint64_t seed) {
  P2pRoute route;
  route.src_ = src;
  route.dst_ = dst;
  route.bytes_ = bytes;
  route.seed_ = seed;
  route.staging_ = static_cast<uint8_t*>(staging);
  CANOPY_ASSIGN(route.from_, device_memory(src, bytes));
  CANOPY_ASSIGN(route.to_, device_memory(dst, bytes));
  CANOPY_ASSIGN(route.src_stream_, make_stream(src));
  CANOPY_ASSIGN(route.dst_stream_, make_stream(dst));
  CANOPY_ASSIGN(route.staged_, make_event(src));
  for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    const uint64_t word = route.wanted(i);
    std::memcpy(route.staging_ + i, &word, std::min(sizeof word, bytes - i));
  }
  CANOPY_TRY(acl_ok(
      aclrtMemcpy(route.from_.get(), bytes, route.staging_, bytes, ACL_MEMCPY_HOST_TO_DEVICE),
      "aclrtMemcpy to the source"));
  return route;
}

// The word at a place: all differ, and none is 0, which is what spoil() leaves.
uint64_t P2pRoute::wanted(uint64_t place) const { return seed_ << 56 | (place + 1); }

Result<> P2pRoute::post(P2pWay way) {
  CANOPY_TRY(acl_ok(aclrtSetDevice(src_), "aclrtSetDevice"));
  if (way == P2pWay::direct) {
    return acl_ok(aclrtMemcpyAsync(to_.get(), bytes_, from_.get(), bytes_,
                                   ACL_MEMCPY_DEVICE_TO_DEVICE, src_stream_.get()),
                  "aclrtMemcpyAsync between devices");
  }
  CANOPY_TRY(acl_ok(aclrtMemcpyAsync(staging_, bytes_, from_.get(), bytes_,
                                     ACL_MEMCPY_DEVICE_TO_HOST, src_stream_.get()),
                    "aclrtMemcpyAsync to pinned memory"));
  CANOPY_TRY(acl_ok(aclrtRecordEvent(staged_.get(), src_stream_.get()), "aclrtRecordEvent"));
  CANOPY_TRY(acl_ok(aclrtSetDevice(dst_), "aclrtSetDevice"));
  CANOPY_TRY(
      acl_ok(aclrtStreamWaitEvent(dst_stream_.get(), staged_.get()), "aclrtStreamWaitEvent"));
  return acl_ok(aclrtMemcpyAsync(to_.get(), bytes_, staging_, bytes_, ACL_MEMCPY_HOST_TO_DEVICE,
                                 dst_stream_.get()),
                "aclrtMemcpyAsync from pinned memory");
}

Result<> P2pRoute::wait(P2pWay way) {
  const bool direct = way == P2pWay::direct;
  CANOPY_TRY(acl_ok(aclrtSetDevice(direct ? src_ : dst_), "aclrtSetDevice"));
  return acl_ok(aclrtSynchronizeStream(direct ? src_stream_.get() : dst_stream_.get()),
                "aclrtSynchronizeStream");
}

Result<> P2pRoute::spoil() {
  CANOPY_TRY(acl_ok(aclrtSetDevice(dst_), "aclrtSetDevice"));
  return acl_ok(aclrtMemset(to_.get(), bytes_, 0, bytes_), "aclrtMemset");
}

Result<> P2pRoute::check() {
  CANOPY_TRY(acl_ok(aclrtSetDevice(dst_), "aclrtSetDevice"));
  CANOPY_TRY(acl_ok(aclrtMemcpy(staging_, bytes_, to_.get(), bytes_, ACL_MEMCPY_DEVICE_TO_HOST),
                    "aclrtMemcpy from the target"));
  for (uint64_t i = 0; i < bytes_; i += sizeof(uint64_t)) {
    const uint64_t word = wanted(i);
    if (std::memcmp(staging_ + i, &word, std::min(sizeof word, bytes_ - i)) != 0) {
      return fail(Errc::internal, "what arrived at byte {} of {} is wrong", i, bytes_);
    }
  }
  return {};
}

Result<> P2pRoute::expect_refusal() {
  CANOPY_TRY(acl_ok(aclrtSetDevice(src_), "aclrtSetDevice"));
  const aclError code = aclrtMemcpyAsync(to_.get(), bytes_, from_.get(), bytes_,
                                         ACL_MEMCPY_DEVICE_TO_DEVICE, src_stream_.get());
  if (code == ACL_SUCCESS) {
    return fail(Errc::internal, "a copy without peer access was not refused");
  }
  if (code != ACL_ERROR_RT_NO_PERMISSION) {
    return acl_ok(code, "aclrtMemcpyAsync between devices without peer access");
  }
  while (aclGetRecentErrMsg() != nullptr) {  // it was wanted: nobody needs to read about it
  }
  return {};
}

}  // namespace canopy::cli
