"""What a process says of itself: metrics, the CloudWatch lines and OpenTelemetry's spans and points.

``points`` and ``spans`` need OpenTelemetry's SDK, the extra ``otel``: only ``export`` imports them, and only when it is turned on.
"""
