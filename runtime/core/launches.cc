// The part of Runtime that launches kernels.
#include "runtime/core/runtime.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace canopy {
namespace {

// What a card's launch takes; more would also keep a stream busy for minutes by mistake.
constexpr uint32_t kMaxBlocks = 65535;

// In front of the arguments, which keep their alignment behind it.
constexpr size_t kOptionsBytes = (sizeof(LaunchOptions) + 15) / 16 * 16;

// Where a launch is different from the plain one.
struct Settled {
  CoreKind kind;
  uint8_t flags = Sqe::kPlainLaunch;
  LaunchOptions options = {};
};

void fill_entry(Sqe& sqe, const KernelImage& image, const Settled& how, uint32_t blocks) {
  sqe.kind = SqeKind::kernel;
  sqe.core_kind = static_cast<uint8_t>(how.kind);
  sqe.launch = how.flags;
  sqe.blocks = blocks;
  sqe.body.kernel.entry = image.entry;
  sqe.body.kernel.image = &image;
}

// Takes the options off the front of the task's memory.
std::byte* place_options(Sqe& sqe, const Settled& how, std::byte* memory) {
  sqe.body.kernel.options = new (memory) LaunchOptions(how.options);
  return memory + kOptionsBytes;
}

// Queues a kernel whose arguments travel with it: write(copy) puts them at their place.
template <class Write>
void post_kernel(Stream& stream, const KernelImage& image, const Settled& how, uint32_t blocks,
                 size_t args_bytes, Write&& write) {
  const bool with_options = (how.flags & Sqe::kWithOptions) != 0;
  const bool in_place = !with_options && args_bytes <= Sqe::kInlineArgs;
  const size_t bytes = in_place ? 0 : args_bytes + (with_options ? kOptionsBytes : 0);
  stream.post(bytes, [&](Sqe& sqe, std::byte* memory) {
    fill_entry(sqe, image, how, blocks);
    if (with_options) [[unlikely]] {
      memory = place_options(sqe, how, memory);
    }
    sqe.body.kernel.args = memory;
    write(in_place ? sqe.body.kernel.inline_args : memory);
  });
}

// The kind of core that the kernel's blocks will have. A kernel of both kinds may be sent to
// either.
Result<CoreKind> engine_for(const KernelImage& image, std::optional<CoreKind> wanted) {
  if (!wanted || *wanted == image.core_kind) {
    return image.core_kind;
  }
  if (image.core_kind != CoreKind::mix) {
    return fail(Errc::invalid_argument,
                "kernel '{}' runs on {} cores and cannot be sent to {} cores", image.name,
                image.core_kind == CoreKind::vector ? "vector"
                : image.core_kind == CoreKind::cube ? "cube"
                                                    : "AI CPU",
                *wanted == CoreKind::vector ? "vector" : "cube");
  }
  return *wanted;
}

Result<> settle(const LaunchCall& call, const KernelImage& image, Stream& stream,
                const CoreLimits& limits, uint64_t limit_us, Settled* out) {
  const LaunchAttributes asked = call.attributes != nullptr ? *call.attributes : LaunchAttributes();
  const uint32_t blocks = call.blocks;
  Settled& how = *out;
  CANOPY_ASSIGN(how.kind, engine_for(image, asked.engine));
  DeviceCores& device = stream.context().device().cores();
  const bool on_aicpu = how.kind == CoreKind::aicpu;
  const uint32_t cores = on_aicpu ? device.aicpu().cores() : device.pool(how.kind).cores();
  const uint32_t limit = on_aicpu ? cores : std::min(cores, limits.for_launch(stream, how.kind));
  if (asked.first_block > ~0u - blocks) {
    return fail(Errc::invalid_argument, "kernel '{}': {} blocks from number {} on leave 32 bits",
                image.name, blocks, asked.first_block);
  }
  if (asked.ub_bytes > device.ub_bytes()) {
    return fail(Errc::invalid_argument,
                "kernel '{}': {} bytes of unified buffer wanted, a core has {}", image.name,
                asked.ub_bytes, device.ub_bytes());
  }
  if (asked.together && blocks > limit) {
    return fail(Errc::invalid_argument,
                "kernel '{}': {} blocks can never start together, the launch may have {} cores",
                image.name, blocks, limit);
  }
  how.options.limit_us = asked.limit_us.value_or(limit_us);
  how.options.first_block = asked.first_block;
  how.options.ub_bytes = asked.ub_bytes;
  how.options.together = asked.together && !on_aicpu;
  how.options.most_cores = limit < cores && blocks > limit ? limit : 0;
  how.options.saturates = stream.settings().saturates.load(std::memory_order_relaxed);
  how.options.detects_overflow = stream.settings().overflow_switch.load(std::memory_order_relaxed) != 0;
  if (how.options.limit_us != 0) {
    CANOPY_TRY(stream.context().scheduler().wait_timer().start());
  }
  if (how.options != LaunchOptions()) {
    how.flags |= Sqe::kWithOptions;
  }
  if (on_aicpu) {
    CANOPY_TRY(device.aicpu().prepare(blocks));
    how.flags |= Sqe::kOnAiCpu;
  }
  return {};
}

constexpr size_t kMaxArgsBytes = size_t{1} << 30;

Result<> check_arguments(const KernelImage& image, const void* args, size_t args_bytes) {
  if (args_bytes < image.args_bytes || (args == nullptr && args_bytes != 0)) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': {} bytes of arguments given, {} wanted",
                image.name, args == nullptr ? 0 : args_bytes, image.args_bytes);
  }
  if (args_bytes > kMaxArgsBytes) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': {} bytes of arguments given, {} are the most",
                image.name, args_bytes, kMaxArgsBytes);
  }
  return {};
}

}  // namespace

Result<const KernelImage*> Runtime::launchable(const LaunchCall& call) {
  const Function* found = functions_.find(call.function);
  if (found == nullptr) [[unlikely]] {
    return fail(Errc::bad_handle, "{} is not a live function handle", fmt::ptr(call.function));
  }
  if (call.blocks == 0 || call.blocks > kMaxBlocks) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': numBlocks is {}, it must be 1 to {}",
                found->image->name, call.blocks, kMaxBlocks);
  }
  return found->image;
}

// Most launches are, and stay on the short way.
bool Runtime::is_plain(const LaunchCall& call, const KernelImage& image) const {
  return call.attributes == nullptr && !launches_ask_streams_.load(std::memory_order_relaxed) && kernel_limit_.us() == 0 && image.core_kind != CoreKind::aicpu;
}

Result<> Runtime::launch(const LaunchCall& call, const void* args, size_t args_bytes) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(call));
  CANOPY_TRY(check_arguments(*image, args, args_bytes));
  CANOPY_ASSIGN(Stream * target, stream(call.stream));
  Settled how{image->core_kind};
  if (!is_plain(call, *image)) [[unlikely]] {
    CANOPY_TRY(settle(call, *image, *target, core_limits_, kernel_limit_.us(), &how));
  }
  const bool with_options = (how.flags & Sqe::kWithOptions) != 0;
  target->post(with_options ? kOptionsBytes : 0, [&](Sqe& sqe, std::byte* memory) {
    fill_entry(sqe, *image, how, call.blocks);
    sqe.body.kernel.args = args;
    if (with_options) [[unlikely]] {
      // Without arguments any address but null does.
      std::byte* behind = place_options(sqe, how, memory);
      sqe.body.kernel.args = args != nullptr ? args : behind;
    }
  });
  return {};
}

Result<> Runtime::launch_host_args(const LaunchCall& call, const void* args, size_t args_bytes,
                                   std::span<const ArgsPlaceholder> placeholders) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(call));
  CANOPY_TRY(check_arguments(*image, args, args_bytes));
  if (placeholders.size() > args_bytes / sizeof(void*)) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': {} placeholders, the {} bytes of arguments have room for {}", image->name,
                placeholders.size(), args_bytes, args_bytes / sizeof(void*));
  }
  for (const ArgsPlaceholder& hole : placeholders) {
    if (hole.address_offset > args_bytes || args_bytes - hole.address_offset < sizeof(void*) ||
        hole.data_offset > args_bytes) [[unlikely]] {
      return fail(
          Errc::invalid_argument,
          "kernel '{}': a placeholder at {} for data at {} leaves the {} bytes of arguments",
          image->name, hole.address_offset, hole.data_offset, args_bytes);
    }
  }
  CANOPY_ASSIGN(Stream * target, stream(call.stream));
  Settled how{image->core_kind};
  if (!is_plain(call, *image)) [[unlikely]] {
    CANOPY_TRY(settle(call, *image, *target, core_limits_, kernel_limit_.us(), &how));
  }
  post_kernel(*target, *image, how, call.blocks, args_bytes, [&](std::byte* copy) {
    if (args_bytes != 0) {
      std::memcpy(copy, args, args_bytes);
    }
    for (const ArgsPlaceholder& hole : placeholders) {
      const void* address = copy + hole.data_offset;
      std::memcpy(copy + hole.address_offset, &address, sizeof address);
    }
  });
  return {};
}

Result<> Runtime::launch_args_array(const LaunchCall& call, const void* const* args) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(call));
  if (image->cpu_entry != nullptr) {
    return fail(Errc::not_supported, "AI CPU kernel '{}' does not tell the sizes of its parameters",
                image->name);
  }
  for (size_t i = 0; i < image->param_sizes.size(); ++i) {
    if (args == nullptr || args[i] == nullptr) {
      return fail(Errc::invalid_argument, "kernel '{}': parameter {} of {} is given no address",
                  image->name, i, image->param_sizes.size());
    }
  }
  CANOPY_ASSIGN(Stream * target, stream(call.stream));
  Settled how{image->core_kind};
  if (!is_plain(call, *image)) [[unlikely]] {
    CANOPY_TRY(settle(call, *image, *target, core_limits_, kernel_limit_.us(), &how));
  }
  post_kernel(*target, *image, how, call.blocks, image->args_bytes, [&](std::byte* copy) {
    for (size_t i = 0; i < image->param_sizes.size(); ++i) {
      std::memcpy(copy + image->param_offsets[i], args[i], image->param_sizes[i]);
    }
  });
  return {};
}

Result<> Runtime::launch_args_handle(const LaunchCall& call, void* handle) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(call));
  CANOPY_ASSIGN(const KernelArgs* args, kernel_args_.find(handle));
  CANOPY_TRY(args->check_launch(call.function));
  CANOPY_ASSIGN(Stream * target, stream(call.stream));
  Settled how{image->core_kind};
  if (!is_plain(call, *image)) [[unlikely]] {
    CANOPY_TRY(settle(call, *image, *target, core_limits_, kernel_limit_.us(), &how));
  }
  post_kernel(*target, *image, how, call.blocks, args->blob_bytes(),
              [&](std::byte* copy) { args->write(copy); });
  return {};
}

}  // namespace canopy
