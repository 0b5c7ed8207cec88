#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments.
// Exit status: 0 claimed, 1 refused, 2 it could not be found out (run again with the same KEY).
import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';

const SENDINGS = 5; // of one message, each time-out twice as long as the one before
const READINGS = 5; // of the consumer, after conflicts

// One connection, one queue of its own for replies.
async function open(uri, timeout) {
  const user = decodeURIComponent(new URL(uri).username);
  const connection = await amqp.connect(uri);
  const channel = await connection.createConfirmChannel();
  const client = { user, timeout, connection, channel, waiting: new Map(), returned: new Set() };
  client.queue = `${user}.claim.${randomUUID()}`;
  channel.on('return', (message) => client.returned.add(message.properties.messageId));
  await channel.assertQueue(client.queue, { exclusive: true, autoDelete: true });
  await channel.consume(client.queue, (message) => {
    if (!message) return; // the broker has cancelled the consumer
    const { correlationId, headers } = message.properties;
    // Nobody waits for the second reply to a message that was sent twice.
    client.waiting.get(correlationId)?.({
      ...JSON.parse(message.content.toString()),
      replayed: headers['x-allot-replayed'] === true,
    });
  }, { noAck: true });
  return client;
}

// Resolves once the broker has taken responsibility for the message.
function publish(client, key, body) {
  return new Promise((resolve, reject) => {
    client.channel.publish('allot.commands', 'allot.commands', body, {
      messageId: key, correlationId: key, userId: client.user, replyTo: client.queue,
      contentType: 'application/json', persistent: true, mandatory: true,
    }, (error) => {
      if (error) console.log(`${key}: the broker did not take it`);
      if (client.returned.has(key)) reject(new Error('nothing takes commands: is the topology declared?'));
      else resolve();
    });
  });
}

// The reply to a command. On a time-out nobody knows whether the command was carried out: the same
// key makes sending it again safe, and gets the outcome on record if there is one.
async function call(client, key, command, params) {
  const body = Buffer.from(JSON.stringify({ version: 1, command, params }));
  const answered = new Promise((resolve) => client.waiting.set(key, resolve));
  let { timeout } = client;
  for (let sending = 0; sending < SENDINGS; sending++, timeout *= 2) {
    let timer;
    const expired = new Promise((resolve) => { timer = setTimeout(resolve, timeout, null); });
    const published = publish(client, key, body).then(() => answered);
    const reply = await Promise.race([published, expired]);
    clearTimeout(timer);
    if (reply) {
      client.waiting.delete(key);
      return reply;
    }
    published.catch(() => {}); // too late to matter: the next sending will tell
    console.log(`${key}: no reply within ${timeout} ms`);
  }
  throw new Error(`gave up after ${SENDINGS} sendings, outcome unknown: ${key}`);
}

async function generationOf(client, consumer) {
  const reply = await call(client, randomUUID(), 'allocation.get', { consumer_uuid: consumer });
  if (reply.status !== 'success') throw new Error(`allocation.get: ${reply.error.code}`);
  return reply.result.consumer_generation ?? null;
}

async function claim(client, key, provider, consumer, vcpus, generation) {
  for (let reading = 0; reading < READINGS; reading++) {
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
    if (!retryable) { // the same command would be refused again
      console.log(`refused: ${code}: ${message} ${JSON.stringify(details)}`);
      return 1;
    }
    // Someone else was first. The refusal is on record under this key, so a new one is needed;
    // a real producer decides here, from what it reads, whether it still wants the claim.
    generation = await generationOf(client, consumer);
    key = randomUUID();
    console.log(`${code}: read again, next try on generation ${generation}`);
  }
  console.log(`gave up after ${READINGS} conflicts`);
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
