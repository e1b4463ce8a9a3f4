#include "vector.h"

#include "pool.h"

typedef void (*Batch)(void *envs, int64_t begin, int64_t end);

struct Vector {
    const Environment *environment;
    char *envs;  /* [count] of the environment's struct */
    float *logs; /* [count, 1 + log_count] */
    int64_t count, log_count;
    int64_t opened; /* environments whose init() was called */
    int64_t number; /* of the first environment */
    int32_t agents;
    uint64_t kind; /* of a state's environment: one of another kind has another number */
    int parts;
    float *rewards;
    uint8_t *terminals, *truncations, *masks;
    Pool *pool; /* NULL: the calling thread works alone */
    /* What is under way: this function on the environments of this part. */
    Batch batch;
    int part;
};

enum { ALIGNMENT = 64 };

static Env *env_at(const Vector *vector, int64_t index) {
    return (Env *)(vector->envs + index * vector->environment->struct_bytes);
}

static void run_range(void *context, int64_t begin, int64_t end) {
    Vector *vector = context;
    int64_t before = vector->part * (vector->count / vector->parts);
    begin += before, end += before;
    size_t first = (size_t)(begin * vector->agents), rows = (size_t)((end - begin) * vector->agents);
    memset(vector->rewards + first, 0, rows * sizeof(float));
    memset(vector->terminals + first, 0, rows);
    memset(vector->truncations + first, 0, rows);
    memset(vector->masks + first, 1, rows);
    vector->batch(vector->envs, begin, end);
}

static void finish(Vector *vector) {
    if (vector->pool) pool_finish(vector->pool);
}

static void start(Vector *vector, Batch batch, int part) {
    finish(vector);
    vector->batch = batch;
    vector->part = part;
    if (vector->pool)
        pool_start(vector->pool, run_range, vector);
    else
        run_range(vector, 0, vector->count / vector->parts);
}

static void run(Vector *vector, Batch batch) {
    for (int part = 0; part < vector->parts; part++) start(vector, batch, part);
    finish(vector);
}

void vector_step(Vector *vector) { run(vector, vector->environment->step_batch); }

void vector_send(Vector *vector, int part) { start(vector, vector->environment->step_batch, part); }

void vector_recv(Vector *vector, int part) {
    if (part == vector->part) finish(vector);
}

void vector_number_from(Vector *vector, int64_t first) { vector->number = first; }

void vector_reset(Vector *vector, uint64_t seed) {
    /* Each environment's state is a hash of (seed, i): states a multiple of SplitMix64's increment apart would give
     * the same numbers, shifted. */
    finish(vector);
    Random seeds = {seed};
    uint64_t base = random_bits(&seeds);
    for (int64_t i = 0; i < vector->count; i++) {
        Random hash = {base + (uint64_t)(vector->number + i)};
        env_at(vector, i)->random.state = random_bits(&hash);
    }
    memset(vector->logs, 0, sizeof(float) * (size_t)(vector->count * (1 + vector->log_count)));
    run(vector, vector->environment->reset_batch);
}

int64_t vector_log(Vector *vector, int64_t first, int64_t count, float *means) {
    finish(vector);
    double episodes = 0.0;
    int64_t columns = 1 + vector->log_count;
    float *logs = vector->logs + first * columns;
    for (int64_t i = 0; i < count; i++) episodes += (double)logs[i * columns];
    for (int64_t name = 0; name < vector->log_count; name++) {
        double sum = 0.0;
        for (int64_t i = 0; i < count; i++) sum += (double)logs[i * columns + 1 + name];
        means[name] = episodes > 0.0 ? (float)(sum / episodes) : 0.0f;
    }
    memset(logs, 0, sizeof(float) * (size_t)(count * columns));
    return (int64_t)episodes;
}

/* The number of an environment's kind: FNV-1a (Fowler, Noll, Vo) over its name and sizes. */
static uint64_t kind_of(const Environment *environment, const Spaces *spaces, int64_t log_count) {
    const int64_t sizes[] = {environment->abi, environment->struct_bytes, spaces->agents, spaces->features, log_count};
    const uint8_t *parts[] = {(const uint8_t *)environment->name, (const uint8_t *)sizes};
    const size_t lengths[] = {strlen(environment->name), sizeof sizes};
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < lengths[part]; i++) hash = (hash ^ parts[part][i]) * 0x100000001b3ULL;
    return hash;
}

static void serialize(Vector *vector, int64_t index, Archive *archive) {
    Env *env = env_at(vector, index);
    uint64_t kind = vector->kind;
    ARCHIVE(archive, kind);
    if (!archive_require(archive, kind == vector->kind)) return;
    ARCHIVE(archive, env->random);
    ARCHIVE(archive, env->finished);
    archive_bytes(archive, env->log, sizeof(float) * (size_t)(1 + vector->log_count));
    archive_require(archive, env->finished <= 1 && env->log[0] >= 0.0f && env->log[0] < 1e9f);
    if (!archive->refused) vector->environment->serialize(env, archive);
}

int64_t vector_state_sizes(Vector *vector, int64_t *sizes) {
    finish(vector);
    int64_t sum = 0;
    for (int64_t i = 0; i < vector->count; i++) {
        Archive archive = {.size = SIZE_MAX};
        serialize(vector, i, &archive);
        if (archive.refused) return -1;
        sum += sizes[i] = (int64_t)archive.used;
    }
    return sum;
}

int vector_save(Vector *vector, uint8_t *bytes, int64_t size) {
    Archive archive = {.to = bytes, .size = (size_t)size};
    for (int64_t i = 0; i < vector->count && !archive.refused; i++) serialize(vector, i, &archive);
    return archive.refused || archive.used != archive.size ? -1 : 0;
}

int vector_load(Vector *vector, const uint8_t *bytes, const int64_t *sizes) {
    finish(vector);
    for (int64_t i = 0; i < vector->count; bytes += sizes[i], i++) {
        Archive archive = {.from = bytes, .size = (size_t)sizes[i]};
        serialize(vector, i, &archive);
        if (archive.refused || archive.used != archive.size) return -1;
    }
    return 0;
}

void vector_draw(Vector *vector, int64_t index, Scene *scene) {
    finish(vector);
    scene->spheres.count = scene->lines.count = scene->boxes.count = scene->text_count = 0;
    vector->environment->draw(env_at(vector, index), scene);
}

const void *vector_environment(const Vector *vector, int64_t index) { return env_at(vector, index); }

void scene_free(Scene *scene) {
    free(scene->spheres.rows);
    free(scene->lines.rows);
    free(scene->boxes.rows);
    free(scene->texts);
    *scene = (Scene){0};
}

/* Zeroed memory that begins on a cache line. */
static void *allocate(int64_t count, int64_t bytes) {
    size_t size = ((size_t)(count * bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, size);
    return memory ? memset(memory, 0, size) : NULL;
}

static int open_environments(Vector *vector, const Settings *settings, const Spaces *spaces, char *observations,
                             char *actions, char *error, size_t error_bytes) {
    int64_t observation_bytes = (int64_t)spaces->agents * spaces->features * (spaces->bytes == 1 ? 1 : 4);
    int64_t action_bytes = (int64_t)spaces->agents * spaces->action_dims * 4;
    for (int64_t i = 0; i < vector->count; i++) {
        Env *env = env_at(vector, i);
        *env = (Env){
            .observations = observations + i * observation_bytes,
            .actions = actions + i * action_bytes,
            .rewards = vector->rewards + i * spaces->agents,
            .terminals = vector->terminals + i * spaces->agents,
            .truncations = vector->truncations + i * spaces->agents,
            .masks = vector->masks + i * spaces->agents,
            .log = vector->logs + i * (1 + vector->log_count),
            .agents = spaces->agents,
        };
        vector->opened++;
        if (vector->environment->init(env, settings, error, error_bytes) != 0) return -1;
    }
    return 0;
}

Vector *vector_open(const Environment *environment, const SettingValue *values, int64_t value_count, int64_t count,
                    int parts, int threads, void *observations, void *actions, float *rewards, uint8_t *terminals,
                    uint8_t *truncations, uint8_t *masks, char *error, size_t error_bytes) {
    Spaces spaces;
    if (environment_spaces(environment, values, value_count, &spaces, error, error_bytes) != 0) return NULL;
    int64_t log_count = 0;
    while (environment->log_names[log_count]) log_count++;
    Vector *vector = calloc(1, sizeof(Vector));
    if (vector) {
        *vector = (Vector){
            .environment = environment,
            .envs = allocate(count, environment->struct_bytes),
            .logs = allocate(count, (1 + log_count) * (int64_t)sizeof(float)),
            .count = count,
            .log_count = log_count,
            .agents = spaces.agents,
            .kind = kind_of(environment, &spaces, log_count),
            .parts = parts,
            .rewards = rewards,
            .terminals = terminals,
            .truncations = truncations,
            .masks = masks,
        };
    }
    if (!vector || !vector->envs || !vector->logs) {
        snprintf(error, error_bytes, "no memory for %lld environments: ask for fewer", (long long)count);
        vector_close(vector);
        return NULL;
    }
    Settings settings = {environment->settings, values, value_count};
    if (open_environments(vector, &settings, &spaces, observations, actions, error, error_bytes) != 0) {
        vector_close(vector);
        return NULL;
    }
    if (threads > count / parts) threads = (int)(count / parts);
    if (threads > 1 && !(vector->pool = pool_open(threads, count / parts))) {
        snprintf(error, error_bytes, "the system gives no %d threads: ask for fewer", threads);
        vector_close(vector);
        return NULL;
    }
    return vector;
}

void vector_close(Vector *vector) {
    if (!vector) return;
    pool_close(vector->pool);
    for (int64_t i = 0; i < vector->opened; i++) vector->environment->close(env_at(vector, i));
    free(vector->logs);
    free(vector->envs);
    free(vector);
}
