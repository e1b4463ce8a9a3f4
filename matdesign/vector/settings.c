/* settings.c: what the user gave, held against what the environment takes. */
#include "vector.h"

static const Setting *setting_known(const Environment *environment, const char *name) {
    for (const Setting *s = environment->settings; s->name; s++)
        if (strcmp(s->name, name) == 0) return s;
    return NULL;
}

static int refuse_unknown(const Environment *environment, const char *name, char *error, size_t error_bytes) {
    size_t used = (size_t)snprintf(error, error_bytes, "%s has no setting '%s'; it has", environment->name, name);
    for (const Setting *s = environment->settings; s->name && used < error_bytes; s++)
        used += (size_t)snprintf(error + used, error_bytes - used, "%s%s", s == environment->settings ? " " : ", ",
                                 s->name);
    if (!environment->settings->name && used < error_bytes) snprintf(error + used, error_bytes - used, " none");
    return -1;
}

static int check(const Environment *environment, const SettingValue *value, char *error, size_t error_bytes) {
    static const char *const kinds[] = {"one number", "a list of numbers", "text", "one whole number"};
    const Setting *setting = setting_known(environment, value->name);
    if (!setting) return refuse_unknown(environment, value->name, error, error_bytes);
    int fits = setting->count == SETTING_TEXT    ? value->text != NULL
               : setting->count == SETTING_ARRAY ? value->numbers != NULL
                                                 : value->numbers != NULL && value->count == 1;
    if (!fits) {
        snprintf(error, error_bytes, "%s.%s is %s%s%s: it takes %s (%s)", environment->name, value->name,
                 value->text ? "'" : "", value->text ? value->text : "a list or number", value->text ? "'" : "",
                 kinds[-setting->count], setting->help);
        return -1;
    }
    for (int64_t i = 0; value->numbers && i < value->count; i++) {
        double number = value->numbers[i];
        if (setting->count == SETTING_INTEGER && number != floor(number)) {
            snprintf(error, error_bytes, "%s.%s is %g: give a whole number (%s)", environment->name, value->name, number,
                     setting->help);
            return -1;
        }
        if (isfinite(number) && number >= setting->low && number <= setting->high) continue;
        snprintf(error, error_bytes, "%s.%s is %g: give a number from %g to %g (%s)", environment->name, value->name,
                 number, setting->low, setting->high, setting->help);
        return -1;
    }
    return 0;
}

int environment_spaces(const Environment *environment, const SettingValue *values, int64_t count, Spaces *spaces,
                       char *error, size_t error_bytes) {
    for (int64_t i = 0; i < count; i++)
        if (check(environment, &values[i], error, error_bytes) != 0) return -1;
    Settings settings = {environment->settings, values, count};
    *spaces = (Spaces){0};
    if (environment->spaces(&settings, spaces, error, error_bytes) != 0) return -1;
    if (spaces->agents < 1 || spaces->features < 1 || spaces->action_dims < 1 || spaces->choices < 0) {
        snprintf(error, error_bytes,
                 "%s gives %d agents, %d features, %d action_dims, %d choices: its spaces() must set all four",
                 environment->name, spaces->agents, spaces->features, spaces->action_dims, spaces->choices);
        return -1;
    }
    return 0;
}
