#include "transport/ofi/endpoint.h"

#include "transport/ofi/fabric_error.h"

#include <rdma/fi_cm.h>

#include <algorithm>

namespace canopy::transport::ofi {
namespace {

// Messages of peers that may be on their way at once without waiting in the provider.
constexpr size_t kRecvSlots = 256;

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::open(Domain& domain, Wakes wakes) {
  std::unique_ptr<Endpoint> self(new Endpoint(domain));
  self->slots_ = std::min<size_t>(kRecvSlots, std::max<size_t>(domain.info().rx_attr->size, 1));
  CANOPY_TRY(self->open_queue(wakes));
  const std::string_view name = domain.provider().name();
  if (const int err =
          fi_endpoint(domain.domain(), domain.provider().info.get(), self->ep_.out(), nullptr);
      err != 0) {
    return fail_fi(err, "ofi: provider {} opens no endpoint", name);
  }
  int err = fi_ep_bind(self->ep_.get(), &domain.addresses()->fid, 0);
  // Two binds: received messages always complete, operations only when they say so.
  err = err != 0
            ? err
            : fi_ep_bind(self->ep_.get(), &self->cq_->fid, FI_TRANSMIT | FI_SELECTIVE_COMPLETION);
  err = err != 0 ? err : fi_ep_bind(self->ep_.get(), &self->cq_->fid, FI_RECV);
  err = err != 0 ? err : fi_enable(self->ep_.get());
  if (err != 0) {
    return fail_fi(err, "ofi: an endpoint of provider {} cannot be enabled", name);
  }
  CANOPY_TRY(self->post_buffers());
  return self;
}

Result<> Endpoint::open_queue(Wakes wakes) {
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_MSG;
  attributes.size = transmit_depth() + 2 * slots_;
  attributes.wait_obj = wakes == Wakes::yes ? FI_WAIT_FD : FI_WAIT_NONE;
  int err = fi_cq_open(domain_.domain(), &attributes, cq_.out(), nullptr);
  if (wakes == Wakes::yes && (err == -FI_ENOSYS || err == -FI_EOPNOTSUPP)) {
    attributes.wait_obj = FI_WAIT_NONE;
    err = fi_cq_open(domain_.domain(), &attributes, cq_.out(), nullptr);
  } else if (wakes == Wakes::yes && err == 0) {
    err = fi_control(&cq_->fid, FI_GETWAIT, &wait_fd_);
  }
  if (err != 0) {
    return fail_fi(err, "ofi: provider {} opens no completion queue of {} entries",
                   domain_.provider().name(), attributes.size);
  }
  return {};
}

Result<> Endpoint::post_buffers() {
  recv_ = std::make_unique<RecvSlot[]>(slots_);
  if (domain_.needs_local_registration()) {
    CANOPY_ASSIGN(recv_memory_,
                  domain_.register_memory(std::as_writable_bytes(std::span(recv_.get(), slots_)),
                                          Access::local, ep_.get()));
  }
  for (size_t i = 0; i < slots_; ++i) {
    recv_[i].kind = PostedKind::receive;
    give_back(recv_[i]);
  }
  if (unposted_.size() == slots_) {
    return fail(Errc::io, "ofi: provider {} takes no receive buffer", domain_.provider().name());
  }
  return {};
}

Result<std::vector<std::byte>> Endpoint::name() const {
  std::vector<std::byte> bytes(kLongestAddress);
  size_t length = bytes.size();
  if (const int err = fi_getname(&ep_->fid, bytes.data(), &length);
      err != 0 || length > kLongestAddress) {
    return fail_fi(err != 0 ? err : -FI_ETOOSMALL,
                   "ofi: the address of an endpoint of provider {} ({} bytes, at most {})",
                   domain_.provider().name(), length, kLongestAddress);
  }
  bytes.resize(length);
  return bytes;
}

size_t Endpoint::transmit_depth() const {
  return std::max<size_t>(domain_.info().tx_attr->size, 1);
}

std::optional<Endpoint::Failure> Endpoint::take_error() {
  fi_cq_err_entry entry{};
  if (fi_cq_readerr(cq_.get(), &entry, 0) != 1) {
    return std::nullopt;
  }
  char buffer[256];
  const char* text =
      fi_cq_strerror(cq_.get(), entry.prov_errno, entry.err_data, buffer, sizeof buffer);
  return Failure{static_cast<Posted*>(entry.op_context), entry.err,
                 fmt::format("{} (libfabric error {}; provider {} says {}: {})",
                             fi_strerror(entry.err), entry.err, domain_.provider().name(),
                             entry.prov_errno, text != nullptr ? text : "nothing")};
}

bool Endpoint::receive_into(RecvSlot& slot) {
  const ssize_t err = fi_recv(ep_.get(), slot.message, sizeof slot.message,
                              recv_memory_.descriptor(), FI_ADDR_UNSPEC, &slot.provider_data);
  if (err != 0 && err != -FI_EAGAIN) {
    log(LogLevel::error, "ofi: a receive buffer is refused: {}",
        fi_strerror(static_cast<int>(-err)));
  }
  return err == 0;
}

void Endpoint::give_back(RecvSlot& slot) {
  if (!receive_into(slot)) {
    unposted_.push_back(&slot);
  }
}

void Endpoint::repost() {
  std::erase_if(unposted_, [this](RecvSlot* slot) { return receive_into(*slot); });
}

}  // namespace canopy::transport::ofi
