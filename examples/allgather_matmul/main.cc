// allgather_matmul: C = A x B, tensor-parallel over the ranks of the job, each with its own
// simulated NPU.
//
// The story of a run, one function per chapter: read the inputs, see that they fit, let the cards
// work, check, report. Whatever fails before the cards work is agreed on by all ranks and said
// once, by rank 0; a rank that fails while the others may be waiting for its tiles ends the job
// itself.
#include "acl/acl.h"
#include "aclshmem.h"
#include "canopy/trace.h"
#include "examples/allgather_matmul/gather.h"
#include "examples/allgather_matmul/job.h"
#include "examples/allgather_matmul/matrix_source.h"
#include "examples/allgather_matmul/memory_need.h"
#include "examples/allgather_matmul/npu.h"
#include "examples/allgather_matmul/options.h"
#include "examples/allgather_matmul/passes.h"
#include "examples/allgather_matmul/reference.h"
#include "examples/allgather_matmul/report.h"
#include "examples/allgather_matmul/tile_multiply.h"
#include "examples/allgather_matmul/timeline.h"
#include "shmem.h"
#include "shmemx.h"

#include <cstdio>
#include <optional>

namespace agmm {
namespace {

struct Inputs {
  std::unique_ptr<MatrixSource> a;
  std::unique_ptr<MatrixSource> b;
};

Fallible<Inputs> open_inputs(const Options& options) {
  if (options.a_path.empty()) {
    return Inputs{make_seeded(options.m, options.k, options.seed, "seeded A"),
                  make_seeded(options.k, options.n, options.seed + 1, "seeded B")};
  }
  auto a = open_npy(options.a_path);
  if (!a) {
    return tl::unexpected(a.error());
  }
  auto b = open_npy(options.b_path);
  if (!b) {
    return tl::unexpected(b.error());
  }
  Inputs inputs{std::move(*a), options.transpose_b ? transpose(std::move(*b)) : std::move(*b)};
  if (inputs.a->cols() != inputs.b->rows()) {
    return failure(
        "{} x {}: A is {} x {} and B is {} x {}; the columns of A ({}) must be as many as the "
        "rows of B ({})",
        inputs.a->name(), inputs.b->name(), inputs.a->rows(), inputs.a->cols(), inputs.b->rows(),
        inputs.b->cols(), inputs.a->cols(), inputs.b->rows());
  }
  return inputs;
}

template <class T>
Fallible<void> outcome(const Fallible<T>& result) {
  return result ? Fallible<void>() : tl::unexpected(result.error());
}

// The size of the symmetric heap, after making sure that everything fits. Collective.
Fallible<uint64_t> plan_memory(Job& job, const Partition& part, const Npu& npu) {
  const Neighbours neighbours = count_neighbours(job, npu);
  const auto need = memory_need(part);
  Fallible<void> fits = outcome(need);
  if (need) {
    fits = check_memory(
        *need, {npu.hbm_free, neighbours.on_npu, available_host_memory(), neighbours.on_host});
  }
  if (auto all = job.agree(fits); !all) {
    return tl::unexpected(all.error());
  }
  return need->heap;
}

Fallible<void> make_heap(Job& job, uint64_t nbytes) {
  aclshmemx_init_attr_t attributes = {};
  attributes.my_pe = job.pe();
  attributes.n_pes = job.n_pes();
  attributes.local_mem_size = nbytes;
  const int code = aclshmemx_init_attr(ACLSHMEMX_INIT_WITH_DEFAULT, &attributes);
  return job.agree(code == ACLSHMEM_SUCCESS
                       ? Fallible<void>()
                       : failure("a symmetric heap of {} bytes cannot be made: aclshmemx_init_attr "
                                 "returned {}",
                                 nbytes, code));
}

// "self", "mapped" or another kind: the first word of how the library explains the path.
std::string path_to(int pe) {
  std::string text(static_cast<size_t>(std::max(0, shmemx_why(pe, nullptr, 0))) + 1, '\0');
  shmemx_why(pe, text.data(), text.size());
  return text.substr(0, text.find_first_of(std::string(" :,;\0", 5)));
}

[[noreturn]] void end_job(int pe, const std::string& sentence) {
  fmt::print(stderr, "allgather_matmul: rank {}: {}\n", pe, sentence);
  std::fflush(nullptr);
  shmem_global_exit(1);
  std::abort();  // not reached
}

// The cards' work: all passes, with the counters around them and the timeline of them.
RankReport work(Job& job, Passes& passes, const Options& options, const Npu& npu) {
  RankReport report;
  report.host = npu.host;
  report.npu = fmt::format("{} {}", npu.device, npu.soc);
  for (int pe = 0; pe < job.n_pes(); ++pe) {
    report.paths.push_back(path_to(pe));
  }
  if (!options.timeline_path.empty() && canopy_trace_start() != 0) {
    end_job(job.pe(), "the timeline cannot be recorded");
  }
  shmemx_op_counts_t before = {};
  shmemx_op_counts_t after = {};
  shmemx_op_counts(&before);
  auto times = passes.run(options.repeat);
  if (!times) {
    end_job(job.pe(), times.error());
  }
  shmemx_op_counts(&after);
  report.times = *times;
  report.kernel_puts = after.kernel_puts - before.kernel_puts;
  report.kernel_signals = after.kernel_signals - before.kernel_signals;
  report.kernel_waits = after.kernel_waits - before.kernel_waits;
  report.host_puts = after.host_puts - before.host_puts;
  report.host_signals = after.host_signals - before.host_signals;
  report.host_waits = after.host_waits - before.host_waits;
  return report;
}

// Every rank writes its part, rank 0 joins them. Collective.
Fallible<void> write_timeline(Job& job, const std::string& path, const RankReport& report) {
  const std::string name = fmt::format("rank {} on {}, NPU {}", job.pe(), report.host, report.npu);
  Fallible<void> written =
      acl_done(canopy_trace_write(timeline_part(path, job.pe()).c_str(), job.pe(), name.c_str()),
               fmt::format("writing the timeline {}", path));
  if (written = job.agree(written); !written) {
    return written;
  }
  if (job.pe() == 0) {
    auto events = join_timeline(path, job.n_pes());
    written = outcome(events);
    if (events) {
      fmt::print("timeline: {} events in {}; open it at https://ui.perfetto.dev\n", *events, path);
    }
  }
  return job.agree(written);
}

void print_heading(const Options& options, const Partition& part, const Inputs& inputs) {
  fmt::print("allgather_matmul: C ({} x {}) = A ({} x {}) x B ({} x {}), {} rank(s)\n", part.m,
             part.n, part.m, part.k, part.k, part.n, part.pes);
  fmt::print(
      "A: {}; B: {}; tiles of {}, {} block(s) per kernel, tile product by {}, {} "
      "repetition(s)\n",
      inputs.a->name(), inputs.b->name(), part.tile, options.blocks, multiply_tile_name(),
      options.repeat);
  std::fflush(stdout);
}

// Checks, reports and writes what the cards have computed. Collective; false when C is wrong.
Fallible<bool> finish(Job& job, const Options& options, const Partition& part, const Inputs& inputs,
                      const Passes& passes, RankReport report, std::optional<NpyWriter>& out) {
  report.check = check_block(*inputs.a, passes.b_block(), passes.c_block(),
                             part.cols_of(static_cast<uint32_t>(job.pe())), options.check_budget);
  std::vector<RankReport> ranks;
  bool right = true;
  for (const std::string& text : job.all_gather(to_text(report))) {
    ranks.push_back(from_text(text));
    right = right && ranks.back().check.ok();
  }
  Fallible<void> written;
  if (job.pe() == 0) {
    fmt::print("{}", render(part, ranks));
    if (out && right) {
      written = write_result(part, passes.symmetric_c(), *out);
      if (written) {
        fmt::print("result: C in {}\n", options.out_path);
      }
    }
  }
  if (written = job.agree(written); !written) {  // also keeps every C until it is written
    return tl::unexpected(written.error());
  }
  if (!options.timeline_path.empty()) {
    if (auto timeline = write_timeline(job, options.timeline_path, report); !timeline) {
      return tl::unexpected(timeline.error());
    }
  }
  return right;
}

Fallible<bool> run(Job& job, const Options& options, const Fallible<Npu>& npu) {
  auto inputs = open_inputs(options);
  if (auto all = job.agree(npu ? outcome(inputs) : outcome(npu)); !all) {
    return tl::unexpected(all.error());
  }
  const Partition part{inputs->a->rows(), inputs->a->cols(), inputs->b->cols(),
                       static_cast<uint32_t>(job.n_pes()), options.tile};
  auto heap_bytes = plan_memory(job, part, *npu);
  if (!heap_bytes) {
    return tl::unexpected(heap_bytes.error());
  }
  // Opened before the work: a result that cannot be written should not cost a run.
  std::optional<NpyWriter> out;
  Fallible<void> can_write;
  if (job.pe() == 0 && !options.out_path.empty()) {
    auto writer = NpyWriter::create(options.out_path, part.m, part.n);
    can_write = outcome(writer);
    if (writer) {
      out.emplace(std::move(*writer));
    }
  }
  if (auto all = job.agree(can_write); !all) {
    return tl::unexpected(all.error());
  }
  if (auto heap = make_heap(job, *heap_bytes); !heap) {
    return tl::unexpected(heap.error());
  }
  if (job.pe() == 0) {
    print_heading(options, part, *inputs);
  }
  Fallible<bool> right = false;
  if (auto passes = Passes::create(job, part, *inputs->a, *inputs->b, options.blocks)) {
    RankReport report = work(job, **passes, options, *npu);
    right = finish(job, options, part, *inputs, **passes, std::move(report), out);
  } else {
    right = tl::unexpected(passes.error());
  }
  aclshmem_finalize();
  return right;
}

// The exit status. Everything collective happens while `job` lives.
int run_job(const std::optional<Leave>& leave, const Options& options, const Fallible<Npu>& npu) {
  Job job;
  if (leave) {
    if (job.pe() == 0) {
      fmt::print(leave->status == 0 ? stdout : stderr, "{}", leave->text);
    }
    return leave->status;
  }
  auto right = run(job, options, npu);
  if (!right && job.pe() == 0) {
    fmt::print(stderr, "allgather_matmul: {}\n", right.error());
  }
  return right && *right ? 0 : 1;
}

}  // namespace
}  // namespace agmm

int main(int argc, char** argv) {
  agmm::Options options;
  const auto leave = agmm::parse_options(argc, argv, &options);
  aclInit(nullptr);
  const auto npu = leave ? agmm::failure("not opened") : agmm::open_npu(options.device);
  const int status = agmm::run_job(leave, options, npu);
  if (npu) {
    agmm::close_npu(*npu);
  }
  aclFinalize();
  return status;
}
