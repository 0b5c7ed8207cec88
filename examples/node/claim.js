#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments.
// Exit status: 0 claimed, 1 failed, 2 outcome unknown (run again with the same KEY).
import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';

const MAX_ATTEMPTS = 5; // to send one message; each attempt waits twice as long as the one before
const MAX_CONFLICTS = 5; // generation conflicts; after each, the consumer is read again

// Opens a connection and an exclusive queue for its replies.
async function open(uri, timeout) {
  const user = decodeURIComponent(new URL(uri).username);
  const connection = await amqp.connect(uri);
  const channel = await connection.createConfirmChannel();
  const client = { user, timeout, connection, channel, waiting: new Map(), returned: new Set() };
  client.queue = `${user}.claim.${randomUUID()}`;
  channel.on('return', (message) => client.returned.add(message.properties.messageId));
  await channel.assertQueue(client.queue, { exclusive: true, autoDelete: true });
  await channel.consume(client.queue, (message) => {
    if (!message) return; // the broker has cancelled the subscription
    const { correlationId, headers } = message.properties;
    // A message that was sent twice gets two replies; the second one is ignored.
    client.waiting.get(correlationId)?.({
      ...JSON.parse(message.content.toString()),
      replayed: headers['x-allot-replayed'] === true,
    });
  }, { noAck: true });
  return client;
}

// Resolves when the broker has confirmed the message.
function publish(client, key, body) {
  return new Promise((resolve, reject) => {
    client.channel.publish('allot.commands', 'allot.commands', body, {
      messageId: key, correlationId: key, userId: client.user, replyTo: client.queue,
      contentType: 'application/json', persistent: true, mandatory: true,
    }, (error) => {
      if (error) console.log(`${key}: nacked by the broker`);
      if (client.returned.has(key)) reject(new Error('message unroutable: is the topology declared?'));
      else resolve();
    });
  });
}

// Sends a command and returns its reply. Without a reply the outcome is unknown: the command may
// have taken effect. It is safe to send it again under the same key: it takes effect once, and the
// worker replies with the recorded outcome.
async function call(client, key, command, params) {
  const body = Buffer.from(JSON.stringify({ version: 1, command, params }));
  const answered = new Promise((resolve) => client.waiting.set(key, resolve));
  let { timeout } = client;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++, timeout *= 2) {
    let timer;
    const expired = new Promise((resolve) => { timer = setTimeout(resolve, timeout, null); });
    const published = publish(client, key, body).then(() => answered);
    const reply = await Promise.race([published, expired]);
    clearTimeout(timer);
    if (reply) {
      client.waiting.delete(key);
      return reply;
    }
    published.catch(() => {}); // too late for this attempt; the next one reports the error
    console.log(`${key}: no reply within ${timeout} ms`);
  }
  throw new Error(`no reply after ${MAX_ATTEMPTS} attempts, outcome unknown: ${key}`);
}

async function generationOf(client, consumer) {
  const reply = await call(client, randomUUID(), 'allocation.get', { consumer_uuid: consumer });
  if (reply.status !== 'success') throw new Error(`allocation.get: ${reply.error.code}`);
  return reply.result.consumer_generation ?? null;
}

async function claim(client, key, provider, consumer, vcpus, generation) {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const reply = await call(client, key, 'allocation.set', {
      consumer_uuid: consumer, project_id: 'examples', user_id: 'example',
      consumer_generation: generation, consumer_type: 'INSTANCE',
      allocations: { [provider]: { resources: { VCPU: vcpus } } },
    });
    if (reply.status === 'success') {
      const note = reply.replayed ? ' (replayed)' : '';
      console.log(`claimed: consumer_generation ${reply.result.consumer_generation}${note}`);
      return 0;
    }
    const { code, message, details, retryable } = reply.error;
    if (!retryable) { // the same command would fail again
      console.log(`failed: ${code}: ${message} ${JSON.stringify(details)}`);
      return 1;
    }
    // Another producer has changed the consumer. The failure is recorded under this key, so the
    // next try needs a new key. A real producer decides here whether it still wants the claim.
    generation = await generationOf(client, consumer);
    key = randomUUID();
    console.log(`${code}: retrying with consumer_generation ${generation}`);
  }
  console.log(`gave up after ${MAX_CONFLICTS} conflicts`);
  return 1;
}

const [key, provider, consumer, vcpus, generation = 'null', timeout = '5000'] = process.argv.slice(2);
if (!vcpus) {
  console.error('usage: claim.js KEY PROVIDER CONSUMER VCPUS [GENERATION|null [TIMEOUT_MS]]');
  process.exit(2);
}
try {
  const uri = process.env.ALLOT_AMQP_URI_CONDUCTOR || process.env.ALLOT_AMQP_URI;
  const client = await open(uri, Number(timeout));
  process.exitCode = await claim(client, key, provider, consumer, Number(vcpus), JSON.parse(generation));
  await client.connection.close();
} catch (error) {
  console.log(error.message);
  process.exit(2);
}
