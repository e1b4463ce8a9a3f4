/* lammps_api.h: the functions of LAMMPS' library.h that matdesign calls, bound at run time to one liblammps.so. */
#ifndef MATDESIGN_LAMMPS_API_H
#define MATDESIGN_LAMMPS_API_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "library.h"

#define EXPORT __attribute__((visibility("default")))

#define LAMMPS_FUNCTIONS(F)         \
    F(open_no_mpi)                  \
    F(close)                        \
    F(version)                      \
    F(command)                      \
    F(create_atoms)                 \
    F(extract_atom)                 \
    F(extract_box)                  \
    F(extract_compute)              \
    F(extract_fix)                  \
    F(extract_global)               \
    F(extract_setting)              \
    F(get_thermo)                   \
    F(addstep_compute)              \
    F(force_timeout)                \
    F(free)                         \
    F(has_error)                    \
    F(has_id)                       \
    F(get_last_error_message)       \
    F(set_show_error)               \
    F(set_fix_external_callback)    \
    F(config_has_exceptions)        \
    F(config_package_count)         \
    F(config_package_name)

typedef struct {
#define F(name) __typeof__(lammps_##name) *name;
    LAMMPS_FUNCTIONS(F)
#undef F
} LammpsApi;

/* Oldest LAMMPS release whose library.h has every function above (lammps_set_show_error came last). */
enum { LAMMPS_OLDEST = 20240829 };

/* Binds the process to the library at `path`; once a process, later calls with the same path do nothing. Where the
 * library asks for libmpi.so.12, `mpi_serial` answers: before the load if `always_serial`, or else only when the
 * load fails for want of it. Returns 0, or -1 with one sentence in `error`. */
EXPORT int lammps_bind(const char *path, const char *mpi_serial, int always_serial, char *error, size_t error_bytes);

/* The bound library, or NULL. */
const LammpsApi *lammps_bound(void);

/* To be called in a thread before it runs LAMMPS. LAMMPS uses one OpenMP thread unless OMP_NUM_THREADS says otherwise,
 * but tells OpenMP so only in the thread that opened the instance; in others every step would start a team. */
void lammps_one_thread(void);

/* LAMMPS keeps static data while it opens, reads potentials, sets a run up and closes: one instance at a time. */
extern pthread_mutex_t lammps_construction;

/* 1 where the serial stand-in answers LAMMPS' MPI calls. */
EXPORT int lammps_mpi_is_serial(void);

/* Version of the bound library as LAMMPS numbers it (20250722), found by opening and closing an instance; -1 and one
 * sentence in `error` on failure. `packages` receives the installed packages, separated by blanks. */
EXPORT int lammps_describe(char *packages, size_t package_bytes, char *error, size_t error_bytes);

#endif
