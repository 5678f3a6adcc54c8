// What both processes are made of: checks, the kernels' numbers, and where memory comes from.
#pragma once

#include "acl/acl.h"
#include "line.h"

#include <cstdint>

// This process's name in what it prints: "exporter", "importer".
extern const char* side_name;

// Each ends the process with a sentence if what it checks is not so. The other process then sees
// the line closed, and ends as well.
void check(aclError code, const char* what);
void require(bool right, const char* what);

// Of the file in memory that the page at `address` comes from. Two processes that see one inode
// see the same bytes: nothing was copied.
uint64_t inode_at(const void* address);

// What the importer's kernel stores at place i.
inline uint32_t number_at(uint32_t i) { return 3 * i + 1; }

struct Options {
  bool importer_dies = false;  // before its kernel has stored anything
  bool exporter_dies = false;  // once the importer has all that it needs
};

int run_exporter(Line& line, const Options& options);
int run_importer(Line& line, const Options& options);
