"""What needs OpenTelemetry's SDK, the extra ``otel``: only ``service.telemetry`` imports it, and only when it is turned on."""
