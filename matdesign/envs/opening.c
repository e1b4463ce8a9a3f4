#include "opening.h"

Simulation *open_simulation(const Settings *settings, char *error, size_t bytes) {
    int64_t atoms, count;
    const double *types = setting_array(settings, "types", &atoms), *x = setting_array(settings, "positions", &count);
    const char *text = setting_text(settings, "commands");
    int lines = 1, at = 0, *type = malloc(sizeof(int) * (size_t)atoms);
    for (const char *c = text; *c; c++) lines += *c == '\n';
    char *buffer = strdup(text), *rest = buffer;
    const char **commands = malloc(sizeof *commands * (size_t)lines);
    Simulation *simulation = NULL;
    if (type && buffer && commands) {
        for (int64_t i = 0; i < atoms; i++) type[i] = (int)types[i];
        for (char *line; (line = strsep(&rest, "\n"));)
            if (*line) commands[at++] = line;
        simulation = simulation_open(commands, at, (int)atoms, type, x, error, bytes);
    } else {
        snprintf(error, bytes, "out of memory");
    }
    free(type);
    free(buffer);
    free(commands);
    return simulation;
}

void serialize_simulation(Simulation *s, const uint8_t *fixed, const double *x, double *v, double fastest,
                          Archive *archive) {
    size_t bytes = 3 * sizeof(double) * (size_t)s->atoms;
    if (archive->from && s->broken) archive_require(archive, simulation_rebuild(s) == 0);
    if (fixed && !archive->refused) archive_require(archive, simulation_fix_atoms(s, fixed) == 0);
    if (!archive->from && !archive->refused) memcpy(v, s->v, bytes);
    archive_bytes(archive, v, bytes);
    for (int i = 0; i < 3 * s->atoms; i++) archive_require(archive, fabs(v[i]) <= fastest);
    ARCHIVE(archive, s->evaluations);
    archive_require(archive, s->evaluations >= 0 && s->evaluations < (int64_t)1 << 53);
    if ((archive->to || archive->from) && !archive->refused) archive_require(archive, simulation_renew(s, x, v) == 0);
}
