// Exports the records of a file with the OpenTelemetry SDK for Node.
//
// export.mjs RECORDS grpc|proto|json ENDPOINT none|gzip [TOKEN]
//
// Exits with 1 if an export is not taken. The SDK is found below the directory SDK names.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.SDK}/package.json`);
const { ROOT_CONTEXT, trace } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { LoggerProvider, SimpleLogRecordProcessor } = require("@opentelemetry/sdk-logs");

const [path, protocol, url, compression, token] = process.argv.slice(2);
const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };

function exporter() {
  if (protocol === "grpc") {
    const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-grpc");
    const { Metadata, credentials } = require("@grpc/grpc-js");
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) {
      metadata.set(name, value);
    }
    return new OTLPLogExporter({ url, compression, metadata, credentials: credentials.createInsecure() });
  }
  const name = protocol === "proto" ? "proto" : "http";
  const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${name}`);
  return new OTLPLogExporter({ url, compression, headers });
}

let refused = 0;
const to = exporter();
const watched = {
  export: (records, done) =>
    to.export(records, (result) => {
      if (result.code !== 0) {
        console.error(result.error);
        refused += 1;
      }
      done(result);
    }),
  forceFlush: () => to.forceFlush(),
  shutdown: () => to.shutdown(),
};

// JSON has no bytes: they are written as base64 in an object.
function value(of) {
  if (Array.isArray(of)) {
    return of.map(value);
  }
  if (of !== null && typeof of === "object") {
    const entries = Object.entries(of);
    if (entries.length === 1 && entries[0][0] === "$bytes") {
      return Uint8Array.from(Buffer.from(entries[0][1], "base64"));
    }
    return Object.fromEntries(entries.map(([name, member]) => [name, value(member)]));
  }
  return of;
}

// Nanoseconds since 1970 as seconds and the rest.
function time(nanos) {
  const all = BigInt(nanos);
  return [Number(all / 1_000_000_000n), Number(all % 1_000_000_000n)];
}

const given = JSON.parse(readFileSync(path, "utf8"));
const provider = new LoggerProvider({
  resource: resourceFromAttributes(given.resource),
  processors: [new SimpleLogRecordProcessor({ exporter: watched })],
});
const { name, version, schema_url: schemaUrl, attributes: scopeAttributes } = given.scope;
const logger = provider.getLogger(name, version, { schemaUrl, scopeAttributes });
for (const record of given.records) {
  const attributes = value(record.attributes);
  if (record.class !== undefined) {
    attributes["tidegate.class"] = record.class;
  }
  const span = { traceId: record.trace_id, spanId: record.span_id, traceFlags: record.flags };
  logger.emit({
    timestamp: time(record.timestamp),
    observedTimestamp: time(record.observed),
    severityNumber: record.severity_number,
    severityText: record.severity_text,
    body: value(record.body),
    attributes,
    eventName: record.event_name,
    context: record.trace_id === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span),
  });
}
await provider.forceFlush();
await provider.shutdown();
process.exit(refused === 0 ? 0 : 1);
