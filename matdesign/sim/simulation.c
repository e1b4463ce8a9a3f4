#include "simulation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STACK_BYTES = 1 << 20,       /* touched pages only count; LAMMPS' deepest set-up stays far below */
    LONGEST_RUN = 2000000000,    /* LAMMPS counts the steps of one run in an int */
};

static const double FARTHEST = 1e9; /* from the origin, distance units: beyond it a wrapped position keeps no digits */

static int fail(Simulation *s, const char *what) {
    snprintf(s->error, sizeof s->error, "%s", what);
    return -1;
}

/* LAMMPS' own text for a command that it refused. */
static int lammps_failed(Simulation *s, const char *command) {
    if (!s->lammps->has_error(s->handle)) return 0;
    char text[SIMULATION_ERROR_BYTES / 2] = "";
    s->lammps->get_last_error_message(s->handle, text, sizeof text);
    char *repeated = strstr(text, "\nLast input line:"); /* the command, which follows anyway */
    size_t length = repeated ? (size_t)(repeated - text) : strlen(text);
    text[length] = 0;
    while (length && (text[length - 1] == '\n' || text[length - 1] == ' ')) text[--length] = 0;
    snprintf(s->error, sizeof s->error, "LAMMPS: %.*s (command: %.*s)", (int)sizeof text, text,
             SIMULATION_ERROR_BYTES / 3, command);
    s->broken = 1;
    return 1;
}

/* After an error LAMMPS' state is undefined, and the next command may end the process. */
static int refuse_if_broken(Simulation *s) {
    if (!s->broken) return 0;
    if (strncmp(s->error, "broken", 6) != 0) {
        char reason[SIMULATION_ERROR_BYTES / 2];
        snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, s->error);
        snprintf(s->error, sizeof s->error, "broken by an earlier error, rebuild it: %s", reason);
    }
    return -1;
}

static int command_now(Simulation *s, const char *command) {
    lammps_one_thread();
    s->lammps->command(s->handle, command);
    return lammps_failed(s, command) ? -1 : 0;
}

static void fetch_pointers(Simulation *s) {
    const LammpsApi *lammps = s->lammps;
    s->x = ((double **)lammps->extract_atom(s->handle, "x"))[0];
    s->v = ((double **)lammps->extract_atom(s->handle, "v"))[0];
    s->f = ((double **)lammps->extract_atom(s->handle, "f"))[0];
    s->type = lammps->extract_atom(s->handle, "type");
    s->id = lammps->extract_atom(s->handle, "id");
    s->image = lammps->extract_atom(s->handle, "image");
    s->mass = lammps->extract_atom(s->handle, "mass");
    s->most_atoms = *s->nlocal + *s->nghost;
}

/* Puts the atoms at x, wrapped into the cell, with image flags that unwrap to x. LAMMPS itself wraps by one edge at most.
 * Edge vectors are lower triangular. */
static void put(Simulation *s, const double *x, const double origin[3], const double cell[3][3], const int periodic[3]) {
    for (int i = 0; i < s->atoms; i++) {
        double *to = s->x + 3 * i, fraction[3];
        memcpy(to, x + 3 * i, 3 * sizeof(double));
        for (int d = 2; d >= 0; d--) {
            fraction[d] = to[d] - origin[d];
            for (int e = 2; e > d; e--) fraction[d] -= fraction[e] * cell[e][d];
            fraction[d] /= cell[d][d];
        }
        int image = 0;
        for (int d = 0; d < 3; d++) {
            double cells = periodic[d] ? floor(fraction[d]) : 0.0;
            for (int c = 0; c < 3; c++) to[c] -= cells * cell[d][c];
            image |= (((int)fmod(cells, 1024.0) + 512) & 1023) << 10 * d;
        }
        s->image[i] = image;
    }
}

/* ------------------------------------------------------------------------------------------- the control point */

/* dt/2 times force-to-velocity over mass, for each atom's half kick. */
static double half_kick(const Simulation *s, int atom) { return s->kick / s->mass[s->type[atom]]; }

/* 1 where no value is infinite or NaN, by the exponent bits: a loop that the compiler vectorizes. */
static int all_finite(const double *values, size_t count) {
    const uint64_t exponent = 0x7ffULL << 52;
    uint64_t carried = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, values + i, sizeof bits);
        carried |= (bits & exponent) + (1ULL << 52);
    }
    return !(carried >> 63);
}

/* Shows the full-step velocity: half-step velocity + kick * (f + external). */
static void show(Simulation *s) {
    if (s->kick == 0.0) {
        memcpy(s->half, s->v, 3 * (size_t)s->atoms * sizeof(double));
        memcpy(s->full, s->v, 3 * (size_t)s->atoms * sizeof(double));
        return;
    }
    double *restrict v = s->v, *restrict half = s->half, *restrict full = s->full;
    const double *restrict f = s->f, *restrict added = s->added;
    for (int i = 0; i < s->atoms; i++) {
        double k = half_kick(s, i);
        for (int d = 3 * i; d < 3 * i + 3; d++) {
            half[d] = v[d];
            full[d] = v[d] = v[d] + k * (f[d] + added[d]);
        }
    }
}

/* Gives LAMMPS back its half-step velocity: bit for bit its own where nothing was changed. */
static void apply(Simulation *s, double *external) {
    size_t n = 3 * (size_t)s->atoms;
    if (s->held) {
        /* At rest and without force, the integrator moves nothing: the step that follows evaluates forces only. */
        memset(s->v, 0, n * sizeof(double));
        memset(s->f, 0, n * sizeof(double));
        memset(external, 0, n * sizeof(double));
        memset(s->added, 0, n * sizeof(double));
        return;
    }
    int unchanged = memcmp(s->v, s->full, n * sizeof(double)) == 0;
    int same_force = memcmp(s->external, s->added, n * sizeof(double)) == 0;
    if (unchanged && same_force) {
        memcpy(s->v, s->half, n * sizeof(double));
    } else {
        double *restrict v = s->v;
        const double *restrict half = s->half, *restrict full = s->full, *restrict f = s->f;
        const double *restrict force = s->external, *restrict added = s->added;
        for (int i = 0; i < s->atoms; i++) {
            double k = half_kick(s, i);
            for (int d = 3 * i; d < 3 * i + 3; d++) {
                double changed = v[d] - k * (f[d] + force[d]);
                v[d] = v[d] == full[d] && force[d] == added[d] ? half[d] : changed;
            }
        }
    }
    if (!same_force) {
        memcpy(s->added, s->external, n * sizeof(double));
        memcpy(external, s->external, n * sizeof(double));
    }
}

/* Called by LAMMPS after every force evaluation, at set-up and in every step. */
static void control_point(void *pointer, int64_t timestep, int nlocal, int *ids, double **x, double **external) {
    Simulation *s = pointer;
    (void)timestep, (void)ids, (void)x;
    s->evaluations++;
    int set_up = s->setting_up;
    if (set_up) {
        s->setting_up = 0;
        pthread_mutex_unlock(&lammps_construction);
    }
    if (!s->controlled && !s->fixed) return;
    /* Before any other return: LAMMPS may have moved its arrays in a step between two control points. */
    if (*s->nlocal + *s->nghost > s->most_atoms) fetch_pointers(s);
    if (s->fixed && nlocal == s->atoms)
        for (int i = 0; i < nlocal; i++)
            if (s->fixed[i]) memset(s->f + 3 * i, 0, 3 * sizeof(double));
    if (!s->controlled) return;
    s->lost = nlocal != s->atoms;
    if (s->lost) {
        coroutine_yield(s->coroutine);
        return;
    }
    if (!set_up && --s->remaining > 0) return;
    s->kick = set_up ? 0.0 : 0.5 * *s->dt * *s->ftm2v;
    s->energy = NULL;
    if (s->energies) s->energy = s->lammps->extract_compute(s->handle, "matdesign_energy", LMP_STYLE_ATOM, LMP_TYPE_VECTOR);
    if (s->energies && !s->energy) { /* LAMMPS says why when the run ends */
        s->nonfinite = 1;
        coroutine_yield(s->coroutine);
        return;
    }
    show(s);
    s->nonfinite = !all_finite(s->v, 3 * (size_t)nlocal) || !all_finite(s->x, 3 * (size_t)nlocal);
    coroutine_yield(s->coroutine);
    if (!s->controlled) memset(s->external, 0, 3 * (size_t)s->atoms * sizeof(double)); /* the run is being left */
    apply(s, external[0]);
    if (s->controlled && s->energies) {
        int64_t last = *s->timestep + s->remaining;
        s->lammps->addstep_compute(s->handle, &last);
    }
}

static void long_run(void *pointer) {
    Simulation *s = pointer;
    char command[64];
    snprintf(command, sizeof command, "run %d", LONGEST_RUN);
    s->lammps->command(s->handle, command);
}

/* ------------------------------------------------------------------------------------------------ construction */

static int build(Simulation *s) {
    for (int i = 0; i < s->command_count; i++)
        if (command_now(s, s->commands[i])) return -1;
    int *ids = malloc(sizeof(int) * (size_t)s->atoms);
    if (!ids) return fail(s, "out of memory");
    for (int i = 0; i < s->atoms; i++) ids[i] = i + 1;
    int created = s->lammps->create_atoms(s->handle, s->atoms, ids, s->start_type, s->start_x, NULL, NULL, 1);
    free(ids);
    if (lammps_failed(s, "create_atoms")) return -1;
    if (created != s->atoms) {
        snprintf(s->error, sizeof s->error, "LAMMPS placed %d of %d atoms: the others lie outside the cell", created,
                 s->atoms);
        return -1;
    }
    static const char *const ours[] = {
        "compute matdesign_energy all pe/atom pair",
        "fix matdesign_nve all nve",
        "fix matdesign_control all external pf/callback 1 1",
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (command_now(s, ours[i])) return -1;
    s->lammps->set_fix_external_callback(s->handle, "matdesign_control", control_point, s);
    if (lammps_failed(s, "fix external")) return -1;
    s->nlocal = s->lammps->extract_global(s->handle, "nlocal");
    s->nghost = s->lammps->extract_global(s->handle, "nghost");
    s->timestep = s->lammps->extract_global(s->handle, "ntimestep");
    s->dt = s->lammps->extract_global(s->handle, "dt");
    s->ftm2v = s->lammps->extract_global(s->handle, "ftm2v");
    s->mvv2e = s->lammps->extract_global(s->handle, "mvv2e");
    static const char *const arrays[] = {"x", "v", "f", "type", "id", "image", "mass"};
    int complete = s->nlocal && s->nghost && s->timestep && s->dt && s->ftm2v && s->mvv2e;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        complete = complete && s->lammps->extract_atom(s->handle, arrays[i]);
    if (!complete) return fail(s, "this LAMMPS does not give access to what a simulation needs: use another build of it");
    fetch_pointers(s);
    for (int i = 0; i < s->atoms; i++)
        if (s->id[i] != i + 1) return fail(s, "LAMMPS did not keep the order of the atoms");
    double origin[3], cell[3][3];
    int periodic[3];
    if (simulation_box(s, origin, cell, periodic)) return -1;
    put(s, s->start_x, origin, (const double(*)[3])cell, periodic);
    size_t bytes = 3 * (size_t)s->atoms * sizeof(double);
    memset(s->external, 0, bytes);
    memset(s->added, 0, bytes);
    s->held = s->lost = s->nonfinite = s->controlled = s->energies = s->broken = 0;
    s->energy = NULL;
    return 0;
}

static void release(Simulation *s) {
    for (int i = 0; i < s->command_count; i++) free(s->commands[i]);
    free(s->commands);
    free(s->start_type);
    free(s->start_x);
    free(s->external);
    free(s->added);
    free(s->half);
    free(s->full);
    free(s->fixed);
    coroutine_close(s->coroutine);
    free(s);
}

Simulation *simulation_open(const char *const *commands, int command_count, int atoms, const int *types,
                            const double *x, char *error, size_t error_bytes) {
    const LammpsApi *lammps = lammps_bound();
    if (!lammps) {
        snprintf(error, error_bytes, "no LAMMPS library is bound");
        return NULL;
    }
    if (atoms < 1) {
        snprintf(error, error_bytes, "a simulation needs at least one atom");
        return NULL;
    }
    Simulation *s = calloc(1, sizeof *s);
    size_t n = (size_t)atoms;
    if (s) {
        s->lammps = lammps;
        s->atoms = atoms;
        s->coroutine = coroutine_open(STACK_BYTES);
        s->commands = calloc((size_t)command_count, sizeof *s->commands);
        s->start_type = malloc(n * sizeof(int));
        s->start_x = malloc(3 * n * sizeof(double));
        s->external = calloc(3 * n, sizeof(double));
        s->added = calloc(3 * n, sizeof(double));
        s->half = calloc(3 * n, sizeof(double));
        s->full = calloc(3 * n, sizeof(double));
    }
    int complete = s && s->coroutine && s->commands && s->start_type && s->start_x && s->external && s->added &&
                   s->half && s->full;
    for (int i = 0; complete && i < command_count; i++) {
        complete = (s->commands[i] = strdup(commands[i])) != NULL;
        s->command_count = i + 1;
    }
    if (!complete) {
        snprintf(error, error_bytes, "out of memory for %d atoms", atoms);
        if (s) release(s);
        return NULL;
    }
    memcpy(s->start_type, types, n * sizeof(int));
    memcpy(s->start_x, x, 3 * n * sizeof(double));

    char *arguments[] = {"matdesign", "-log", "none", "-screen", "none", "-nocite"};
    pthread_mutex_lock(&lammps_construction);
    s->handle = lammps->open_no_mpi(6, arguments, NULL);
    int failed = !s->handle;
    if (failed) {
        fail(s, "LAMMPS could not open an instance");
    } else {
        lammps->set_show_error(s->handle, 0);
        if (lammps->extract_setting(s->handle, "tagint") != 4 || lammps->extract_setting(s->handle, "imageint") != 4)
            failed = fail(s, "this LAMMPS counts atoms in 64 bits: build it without LAMMPS_BIGBIG");
        else
            failed = build(s);
    }
    if (failed && s->handle) lammps->close(s->handle);
    pthread_mutex_unlock(&lammps_construction);
    if (failed) {
        snprintf(error, error_bytes, "%s", s->error);
        release(s);
        return NULL;
    }
    return s;
}

void simulation_close(Simulation *s) {
    if (!s) return;
    simulation_end(s);
    pthread_mutex_lock(&lammps_construction);
    s->lammps->close(s->handle);
    pthread_mutex_unlock(&lammps_construction);
    release(s);
}

int simulation_rebuild(Simulation *s) {
    simulation_end(s);
    s->broken = 0;
    pthread_mutex_lock(&lammps_construction);
    if (command_now(s, "clear") || build(s)) s->broken = 1;
    pthread_mutex_unlock(&lammps_construction);
    return s->broken ? -1 : 0;
}

/* ---------------------------------------------------------------------------------------------------- stepping */

/* Lets the run in the coroutine finish at the present step. */
static void leave(Simulation *s) {
    s->controlled = 0;
    s->lammps->force_timeout(s->handle);
    while (coroutine_active(s->coroutine)) coroutine_resume(s->coroutine);
}

/* Continues the coroutine: 0 at the next control point, 1 where its run is over, -1 where it failed. */
static int resume(Simulation *s) {
    lammps_one_thread();
    coroutine_resume(s->coroutine);
    if (s->setting_up) { /* the run failed before its set-up was over */
        s->setting_up = 0;
        pthread_mutex_unlock(&lammps_construction);
    }
    if (s->lost || s->nonfinite) {
        int left = *s->nlocal;
        leave(s);
        int noticed = lammps_failed(s, "run"); /* LAMMPS may say more of it when its run ends */
        s->broken = 1;
        if (s->lost)
            snprintf(s->error, sizeof s->error,
                     "%d of %d atoms left the cell: use a smaller timestep, weaker actions or a larger cell",
                     s->atoms - left, s->atoms);
        else if (!noticed)
            fail(s, "a position or velocity is not a number: atoms overlap, or a value given to them was none");
        return -1;
    }
    s->held = 0;
    if (coroutine_active(s->coroutine)) return 0;
    s->controlled = 0;
    return lammps_failed(s, "run") ? -1 : 1;
}

/* Enters the controlled run at the present positions and velocities. */
static int begin(Simulation *s) {
    pthread_mutex_lock(&lammps_construction); /* until the set-up is over */
    int failed = command_now(s, "timer timeout off"); /* left behind by force_timeout */
    /* LAMMPS would compute the virial for it wherever energies are asked for, and only output reads it. */
    if (!failed && s->lammps->has_id(s->handle, "compute", "thermo_press"))
        failed = command_now(s, "thermo_style custom step") || command_now(s, "uncompute thermo_press");
    if (failed) {
        pthread_mutex_unlock(&lammps_construction);
        return -1;
    }
    s->lost = s->nonfinite = s->held = 0;
    s->controlled = s->setting_up = 1;
    coroutine_start(s->coroutine, long_run, s);
    return resume(s) ? -1 : 0;
}

int simulation_step(Simulation *s, int64_t steps, int energies) {
    if (steps < 0) return fail(s, "the number of MD steps cannot be negative");
    if (refuse_if_broken(s)) return -1;
    s->energies = energies;
    if (!s->controlled && begin(s)) return -1;
    s->remaining = steps;
    while (s->remaining > 0) {
        int status = resume(s);
        if (status < 0) return -1;
        if (status == 0) break;
        if (begin(s)) return -1; /* the longest run LAMMPS can make is over: the next one goes on from there */
    }
    return 0;
}

int simulation_end(Simulation *s) {
    s->energy = NULL;
    if (!s->controlled) return 0;
    leave(s);
    if (lammps_failed(s, "run")) return -1;
    pthread_mutex_lock(&lammps_construction);
    int status = command_now(s, "compute thermo_press all pressure thermo_temp");
    pthread_mutex_unlock(&lammps_construction);
    return status;
}

int simulation_fix_atoms(Simulation *s, const uint8_t *fixed) {
    if (!s->fixed && !(s->fixed = malloc((size_t)s->atoms))) return fail(s, "out of memory");
    memcpy(s->fixed, fixed, (size_t)s->atoms);
    for (int i = 0; i < s->atoms; i++)
        if (fixed[i]) memset(s->v + 3 * i, 0, 3 * sizeof(double));
    return 0;
}

int simulation_command(Simulation *s, const char *command) {
    if (refuse_if_broken(s) || simulation_end(s)) return -1;
    pthread_mutex_lock(&lammps_construction);
    s->setting_up = 1;
    int status = command_now(s, "timer timeout off") || command_now(s, command) ? -1 : 0;
    if (s->setting_up) { /* no force was evaluated */
        s->setting_up = 0;
        pthread_mutex_unlock(&lammps_construction);
    }
    if (status) return -1;
    if (!s->lammps->has_id(s->handle, "fix", "matdesign_control") ||
        !s->lammps->has_id(s->handle, "compute", "matdesign_energy")) {
        s->broken = 1;
        return fail(s, "the command deleted matdesign_control or matdesign_energy, which the simulation needs");
    }
    if (*s->nlocal != s->atoms) {
        s->broken = 1;
        snprintf(s->error, sizeof s->error, "%d atoms were there before the command \"%.200s\" and %d after it",
                 s->atoms, command, *s->nlocal);
        return -1;
    }
    fetch_pointers(s);
    return 0;
}

int simulation_run(Simulation *s, int64_t steps) {
    if (steps < 0) return fail(s, "the number of MD steps cannot be negative");
    do {
        char command[64];
        int now = steps > LONGEST_RUN ? LONGEST_RUN : (int)steps;
        snprintf(command, sizeof command, "run %d", now);
        if (simulation_command(s, command)) return -1;
        steps -= now;
    } while (steps > 0);
    return 0;
}

int simulation_refresh(Simulation *s, int energies) {
    memset(s->external, 0, 3 * (size_t)s->atoms * sizeof(double));
    s->held = 1;
    if (simulation_step(s, 1, energies)) return -1;
    memset(s->v, 0, 3 * (size_t)s->atoms * sizeof(double));
    return 0;
}

/* LAMMPS would look for such atoms in memory that is not its own. */
static int refuse_nowhere(Simulation *s, const double *x, const double *v) {
    for (size_t i = 0; i < 3 * (size_t)s->atoms; i++) {
        if (fabs(x[i]) < FARTHEST && (!v || isfinite(v[i]))) continue;
        snprintf(s->error, sizeof s->error, "atom %zu was given a position or velocity that is %s", i / 3 + 1,
                 isfinite(x[i]) && (!v || isfinite(v[i])) ? "too far away" : "not a number");
        return -1;
    }
    return 0;
}

int simulation_renew(Simulation *s, const double *x, const double *v) {
    double origin[3], cell[3][3];
    int periodic[3];
    if (refuse_nowhere(s, x, v) || refuse_if_broken(s) || simulation_end(s)) return -1;
    if (simulation_box(s, origin, cell, periodic)) return -1;
    put(s, x, origin, (const double(*)[3])cell, periodic);
    memcpy(s->v, v, 3 * (size_t)s->atoms * sizeof(double));
    memset(s->external, 0, 3 * (size_t)s->atoms * sizeof(double));
    return simulation_step(s, 0, 0);
}

int simulation_place(Simulation *s, const double *x, const double *v, int energies) {
    if (refuse_nowhere(s, x, v)) return -1;
    size_t n = 3 * (size_t)s->atoms;
    double origin[3], cell[3][3];
    int periodic[3];
    if (refuse_if_broken(s) || simulation_box(s, origin, cell, periodic)) return -1;
    if (!s->controlled && simulation_step(s, 0, 0)) return -1;
    put(s, x, origin, (const double(*)[3])cell, periodic);
    if (simulation_refresh(s, energies)) return -1;
    if (v) memcpy(s->v, v, n * sizeof(double));
    return 0;
}

int simulation_box(Simulation *s, double origin[3], double cell[3][3], int periodic[3]) {
    double high[3], xy, yz, xz;
    int changing;
    s->lammps->extract_box(s->handle, origin, high, &xy, &yz, &xz, periodic, &changing);
    if (lammps_failed(s, "extract_box")) return -1;
    double edges[3][3] = {{high[0] - origin[0], 0.0, 0.0}, {xy, high[1] - origin[1], 0.0}, {xz, yz, high[2] - origin[2]}};
    memcpy(cell, edges, sizeof edges);
    return 0;
}

void simulation_unwrap(const Simulation *s, const double cell[3][3], double *unwrapped) {
    for (int i = 0; i < s->atoms; i++) {
        int shift[3] = {(s->image[i] & 1023) - 512, ((s->image[i] >> 10) & 1023) - 512, (s->image[i] >> 20) - 512};
        for (int d = 0; d < 3; d++)
            unwrapped[3 * i + d] =
                s->x[3 * i + d] + shift[0] * cell[0][d] + shift[1] * cell[1][d] + shift[2] * cell[2][d];
    }
}

double simulation_thermo(Simulation *s, const char *keyword) {
    char style[256];
    snprintf(style, sizeof style, "thermo_style custom step %.200s", keyword);
    double value = NAN;
    if (!simulation_command(s, style) && !simulation_command(s, "thermo_modify norm no") && !simulation_run(s, 0)) {
        value = s->lammps->get_thermo(s->handle, keyword);
        if (lammps_failed(s, keyword)) value = NAN;
    }
    char error[SIMULATION_ERROR_BYTES];
    memcpy(error, s->error, sizeof error);
    /* Back to the cheapest output: anything more is computed in the steps of every run. */
    if (simulation_command(s, "thermo_style custom step") || simulation_command(s, "thermo_modify norm no")) return NAN;
    memcpy(s->error, error, sizeof error);
    return value;
}

int simulation_has(Simulation *s, const char *category, const char *id) {
    return !s->broken && s->lammps->has_id(s->handle, category, id);
}

/* 0 where `id` is a compute or fix of this instance. */
static int find(Simulation *s, const char *category, const char *id) {
    if (refuse_if_broken(s)) return -1;
    if (s->lammps->has_id(s->handle, category, id)) return 0;
    snprintf(s->error, sizeof s->error, "there is no %s \"%.200s\"", category, id);
    return -1;
}

/* Whether a compute or fix lacks data of the kind just asked for, which LAMMPS calls an error; forgets that error. */
static int absent(Simulation *s) {
    if (!s->lammps->has_error(s->handle)) return 0;
    char text[SIMULATION_ERROR_BYTES / 2] = "";
    s->lammps->get_last_error_message(s->handle, text, sizeof text);
    return 1;
}

int simulation_compute(Simulation *s, const char *id, int *rows, int *columns, double *values) {
    if (find(s, "compute", id)) return -1;
    const int kinds[][4] = {
        {LMP_STYLE_GLOBAL, LMP_TYPE_ARRAY, LMP_SIZE_ROWS, LMP_SIZE_COLS},
        {LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR, LMP_SIZE_VECTOR, 0},
        {LMP_STYLE_GLOBAL, LMP_TYPE_SCALAR, 0, 0},
        {LMP_STYLE_ATOM, LMP_TYPE_ARRAY, 0, LMP_SIZE_COLS},
        {LMP_STYLE_ATOM, LMP_TYPE_VECTOR, 0, 0},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const int style = kinds[k][0], type = kinds[k][1];
        void *data = s->lammps->extract_compute(s->handle, id, style, type);
        if (absent(s) || !data) continue;
        const int *count[2] = {NULL, NULL};
        for (int d = 0; d < 2; d++)
            if (kinds[k][2 + d]) count[d] = s->lammps->extract_compute(s->handle, id, style, kinds[k][2 + d]);
        *rows = style == LMP_STYLE_ATOM ? s->atoms : count[0] ? *count[0] : 0;
        *columns = count[1] ? *count[1] : 0;
        if (!values) return 0;
        if (type == LMP_TYPE_ARRAY)
            for (int i = 0; i < *rows; i++) memcpy(values + i * *columns, ((double **)data)[i], sizeof(double) * (size_t)*columns);
        else
            memcpy(values, data, sizeof(double) * (size_t)(type == LMP_TYPE_SCALAR ? 1 : *rows));
        return 0;
    }
    snprintf(s->error, sizeof s->error, "compute \"%.200s\" has no values: use it in a run first", id);
    return -1;
}

/* A size of a fix's global data; -1 where it has none of that kind. */
static int fix_size(Simulation *s, const char *id, int kind) {
    const int *size = s->lammps->extract_fix(s->handle, id, LMP_STYLE_GLOBAL, kind, 0, 0);
    return absent(s) || !size ? -1 : *size;
}

int simulation_fix(Simulation *s, const char *id, int *rows, int *columns, double *values) {
    if (find(s, "fix", id)) return -1;
    const int height = fix_size(s, id, LMP_SIZE_ROWS), length = height < 0 ? fix_size(s, id, LMP_SIZE_VECTOR) : -1;
    const int type = height >= 0 ? LMP_TYPE_ARRAY : length >= 0 ? LMP_TYPE_VECTOR : LMP_TYPE_SCALAR;
    *rows = type == LMP_TYPE_ARRAY ? height : type == LMP_TYPE_VECTOR ? length : 0;
    *columns = type == LMP_TYPE_ARRAY ? fix_size(s, id, LMP_SIZE_COLS) : 0;
    if (!values) return 0;
    const int high = type == LMP_TYPE_SCALAR ? 1 : *rows, wide = type == LMP_TYPE_ARRAY ? *columns : 1;
    for (int i = 0; i < high; i++)
        for (int j = 0; j < wide; j++) {
            double *value = s->lammps->extract_fix(s->handle, id, LMP_STYLE_GLOBAL, type, i, j);
            if (absent(s) || !value) {
                snprintf(s->error, sizeof s->error, "fix \"%.200s\" has no global values", id);
                return -1;
            }
            values[i * wide + j] = *value;
            s->lammps->free(value);
        }
    return 0;
}

const char *simulation_error(const Simulation *s) { return s->error; }
