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
