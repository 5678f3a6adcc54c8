// Loaded by binary_test.cc: a shared object that brings no kernel.
extern "C" int no_kernel_here(void);
extern "C" int no_kernel_here(void) { return 0; }
