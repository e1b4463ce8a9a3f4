/* snake.c: many snakes on one board of width x height cells inside a wall.
 *
 * Actions: 0 down, 1 up, 2 left, 3 right; turning back, or any other value, means straight on. In a step the snakes move
 * one after another, in the order of their rows: the tail leaves its cell first, unless the snake has still to grow, then
 * the head enters the next one. Food there makes it grow by one cell; a wall or any body ends its life: the reward of
 * that step is `reward_death`, its row is terminal, and its body turns into food (or, without `corpses`, into empty
 * cells). In the next step its row has mask 0 and a new snake of one cell, which grows to three, appears with a random
 * heading; if no cell is empty it waits. After the moves the board is filled up to `food` pieces. What appears takes the
 * first empty cell at or after a uniformly drawn one, row by row. After `horizon` steps the episode is cut off for all.
 *
 * Observation: the (2 * vision + 1)^2 cells around the head, row by row, as bytes: 0 food, 1 empty, 2 body, 3 wall. That
 * of a snake that has just died is around the last place of its head. The log counts lives: score is the food eaten in
 * one, perf its share of `goal`, 1 at most.
 */
#include "env.h"

enum { FOOD, EMPTY, BODY, WALL };
enum { DOWN, UP, LEFT, RIGHT, DIRECTIONS };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH, LOG_WALL, LOG_BODY };
enum { NEW_LENGTH = 3, WIDE = 16 };

typedef struct {
    int32_t head, tail; /* cells of the board */
    int32_t length, growth; /* cells on the board, and still to come */
    int32_t eaten, age;
    uint8_t heading, alive;
} Snake;

typedef struct {
    Env env;
    int32_t width, height, stride, vision, food, food_now, horizon, tick, corpses;
    int32_t steps[DIRECTIONS]; /* from a cell to its neighbour */
    float reward_food, reward_death, goal;
    int64_t cells;   /* of the board with its wall, which is `vision` thick */
    uint8_t *board;  /* [cells + WIDE] what stands on each cell */
    uint8_t *onward; /* [cells] where body: the direction of the snake's next cell towards its head */
    Snake *snakes;   /* [agents] */
} Board;

static const char *const snake_log_names[] = {"score", "perf", "episode_return", "episode_length", "died_on_wall",
                                              "died_on_body", NULL};

static const Setting snake_settings[] = {
    {.name = "snakes", .value = 16, .low = 1, .high = 65536, .help = "snakes on the board", .count = SETTING_INTEGER},
    {.name = "width", .value = 48, .low = 4, .high = 4096, .help = "cells of a row", .count = SETTING_INTEGER},
    {.name = "height", .value = 48, .low = 4, .high = 4096, .help = "cells of a column", .count = SETTING_INTEGER},
    {.name = "food", .value = 96, .low = 0, .high = 1e6, .help = "pieces of food kept on the board",
     .count = SETTING_INTEGER},
    {.name = "vision", .value = 5, .low = 2, .high = 63, .help = "cells seen in each direction",
     .count = SETTING_INTEGER},
    {.name = "corpses", .value = 1, .low = 0, .high = 1, .help = "1: dead snakes turn into food",
     .count = SETTING_INTEGER},
    {.name = "reward_food", .value = 0.1, .low = -1000, .high = 1000, .help = "reward of a piece of food"},
    {.name = "reward_death", .value = -1, .low = -1000, .high = 1000, .help = "reward of dying"},
    {.name = "goal", .value = 30, .low = 1, .high = 1e6, .help = "food eaten in a life whose perf is 1"},
    {.name = "horizon", .value = 1000, .low = 1, .high = 1e6, .help = "steps of an episode", .count = SETTING_INTEGER},
    {0},
};

static int snake_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    double cells = setting_number(settings, "width") * setting_number(settings, "height");
    double snakes = setting_number(settings, "snakes"), food = setting_number(settings, "food");
    if (2 * (NEW_LENGTH * snakes + food) > cells) {
        snprintf(error, error_bytes, "%g snakes and %g food need more than the %g cells there are: give %g or more, "
                 "by width and height", snakes, food, cells, 2 * (NEW_LENGTH * snakes + food));
        return -1;
    }
    int32_t edge = 2 * (int32_t)setting_number(settings, "vision") + 1;
    *spaces = (Spaces){.agents = (int32_t)snakes, .features = edge * edge, .action_dims = 1, .choices = DIRECTIONS,
                       .bytes = 1, .low = FOOD, .high = WALL};
    return 0;
}

static int snake_init(Board *b, const Settings *settings, char *error, size_t error_bytes) {
    b->width = (int32_t)setting_number(settings, "width");
    b->height = (int32_t)setting_number(settings, "height");
    b->vision = (int32_t)setting_number(settings, "vision");
    b->food = (int32_t)setting_number(settings, "food");
    b->corpses = (int32_t)setting_number(settings, "corpses");
    b->horizon = (int32_t)setting_number(settings, "horizon");
    b->reward_food = (float)setting_number(settings, "reward_food");
    b->reward_death = (float)setting_number(settings, "reward_death");
    b->goal = (float)setting_number(settings, "goal");
    b->stride = b->width + 2 * b->vision;
    b->cells = (int64_t)b->stride * (b->height + 2 * b->vision);
    b->steps[DOWN] = b->stride, b->steps[UP] = -b->stride, b->steps[LEFT] = -1, b->steps[RIGHT] = 1;
    b->board = malloc((size_t)b->cells + WIDE);
    b->onward = calloc((size_t)b->cells, 1);
    b->snakes = calloc((size_t)b->env.agents, sizeof(Snake));
    if (b->board && b->onward && b->snakes) {
        memset(b->board, WALL, (size_t)b->cells + WIDE);
        return 0;
    }
    snprintf(error, error_bytes, "no memory for a board of %d x %d cells: ask for a smaller one", b->width, b->height);
    return -1;
}

/* The first empty cell at or after a drawn one; -1 where there is none. */
static int32_t snake_place(Board *b) {
    uint32_t drawn = random_integer(&b->env.random, (uint32_t)(b->width * b->height)), row = drawn / (uint32_t)b->width;
    int64_t cell = (int64_t)(row + (uint32_t)b->vision) * b->stride + b->vision + drawn % (uint32_t)b->width;
    uint8_t *empty = memchr(b->board + cell, EMPTY, (size_t)(b->cells - cell));
    if (!empty) empty = memchr(b->board, EMPTY, (size_t)cell);
    return empty ? (int32_t)(empty - b->board) : -1;
}

static void snake_feed(Board *b) {
    while (b->food_now < b->food) {
        int32_t cell = snake_place(b);
        if (cell < 0) return;
        b->board[cell] = FOOD;
        b->food_now += 1;
    }
}

static void snake_appear(Board *b, Snake *s) {
    int32_t cell = snake_place(b);
    if (cell < 0) return;
    b->board[cell] = BODY;
    *s = (Snake){.head = cell, .tail = cell, .length = 1, .growth = NEW_LENGTH - 1, .alive = 1,
                 .heading = (uint8_t)random_integer(&b->env.random, DIRECTIONS)};
}

static void snake_log_life(Board *b, const Snake *s, int died_on) {
    env_log(&b->env, LOG_SCORE, s->eaten);
    env_log(&b->env, LOG_PERF, fmin(1.0, s->eaten / (double)b->goal));
    env_log(&b->env, LOG_RETURN, (double)b->reward_food * s->eaten + (died_on ? (double)b->reward_death : 0.0));
    env_log(&b->env, LOG_LENGTH, s->age);
    env_log(&b->env, LOG_WALL, died_on == WALL);
    env_log(&b->env, LOG_BODY, died_on == BODY);
    env_log_episode(&b->env);
}

static void snake_die(Board *b, Snake *s, int died_on) {
    int32_t cell = s->tail;
    for (int32_t i = 0; i < s->length; i++) {
        b->board[cell] = b->corpses ? FOOD : EMPTY;
        cell += b->steps[b->onward[cell]];
    }
    b->food_now += b->corpses ? s->length : 0;
    s->alive = 0;
    snake_log_life(b, s, died_on);
}

static inline void snake_move(Board *b, int32_t row) {
    Snake *s = &b->snakes[row];
    uint32_t action = ((const uint32_t *)b->env.actions)[row];
    int straight = (action >= DIRECTIONS) | ((action ^ 1u) == s->heading); /* directions come in opposite pairs */
    s->heading = straight ? s->heading : (uint8_t)action;
    b->onward[s->head] = s->heading;
    s->age += 1;
    if (s->growth) {
        s->growth -= 1;
    } else {
        b->board[s->tail] = EMPTY;
        s->tail += b->steps[b->onward[s->tail]];
        s->length -= 1;
    }
    int32_t next = s->head + b->steps[s->heading];
    uint8_t there = b->board[next];
    if (there > EMPTY) {
        b->env.rewards[row] = b->reward_death;
        b->env.terminals[row] = 1;
        snake_die(b, s, there);
        return;
    }
    int32_t ate = there == FOOD;
    b->env.rewards[row] = ate ? b->reward_food : 0.0f;
    b->food_now -= ate;
    s->eaten += ate;
    s->growth += ate;
    s->length += 1;
    s->head = next;
    b->board[next] = BODY;
}

static void snake_observe(Board *b) {
    int32_t edge = 2 * b->vision + 1, before_head = b->vision * b->stride + b->vision;
    uint8_t *seen = b->env.observations;
    for (int32_t i = 0; i < b->env.agents; i++) {
        const uint8_t *from = b->board + b->snakes[i].head - before_head;
        /* A copy of fixed size is one instruction. What it writes too far is the next line's, which is written after
         * it; only the last snake's lines may not do that. */
        if (edge <= WIDE && i + 1 < b->env.agents)
            for (int32_t line = 0; line < edge; line++, seen += edge) memcpy(seen, from + line * b->stride, WIDE);
        else
            for (int32_t line = 0; line < edge; line++, seen += edge) memcpy(seen, from + line * b->stride, (size_t)edge);
    }
}

static void snake_reset(Board *b) {
    b->tick = b->food_now = 0;
    for (int32_t row = b->vision; row < b->vision + b->height; row++)
        memset(b->board + (int64_t)row * b->stride + b->vision, EMPTY, (size_t)b->width);
    for (int32_t i = 0; i < b->env.agents; i++) snake_appear(b, &b->snakes[i]);
    snake_feed(b);
    snake_observe(b);
}

static inline void snake_step(Board *b) {
    for (int32_t i = 0; i < b->env.agents; i++) {
        if (b->snakes[i].alive) {
            snake_move(b, i);
        } else {
            b->env.masks[i] = 0;
            snake_appear(b, &b->snakes[i]);
        }
    }
    snake_feed(b);
    snake_observe(b);
    if (++b->tick < b->horizon) return;
    for (int32_t i = 0; i < b->env.agents; i++)
        if (b->snakes[i].alive) snake_log_life(b, &b->snakes[i], 0);
    env_truncate(&b->env);
}

static void snake_draw(Board *b, Scene *scene) {
    static const uint32_t colours[] = {0x30C0E0FF, 0xE0A030FF, 0xC060E0FF, 0xE05040FF,
                                       0x5080F0FF, 0xE0E050FF, 0xF080B0FF, 0xA0A0B0FF};
    double floor_centre[3] = {0.5 * b->width, 0.5 * b->height, -0.05}, floor_edges[3] = {b->width, b->height, 0.1};
    scene_box(scene, floor_centre, floor_edges, 0x202830FF);
    for (int32_t row = 0; row < b->height; row++)
        for (int32_t column = 0; column < b->width; column++)
            if (b->board[(int64_t)(row + b->vision) * b->stride + b->vision + column] == FOOD)
                scene_sphere(scene, column + 0.5, b->height - row - 0.5, 0.3, 0.3, 0x60D060FF);
    for (int32_t i = 0; i < b->env.agents; i++) {
        int32_t cell = b->snakes[i].tail;
        for (int32_t k = 0; b->snakes[i].alive && k < b->snakes[i].length; k++, cell += b->steps[b->onward[cell]]) {
            double x = cell % b->stride - b->vision + 0.5, y = b->height - (cell / b->stride - b->vision) - 0.5;
            double centre[3] = {x, y, 0.45}, edges[3] = {0.9, 0.9, 0.9};
            scene_box(scene, centre, edges, cell == b->snakes[i].head ? 0xF8F8F8FF : colours[i % 8]);
        }
    }
}

/* 1 where all bodies on the board are those of living snakes, which do not share cells. */
static int snake_bodies_sound(Board *b) {
    enum { SEEN = 0x80 };
    int64_t bodies = 0, seen = 0;
    int sound = 1;
    for (int64_t cell = 0; cell < b->cells; cell++) bodies += b->board[cell] == BODY;
    for (const Snake *s = b->snakes; s < b->snakes + b->env.agents; s++) {
        int32_t cell = s->tail, last = cell;
        for (int32_t i = 0; sound && s->alive && i < s->length; i++) {
            sound = b->board[cell] == BODY;
            if (!sound) break;
            b->board[cell] |= SEEN;
            seen++;
            last = cell;
            cell += b->steps[b->onward[cell]];
        }
        sound &= !s->alive || last == s->head;
    }
    for (int64_t cell = 0; cell < b->cells; cell++) b->board[cell] &= (uint8_t)~SEEN;
    return sound && seen == bodies;
}

static int snake_inside(const Board *b, int32_t cell) {
    int32_t row = cell / b->stride - b->vision, column = cell % b->stride - b->vision;
    return cell >= 0 && row >= 0 && row < b->height && column >= 0 && column < b->width;
}

static void snake_serialize(Board *b, Archive *archive) {
    int32_t cells = b->width * b->height;
    archive_integer(archive, &b->tick, 0, b->horizon);
    archive_integer(archive, &b->food_now, 0, cells);
    for (int32_t row = b->vision; row < b->vision + b->height; row++) {
        int64_t first = (int64_t)row * b->stride + b->vision;
        archive_bytes(archive, b->board + first, (size_t)b->width);
        archive_bytes(archive, b->onward + first, (size_t)b->width);
        for (int64_t cell = first; cell < first + b->width; cell++)
            archive_require(archive, b->board[cell] <= BODY && b->onward[cell] < DIRECTIONS);
    }
    for (Snake *s = b->snakes; s < b->snakes + b->env.agents; s++) {
        archive_integer(archive, &s->head, 0, (int32_t)b->cells - 1);
        archive_integer(archive, &s->tail, 0, (int32_t)b->cells - 1);
        archive_integer(archive, &s->length, 0, cells);
        archive_integer(archive, &s->age, 0, b->horizon);
        archive_integer(archive, &s->eaten, 0, s->age);
        archive_integer(archive, &s->growth, 0, NEW_LENGTH + s->eaten);
        ARCHIVE(archive, s->heading);
        ARCHIVE(archive, s->alive);
        archive_require(archive, snake_inside(b, s->head) && s->heading < DIRECTIONS && s->alive <= 1);
        archive_require(archive, !s->alive || (s->length > 0 && snake_inside(b, s->tail)));
    }
    if (!archive->refused) archive_require(archive, snake_bodies_sound(b));
}

static void snake_close(Board *b) {
    free(b->snakes);
    free(b->onward);
    free(b->board);
}

ENVIRONMENT(snake, Board, "many snakes on one board look for food and avoid walls and bodies")
