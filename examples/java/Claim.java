// SPDX-License-Identifier: Apache-2.0

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments. Exit
 * status: 0 claimed, 1 failed, 2 outcome unknown (run again with the same KEY).
 */
public final class Claim {
    private static final int MAX_ATTEMPTS = 5; // to send one message; each waits twice as long
    private static final int MAX_CONFLICTS = 5; // after each, the consumer is read again
    private static final Gson GSON = new GsonBuilder().serializeNulls().create();

    private record Reply(JsonObject body, boolean replayed) {
        boolean success() {
            return body.get("status").getAsString().equals("success");
        }

        JsonObject error() {
            return body.getAsJsonObject("error");
        }

        String code() {
            return error().get("code").getAsString();
        }

        JsonElement generation() {
            JsonElement given = body.getAsJsonObject("result").get("consumer_generation");
            return given == null ? JsonNull.INSTANCE : given;
        }
    }

    private final String user;
    private final long timeout;
    private final Channel channel;
    private final String queue;
    private final BlockingQueue<Delivery> replies = new LinkedBlockingQueue<>();
    private volatile boolean returned;

    /** Opens a channel and an exclusive queue for its replies. */
    private Claim(Connection connection, String user, long timeout) throws Exception {
        this.user = user;
        this.timeout = timeout;
        channel = connection.createChannel();
        channel.confirmSelect();
        channel.addReturnListener(message -> returned = true);
        queue = user + ".claim." + UUID.randomUUID();
        channel.queueDeclare(queue, false, true, true, null);
        channel.basicConsume(queue, true, (tag, delivery) -> replies.add(delivery), tag -> {});
    }

    private void publish(String key, byte[] body, long deadline) throws Exception {
        BasicProperties properties = new BasicProperties.Builder()
            .messageId(key).correlationId(key).userId(user).replyTo(queue)
            .contentType("application/json").deliveryMode(2).build();
        channel.basicPublish("allot.commands", "allot.commands", true, properties, body);
        try { // waitForConfirms returns when the broker has confirmed the message
            if (!channel.waitForConfirms(Math.max(1, deadline - now()))) {
                System.out.printf("%s: nacked by the broker%n", key);
            }
        } catch (TimeoutException unconfirmed) {
            return; // call() waits for the reply, then tries again
        }
        if (returned) {
            throw new IllegalStateException("message unroutable: is the topology declared?");
        }
    }

    private Reply await(String key, long deadline) throws InterruptedException {
        for (;;) {
            Delivery delivery = replies.poll(deadline - now(), TimeUnit.MILLISECONDS);
            if (delivery == null) {
                return null;
            }
            // A message that was sent twice gets two replies; the second one is ignored.
            if (key.equals(delivery.getProperties().getCorrelationId())) {
                String body = new String(delivery.getBody(), StandardCharsets.UTF_8);
                Object replayed = delivery.getProperties().getHeaders().get("x-allot-replayed");
                return new Reply(JsonParser.parseString(body).getAsJsonObject(), Boolean.TRUE.equals(replayed));
            }
        }
    }

    private static long now() {
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
    }

    /**
     * Sends a command and returns its reply. Without a reply the outcome is unknown: the command may
     * have taken effect. It is safe to send it again under the same key: it takes effect once, and the
     * worker replies with the recorded outcome.
     */
    private Reply call(String key, String command, Map<String, ?> params) throws Exception {
        byte[] body = GSON.toJson(Map.of("version", 1, "command", command, "params", params))
            .getBytes(StandardCharsets.UTF_8);
        long wait = timeout;
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++, wait *= 2) {
            long deadline = now() + wait;
            publish(key, body, deadline);
            Reply reply = await(key, deadline);
            if (reply != null) {
                return reply;
            }
            System.out.printf("%s: no reply within %d ms%n", key, wait);
        }
        throw new TimeoutException(
            String.format("no reply after %d attempts, outcome unknown: %s", MAX_ATTEMPTS, key));
    }

    private JsonElement generationOf(String consumer) throws Exception {
        Reply reply = call(UUID.randomUUID().toString(), "allocation.get", Map.of("consumer_uuid", consumer));
        if (!reply.success()) {
            throw new IllegalStateException("allocation.get: " + reply.code());
        }
        return reply.generation();
    }

    private int claim(String key, String provider, String consumer, int vcpus, JsonElement generation)
            throws Exception {
        for (int conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
            Reply reply = call(key, "allocation.set", Map.of(
                "consumer_uuid", consumer, "project_id", "examples", "user_id", "example",
                "consumer_generation", generation, "consumer_type", "INSTANCE",
                "allocations", Map.of(provider, Map.of("resources", Map.of("VCPU", vcpus)))));
            if (reply.success()) {
                String note = reply.replayed() ? " (replayed)" : "";
                System.out.printf("claimed: consumer_generation %s%s%n", reply.generation(), note);
                return 0;
            }
            if (!reply.error().get("retryable").getAsBoolean()) { // it would fail again
                System.out.printf("failed: %s: %s %s%n", reply.code(),
                    reply.error().get("message").getAsString(), reply.error().get("details"));
                return 1;
            }
            // Another producer has changed the consumer. The failure is recorded under this key, so the
            // next try needs a new key. A real producer decides here whether it still wants the claim.
            generation = generationOf(consumer);
            key = UUID.randomUUID().toString();
            System.out.printf("%s: retrying with consumer_generation %s%n", reply.code(), generation);
        }
        System.out.printf("gave up after %d conflicts%n", MAX_CONFLICTS);
        return 1;
    }

    private static int run(String[] arguments) throws Exception {
        JsonElement generation = JsonParser.parseString(arguments.length > 4 ? arguments[4] : "null");
        long timeout = arguments.length > 5 ? Long.parseLong(arguments[5]) : 5000;
        String uri = System.getenv("ALLOT_AMQP_URI_CONDUCTOR");
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(uri == null ? System.getenv("ALLOT_AMQP_URI") : uri);
        try (Connection connection = factory.newConnection()) {
            return new Claim(connection, factory.getUsername(), timeout)
                .claim(arguments[0], arguments[1], arguments[2], Integer.parseInt(arguments[3]), generation);
        }
    }

    public static void main(String[] arguments) {
        if (arguments.length < 4 || arguments.length > 6) {
            System.err.println("usage: Claim KEY PROVIDER CONSUMER VCPUS [GENERATION|null [TIMEOUT_MS]]");
            System.exit(2);
        }
        int status = 2;
        try {
            status = run(arguments);
        } catch (Exception failure) {
            System.out.println(failure.getMessage());
        }
        System.exit(status);
    }
}
