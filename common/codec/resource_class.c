/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/resource_class.h"

#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"

#define CUSTOM_PREFIX "CUSTOM_"

/* Sorted by bytes, for bsearch. */
static const char *const standard_classes[] = {
    "DISK_GB",
    "FPGA",
    "IPV4_ADDRESS",
    "MEMORY_MB",
    "MEM_ENCRYPTION_CONTEXT",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    "NUMA_CORE",
    "NUMA_MEMORY_MB",
    "NUMA_SOCKET",
    "NUMA_THREAD",
    "PCI_DEVICE",
    "PCPU",
    "PGPU",
    "SRIOV_NET_VF",
    "VCPU",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
};

static int compare_with_class(const void *key, const void *element)
{
    const struct text *name = key;
    const char *const *class = element;
    return text_compare(*name, text_of(*class));
}

static bool is_standard(struct text name)
{
    return bsearch(&name, standard_classes, sizeof standard_classes / sizeof *standard_classes,
                   sizeof *standard_classes, compare_with_class) != NULL;
}

static bool is_capital_word(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return text.length > 0;
}

bool resource_class_valid(struct text name)
{
    if (!text_starts_with(name, CUSTOM_PREFIX))
        return is_standard(name);
    return name.length > strlen(CUSTOM_PREFIX) && name.length <= RESOURCE_CLASS_MAX &&
           is_capital_word(name);
}

bool consumer_type_valid(struct text name)
{
    return name.length <= CONSUMER_TYPE_MAX && is_capital_word(name);
}
