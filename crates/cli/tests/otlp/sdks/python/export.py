"""Exports the records of a file with the OpenTelemetry SDK for Python.

export.py RECORDS grpc|http ENDPOINT none|gzip [TOKEN]

Exits with 1 if an export is not taken.
"""

import base64
import json
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

path, protocol, endpoint, compression = sys.argv[1:5]
headers = {"authorization": f"Bearer {sys.argv[5]}"} if len(sys.argv) > 5 else {}

if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(
        endpoint=endpoint,
        insecure=True,
        headers=headers,
        compression=Compression.Gzip if compression == "gzip" else Compression.NoCompression,
    )
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(
        endpoint=endpoint,
        headers=headers,
        compression=Compression.Gzip if compression == "gzip" else Compression.NoCompression,
    )


class Watched(LogRecordExporter):
    """Passes on to the exporter, and remembers whether everything was taken."""

    refused = 0

    def export(self, batch):
        result = exporter.export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            Watched.refused += 1
        return result

    def shutdown(self):
        exporter.shutdown()

    def force_flush(self, timeout_millis=10_000):
        return True


def value(of):
    """JSON has no bytes: they are written as base64 in an object."""
    if isinstance(of, dict):
        if list(of) == ["$bytes"]:
            return base64.b64decode(of["$bytes"])
        return {name: value(member) for name, member in of.items()}
    if isinstance(of, list):
        return [value(element) for element in of]
    return of


with open(path, encoding="utf-8") as file:
    given = json.load(file)

provider = LoggerProvider(resource=Resource(given["resource"]), shutdown_on_exit=False)
provider.add_log_record_processor(SimpleLogRecordProcessor(Watched()))
scope = given["scope"]
logger = provider.get_logger(
    scope["name"], scope["version"], scope["schema_url"], scope["attributes"]
)
for record in given["records"]:
    context = None
    if "trace_id" in record:
        span = SpanContext(
            int(record["trace_id"], 16),
            int(record["span_id"], 16),
            is_remote=False,
            trace_flags=TraceFlags(record["flags"]),
        )
        context = set_span_in_context(NonRecordingSpan(span))
    attributes = value(record["attributes"])
    if "class" in record:
        attributes["tidegate.class"] = record["class"]
    logger.emit(
        LogRecord(
            timestamp=int(record["timestamp"]),
            observed_timestamp=int(record["observed"]),
            context=context,
            severity_number=SeverityNumber(record["severity_number"]),
            severity_text=record["severity_text"],
            body=value(record["body"]),
            attributes=attributes,
            event_name=record.get("event_name"),
        )
    )
provider.shutdown()
sys.exit(1 if Watched.refused else 0)
