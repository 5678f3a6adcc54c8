// Locks: symmetric longs, zero at first, first come first served.
//
// The queue is a list of PEs (an MCS lock). The long's two halves have different owners, and every
// PE has both:
//
//   low    tail   at the lock's home PE only: the last in the queue + 1; 0: the lock is free
//   high   own    of this PE: its successor + 1 (bits 0-29), held (30), granted by the one before
//   (31)
//
// set     swaps itself into tail; behind somebody, it adds itself to that PE's own, and waits for
// granted clear   without a successor swaps tail from itself to 0; else adds granted to the
// successor's own
//
// So a PE waits on its own word, wherever the others are, and each change of hands is one atomic.
// The home PE follows from the offset of the long: locks spread over the PEs.
//
// A PE that dies with the lock ends the job, as every death does. One that finalizes with it is
// told by the PE that waits for it. Any thread; but a lock belongs to a PE, and its threads must
// not contend for it.
#pragma once

namespace canopy::shmem {

void set_lock(long* lock, const char* routine);
// REQUIRES (checked): this PE holds it. What it has put is complete before the next PE has the
// lock.
void clear_lock(long* lock, const char* routine);
// True: taken. Never waits for the lock.
bool test_lock(long* lock, const char* routine);

}  // namespace canopy::shmem
