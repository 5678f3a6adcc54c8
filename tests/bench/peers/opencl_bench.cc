// OpenCL's side of launch_ns and launch_rate, on PoCL or whatever CPU device is there: an in-order queue, which is what a
// stream is, and a kernel of one work-item that counts. Usage: opencl_bench launch_ns launch_rate
#define CL_TARGET_OPENCL_VERSION 120
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <CL/cl.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void must(cl_int code, const char* what) {
  if (code != CL_SUCCESS) {
    std::fprintf(stderr, "opencl_bench: %s: error %d\n", what, code);
    std::exit(1);
  }
}

constexpr char kSource[] = "__kernel void count(__global ulong* counter) { ++*counter; }";

class Queue {
 public:
  Queue() {
    cl_platform_id platform = nullptr;
    must(clGetPlatformIDs(1, &platform, nullptr), "clGetPlatformIDs");
    cl_device_id device = nullptr;
    must(clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 1, &device, nullptr), "clGetDeviceIDs of a CPU");
    cl_int code = CL_SUCCESS;
    context_ = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
    must(code, "clCreateContext");
    queue_ = clCreateCommandQueue(context_, device, 0, &code);
    must(code, "clCreateCommandQueue");
    const char* source = kSource;
    program_ = clCreateProgramWithSource(context_, 1, &source, nullptr, &code);
    must(code, "clCreateProgramWithSource");
    must(clBuildProgram(program_, 1, &device, "", nullptr, nullptr), "clBuildProgram");
    kernel_ = clCreateKernel(program_, "count", &code);
    must(code, "clCreateKernel");
    uint64_t zero = 0;
    counter_ = clCreateBuffer(context_, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof zero, &zero, &code);
    must(code, "clCreateBuffer");
    must(clSetKernelArg(kernel_, 0, sizeof counter_, &counter_), "clSetKernelArg");
  }
  void launch() {
    const size_t one = 1;
    must(clEnqueueNDRangeKernel(queue_, kernel_, 1, nullptr, &one, &one, 0, nullptr, nullptr), "clEnqueueNDRangeKernel");
  }
  void finish() { must(clFinish(queue_), "clFinish"); }
  void expect(uint64_t launched) {
    uint64_t counted = 0;
    must(clEnqueueReadBuffer(queue_, counter_, CL_TRUE, 0, sizeof counted, &counted, 0, nullptr, nullptr), "clEnqueueReadBuffer");
    if (counted != launched) {
      std::fprintf(stderr, "opencl_bench: %llu kernels ran, %llu were launched\n", static_cast<unsigned long long>(counted),
                   static_cast<unsigned long long>(launched));
      std::exit(1);
    }
  }

 private:
  cl_context context_ = nullptr;
  cl_command_queue queue_ = nullptr;
  cl_program program_ = nullptr;
  cl_kernel kernel_ = nullptr;
  cl_mem counter_ = nullptr;
};

void launch_ns(double ns_per_tick) {
  constexpr size_t kPrimer = 64;
  constexpr size_t kBatch = 512;
  Queue queue;
  std::vector<double> samples;
  const size_t batches = bench_repeats(100);
  for (size_t batch = 0; batch < batches; ++batch) {
    for (size_t i = 0; i < kPrimer; ++i) {
      queue.launch();
    }
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kBatch; ++i) {
      queue.launch();
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / kBatch);
    queue.finish();
  }
  queue.expect(batches * (kPrimer + kBatch));
  bench_report("launch_ns", samples.data(), samples.size(), 0);
}

void launch_rate(double ns_per_tick) {
  constexpr size_t kLaunches = 10'000;
  Queue queue;
  std::vector<double> samples;
  const size_t batches = bench_repeats(20);
  for (size_t batch = 0; batch < batches; ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kLaunches; ++i) {
      queue.launch();
    }
    queue.finish();
    samples.push_back(kLaunches * 1e3 / (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  queue.expect(batches * kLaunches);
  bench_report("launch_rate", samples.data(), samples.size(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "launch_ns") == 0) {
      launch_ns(ns_per_tick);
    } else if (std::strcmp(argv[i], "launch_rate") == 0) {
      launch_rate(ns_per_tick);
    } else {
      std::fprintf(stderr, "opencl_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
  }
  return 0;
}
