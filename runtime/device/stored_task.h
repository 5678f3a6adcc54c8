// Tasks that are kept, and run any number of times from copies.
//
// A kept task holds a share of each cell that it names, so that the cell outlives whoever made it: a
// holder's share of an event's, a share of a notify's. Each copy that is queued holds the shares of a
// task on its way, and gives them back as any task does, whether it runs or is dropped.
#pragma once

#include "runtime/device/abi/sqe.h"

namespace canopy {

// `copy` is the copy of a kept task that is about to be queued: takes what it holds. The kept task's
// arguments stay its own, and must outlive the copy.
void take_shares(Sqe& copy);
// The kept task goes: gives back its shares. Its arguments go with the entry.
void drop_kept_task(const Sqe& kept);

}  // namespace canopy
