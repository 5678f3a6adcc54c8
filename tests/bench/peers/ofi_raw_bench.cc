// The bare layer below: libfabric alone, as well as it can be used. Manual progress, which is its
// better mode for small transfers over tcp (2 to 3 times), both sides polling without pause; a put
// that must have arrived asks for its completion at delivery; a flood of puts goes by inject and
// ends with one such put behind the others. fetch_add is a message to and fro, with the sizes of
// ours.
#include "runtime/base/cache_line.h"
#include "tests/bench/ofi/side.h"

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <sched.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace canopy::bench {
namespace {

constexpr size_t kRequestBytes = 48;
constexpr size_t kReplyBytes = 40;
constexpr size_t kRecvs = 64;

void must(long err, const char* what) {
  if (err < 0) {
    give_up(fmt::format("{}: {}", what, fi_strerror(static_cast<int>(-err))));
  }
}

class RawSide final : public NetworkSide {
 public:
  RawSide(std::byte* memory, size_t bytes) : memory_(memory) {
    fi_info* hints = fi_allocinfo();
    hints->caps = FI_MSG | FI_RMA | FI_REMOTE_COMM;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
    hints->tx_attr->msg_order = FI_ORDER_SAS | FI_ORDER_SAW | FI_ORDER_WAW;
    hints->rx_attr->msg_order = hints->tx_attr->msg_order;
    const char* provider = std::getenv("CANOPY_OFI_PROVIDER");
    hints->fabric_attr->prov_name = ::strdup(provider != nullptr ? provider : "tcp;ofi_rxm");
    const char* interface = std::getenv("CANOPY_BENCH_ADDRESS");
    must(fi_getinfo(FI_VERSION(1, 14), interface, nullptr, interface != nullptr ? FI_SOURCE : 0,
                    hints, &info_),
         "fi_getinfo");
    fi_freeinfo(hints);
    must(fi_fabric(info_->fabric_attr, &fabric_, nullptr), "fi_fabric");
    must(fi_domain(fabric_, info_, &domain_, nullptr), "fi_domain");
    fi_av_attr av{};
    must(fi_av_open(domain_, &av, &av_, nullptr), "fi_av_open");
    fi_cq_attr cq{};
    cq.format = FI_CQ_FORMAT_MSG;
    cq.size = 8192;
    must(fi_cq_open(domain_, &cq, &cq_, nullptr), "fi_cq_open");
    must(fi_endpoint(domain_, info_, &ep_, nullptr), "fi_endpoint");
    must(fi_ep_bind(ep_, &av_->fid, 0), "bind");
    must(fi_ep_bind(ep_, &cq_->fid, FI_TRANSMIT | FI_SELECTIVE_COMPLETION), "bind");
    must(fi_ep_bind(ep_, &cq_->fid, FI_RECV), "bind");
    must(fi_enable(ep_), "fi_enable");
    must(fi_mr_reg(domain_, memory, bytes, FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE, 0,
                   1, 0, &mr_, nullptr),
         "fi_mr_reg");
    for (auto& recv : recvs_) {
      post_recv(recv);
    }
  }
  ~RawSide() override {
    for (fid* each : {&ep_->fid, &mr_->fid, &cq_->fid, &av_->fid, &domain_->fid, &fabric_->fid}) {
      fi_close(each);
    }
    fi_freeinfo(info_);
  }

  std::string_view name() const override { return "libfabric"; }
  std::string address() override {
    std::string name(200, '\0');
    size_t length = name.size();
    must(fi_getname(&ep_->fid, name.data(), &length), "fi_getname");
    name.resize(length);
    const uint64_t key = fi_mr_key(mr_);
    return std::string(reinterpret_cast<const char*>(&key), sizeof key) + name;
  }
  void connect(const std::string& other) override {
    std::memcpy(&key_, other.data(), sizeof key_);
    if (fi_av_insert(av_, other.data() + sizeof key_, 1, &peer_, 0, nullptr) != 1) {
      give_up("fi_av_insert");
    }
  }

  void put(uint64_t to, const void* src, size_t nbytes) override {
    rma(true, to, const_cast<void*>(src), nbytes, FI_COMPLETION | FI_DELIVERY_COMPLETE);
  }
  void post_put(uint64_t to, const void* src, size_t nbytes) override {
    post([&] { return fi_inject_write(ep_, src, nbytes, peer_, to, key_); });
    must_flush_ = true;
  }
  void quiet() override {
    if (must_flush_) {
      must_flush_ = false;
      rma(true, 128, zeros_.data(), 8, FI_COMPLETION | FI_DELIVERY_COMPLETE);
    }
    while (done_ < posted_) {
      poll();
    }
  }
  void get(void* dst, uint64_t from, size_t nbytes) override {
    rma(false, from, dst, nbytes, FI_COMPLETION);
    while (done_ < posted_) {
      poll();
    }
  }
  uint64_t fetch_add(uint64_t at) override {
    std::array<std::byte, kRequestBytes> request{};
    std::memcpy(request.data() + 8, &at, sizeof at);
    replied_ = false;
    post([&] { return fi_inject(ep_, request.data(), request.size(), peer_); });
    while (!replied_) {
      poll();
    }
    return reply_;
  }
  void serve_until(uint64_t offset, uint64_t value) override {
    while (load_acquire(reinterpret_cast<uint64_t*>(memory_ + offset)) != value) {
      poll();
    }
  }

 private:
  struct Recv {
    fi_context2 context;
    std::byte message[64];
  };

  template <class Post>
  void post(Post&& call) {
    for (;;) {
      const ssize_t err = call();
      if (err != -FI_EAGAIN) {
        must(err, "a post");
        return;
      }
      poll();
    }
  }
  void post_recv(Recv& recv) {
    post([&] {
      return fi_recv(ep_, recv.message, sizeof recv.message, nullptr, FI_ADDR_UNSPEC,
                     &recv.context);
    });
  }
  void rma(bool write, uint64_t offset, void* local, size_t nbytes, uint64_t flags) {
    const iovec here{local, nbytes};
    const fi_rma_iov there{offset, nbytes, key_};
    fi_msg_rma message{};
    message.msg_iov = &here;
    message.iov_count = 1;
    message.addr = peer_;
    message.rma_iov = &there;
    message.rma_iov_count = 1;
    message.context = &context_;
    post([&] {
      return write ? fi_writemsg(ep_, &message, flags) : fi_readmsg(ep_, &message, flags);
    });
    ++posted_;
  }
  void poll() {
    fi_cq_msg_entry entries[16];
    const ssize_t got = fi_cq_read(cq_, entries, 16);
    if (got == -FI_EAGAIN) {
      if (crowded_) {
        ::sched_yield();  // who is polled for needs this core
      }
      return;
    }
    must(got, "fi_cq_read");
    for (ssize_t i = 0; i < got; ++i) {
      if ((entries[i].flags & FI_RECV) == 0) {
        ++done_;
        continue;
      }
      auto& recv = *reinterpret_cast<Recv*>(entries[i].op_context);
      on_message(recv, entries[i].len);
      post_recv(recv);
    }
  }
  void on_message(const Recv& recv, size_t nbytes) {
    if (nbytes == kReplyBytes) {
      std::memcpy(&reply_, recv.message, sizeof reply_);
      replied_ = true;
      return;
    }
    uint64_t at = 0;
    std::memcpy(&at, recv.message + 8, sizeof at);
    std::array<std::byte, kReplyBytes> reply{};
    const uint64_t old = std::atomic_ref(*reinterpret_cast<uint64_t*>(memory_ + at))
                             .fetch_add(1, std::memory_order_relaxed);
    std::memcpy(reply.data(), &old, sizeof old);
    post([&] { return fi_inject(ep_, reply.data(), reply.size(), peer_); });
  }

  static bool more_ranks_than_cores() {
    const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
    return ranks != nullptr && std::atol(ranks) > ::sysconf(_SC_NPROCESSORS_ONLN);
  }

  const bool crowded_ = more_ranks_than_cores();
  std::byte* memory_;
  fi_info* info_ = nullptr;
  fid_fabric* fabric_ = nullptr;
  fid_domain* domain_ = nullptr;
  fid_av* av_ = nullptr;
  fid_cq* cq_ = nullptr;
  fid_ep* ep_ = nullptr;
  fid_mr* mr_ = nullptr;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  uint64_t key_ = 0;
  uint64_t posted_ = 0;
  uint64_t done_ = 0;
  uint64_t reply_ = 0;
  bool replied_ = false;
  bool must_flush_ = false;
  fi_context2 context_{};
  std::array<std::byte, 8> zeros_{};
  std::array<Recv, kRecvs> recvs_{};
};

}  // namespace

std::unique_ptr<NetworkSide> make_side(std::byte* memory, size_t bytes) {
  return std::make_unique<RawSide>(memory, bytes);
}

}  // namespace canopy::bench
