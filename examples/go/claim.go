// SPDX-License-Identifier: Apache-2.0

// Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments.
// Exit status: 0 claimed, 1 failed, 2 outcome unknown (run again with the same KEY).
package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	maxAttempts  = 5 // to send one message; each attempt waits twice as long as the one before
	maxConflicts = 5 // generation conflicts; after each, the consumer is read again
)

var errLost = errors.New("connection lost, outcome unknown")

type object map[string]any

type reply struct {
	Status string
	Result struct {
		ConsumerGeneration *int64 `json:"consumer_generation"`
	}
	Error struct {
		Code, Message string
		Retryable     bool
		Details       json.RawMessage
	}
	replayed bool
}

// A client has a connection and an exclusive queue for its replies.
type client struct {
	user, queue string
	timeout     time.Duration
	channel     *amqp.Channel
	replies     <-chan amqp.Delivery
	returns     chan amqp.Return
}

func random() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", bytes)
}

func open(uri string, timeout time.Duration) (*client, error) {
	parsed, err := amqp.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	connection, err := amqp.Dial(uri) // closed when the process exits
	if err != nil {
		return nil, err
	}
	channel, err := connection.Channel()
	if err != nil {
		return nil, err
	}
	if err = channel.Confirm(false); err != nil {
		return nil, err
	}
	c := &client{user: parsed.Username, timeout: timeout, channel: channel}
	c.queue = c.user + ".claim." + random()
	c.returns = channel.NotifyReturn(make(chan amqp.Return, 1))
	if _, err = channel.QueueDeclare(c.queue, false, true, true, false, nil); err != nil {
		return nil, err
	}
	c.replies, err = channel.Consume(c.queue, "", true, true, false, false, nil)
	return c, err
}

// callOnce publishes a command and waits for its reply. It returns nil, nil if the timer expires.
func (c *client) callOnce(key string, body []byte, timer <-chan time.Time) (*reply, error) {
	confirmation, err := c.channel.PublishWithDeferredConfirm("allot.commands", "allot.commands", true, false,
		amqp.Publishing{MessageId: key, CorrelationId: key, UserId: c.user, ReplyTo: c.queue,
			ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body})
	if err != nil {
		return nil, err
	}
	confirmed := confirmation.Done()
	for {
		select {
		case <-confirmed:
			confirmed = nil // a closed channel would be ready again and again
			if !confirmation.Acked() {
				fmt.Printf("%s: nacked by the broker\n", key)
			}
		case _, open := <-c.returns:
			if !open {
				return nil, errLost
			}
			return nil, errors.New("message unroutable: is the topology declared?")
		case delivery, open := <-c.replies:
			if !open {
				return nil, errLost
			}
			if delivery.CorrelationId != key {
				continue // a second reply to a message that was sent twice
			}
			answer := &reply{}
			answer.replayed, _ = delivery.Headers["x-allot-replayed"].(bool)
			return answer, json.Unmarshal(delivery.Body, answer)
		case <-timer:
			return nil, nil
		}
	}
}

// call sends a command and returns its reply. Without a reply the outcome is unknown: the command
// may have taken effect. It is safe to send it again under the same key: it takes effect once, and
// the worker replies with the recorded outcome.
func (c *client) call(key, command string, params object) (*reply, error) {
	body, err := json.Marshal(object{"version": 1, "command": command, "params": params})
	if err != nil {
		return nil, err
	}
	timeout := c.timeout
	for i := 0; i < maxAttempts; i++ {
		answer, err := c.callOnce(key, body, time.After(timeout))
		if answer != nil || err != nil {
			return answer, err
		}
		fmt.Printf("%s: no reply within %d ms\n", key, timeout.Milliseconds())
		timeout *= 2
	}
	return nil, fmt.Errorf("no reply after %d attempts, outcome unknown: %s", maxAttempts, key)
}

func (c *client) generationOf(consumer string) (*int64, error) {
	answer, err := c.call(random(), "allocation.get", object{"consumer_uuid": consumer})
	if err == nil && answer.Status != "success" {
		err = errors.New("allocation.get: " + answer.Error.Code)
	}
	if err != nil {
		return nil, err
	}
	return answer.Result.ConsumerGeneration, nil
}

func (c *client) claim(key, provider, consumer string, vcpus int64, generation *int64) (int, error) {
	for i := 0; i < maxConflicts; i++ {
		answer, err := c.call(key, "allocation.set", object{
			"consumer_uuid": consumer, "project_id": "examples", "user_id": "example",
			"consumer_generation": generation, "consumer_type": "INSTANCE",
			"allocations": object{provider: object{"resources": object{"VCPU": vcpus}}}})
		if err != nil {
			return 2, err
		}
		if answer.Status == "success" {
			note := map[bool]string{true: " (replayed)"}[answer.replayed]
			fmt.Printf("claimed: consumer_generation %s%s\n", text(answer.Result.ConsumerGeneration), note)
			return 0, nil
		}
		problem := answer.Error
		if !problem.Retryable { // the same command would fail again
			fmt.Printf("failed: %s: %s %s\n", problem.Code, problem.Message, problem.Details)
			return 1, nil
		}
		// Another producer has changed the consumer. The failure is recorded under this key, so the
		// next try needs a new key. A real producer decides here whether it still wants the claim.
		if generation, err = c.generationOf(consumer); err != nil {
			return 2, err
		}
		key = random()
		fmt.Printf("%s: retrying with consumer_generation %s\n", problem.Code, text(generation))
	}
	fmt.Printf("gave up after %d conflicts\n", maxConflicts)
	return 1, nil
}

func text(generation *int64) string {
	if generation == nil {
		return "null"
	}
	return strconv.FormatInt(*generation, 10)
}

func run(arguments []string) (int, error) {
	if len(arguments) < 4 || len(arguments) > 6 {
		return 2, errors.New("usage: claim KEY PROVIDER CONSUMER VCPUS [GENERATION|null [TIMEOUT_MS]]")
	}
	arguments = append(arguments, []string{"null", "5000"}[len(arguments)-4:]...)
	var vcpus, timeout int64
	var generation *int64
	for i, number := range []any{&vcpus, &generation, &timeout} {
		if err := json.Unmarshal([]byte(arguments[3+i]), number); err != nil {
			return 2, err
		}
	}
	uri := os.Getenv("ALLOT_AMQP_URI_CONDUCTOR")
	if uri == "" {
		uri = os.Getenv("ALLOT_AMQP_URI")
	}
	c, err := open(uri, time.Duration(timeout)*time.Millisecond)
	if err != nil {
		return 2, err
	}
	return c.claim(arguments[0], arguments[1], arguments[2], vcpus, generation)
}

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Println(err)
	}
	os.Exit(status)
}
