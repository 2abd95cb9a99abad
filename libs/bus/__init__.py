"""RabbitMQ: one topology table, a publisher with confirms, a consumer that acknowledges last."""
