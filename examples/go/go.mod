// SPDX-License-Identifier: Apache-2.0
module allot/examples/claim

go 1.19

require github.com/rabbitmq/amqp091-go v1.9.0
