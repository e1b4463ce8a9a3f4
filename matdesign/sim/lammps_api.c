#include "lammps_api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static LammpsApi api;
static char bound_path[4096];
static int serial;
static void (*omp_set_num_threads)(int); /* of the OpenMP that LAMMPS was linked with, if any */
static pthread_mutex_t binding = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t lammps_construction = PTHREAD_MUTEX_INITIALIZER;

const LammpsApi *lammps_bound(void) { return bound_path[0] ? &api : NULL; }

void lammps_one_thread(void) {
    static _Thread_local int done;
    if (done) return;
    done = 1;
    if (omp_set_num_threads && !getenv("OMP_NUM_THREADS")) omp_set_num_threads(1);
}

int lammps_mpi_is_serial(void) { return serial; }

static int load_serial(const char *mpi_serial, char *error, size_t bytes) {
    /* Global, and under the name libmpi.so.12: the dynamic linker then takes it for LAMMPS' MPI library. */
    if (!dlopen(mpi_serial, RTLD_NOW | RTLD_GLOBAL)) {
        snprintf(error, bytes, "cannot load the serial MPI stand-in: %s", dlerror());
        return -1;
    }
    serial = 1;
    return 0;
}

static int bind_functions(void *library, const char *path, char *error, size_t bytes) {
    LammpsApi found;
#define F(name)                                                                                                     \
    *(void **)&found.name = dlsym(library, "lammps_" #name);                                                        \
    if (!found.name) {                                                                                              \
        snprintf(error, bytes, "%s has no function lammps_" #name ": a LAMMPS of %d or newer is needed", path,      \
                 LAMMPS_OLDEST);                                                                                    \
        return -1;                                                                                                  \
    }
    LAMMPS_FUNCTIONS(F)
#undef F
    if (!found.config_has_exceptions()) {
        snprintf(error, bytes, "%s was built without C++ exceptions, so an error would end the process: rebuild it "
                 "with LAMMPS_EXCEPTIONS", path);
        return -1;
    }
    api = found;
    return 0;
}

static int bind_locked(const char *path, const char *mpi_serial, int always_serial, char *error, size_t bytes) {
    if (bound_path[0]) {
        if (strcmp(bound_path, path) == 0) return 0;
        snprintf(error, bytes, "this process already uses %s; start a new one to use %s", bound_path, path);
        return -1;
    }
    if (strlen(path) >= sizeof bound_path) {
        snprintf(error, bytes, "the path of the LAMMPS library is longer than %zu characters", sizeof bound_path - 1);
        return -1;
    }
    if (always_serial && load_serial(mpi_serial, error, bytes)) return -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        char reason[512];
        snprintf(reason, sizeof reason, "%s", dlerror());
        if (!serial && strstr(reason, "libmpi.so.12")) {
            if (load_serial(mpi_serial, error, bytes)) return -1;
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (!library) snprintf(reason, sizeof reason, "%s", dlerror());
        }
        if (!library) {
            snprintf(error, bytes, "cannot load %s: %s", path, reason);
            return -1;
        }
    }
    if (bind_functions(library, path, error, bytes)) return -1;
    *(void **)&omp_set_num_threads = dlsym(library, "omp_set_num_threads");
    strcpy(bound_path, path);
    return 0;
}

int lammps_bind(const char *path, const char *mpi_serial, int always_serial, char *error, size_t error_bytes) {
    pthread_mutex_lock(&binding);
    int status = bind_locked(path, mpi_serial, always_serial, error, error_bytes);
    pthread_mutex_unlock(&binding);
    return status;
}

int lammps_describe(char *packages, size_t package_bytes, char *error, size_t error_bytes) {
    const LammpsApi *lammps = lammps_bound();
    if (!lammps) {
        snprintf(error, error_bytes, "no LAMMPS library is bound");
        return -1;
    }
    char *arguments[] = {"matdesign", "-log", "none", "-screen", "none", "-nocite"};
    pthread_mutex_lock(&lammps_construction);
    void *handle = lammps->open_no_mpi(6, arguments, NULL);
    int version = handle ? lammps->version(handle) : 0;
    if (handle) lammps->close(handle);
    pthread_mutex_unlock(&lammps_construction);
    if (!handle) {
        snprintf(error, error_bytes, "%s cannot open an instance", bound_path);
        return -1;
    }
    if (version < LAMMPS_OLDEST) {
        snprintf(error, error_bytes, "%s is LAMMPS %d; %d or newer is needed", bound_path, version, LAMMPS_OLDEST);
        return -1;
    }
    size_t used = 0;
    packages[0] = 0;
    for (int i = 0; i < lammps->config_package_count(); i++) {
        char name[64];
        if (lammps->config_package_name(i, name, sizeof name) && used + strlen(name) + 2 < package_bytes)
            used += (size_t)snprintf(packages + used, package_bytes - used, used ? " %s" : "%s", name);
    }
    return version;
}
