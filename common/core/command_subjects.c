/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command_subjects.h"

static void add(struct uuid *list, size_t *count, struct uuid id)
{
    for (size_t i = 0; i < *count; i++) {
        if (uuid_equal(list[i], id))
            return;
    }
    if (*count < COMMAND_SUBJECTS_MAX)
        list[(*count)++] = id;
}

static void add_consumer(struct command_subjects *subjects, struct uuid id)
{
    add(subjects->consumers, &subjects->consumer_count, id);
}

static void add_provider(struct command_subjects *subjects, struct uuid id)
{
    add(subjects->providers, &subjects->provider_count, id);
}

static void add_project(struct command_subjects *subjects, struct text project)
{
    if (!text_present(subjects->project))
        subjects->project = project;
}

static void add_claim(struct command_subjects *subjects, const struct claim *claim)
{
    add_consumer(subjects, claim->consumer);
    add_project(subjects, claim->project_id);
    for (size_t i = 0; i < claim->provider_count; i++)
        add_provider(subjects, claim->providers[i].provider);
}

static void add_change(struct command_subjects *subjects, const struct change_params *change)
{
    for (size_t i = 0; i < change->inventory_count; i++)
        add_provider(subjects, change->inventories[i].provider);
    for (size_t i = 0; i < change->claim_count; i++)
        add_claim(subjects, &change->claims[i]);
}

struct command_subjects command_subjects_of(const struct command *command)
{
    struct command_subjects subjects = {.project = TEXT_NONE};
    switch (command->kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET: add_provider(&subjects, command->params.provider.uuid); break;
    case COMMAND_PROVIDER_LIST: break;
    case COMMAND_PROVIDER_ALLOCATIONS:
        add_provider(&subjects, command->params.page.provider);
        break;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE: add_change(&subjects, &command->params.change); break;
    case COMMAND_ALLOCATION_GET: add_consumer(&subjects, command->params.consumer); break;
    case COMMAND_USAGE_GET: add_project(&subjects, command->params.usage.project_id); break;
    }
    return subjects;
}
