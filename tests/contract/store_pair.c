/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/store_pair.h"

struct pair pair_open(struct store_world *world)
{
    return (struct pair){session_open(world), session_open(world)};
}

void pair_close(struct pair *pair)
{
    session_close(&pair->second);
    session_close(&pair->first);
}

void touch_provider(struct session *session, struct uuid id, int64_t generation)
{
    struct provider *slot = open_provider(session, id);
    slot->generation = generation;
    slot->state.dirty = true;
}
