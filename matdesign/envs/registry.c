/* registry.c: the environments that are compiled into the package. */
#include "../vector/vector.h"

extern const Environment environment_atoms;
extern const Environment environment_boids;
extern const Environment environment_breakout;
extern const Environment environment_bridge;
extern const Environment environment_cartpole;
extern const Environment environment_drone_swarm;
extern const Environment environment_pong;
extern const Environment environment_snake;
extern const Environment environment_squared;

static const Environment *const built_in[] = {
    &environment_atoms,    &environment_boids,       &environment_breakout, &environment_bridge,
    &environment_cartpole, &environment_drone_swarm, &environment_pong,     &environment_snake,
    &environment_squared,
};

enum { COUNT = sizeof built_in / sizeof built_in[0] };

const char *environment_builtin_name(int index) {
    return index >= 0 && index < COUNT ? built_in[index]->name : NULL;
}

const Environment *environment_builtin(const char *name) {
    for (int i = 0; i < COUNT; i++)
        if (strcmp(built_in[i]->name, name) == 0) return built_in[i];
    return NULL;
}
