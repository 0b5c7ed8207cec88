# SPDX-License-Identifier: Apache-2.0
"""A model of allotd: the effects of successful commands on providers and consumers, by the rules of the protocol.

Each transaction of the oplog is replayed, in an order of its commands in which each one gives the recorded answer. If
there is no such order, outcomes and effects contradict each other. The model shares no code with allotd.
"""
STEPS_MAX = 300000
DEFAULTS = {"reserved": 0, "min_unit": 1, "max_unit": 2147483647, "step_size": 1, "allocation_ratio": 1.0}


class Misfit(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Misfit(what)


class State:
    def __init__(self):
        self.providers = {}  # uuid -> {name, parent, generation, inventories, used}
        self.consumers = {}  # uuid -> {generation, project, user, type, allocations}

    def copy(self):
        """A copy that shares its entries; an entry is replaced, never changed."""
        state = State()
        state.providers, state.consumers = dict(self.providers), dict(self.consumers)
        return state

    def own(self, uuid):
        """Replaces the entry of a provider by a copy that may be changed, and returns it."""
        provider = dict(self.providers[uuid])
        provider["used"] = dict(provider["used"])
        self.providers[uuid] = provider
        return provider

    # --- commands --------------------------------------------------------------------------------

    def apply(self, command, params, result):
        """Applies a command. Raises Misfit if it cannot have this result now; the state is undefined then."""
        name = command.replace(".", "_")
        getattr(self, name)(params, result)

    def provider_create(self, params, result):
        uuid = params["uuid"]
        demand(uuid not in self.providers, f"{uuid} exists")
        demand(all(other["name"] != params["name"] for other in self.providers.values()), "the name is taken")
        parent = params.get("parent_provider_uuid")
        demand(parent is None or parent in self.providers, "no such parent")
        self.providers[uuid] = {"name": params["name"], "parent": parent, "generation": 0, "inventories": {}, "used": {}}
        self.check_place(uuid, result)

    def provider_update(self, params, result):
        uuid = params["uuid"]
        demand(uuid in self.providers, f"no {uuid}")
        provider = self.own(uuid)
        provider["name"] = params["name"]
        if "parent_provider_uuid" in params:
            parent = params["parent_provider_uuid"]
            demand(parent is None or parent in self.providers, "no such parent")
            demand(parent is None or uuid not in self.path(parent), "the parent is in the own subtree")
            provider["parent"] = parent
        self.check_place(uuid, result)

    def provider_delete(self, params, result):
        uuid = params["uuid"]
        demand(uuid in self.providers, f"no {uuid}")
        demand(all(other["parent"] != uuid for other in self.providers.values()), "it has children")
        demand(not any(self.providers[uuid]["used"].values()), "it is in use")
        demand(result == {}, "the result is not empty")
        del self.providers[uuid]

    def inventory_set(self, params, result):
        uuid, given = params["uuid"], params["resource_provider_generation"]
        self.set_inventories({uuid: params})
        provider = self.own(uuid)
        demand(result["resource_provider_generation"] == given + 1, "the generation in the result")
        provider["generation"] += 1
        demand(result["inventories"] == provider["inventories"], "the inventories in the result")

    def allocation_set(self, params, result):
        consumer = params["consumer_uuid"]
        touched = self.set_claims({consumer: params})
        stored = self.consumers.get(consumer, {}).get("generation")
        demand(result["consumer_generation"] == stored, "the consumer's generation")
        demand(result["resource_provider_generations"] == touched, "the providers' generations")

    def allocation_batch(self, params, result):
        self.check_changes(self.set_claims(params["consumers"]), params["consumers"], result)

    def allocation_delete(self, params, result):
        consumer = params["consumer_uuid"]
        demand(consumer in self.consumers, f"no {consumer}")
        given = params.get("consumer_generation")
        demand(given is None or given == self.consumers[consumer]["generation"], "the generation")
        demand(result == {}, "the result is not empty")
        self.raise_generations(self.release(consumer))

    def reshape(self, params, result):
        before = {uuid: self.usage_before(uuid) for uuid in params["inventories"]}
        self.set_inventories(params["inventories"])
        touched = self.set_claims(params["allocations"], set(params["inventories"]), before)
        self.check_changes(touched, params["allocations"], result)

    # --- parts -----------------------------------------------------------------------------------

    def path(self, uuid):
        """The provider and its ancestors, up to the root."""
        path = [uuid]
        while self.providers[path[-1]]["parent"] is not None:
            path.append(self.providers[path[-1]]["parent"])
        return path

    def check_place(self, uuid, result):
        provider = self.providers[uuid]
        demand(result == {"uuid": uuid, "name": provider["name"], "parent_provider_uuid": provider["parent"],
                          "root_provider_uuid": self.path(uuid)[-1], "generation": provider["generation"]},
               "the provider in the result")

    def check_changes(self, touched, claims, result):
        generations = {uuid: {"consumer_generation": self.consumers.get(uuid, {}).get("generation")} for uuid in claims}
        demand(result["consumers"] == generations, "the consumers' generations")
        demand(result["resource_provider_generations"] == touched, "the providers' generations")

    def set_inventories(self, changes):
        for uuid, change in changes.items():
            demand(uuid in self.providers, f"no {uuid}")
            provider = self.own(uuid)
            demand(provider["generation"] == change["resource_provider_generation"], "the provider's generation")
            provider["inventories"] = {name: {**DEFAULTS, **record} for name, record in change["inventories"].items()}

    def usage_before(self, uuid):
        """The usage of a provider before the command: it may be over the capacity if it does not rise."""
        return dict(self.providers[uuid]["used"]) if uuid in self.providers else {}

    def release(self, consumer):
        """Removes the consumer with its allocations. Returns the providers whose usage goes down."""
        held = self.consumers.pop(consumer)["allocations"]
        for uuid, resources in held.items():
            used = self.own(uuid)["used"]
            for name, amount in resources.items():
                used[name] -= amount
        return set(held)

    def set_claims(self, claims, touched=(), before=()):
        touched, generations = set(touched), {}
        before = dict(before) or {}
        for consumer, claim in claims.items():
            stored = self.consumers.get(consumer, {}).get("generation")
            demand(claim["consumer_generation"] == stored, f"generation of {consumer}")
            generations[consumer] = (stored or 0) + 1
            for uuid in list(self.consumers.get(consumer, {}).get("allocations", ())) + list(claim["allocations"]):
                demand(uuid in self.providers, f"no {uuid}")
                before.setdefault(uuid, self.usage_before(uuid))
        for consumer in claims:
            if consumer in self.consumers:
                touched |= self.release(consumer)
        for consumer, claim in claims.items():
            if claim["allocations"]:
                self.allocate(consumer, claim, generations[consumer])
                touched |= set(claim["allocations"])
        for uuid in touched:
            self.check_capacity(uuid, before.get(uuid, {}))
        return self.raise_generations(touched)

    def allocate(self, consumer, claim, generation):
        allocations = {uuid: dict(place["resources"]) for uuid, place in claim["allocations"].items()}
        self.consumers[consumer] = {"generation": generation, "project": claim["project_id"], "user": claim["user_id"],
                                    "type": claim["consumer_type"], "allocations": allocations}
        for uuid, resources in allocations.items():
            used = self.own(uuid)["used"]
            for name, amount in resources.items():
                demand(name in self.providers[uuid]["inventories"], f"no inventory of {name}")
                used[name] = used.get(name, 0) + amount

    def check_capacity(self, uuid, before):
        provider = self.providers[uuid]
        for name, used in provider["used"].items():
            inventory = provider["inventories"].get(name)
            if used <= before.get(name, 0):
                continue
            demand(inventory is not None, f"no inventory of {name}")
            capacity = (inventory["total"] - inventory["reserved"]) * round(inventory["allocation_ratio"] * 1000000)
            demand(used * 1000000 <= capacity, f"over the capacity of {uuid}")

    def raise_generations(self, providers):
        for uuid in providers:
            self.own(uuid)["generation"] += 1
        return {uuid: self.providers[uuid]["generation"] for uuid in providers}


def named(result):
    """The generations of providers in a result. Each generation is given once, so no order may skip one."""
    generations = dict(result.get("resource_provider_generations", {}))
    if "resource_provider_generation" in result:
        generations[None] = result["resource_provider_generation"]
    return generations


class Step:
    def __init__(self, command, params, result):
        self.command, self.params, self.result = command, params, result
        self.generations = named(result)
        if None in self.generations:
            self.generations[params["uuid"]] = self.generations.pop(None)

    def is_due(self, state):
        return all(uuid in state.providers and state.providers[uuid]["generation"] == generation - 1
                   for uuid, generation in self.generations.items())

    def is_past(self, state):
        return any(uuid in state.providers and state.providers[uuid]["generation"] >= generation
                   for uuid, generation in self.generations.items())


def fold(state, commands):
    """The state after these (name, params, result), in some order that fits. Raises Misfit if no order fits.

    A command without generations in its result (a delete) is tried when no other command fits. The state after a set
    of commands does not depend on their order, so a set that failed is not tried again. If a command has the next
    generation of all its providers, no other command is tried at that point: one that came before it could not have
    changed these providers.
    """
    steps = sorted((Step(*command) for command in commands), key=lambda step: not step.generations)
    todo, seen, tried = [(state, tuple(range(len(steps))), 0)], set(), 0
    deepest, reason = len(steps) + 1, "nothing fits"
    while todo:
        state, rest, at = todo.pop()
        if not rest:
            return state
        for at in range(at, len(rest)):
            step, others = steps[rest[at]], rest[:at] + rest[at + 1:]
            if others in seen or not step.is_due(state):
                continue
            after, tried = state.copy(), tried + 1
            try:
                after.apply(step.command, step.params, step.result)
                demand(not any(steps[i].is_past(after) for i in others), "a generation that another one was given")
            except (Misfit, KeyError) as misfit:
                if len(rest) <= deepest:
                    deepest, reason = len(rest), f"{step.command} {step.params}: {misfit!r}"
                continue
            seen.add(others)
            if not step.generations:
                todo.append((state, rest, at + 1))
            todo.append((after, others, 0))
            break
        if tried > STEPS_MAX:
            raise Misfit(f"no order was found in time; {deepest} of {len(steps)} left: {reason}")
    raise Misfit(f"no order fits; {deepest} of {len(steps)} left: {reason}")
