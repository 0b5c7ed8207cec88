#include "ctl/commands.h"
int policy_check_command(const struct options *options, struct arena *arena)
{
    (void)options;
    (void)arena;
    return 1;
}
int policy_test_command(const struct options *options, struct arena *arena)
{
    (void)options;
    (void)arena;
    return 1;
}
