/* Recording what the simulated NPUs of this process did, as a timeline that opens in Perfetto
 * (ui.perfetto.dev, or any reader of Chrome's trace format). Compiles as C11 and C++. Host code, any thread.
 *
 * One track per core and one for DMA per device; time is CLOCK_MONOTONIC in microseconds, so that the
 * files of all processes of a host share one clock and can be put together event by event. */
#ifndef CANOPY_TRACE_H
#define CANOPY_TRACE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Starts recording; what was recorded before and not written is dropped. Returns 0. */
int canopy_trace_start(void);
/* Stops recording and writes a JSON array of events to `path`, replacing it. `pid` and `process_name`
 * name the group of tracks ("PE 3 on host"). Work still running is not in it: synchronise before.
 * Returns 0, or -1 when the file cannot be written or no device was ever opened (aclGetRecentErrMsg). */
int canopy_trace_write(const char* path, int pid, const char* process_name);

#ifdef __cplusplus
}
#endif

#endif /* CANOPY_TRACE_H */
